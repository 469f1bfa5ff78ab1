"""The types of the client are a user's too, who has neither our settings of mypy nor its plugins."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.tidy.tree import SOURCE

PROGRAM = """\
from typing import assert_type

from maskline.api.native.models.events import EventView
from maskline.api.native.models.keys import Key, KeyWithSecret
from maskline.client import AsyncClient, Client, Permission


def use(client: Client) -> None:
    made = client.keys.create(name="console", permissions=[Permission.SESSIONS_READ])
    assert_type(made, KeyWithSecret)
    for key in client.keys.list(limit=10):
        assert_type(key, Key)
    assert_type(client.keys.rotate(made.id, overlap_s=60), KeyWithSecret)
    client.keys.create(name=3, permissions=[Permission.SESSIONS_READ])  # refused
    client.keys.create(nam="x", permissions=[])  # refused
    client.keys.create(permissions=[])  # refused
    client.keys.rotate(3)  # refused
    made.secret + "x"  # refused


async def use_async(client: AsyncClient) -> None:
    assert_type(await client.keys.create(name="console", permissions=[Permission.ALL]), KeyWithSecret)
    async for key in client.keys.list():
        assert_type(key, Key)
    async with client.events.stream() as events:
        async for event in events:
            assert_type(event, EventView)
    for key in client.keys.list():  # refused
        pass
"""
"""What a type checker has to accept and, in lines that end so, to refuse; it is never run."""


def test_a_users_program_is_checked(tmp_path: Path) -> None:
    """Arguments by name and type, answers by class; every mistake is found, and nothing else."""
    program = tmp_path / "typed.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", str(program)],
        env={**os.environ, "MYPYPATH": str(SOURCE.parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    found = {int(line) for line in re.findall(r"typed\.py:(\d+): error:", done.stdout)}
    lines = PROGRAM.splitlines()
    assert found == {number for number, line in enumerate(lines, 1) if line.endswith("# refused")}, (
        done.stdout
    )
    assert "Found" in done.stdout


def test_the_package_says_that_it_is_typed() -> None:
    """A type checker looks for this file (PEP 561)."""
    assert (SOURCE / "py.typed").is_file()
