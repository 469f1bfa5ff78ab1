"""The page on commands for a service elsewhere names all commands: those that go there and those that do not."""

import inspect
import re
from typing import Final

import pytest

from maskline.cli.context import Context
from maskline.cli.main import build_app
from maskline.cli.remote.connection import REMOTE_OPTIONS
from maskline.config import ENVIRONMENT_REMOTE
from maskline.core.access import Permission
from tests.docs.generate import commands
from tests.tidy.tree import ROOT

PAGE: Final = ROOT / "docs" / "operate" / "remote.md"


def goes_elsewhere(name: str) -> bool:
    """Whether a command is done by `Context.perform`, which is the only way to another service."""
    function = dict(commands())[name].default_command
    assert function is not None
    return "context.perform(" in inspect.getsource(function)


def rows_below(title: str) -> list[list[str]]:
    """The cells of the table in a section, without its head."""
    section = PAGE.read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def named(cell: str) -> list[str]:
    return [f"maskline {name}" for name in re.findall(r"`([^`]+)`", cell)]


def test_what_is_done_on_the_machine_only() -> None:
    """Is what no service elsewhere is asked for."""
    told = [
        name
        for commands_cell, *_ in rows_below("What is done on the machine only")
        for name in named(commands_cell)
    ]
    assert sorted(told) == sorted(name for name, _ in commands() if not goes_elsewhere(name))


def test_every_other_command_has_a_permission() -> None:
    """Each once, and each permission is one."""
    rows = rows_below("Which key may do what")
    told = [name for commands_cell, _ in rows for name in named(commands_cell)]
    assert sorted(told) == sorted(name for name, _ in commands() if goes_elsewhere(name))
    assert {permission.strip("`") for _, permission in rows} <= {it.value for it in Permission}


@pytest.mark.parametrize("word", sorted({*REMOTE_OPTIONS, *ENVIRONMENT_REMOTE}))
def test_options_and_environment_are_explained(word: str) -> None:
    """In the page's first table, and in the program's own help."""
    assert any(f"`{word}`" in cell for row in rows_below("Which service, with which key") for cell in row)
    assert word in str(build_app(Context()).help_epilogue)
