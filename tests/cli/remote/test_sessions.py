import pytest
from tests.cli.remote.conftest import Sides

FIRST, SECOND = "+912025550000", "+912025551111"


@pytest.fixture
def numbered(owned: Sides) -> Sides:
    """The account has two numbers."""
    assert owned.here("trunk", "add", "carrier2", "--peer", "127.0.0.1:5099").code == 0
    for last in (1, 2):
        added = owned.here("number", "add", f"+91224000000{last}", "--account", "demo", "--trunk", "carrier2")
        assert added.code == 0, added.err
    return owned


def test_a_sessions_life(numbered: Sides) -> None:
    """Made and ended there, seen alike from both sides."""
    made = numbered.there(
        "session",
        "create",
        "demo",
        FIRST,
        SECOND,
        "--expires-in-s",
        "600",
        "--reference",
        "order 7",
        "--json",
    ).json
    assert (made["first"], made["second"], made["status"]) == (FIRST, SECOND, "active")
    assert made["virtual_number"] == "+912240000001"
    id_ = made["id"]
    assert numbered.same("session", "show", "demo", id_).json == made
    assert [it["id"] for it in numbered.same("session", "list", "demo", "--status", "active").json] == [id_]
    assert numbered.same("session", "list", "demo", "--reference", "order 8").json == []
    assert numbered.same("session", "calls", "demo", id_).json == []
    ended = numbered.there("session", "end", "demo", id_)
    assert "status          expired\n" in ended.out
    assert numbered.same("session", "end", "demo", id_).code == 1
    assert numbered.same("session", "list", "demo", "--status", "active").json == []


def test_both_sides_make_the_same_session(numbered: Sides) -> None:
    """A repetition is the session that was there."""
    here = numbered.here("session", "create", "demo", FIRST, SECOND, "--json").json
    there = numbered.there("session", "create", "demo", FIRST, SECOND, "--on-repeat", "reuse", "--json").json
    assert there == here


@pytest.mark.parametrize(
    ("tokens", "code"),
    [
        ((FIRST, FIRST), 2),
        (("12", SECOND), 2),
        ((FIRST, SECOND, "--expires-in-s", "59"), 2),
        ((FIRST, SECOND, "--pool", "nowhere"), 2),
        ((FIRST, "+912240000001"), 2),
    ],
)
def test_what_cannot_be_made_is_refused_alike(numbered: Sides, tokens: tuple[str, ...], code: int) -> None:
    """In words and exit codes, without the numbers."""
    told = numbered.same("session", "create", "demo", *tokens)
    assert told.code == code
    assert FIRST not in told.err


def test_what_is_not_there_is_said_alike(numbered: Sides) -> None:
    """A session, and an account."""
    assert numbered.same("session", "show", "demo", "nothing").code == 1
    assert numbered.same("session", "end", "demo", "nothing").code == 1
    assert numbered.same("session", "list", "nobody").code == 1
    assert numbered.same("session", "list", "demo", "--limit", "0").code == 2


def test_a_pair_may_be_refused_a_second_session(numbered: Sides) -> None:
    """When that is wanted."""
    assert numbered.there("session", "create", "demo", FIRST, SECOND).code == 0
    assert numbered.same("session", "create", "demo", FIRST, SECOND, "--on-repeat", "refuse").code == 1
