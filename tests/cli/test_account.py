import io
import re

import pytest
from tests.cli.conftest import Maskline

AUTH_ID, AUTH_TOKEN = "MA012345678901234567", "t" * 40


def test_create_answers_credentials(ready: Maskline) -> None:
    """Drawn in the form the vendor's clients accept; people and programs get the same."""
    made = ready("account", "create", "demo", "--json").json
    assert re.fullmatch(r"MA[0-9A-Z]{18}", made["auth_id"])
    assert len(made["auth_token"]) == 40
    assert (made["name"], made["country"], made["timezone"]) == ("demo", "IN", "Asia/Kolkata")
    told = ready("account", "create", "other").out
    assert re.search(r"^auth_id +MA\w{18}$", told, re.MULTILINE)
    assert re.search(r"^auth_token +\S{40}$", told, re.MULTILINE)


def test_create_takes_given_values(ready: Maskline) -> None:
    """Somebody moving from the vendor keeps the credentials."""
    made = ready(
        "account", "create", "demo", "--json", "--auth-id", AUTH_ID, "--auth-token", AUTH_TOKEN,
        "--country", "us", "--timezone", "America/New_York", "--policy", "sticky", "--cooloff-scope", "number",
    ).json  # fmt: skip
    assert (made["auth_id"], made["auth_token"]) == (AUTH_ID, AUTH_TOKEN)
    assert (made["country"], made["timezone"]) == ("US", "America/New_York")
    assert (made["policy"], made["cooloff_scope"]) == ("sticky", "number")


def test_token_may_come_from_standard_input(ready: Maskline, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it appears in no process list."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{AUTH_TOKEN}\n"))
    assert ready("account", "create", "demo", "--json", "--auth-token", "-").json["auth_token"] == AUTH_TOKEN


@pytest.mark.parametrize(
    "options",
    [
        ["--auth-id", "MA1"],
        ["--auth-id", "SA" + "0" * 18],
        ["--auth-id", "MA" + "é" * 18],
        ["--auth-token", "short"],
        ["--auth-token", "has blank " * 3],
        ["--country", "IND"],
        ["--country", "XX"],
        ["--timezone", "Mars/Olympus"],
        ["--policy", "random"],
    ],
)
def test_unusable_values_exit_2(ready: Maskline, options: list[str]) -> None:
    """And nothing is made."""
    result = ready("account", "create", "demo", *options)
    assert result.code == 2
    assert options[0].removeprefix("--") in result.err.lower()
    assert ready("account", "list", "--json").json == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "a\x00"])
def test_names_are_printable(ready: Maskline, name: str) -> None:
    """An empty, endless or unprintable name is refused."""
    assert ready("account", "create", "--", name).code == 2


def test_names_and_ids_are_unique(ready: Maskline) -> None:
    """The second of a kind exits 1."""
    assert ready("account", "create", "demo", "--auth-id", AUTH_ID).code == 0
    assert ready("account", "create", "demo").code == 1
    assert ready("account", "create", "other", "--auth-id", AUTH_ID).code == 1


def test_list_shows_no_token(ready: Maskline) -> None:
    """Tokens are shown once, when made."""
    token = ready("account", "create", "demo", "--json").json["auth_token"]
    for tokens in (("account", "list"), ("account", "list", "--json")):
        result = ready(*tokens)
        assert "demo" in result.out
        assert token not in result.out
    assert ready("account", "list").out.splitlines()[0].startswith("name")


def test_empty_list_says_so(ready: Maskline) -> None:
    """For people; programs get an empty array."""
    assert ready("account", "list").out == "There are no accounts.\n"
    assert ready("account", "list", "--json").json == []


def test_set_changes_what_is_given(ready: Maskline) -> None:
    """Each setting by itself, by name or auth id; without any it only shows them."""
    ready("account", "create", "demo", "--auth-id", AUTH_ID)
    assert ready("account", "set", "demo", "--json").json["refusal_prompt"] == "none"
    url = "https://example.test/closed.mp3"
    assert ready("account", "set", "demo", "--refusal-prompt", url, "--json").json["refusal_prompt"] == url
    changed = ready("account", "set", AUTH_ID, "--strict-pins", "--json").json
    assert (changed["refusal_prompt"], changed["strict_pins"]) == (url, True)
    assert ready("account", "list", "--json").json == [changed]
    assert ready("account", "set", "demo", "--refusal-prompt", "built-in", "--no-strict-pins").code == 0
    told = ready("account", "set", "demo").out
    assert re.search(r"^refusal_prompt +built-in\nstrict_pins +no$", told, re.MULTILINE)
    assert (
        ready("account", "set", "demo", "--refusal-prompt", "none", "--json").json["refusal_prompt"] == "none"
    )


@pytest.mark.parametrize(
    "prompt",
    ["", "ftp://a.test/x.mp3", "https://", "https://a.test/a b", "http://a:0/", "http://[/", "x" * 1001],
)
def test_refusal_prompts_are_urls(ready: Maskline, prompt: str) -> None:
    """What cannot be fetched is refused when it is set, not when somebody calls."""
    ready("account", "create", "demo")
    result = ready("account", "set", "demo", "--refusal-prompt", prompt)
    assert result.code == 2
    assert "refusal-prompt" in result.err


def test_set_needs_an_account(ready: Maskline) -> None:
    """A name nobody has is told."""
    result = ready("account", "set", "nobody")
    assert result.code == 1
    assert "nobody" in result.err


def test_a_token_is_rotated(ready: Maskline) -> None:
    """The new one is printed, the rest stays."""
    made = ready("account", "create", "demo", "--json").json
    rotated = ready("account", "rotate-token", "demo", "--json").json
    assert rotated["auth_token"] != made["auth_token"]
    assert {**rotated, "auth_token": None} == {**made, "auth_token": None}
    assert ready("account", "rotate-token", "demo").out.startswith("account     demo\n")
    assert ready("account", "rotate-token", "nobody").code == 1
