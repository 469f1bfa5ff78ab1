from tests.cli.conftest import Maskline

from maskline.cli.context import Context
from maskline.core.inventory import Account
from maskline.core.masking import NewMaskingSession, SessionCreated
from maskline.core.numbers import E164
from maskline.workflows.accounts import load_account
from maskline.workflows.create_masking_session import create_masking_session


def _create_session(context: Context) -> None:
    account = context.run(load_account, name="demo")
    assert isinstance(account, Account)
    new = NewMaskingSession(first=E164("+912025550000"), second=E164("+912025551111"))
    now = context.clock.now()
    assert isinstance(context.run(create_masking_session, account, new, now), SessionCreated)


def test_usage_of_an_account(ready: Maskline) -> None:
    """By name or auth id: numbers, what is taken of them, and no date that nothing supports."""
    auth_id = ready("account", "create", "demo", "--json").json["auth_id"]
    assert ready("trunk", "add", "carrier", "--peer", "127.0.0.1:5061").code == 0
    numbers = ("+912269947011", "+912269947012")
    assert ready("number", "add", *numbers, "--account", "demo", "--trunk", "carrier").code == 0
    _create_session(Context())
    [row] = ready("usage", "demo", "--json").json
    assert row == {
        "subaccount": None,
        "pool": None,
        "numbers": 2,
        "healthy": 2,
        "sessions": 1,
        "occupied": 2,
        "busiest": 1,
        "needed": 1,
        "free_for_busiest": 1,
        "exhausted_at": None,
        "confidence": "none",
        "basis_days": 0,
        "trend_per_day": 0.0,
    }
    assert ready("usage", auth_id, "--json").json == [row]
    head, line = ready("usage", "demo").out.splitlines()
    assert head.split()[:3] == ["subaccount", "pool", "numbers"]
    assert line.split()[:3] == ["-", "-", "2"]


def test_usage_of_nobody(ready: Maskline) -> None:
    """An account that is not there is said."""
    result = ready("usage", "nobody")
    assert (result.code, "there is no account" in result.err) == (1, True)
