"""Every package says in a sentence what it is for."""

import ast

from tests.tidy.tree import SOURCE, modules, parse, shown


def test_every_package_has_a_docstring() -> None:
    """The `__init__` of a package explains the package."""
    silent = {
        shown(path)
        for path in modules(SOURCE)
        if path.name == "__init__.py"
        and "migrations" not in path.parts
        and not ast.get_docstring(parse(path))
    }
    assert silent == set()
