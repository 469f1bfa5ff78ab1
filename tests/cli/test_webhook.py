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


def test_ten_are_enough(owned: Maskline) -> None:
    """The eleventh is refused."""
    for _ in range(10):
        assert owned("webhook", "add", "demo", URL).code == 0
    assert owned("webhook", "add", "demo", URL).code == 1


def test_an_account_is_needed(ready: Maskline) -> None:
    """A webhook of nobody's is refused."""
    assert ready("webhook", "list", "nobody").code == 1
