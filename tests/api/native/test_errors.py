import ast
import inspect

from maskline.api.native import app, wire
from maskline.api.native.errors import TITLES, NativeError


def _codes() -> set[str]:
    return {
        node.args[1].value
        for module in (app, wire)
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "NativeError"
        and isinstance(node.args[1], ast.Constant)
        and isinstance(node.args[1].value, str)
    }


def test_every_code_that_is_raised_has_its_title() -> None:
    """And no title is left over."""
    assert _codes() == TITLES.keys()


def test_a_problem_has_the_standards_members() -> None:
    """Type, title, status, and our code; a detail where there is one."""
    assert NativeError(422, "url-refused", "scheme").body() == {
        "type": "about:blank",
        "title": TITLES["url-refused"],
        "status": 422,
        "code": "url-refused",
        "detail": "scheme",
    }
    assert "detail" not in NativeError(404, "not-found").body()
