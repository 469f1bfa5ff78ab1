"""Make the account, trunk and numbers that the sandbox carrier serves."""

from dataclasses import dataclass, replace
from typing import Final

from maskline.core.deepcall import DeepCallUser
from maskline.core.inventory import Account, NewAccount, NewNumbers, Target, TrunkSettings
from maskline.core.numbers import DID
from maskline.store.engine import Tx
from maskline.workflows.accounts import AccountExists, create_account, load_account
from maskline.workflows.deepcall_credentials import ensure_credentials
from maskline.workflows.numbers import add_numbers, list_numbers
from maskline.workflows.trunks import TrunkExists, add_trunk, change_trunk, load_trunk

SANDBOX_NAME: Final = "sandbox"
DEMO_ACCOUNT: Final = "demo"
LOOPBACK: Final = ("127.0.0.0/8",)
"""A softphone on this machine names its network address in SDP and sends its audio from a loopback address."""
DEMO_NUMBERS: Final = tuple(
    # Five of each country, so that a session of either finds one of its own: geomatch is on by default.
    # 202-555-01xx is kept for fiction; its Indian neighbours stand in for the same.
    DID(f"{prefix}{last}")
    for prefix in ("+91202555010", "+1202555010")
    for last in range(5)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What the sandbox serves."""

    account: Account
    numbers: tuple[DID, ...]
    deepcall_user: DeepCallUser


def prepare_sandbox(tx: Tx, carrier: tuple[str, int], now: int) -> Sandbox:
    """Make what is missing; the trunk leads to `carrier`, wherever that listens this time."""
    host, port = carrier
    settings = TrunkSettings(
        name=SANDBOX_NAME,
        targets=(Target(host=host, port=port),),
        accept=(f"{host}/32",),
        media_networks=LOOPBACK,
    )
    trunk = add_trunk(tx, settings, now)
    if isinstance(trunk, TrunkExists):
        known = load_trunk(tx, SANDBOX_NAME)
        assert known is not None
        trunk = replace(known, targets=settings.targets, accept=settings.accept)
        change_trunk(tx, trunk)
    created = create_account(tx, NewAccount(name=DEMO_ACCOUNT), now)
    account = load_account(tx, name=DEMO_ACCOUNT) if isinstance(created, AccountExists) else created
    assert account is not None
    if not list_numbers(tx, account.id):
        add_numbers(tx, NewNumbers(numbers=DEMO_NUMBERS, account_id=account.id, trunk_id=trunk.id), now)
    return Sandbox(
        account=account,
        numbers=tuple(number.number for number in list_numbers(tx, account.id)),
        deepcall_user=ensure_credentials(tx, account, now).user,
    )
