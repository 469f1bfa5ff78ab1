"""`maskline deepcall ...`."""

from typing import Literal

from cyclopts import App

from maskline.cli.context import Context
from maskline.cli.number import find_account
from maskline.cli.remote import deepcall as remote
from maskline.clock import to_datetime
from maskline.core.deepcall import (
    OVERLAP_HOURS_DEFAULT,
    OVERLAP_HOURS_MAX,
    SSID_COUNT_MAX,
    SSID_DAYS_DEFAULT,
    SSID_DAYS_MAX,
    DeepCallCredentials,
    DeepCallCredentialsWanted,
    DeepCallRotation,
    TooManySsids,
)
from maskline.core.masking import MICROSECONDS
from maskline.errors import InputError, RefusedError
from maskline.store.engine import Tx
from maskline.workflows import deepcall_credentials as work

HOUR_US = 3_600 * MICROSECONDS

Rotation = Literal["token", "ssid"]


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(name="deepcall", help="What opens accounts to clients of Sarv DeepCall.")
    app.command(group)

    @group.command(name="credentials")
    def credentials(
        account: str,
        /,
        *,
        rotate: Rotation | None = None,
        read_only: bool = False,
        ssid_days: int = SSID_DAYS_DEFAULT,
        overlap_hours: int = OVERLAP_HOURS_DEFAULT,
    ) -> None:
        """Print an account's userId and token, and make an ssid where there is none; an ssid is shown only once.

        Args:
            account: Name or auth id of the account.
            rotate: Draw another token or another ssid.
            read_only: Let the new ssid only list masks; with --rotate it replaces those that only list, too.
            ssid_days: How long the new ssid works, 1 to 3650 days.
            overlap_hours: How long what is replaced still works, 0 to 720 hours.
        """
        _check_range("--ssid-days", ssid_days, 1, SSID_DAYS_MAX)
        _check_range("--overlap-hours", overlap_hours, 0, OVERLAP_HOURS_MAX)
        if read_only and rotate == "token":
            raise InputError("--read-only is about an ssid")
        now = context.clock.now()
        wanted = DeepCallCredentialsWanted(
            rotation=None if rotate is None else DeepCallRotation(rotate),
            can_change=not read_only,
            ssid_expires_at=now + ssid_days * 24 * HOUR_US,
            old_until=now + overlap_hours * HOUR_US,
        )
        outcome = context.perform(_make, remote.make_credentials, account, wanted, now)
        if isinstance(outcome, TooManySsids):
            raise RefusedError(f"the account has {SSID_COUNT_MAX} ssids already; rotate or withdraw them")
        context.answer(_describe(outcome), *_tell(outcome))

    @group.command(name="withdraw")
    def withdraw(account: str, /) -> None:
        """Close an account to DeepCall clients at once: userId, token and every ssid are forgotten.

        Args:
            account: Name or auth id of the account.
        """
        if not context.perform(_withdraw, remote.withdraw_credentials, account):
            raise RefusedError("the account has no DeepCall credentials")
        context.answer({"account": account, "is_withdrawn": True}, "DeepCall credentials withdrawn")


def _check_range(option: str, number: int, low: int, high: int) -> None:
    if not low <= number <= high:
        raise InputError(f"{option}: expected {low} to {high}")


def _make(
    tx: Tx, account: str, wanted: DeepCallCredentialsWanted, now: int
) -> DeepCallCredentials | TooManySsids:
    return work.make_credentials(tx, find_account(tx, account), wanted, now)


def _withdraw(tx: Tx, account_name: str) -> bool:
    return work.withdraw_credentials(tx, find_account(tx, account_name))


def _describe(made: DeepCallCredentials) -> dict[str, object]:
    new = made.new_ssid
    return {
        "user_id": made.user.user_id,
        "token": made.user.token.reveal(),
        "old_token_until": _time(made.user.old_token_until),
        "ssid": None if new is None else new.ssid.reveal(),
        "ssid_expires_at": None if new is None else _time(new.expires_at),
        "ssids": [
            {
                "created_at": _time(it.created_at),
                "expires_at": _time(it.expires_at),
                "read_only": not it.can_change,
            }
            for it in made.ssids
        ],
    }


def _tell(made: DeepCallCredentials) -> list[str]:
    lines = [f"userId  {made.user.user_id}", f"token   {made.user.token.reveal()}"]
    if made.user.old_token_until is not None:
        lines.append(f"        (the old token works until {_time(made.user.old_token_until)})")
    if made.new_ssid is not None:
        lines.append(f"ssid    {made.new_ssid.ssid.reveal()}")
    lines += [
        f"        ({'an' if it.can_change else 'a read-only'} ssid works until {_time(it.expires_at)})"
        for it in made.ssids
    ]
    return lines


def _time(instant: int | None) -> str | None:
    return None if instant is None else to_datetime(instant).isoformat(timespec="seconds")
