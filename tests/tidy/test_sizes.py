"""Modules and functions stay small enough to be read at once; a function inside another counts by itself.

The exceptions may only shrink: one that is no longer needed fails the test until it is removed from the list.
"""

import ast

from tests.tidy.tree import ROOT, SOURCE, functions, modules, shown

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70  # what fits a screen

LONG_MODULES: frozenset[str] = frozenset()
LONG_FUNCTIONS: frozenset[str] = frozenset(
    {
        # A migration lists tables from top to bottom and is never edited again.
        "src/maskline/store/migrations/versions/pre_0001_initial.py:upgrade",
    }
)

DIRECTORIES = (SOURCE, ROOT / "tests", ROOT / "bench", ROOT / "tools")


def _own_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without those of the functions defined in it."""
    inner = (
        node
        for node in ast.walk(function)
        if node is not function and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    taken = {line for node in inner for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return len(set(range(function.lineno, (function.end_lineno or function.lineno) + 1)) - taken)


def test_modules_are_short() -> None:
    """No module has more than 500 lines, and the list of exceptions names only modules that do."""
    long = {
        shown(path) for path in modules(*DIRECTORIES) if len(path.read_text().splitlines()) > MODULE_LINES_MAX
    }
    assert long == LONG_MODULES


def test_functions_are_short() -> None:
    """No function has more than 70 lines, and the list of exceptions names only functions that do."""
    long = {
        f"{shown(path)}:{name}"
        for path in modules(*DIRECTORIES)
        for name, function in functions(path)
        if _own_lines(function) > FUNCTION_LINES_MAX
    }
    assert long == LONG_FUNCTIONS
