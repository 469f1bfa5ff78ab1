"""The documents agree with the code and with one another."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from maskline.api.plivo import errors as plivo_errors
from maskline.api.plivo import wire
from maskline.config import ENVIRONMENT_PREFIX, Settings
from maskline.store import schema
from tests.docs.generate import BLOCKS, commands, documents, errors, renew
from tests.tidy.tree import ROOT, shown

ADR = ROOT / "docs" / "adr"
OPERATE = ROOT / "docs" / "operate"
RECORDS = sorted(path for path in ADR.glob("*.md") if re.match(r"\d{4}-", path.name))
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives", "What enforces it"]
ROW_OF_INDEX = re.compile(r"^\| \[(\d{4})\]\((\S+)\) \| (.+) \|$", re.MULTILINE)

_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(
    r"(?:src|tests|docs|tools|requirements|bench|examples)/[\w./*-]+|[A-Z]+\.md|Makefile|pyproject\.toml"
)
_MODULE = re.compile(r"maskline(?:\.\w+)+")
_OPERATORS_FILES = frozenset({"maskline.toml", "maskline.db", "maskline.key"})
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def _operation_text() -> str:
    return "\n".join(path.read_text() for path in sorted(OPERATE.glob("*.md")))


def _prose(path: Path) -> str:
    return _FENCE.sub("", path.read_text())


def _anchors(path: Path) -> set[str]:
    """The fragments by which a document's headings are reached."""
    kept = (re.sub(r"[^\w\s-]", "", heading.lower()) for heading in _HEADING.findall(_prose(path)))
    return {re.sub(r"\s", "-", heading.strip()) for heading in kept}


@pytest.mark.parametrize("path", documents(), ids=shown)
def test_generated_blocks_are_current(path: Path) -> None:
    """What a document takes from the code is what the code says; renew with `python -m tests.docs.generate`."""
    assert renew(path.read_text()) == path.read_text()


def test_every_generated_block_has_a_place() -> None:
    """Settings, commands, error codes and terminations each stand in some document."""
    text = "\n".join(path.read_text() for path in documents())
    assert [name for name in BLOCKS if f"<!-- generated: {name} -->" not in text] == []


@pytest.mark.parametrize("name", Settings.model_fields)
def test_setting_is_documented(name: str) -> None:
    """An operator finds every setting under its name in the file and in the environment."""
    text = _operation_text()
    assert f"`{name}`" in text
    assert f"`{ENVIRONMENT_PREFIX}{name.upper()}`" in text


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_option_is_explained(name: str) -> None:
    """Each option of a command says in its help what it is for."""
    app = dict(commands())[name]
    options = app.assemble_argument_collection(parse_docstring=True)
    assert [option.name for option in options if not option.parameter.help] == []


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_command_is_documented(name: str) -> None:
    """An operator finds every command."""
    assert f"`{name}" in _operation_text()


@pytest.mark.parametrize("code", errors())
def test_error_code_is_documented(code: str) -> None:
    """A code that a program may be shown can be looked up."""
    assert f"`{code}`" in _operation_text()


@pytest.mark.parametrize(
    "text", [value for name, value in vars(plivo_errors).items() if name.isupper() and isinstance(value, str)]
)
def test_answer_of_the_plivo_dialect_is_documented(text: str) -> None:
    """Every fixed error text of the dialect stands on its page."""
    assert f"`{text}`" in (ROOT / "docs" / "api" / "plivo.md").read_text()


@pytest.mark.parametrize("name", wire.FIELDS)
def test_field_of_the_plivo_dialect_is_documented(name: str) -> None:
    """Every field that a create request may carry stands on the dialect's page."""
    assert f"`{name}`" in (ROOT / "docs" / "api" / "plivo.md").read_text()


def test_index_of_decisions_is_complete() -> None:
    """Each decision record is listed once, in order, under its own title."""
    rows = ROW_OF_INDEX.findall((ADR / "README.md").read_text())
    titles = [path.read_text().partition("\n")[0].removeprefix("# ") for path in RECORDS]
    assert [(file, f"{number} {title}") for number, file, title in rows] == [
        (path.name, title) for path, title in zip(RECORDS, titles, strict=True)
    ]
    assert [number for number, _, _ in rows] == [f"{index:04}" for index in range(1, len(rows) + 1)]


@pytest.mark.parametrize("path", RECORDS, ids=shown)
def test_decision_record_has_every_part(path: Path) -> None:
    """A record says when and where it holds, and has the sections of the template, in order and not empty."""
    text = path.read_text()
    assert re.search(r"^- Status: (accepted|superseded by \d{4})$", text, re.MULTILINE)
    assert re.search(r"^- Date: \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert re.search(r"^- Area: \S", text, re.MULTILINE)
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    assert parts[1::2] == SECTIONS
    assert all(part.strip() for part in parts[2::2])


@pytest.mark.parametrize("path", documents(), ids=shown)
def test_links_lead_somewhere(path: Path) -> None:
    """A relative link names a file that is there, and a heading that is in it."""
    dead = []
    for link in _LINK.findall(_prose(path)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("path", documents(), ids=shown)
def test_named_files_and_modules_exist(path: Path) -> None:
    """A file or a module that a document names in code type is in the tree."""
    missing = [name for name in _CODE.findall(_prose(path)) if not _exists(name)]
    assert missing == []


def _exists(name: str) -> bool:
    if _FILE.fullmatch(name):
        return any(ROOT.glob(name))
    if _MODULE.fullmatch(name) and name not in _OPERATORS_FILES:
        return any(_resolves(name))
    return True


def _resolves(name: str) -> Iterator[bool]:
    """Whether a dotted name is a module, or something in one, or something in a class of one."""
    words = name.split(".")
    for count in range(len(words), 0, -1):
        file = ROOT / "src" / Path(*words[:count])
        if not (file.with_suffix(".py").is_file() or (file / "__init__.py").is_file()):
            continue
        value: object = import_module(".".join(words[:count]))
        for word in words[count:]:
            value = getattr(value, word, None)
        yield value is not None
        return


@pytest.mark.parametrize("path", documents(), ids=shown)
def test_targets_of_make_exist(path: Path) -> None:
    """A `make` command that a document gives is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target for code in _CODE.findall(path.read_text()) for target in re.findall(r"^make ([a-z-]+)", code)
    }
    assert named - targets == set()


@pytest.mark.parametrize("path", documents(), ids=shown)
def test_sentences_have_lines_of_their_own(path: Path) -> None:
    """One sentence stands on one line, so that a change of a sentence is a change of a line."""
    crowded = [
        line
        for line in _prose(path).splitlines()
        if not line.startswith(("|", "<!--", "    ")) and re.search(r"[a-z)`]\. [A-Z`]", line)
    ]
    assert crowded == []


def test_tables_of_the_database_are_documented() -> None:
    """An operator finds every table and what it holds."""
    text = (OPERATE / "database.md").read_text()
    assert [name for name in schema.metadata.tables if f"`{name}`" not in text] == []
