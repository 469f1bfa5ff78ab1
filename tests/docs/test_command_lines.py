"""Every command that a document gives is one of the program's, with options that it has."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from cyclopts import App
from cyclopts.exceptions import CycloptsError

from maskline.cli.context import CONFIG_OPTION, GLOBAL_FLAGS, SETTING_OPTIONS, Context, split_global_options
from maskline.cli.main import build_app
from maskline.cli.remote.connection import REMOTE_OPTIONS
from tests.docs.generate import documents
from tests.tidy.tree import shown

_FENCE: Final = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_INDENTED: Final = re.compile(r"(?:^(?: {4}|\t).*\n)+", re.MULTILINE)
_CODE: Final = re.compile(r"`([^`\n]+)`")
_PROGRAM: Final = re.compile(r"(?:\w+=)?(?:\S*/bin/)?maskline")
_BEFORE: Final = re.compile(r"\$|\w+=\S*")
"""What may stand before the program: a prompt and the environment."""
_END: Final = frozenset({"|", "&&", ";", ">", "<", "&"})
_EVERYWHERE: Final = (
    GLOBAL_FLAGS | REMOTE_OPTIONS | SETTING_OPTIONS.keys() | {CONFIG_OPTION, "--help", "--version"}
)


def command_of(line: str) -> list[str] | None:
    """What a line of a shell gives the program, if it starts it."""
    try:
        tokens = shlex.split(line, comments=True)
    except ValueError:  # an apostrophe or so: no line of a shell
        return None
    for index, token in enumerate(tokens):
        if _PROGRAM.fullmatch(token):
            left = tokens[index + 1 :]
            return left[: next((at for at, word in enumerate(left) if word in _END), len(left))]
        if not _BEFORE.fullmatch(token):
            return None
    return None


def whole_commands(text: str) -> Iterator[list[str]]:
    """The commands in blocks of code, which can be typed as they stand."""
    blocks = _FENCE.findall(text) + _INDENTED.findall(_FENCE.sub("", text))
    for block in blocks:
        for line in re.sub(r"\\\n", " ", block).splitlines():
            if (found := command_of(line)) is not None:
                yield found


def mentions(text: str) -> Iterator[list[str]]:
    """The commands in sentences, of which arguments may be left out."""
    for code in _CODE.findall(_FENCE.sub("", text)):
        if code.startswith("maskline ") and (found := command_of(code)) is not None:
            yield found


def fault_of_mention(tokens: list[str]) -> str | None:
    """What is wrong with the words or the options of a command; "..." stands for anything."""
    app: App = build_app(Context())
    words = iter(tokens)
    for word in words:
        below = [it for it in app if not it.startswith("-")]
        if word == "..." or word.startswith("-") or not below:
            break
        if word not in below:
            return f"no command {word!r}"
        app = app[word]
    if any(not it.startswith("-") for it in app):
        return None
    known = {
        name for argument in app.assemble_argument_collection(parse_docstring=True) for name in argument.names
    }
    given = {token.partition("=")[0] for token in tokens if token.startswith("--")}
    unknown = sorted(given - known - _EVERYWHERE)
    return f"no options {unknown}" if unknown else None


def fault_of_command(tokens: list[str]) -> str | None:
    """What the program itself finds wrong with a command line."""
    context, left = split_global_options(tokens)
    try:
        build_app(context, left).parse_args(left, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        return str(error)
    return None


@pytest.mark.parametrize("path", documents(), ids=shown)
def test_commands_of_documents_are_the_programs(path: Path) -> None:
    """In blocks of code as a whole, in sentences by their words and options."""
    text = path.read_text()
    faults = {
        " ".join(tokens): fault_of_mention(tokens) or fault_of_command(tokens)
        for tokens in whole_commands(text)
    }
    faults |= {" ".join(tokens): fault_of_mention(tokens) for tokens in mentions(text)}
    assert {line: fault for line, fault in faults.items() if fault is not None} == {}


def test_there_are_commands_to_look_at() -> None:
    """The documents are searched as they are written."""
    texts = [path.read_text() for path in documents()]
    assert sum(len([*whole_commands(text)]) for text in texts) > 20
    assert sum(len([*mentions(text)]) for text in texts) > 60


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        ("maskline pool list shop  # all of them", ["pool", "list", "shop"]),
        ("A=b $ maskline demo | cat", ["demo"]),
        ("ExecStart=/opt/bin/maskline serve", ["serve"]),
        ("make run  # starts maskline", None),
        ("it's maskline", None),
        ("echo maskline demo", None),
    ],
)
def test_what_a_command_is(line: str, tokens: list[str] | None) -> None:
    """Prompts, environment, pipes and remarks are none of it."""
    assert command_of(line) == tokens


@pytest.mark.parametrize(
    "line", ["pool join shop pune", "pool list --nothing", "poool list", "pool list shop --nothing=1"]
)
def test_what_is_not_there_is_found(line: str) -> None:
    """Commands as well as options."""
    assert fault_of_mention(line.split()) is not None


def test_arguments_are_counted_in_blocks() -> None:
    """What is missing and what is too much."""
    assert fault_of_command(["pool", "move", "shop"]) is not None
    assert fault_of_command(["pool", "move", "shop", "+912269947011", "pune", "more"]) is not None
    assert fault_of_command(["pool", "move", "shop", "+912269947011", "pune", "--json"]) is None
