"""Documents whose rows each end with the tests that hold them, or with a named doubt."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

from tests.tidy.tree import ROOT, parse

NAMED: Final = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
CODE: Final = re.compile(r"`([^`]+)`")
DOUBT: Final = "Doubt: "
DOUBT_LENGTH_MIN: Final = 20  # a doubt says something


@cache
def read_sections(page: Path) -> dict[str, list[list[str]]]:
    """The cells of every row, below its heading; the rows that head and rule a table are left out."""
    found: dict[str, list[list[str]]] = {}
    for part in re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        rows = [line for line in text.splitlines() if line.startswith("|")]
        found[title] = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]
    return found


def held_names(page: Path, title: str) -> set[str]:
    """The names in the first cells of a section, of rows that tests hold."""
    rows = read_sections(page)[title]
    return {name for first, *_, held in rows if not held.startswith(DOUBT) for name in CODE.findall(first)}


def loose_rows(page: Path) -> list[str]:
    """Rows that end neither with tests nor with a doubt."""
    return [
        row[0]
        for rows in read_sections(page).values()
        for row in rows
        if not re.fullmatch(rf"{NAMED.pattern}(?:, {NAMED.pattern})*", row[-1])
        and not (
            row[-1].startswith(DOUBT)
            and row[-1].endswith(".")
            and len(row[-1]) > len(DOUBT) + DOUBT_LENGTH_MIN
        )
    ]


def missing_tests(page: Path) -> list[str]:
    """Tests that are named and are not there."""
    named = sorted(set(NAMED.findall(page.read_text())))
    return [f"{file}::{name}" for file, name in named if name not in _tests_in(ROOT / file)]


@cache
def _tests_in(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    return {
        it.name
        for it in ast.walk(parse(path))
        if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef) and it.name.startswith("test_")
    }
