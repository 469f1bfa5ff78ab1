"""Tests lie where their module lies: `src/maskline/sip/parser.py` is tested by `tests/sip/test_parser.py`.

A test file may be split: `test_parser_limits.py` beside or instead of `test_parser.py` serves too.
The exceptions may only shrink: one that is no longer needed fails the test until it is removed from the list.
"""

import ast
from pathlib import Path

from tests.tidy.tree import ROOT, SOURCE, functions, modules, shown

# Modules that only make sense together with others, and the test that runs them so.
TESTED_ELSEWHERE = {
    "src/maskline/client/_async/calling.py": "tests/client/_async/test_resources.py",
    "src/maskline/client/_async/operating.py": "tests/client/_async/test_resources.py",
    "src/maskline/client/_async/paging.py": "tests/client/_async/test_client.py",
    "src/maskline/client/_async/telling.py": "tests/client/_async/test_resources.py",
    "src/maskline/client/_sync/calling.py": "tests/client/_sync/test_resources.py",
    "src/maskline/client/_sync/operating.py": "tests/client/_sync/test_resources.py",
    "src/maskline/client/_sync/paging.py": "tests/client/_sync/test_client.py",
    "src/maskline/client/_sync/telling.py": "tests/client/_sync/test_resources.py",
    "src/maskline/demo/client.py": "tests/demo/test_main.py",
    "src/maskline/demo/phone.py": "tests/demo/test_main.py",
    "src/maskline/engine/media_engine.py": "tests/engine/test_media_sessions.py",
    "src/maskline/engine/media_guard.py": "tests/engine/test_media_supervisor.py",
    "src/maskline/engine/media_server.py": "tests/engine/test_media_link.py",
    "src/maskline/media/sdp_description.py": "tests/media/test_sdp.py",
    "src/maskline/testing/relay.py": "tests/engine/test_media_contract.py",
    "src/maskline/testing/virtual_switch.py": "tests/engine/test_switch.py",
}

TRIVIAL_STATEMENTS_MAX = 5
_SELF_EVIDENT = frozenset({"__init__", "__main__"})
_OF_ALEMBIC = SOURCE / "store" / "migrations"


def _has_behaviour(path: Path) -> bool:
    """Whether a module does more than a few statements' worth: values, types and protocols test themselves."""
    return sum(_statement_count(function) for _, function in functions(path)) > TRIVIAL_STATEMENTS_MAX


def _statement_count(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Statements of a function, nested blocks included, docstrings and inner functions not."""
    return sum(
        isinstance(node, ast.stmt)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
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
    assert sorted(missing - TESTED_ELSEWHERE.keys()) == []
    assert sorted(TESTED_ELSEWHERE.keys() - missing) == []
    assert [test for test in TESTED_ELSEWHERE.values() if not (ROOT / test).is_file()] == []
