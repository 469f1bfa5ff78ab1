import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.cli.conftest import Maskline

URL = "https://hooks.example.com/maskline"


@pytest.fixture
def owned(ready: Maskline) -> Maskline:
    """A database with an account called demo."""
    assert ready("account", "create", "demo").code == 0
    return ready


def test_add_prints_the_secret_once(owned: Maskline) -> None:
    """Programs and people get id and secret; the list has no secret."""
    made = owned("webhook", "add", "demo", URL, "--event", "call.finished", "--json").json
    assert made["secret"].startswith("whsec_")
    assert (made["events"], made["include_numbers"]) == (["call.finished"], False)
    told = owned("webhook", "add", "demo", URL, "--include-numbers").out
    assert "secret   whsec_" in told
    listed = owned("webhook", "list", "demo", "--json").json
    assert [it["url"] for it in listed] == [URL, URL]
    assert [it["include_numbers"] for it in listed] == [False, True]
    assert "whsec_" not in str(listed)
    assert made["webhook"] in owned("webhook", "list", "demo").out


def test_remove_takes_it_away(owned: Maskline) -> None:
    """A removed webhook is gone; one that is not there is said so."""
    id_ = owned("webhook", "add", "demo", URL, "--json").json["webhook"]
    assert owned("webhook", "remove", "demo", id_).code == 0
    assert owned("webhook", "list", "demo").out == "There are no webhooks.\n"
    again = owned("webhook", "remove", "demo", id_)
    assert (again.code, "there is no webhook" in again.err) == (1, True)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (["demo", "ftp://hooks.example.com/"], "scheme"),
        (["demo", URL + "#x"], "fragment"),
        (["demo", URL, "--event", "no.such"], "call.finished"),
    ],
)
def test_unusable_values_exit_2(owned: Maskline, tokens: list[str], said: str) -> None:
    """And nothing is made."""
    result = owned("webhook", "add", *tokens)
    assert (result.code, said in result.err) == (2, True)
    assert owned("webhook", "list", "demo", "--json").json == []


@pytest.fixture
def receivers() -> Iterator[tuple[str, dict[str, tuple[int, str]]]]:
    """A server of somebody else's on loopback, and what it answers by path."""
    answers: dict[str, tuple[int, str]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, text = answers.get(self.path, (404, ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST  # noqa: N815  # the server's name for it

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", answers
        server.shutdown()
        thread.join()


def test_receiver_of_reports_says_the_word_first(
    owned: Maskline, receivers: tuple[str, dict[str, tuple[int, str]]]
) -> None:
    """It is made once its URL was called and answered with the word, and it gets numbers whatever was asked."""
    base, answers = receivers
    answers["/push"] = (200, "GODBLESSYOU")
    allow = ("--outbound-allowed-networks", "127.0.0.0/8")
    made = owned("webhook", "add", "demo", f"{base}/push", "--format", "deepcall", "--json", *allow).json
    assert (made["format"], made["events"], made["include_numbers"]) == ("deepcall", ["all"], True)
    assert made["secret"].startswith("whsec_")
    assert [it["format"] for it in owned("webhook", "list", "demo", "--json").json] == ["deepcall"]


@pytest.mark.parametrize(
    ("answer", "networks", "said"),
    [
        ((200, "hello"), "127.0.0.0/8", "did not answer with the word"),
        ((500, "GODBLESSYOU"), "127.0.0.0/8", "200 to 299"),
        ((200, "GODBLESSYOU"), "10.0.0.0/8", "could not be reached"),
    ],
)
def test_receiver_that_is_none_is_refused(
    owned: Maskline,
    receivers: tuple[str, dict[str, tuple[int, str]]],
    answer: tuple[int, str],
    networks: str,
    said: str,
) -> None:
    """With the reason, and nothing is made."""
    base, answers = receivers
    answers["/push"] = answer
    allow = ("--outbound-allowed-networks", networks)
    result = owned("webhook", "add", "demo", f"{base}/push", "--format", "deepcall", *allow)
    assert (result.code, said in result.err) == (1, True)
    assert owned("webhook", "list", "demo", "--json").json == []


@pytest.mark.parametrize(
    ("tokens", "code", "said"),
    [
        (["demo", URL, "--event", "call.finished"], 2, "nothing to choose"),
        (["demo", "ftp://hooks.example.com/"], 2, "scheme"),
        (["nobody", URL], 1, "nobody"),
    ],
)
def test_wrong_reports_are_refused_before_anybody_is_called(
    owned: Maskline, tokens: list[str], code: int, said: str
) -> None:
    """What cannot be is said without a request."""
    result = owned("webhook", "add", *tokens, "--format", "deepcall")
    assert (result.code, said in result.err) == (code, True)


def test_ten_are_enough(owned: Maskline) -> None:
    """The eleventh is refused."""
    for _ in range(10):
        assert owned("webhook", "add", "demo", URL).code == 0
    assert owned("webhook", "add", "demo", URL).code == 1


def test_an_account_is_needed(ready: Maskline) -> None:
    """A webhook of nobody's is refused."""
    assert ready("webhook", "list", "nobody").code == 1
