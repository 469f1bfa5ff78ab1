import pytest
from tests.cli.conftest import Maskline

from maskline.cli.context import Context
from maskline.core.inventory import Account
from maskline.core.masking import NewMaskingSession, SessionCreated
from maskline.core.numbers import E164
from maskline.workflows.accounts import create_subaccount, load_account
from maskline.workflows.create_masking_session import create_masking_session

ONE, TWO = "+912269947011", "+912269947012"


@pytest.fixture
def stocked(ready: Maskline) -> Maskline:
    assert ready("account", "create", "demo").code == 0
    assert ready("trunk", "add", "carrier", "--peer", "127.0.0.1:5061").code == 0
    return ready


def add(maskline: Maskline, *tokens: str) -> int:
    return maskline("number", "add", *tokens, "--account", "demo", "--trunk", "carrier").code


def create_session(context: Context) -> None:
    now = context.clock.now()
    account = context.run(load_account, name="demo")
    assert isinstance(account, Account)
    new = NewMaskingSession(first=E164("+912025550000"), second=E164("+912025551111"))
    assert isinstance(context.run(create_masking_session, account, new, now), SessionCreated)


def test_add_and_list(stocked: Maskline) -> None:
    """In the order given, with who holds them."""
    assert add(stocked, TWO, ONE, "--area", "Mumbai") == 0
    rows = stocked("number", "list", "--json").json
    assert [row["number"] for row in rows] == [TWO, ONE]
    assert rows[0] | {"created_at": ""} == {
        "number": TWO, "country": "IN", "area": "Mumbai", "account": "demo", "subaccount": None,
        "trunk": "carrier", "state": "healthy", "created_at": "",
    }  # fmt: skip
    assert "2 numbers added" not in stocked("number", "list").out


def test_list_of_one_account(stocked: Maskline) -> None:
    """By name or by auth id; an unknown account exits 1."""
    auth_id = stocked("account", "create", "other", "--json").json["auth_id"]
    assert add(stocked, ONE) == 0
    assert len(stocked("number", "list", "--account", "demo", "--json").json) == 1
    assert stocked("number", "list", "--account", auth_id).out == "There are no numbers.\n"
    assert stocked("number", "list", "--account", "nobody").code == 1


@pytest.mark.parametrize("text", ["912269947011", "+91", "+91 abc", "x", "+", "", "+912269947011000000"])
def test_what_is_no_number_exits_2(stocked: Maskline, text: str) -> None:
    """A plus and a possible number are asked for."""
    assert add(stocked, ONE, text) == 2
    assert stocked("number", "list", "--json").json == []


def test_a_number_given_twice_exits_2(stocked: Maskline) -> None:
    """In whatever spelling."""
    assert add(stocked, ONE, "+91 22699 47011") == 2


def test_all_or_none(stocked: Maskline) -> None:
    """One taken number keeps the others out, and is named."""
    assert add(stocked, ONE) == 0
    result = stocked("number", "add", TWO, ONE, "--account", "demo", "--trunk", "carrier")
    assert result.code == 1
    assert ONE in result.err
    assert TWO not in result.err
    assert len(stocked("number", "list", "--json").json) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--account", "nobody", "--trunk", "carrier"], "no account 'nobody'"),
        (["--account", "demo", "--trunk", "none"], "no trunk 'none'"),
        (["--account", "demo", "--trunk", "carrier", "--subaccount", "SA1"], "no sub-account 'SA1'"),
    ],
)
def test_unknown_owners_exit_1(stocked: Maskline, options: list[str], said: str) -> None:
    """And nothing is added."""
    result = stocked("number", "add", ONE, *options)
    assert (result.code, said in result.err) == (1, True)
    assert stocked("number", "list", "--json").json == []


def test_a_party_is_refused_and_not_told(stocked: Maskline) -> None:
    """Only its place is, and nothing is added."""
    assert add(stocked, ONE) == 0
    create_session(Context())
    result = stocked("number", "add", TWO, "+912025551111", "--account", "demo", "--trunk", "carrier")
    assert (result.code, "place in the command: 2" in result.err) == (1, True)
    assert "+912025551111" not in result.err
    assert len(stocked("number", "list", "--json").json) == 1


def test_numbers_of_a_subaccount(stocked: Maskline) -> None:
    """They are shown with it."""
    context = Context()
    account = context.run(load_account, name="demo")
    subaccount = context.run(create_subaccount, account, "part", context.clock.now())
    auth_id = getattr(subaccount, "auth_id")  # noqa: B009
    assert add(stocked, ONE, "--subaccount", auth_id) == 0
    assert stocked("number", "list", "--json").json[0]["subaccount"] == auth_id


def test_drain_and_remove(stocked: Maskline) -> None:
    """A number with a live session is drained, not removed, unless forced."""
    assert add(stocked, ONE) == 0
    create_session(Context())
    drained = stocked("number", "drain", ONE, "--json").json
    assert drained == {"number": ONE, "state": "draining", "live_sessions": 1}
    assert stocked("number", "list", "--json").json[0]["state"] == "draining"
    refused = stocked("number", "remove", ONE)
    assert refused.code == 1
    assert "--force" in refused.err
    removed = stocked("number", "remove", ONE, "--force", "--json").json
    assert removed == {"number": ONE, "state": "removed", "ended_sessions": 1}
    assert stocked("number", "list", "--json").json == []


@pytest.mark.parametrize("command", ["drain", "remove"])
def test_unknown_numbers_exit_1(stocked: Maskline, command: str) -> None:
    """With the number they looked for."""
    result = stocked("number", command, ONE)
    assert (result.code, result.err) == (1, f"maskline: {ONE} is not in the inventory\n")
