import pytest
from tests.cli.remote.conftest import Sides

ONE, TWO = "+912240000001", "+912240000002"


@pytest.fixture
def trunked(owned: Sides) -> Sides:
    """There is a trunk called east."""
    assert owned.here("trunk", "add", "east", "--peer", "127.0.0.1:5099").code == 0
    return owned


def test_numbers_are_added_listed_drained_and_removed(trunked: Sides) -> None:
    """In inventory order, the same from both sides."""
    added = trunked.there(
        "number", "add", ONE, TWO, "--account", "demo", "--trunk", "east", "--area", "Mumbai", "--json"
    )
    assert added.json == {"numbers": [ONE, TWO]}
    assert [it["number"] for it in trunked.same("number", "list", "--account", "demo").json] == [ONE, TWO]
    assert trunked.same("number", "list").code == 0
    made = trunked.here("session", "create", "demo", "+912025550000", "+912025551111", "--json").json
    assert made["virtual_number"] == ONE
    assert trunked.same("number", "drain", ONE).json["live_sessions"] == 1
    assert trunked.same("number", "remove", ONE).code == 1
    removed = trunked.there("number", "remove", ONE, "--force", "--json").json
    assert removed == {"number": ONE, "state": "removed", "ended_sessions": 1}
    assert trunked.same("number", "remove", ONE).code == 1
    assert trunked.same("number", "drain", ONE).code == 1
    assert [it["number"] for it in trunked.same("number", "list", "--account", "demo").json] == [TWO]


def test_taken_numbers_are_named(trunked: Sides) -> None:
    """Those of another account; nothing is added."""
    assert trunked.here("account", "create", "other").code == 0
    assert trunked.there("number", "add", TWO, "--account", "other", "--trunk", "east").code == 0
    told = trunked.same("number", "add", ONE, TWO, "--account", "demo", "--trunk", "east")
    assert (told.code, TWO in told.err, ONE in told.err) == (1, True, False)


def test_parties_are_refused_by_their_place(trunked: Sides) -> None:
    """In the same words from both sides."""
    assert trunked.here("number", "add", ONE, "--account", "demo", "--trunk", "east").code == 0
    assert trunked.here("session", "create", "demo", "+912025550000", "+912025551111").code == 0
    told = trunked.same("number", "add", TWO, "+912025551111", "--account", "demo", "--trunk", "east")
    assert (told.code, "live sessions" in told.err, "+912025551111" in told.err) == (1, True, False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--account", "demo", "--trunk", "nowhere"), "there is no trunk 'nowhere'"),
        (("--account", "nobody", "--trunk", "east"), "there is no account 'nobody'"),
        (
            ("--account", "demo", "--trunk", "east", "--subaccount", "SA" + "X" * 18),
            f"there is no sub-account 'SA{'X' * 18}'",
        ),
    ],
)
def test_what_is_not_there_is_named(trunked: Sides, options: tuple[str, ...], said: str) -> None:
    """With the same words and exit codes."""
    told = trunked.same("number", "add", ONE, *options)
    assert (told.code, said in told.err) == (1, True)


def test_a_service_takes_so_many_at_once(trunked: Sides) -> None:
    """More would be two transactions, and not all or none."""
    numbers = [f"+9122400{index:05}" for index in range(201)]
    told = trunked.there("number", "add", *numbers, "--account", "demo", "--trunk", "east")
    assert (told.code, "at most 200" in told.err) == (2, True)
