import ast
import re
from http import HTTPStatus

from tests.tidy.tree import ROOT, SOURCE, modules

from maskline.api.native.errors import PROBLEMS, FieldError, NativeError, refuse_field
from maskline.core.access import Denial


def _codes() -> set[str]:
    """The codes that are raised or returned anywhere in the dialect."""
    found: set[str] = {it.value for it in Denial}
    for path in modules(SOURCE / "api" / "native"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "NativeError"
            ):
                found.update(
                    it.value
                    for it in ast.walk(node.args[0])
                    if isinstance(it, ast.Constant) and isinstance(it.value, str)
                )
    return found


def test_every_code_that_is_raised_is_registered() -> None:
    """And none is left over."""
    assert _codes() == PROBLEMS.keys()


def test_codes_have_a_form_and_a_status() -> None:
    """Kebab-case words in order of the alphabet; statuses that HTTP knows as errors."""
    assert list(PROBLEMS) == sorted(PROBLEMS)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in PROBLEMS)
    assert all(HTTPStatus(problem.status).value >= 400 for problem in PROBLEMS.values())


def test_a_problem_has_the_standards_members() -> None:
    """Type, title, status, and our code; a detail and places where there are any."""
    assert NativeError("url-refused", "scheme").body() == {
        "type": "about:blank",
        "title": PROBLEMS["url-refused"].title,
        "status": 422,
        "code": "url-refused",
        "detail": "scheme",
    }
    assert not {"detail", "errors"} & NativeError("not-found").body().keys()


def test_a_problem_points_at_what_is_wrong() -> None:
    """Each place with a code of its own."""
    error = refuse_field("/pool", "unknown", "There is no such pool.")
    assert (error.status, error.code) == (422, "invalid")
    assert error.errors == (FieldError("/pool", "unknown", "There is no such pool."),)
    assert error.body()["errors"] == [
        {"pointer": "/pool", "code": "unknown", "detail": "There is no such pool."}
    ]


def test_every_problem_is_documented() -> None:
    """With its status, and what it means."""
    text = (ROOT / "docs" / "api" / "problems.md").read_text()
    for code, problem in PROBLEMS.items():
        assert f"| `{code}` | {problem.status} | {problem.title}. |" in text
