import io
import json

import pytest
from tests.cli.conftest import Maskline
from tests.cli.remote.conftest import Sides

from maskline.cli.remote.connection import find_remote, to_app_error
from maskline.client import errors
from maskline.errors import AppError, InputError, RefusedError, ServerDeniedError, ServerFailedError


def test_the_environment_names_service_and_key(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the command line has neither."""
    monkeypatch.setenv("MASKLINE_SERVER", sides.server)
    monkeypatch.setenv("MASKLINE_API_KEY", sides.key_file.read_text().strip())
    assert sides.maskline("account", "list").out == "There are no accounts.\n"


def test_a_key_on_standard_input(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line of it."""
    monkeypatch.setattr("sys.stdin", io.StringIO(sides.key_file.read_text()))
    assert sides.maskline("account", "list", "--server", sides.server, "--api-key", "-").code == 0


def test_a_key_is_never_shown(sides: Sides) -> None:
    """Not in what a context holds, and not in an error."""
    remote = find_remote({"--server": "https://x.test", "--api-key": "mk_secret"})
    assert "mk_secret" not in repr(remote)
    told = sides.maskline("account", "list", "--server", sides.server, "--api-key", "mk_secret")
    assert (told.code, "mk_secret" in told.err) == (1, False)
    assert told.err.startswith("maskline: the service does not permit this: not-authenticated")


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (("account", "list", "--server", "https://x.test"), "an API key is needed"),
        (("account", "list", "--api-key", "mk_x"), "--api-key without --server"),
        (("account", "list", "--server", "x.test", "--api-key", "mk_x"), "http://HOST"),
        (("account", "list", "--server", "https://x", "--api-key", "a", "--api-key-file", "b"), "either"),
        (("account", "list", "--server", "https://x", "--api-key", "a", "--data-dir", "d"), "settings"),
        (("db", "check", "--server", "https://x", "--api-key", "a"), "this machine"),
        (("config", "show", "--server", "https://x", "--api-key", "a"), "this machine"),
        (("serve", "--server", "https://x", "--api-key", "a"), "this machine"),
        (("demo", "--server", "https://x", "--api-key", "a"), "this machine"),
    ],
)
def test_what_cannot_be_is_said(maskline: Maskline, tokens: tuple[str, ...], said: str) -> None:
    """As wrong usage, before anything is sent."""
    told = maskline(*tokens)
    assert (told.code, said in told.err) == (2, True), told.err


def test_nobody_there(sides: Sides) -> None:
    """An unreachable service, one that is none of ours, and a missing file each have their code."""
    told = sides.maskline("account", "list", "--server", "http://127.0.0.1:1", "--api-key", "a", "--json")
    assert (told.code, json.loads(told.err)["error"]["code"]) == (1, "server.unreachable")
    other = f"{sides.server}/healthz"
    told = sides.maskline("account", "list", "--server", other, "--api-key", "a", "--json")
    assert json.loads(told.err)["error"]["code"] == "server.unreachable"
    told = sides.maskline("account", "list", "--server", sides.server, "--api-key-file", "no-such-file")
    assert told.code == 1


@pytest.mark.parametrize(
    ("kind", "status", "becomes"),
    [
        (errors.NotAuthenticatedError, 401, ServerDeniedError),
        (errors.NotPermittedError, 403, ServerDeniedError),
        (errors.ConflictError, 409, RefusedError),
        (errors.InvalidRequestError, 422, InputError),
        (errors.TooManyRequestsError, 429, ServerFailedError),
        (errors.ServiceFailedError, 500, ServerFailedError),
    ],
)
def test_refusals_are_errors_of_commands(
    kind: type[errors.ProblemError], status: int, becomes: type[AppError]
) -> None:
    """Each with the exit code that its like has on the database itself."""
    assert type(to_app_error(kind(status=status, code="x"))) is becomes
