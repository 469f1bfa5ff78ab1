"""Tests lie where their module lies: `src/maskline/sip/parser.py` is tested by `tests/sip/test_parser.py`.

A test file may be split: `test_parser_limits.py` beside or instead of `test_parser.py` serves too.
The exceptions may only shrink: one that is no longer needed fails the test until it is removed from the list.
"""

import ast
from pathlib import Path

from tests.tidy.tree import ROOT, SOURCE, functions, modules, shown

TESTED_ELSEWHERE: frozenset[str] = frozenset()

_SELF_EVIDENT = frozenset({"__init__", "__main__"})
_OF_ALEMBIC = SOURCE / "store" / "migrations"


def _has_behaviour(path: Path) -> bool:
    """Whether a module does anything: one with only values, types and protocols has nothing to be tested."""
    return any(_does_something(function) for _, function in functions(path))


def _does_something(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return not all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in function.body
    )


def _has_mirror(path: Path) -> bool:
    place = ROOT / "tests" / path.parent.relative_to(SOURCE)
    return (place / f"test_{path.stem}.py").is_file() or any(place.glob(f"test_{path.stem}_*.py"))


def test_every_module_has_its_test_file() -> None:
    """A module with behaviour has a test file in the same place, and the list names only those without."""
    missing = {
        shown(path)
        for path in modules(SOURCE)
        if path.stem not in _SELF_EVIDENT
        and _OF_ALEMBIC not in path.parents
        and _has_behaviour(path)
        and not _has_mirror(path)
    }
    assert missing == TESTED_ELSEWHERE
