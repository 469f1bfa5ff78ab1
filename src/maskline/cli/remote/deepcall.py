"""What opens accounts elsewhere to clients of DeepCall."""

from typing import TYPE_CHECKING

from maskline.cli.remote.owners import act_for
from maskline.cli.remote.values import optional_micros
from maskline.clock import from_datetime
from maskline.core.deepcall import (
    DeepCallCredentials,
    DeepCallCredentialsWanted,
    DeepCallUser,
    NewSsid,
    SsidRow,
    TooManySsids,
)
from maskline.core.masking import MICROSECONDS

if TYPE_CHECKING:
    from maskline.api.native.models.deepcall import DeepCallCredentialsView
    from maskline.client import Client


def make_credentials(
    client: "Client", account: str, wanted: DeepCallCredentialsWanted, now: int
) -> DeepCallCredentials | TooManySsids:
    """Make what is missing, or draw anew what is to be."""
    from maskline.client import ConflictError  # noqa: PLC0415  # slow to load; most commands are local

    try:
        made = act_for(client, account).deepcall.make(
            rotate=None if wanted.rotation is None else wanted.rotation.value,
            read_only=not wanted.can_change,
            ssid_expires_in_s=(wanted.ssid_expires_at - now) // MICROSECONDS,
            overlap_s=(wanted.old_until - now) // MICROSECONDS,
        )
    except ConflictError:
        return TooManySsids()
    return _credentials(made, can_change=wanted.can_change)


def withdraw_credentials(client: "Client", account: str) -> bool:
    """Close an account to the dialect; False when it was closed."""
    from maskline.client import NotFoundError  # noqa: PLC0415  # as above

    try:
        act_for(client, account).deepcall.withdraw()
    except NotFoundError:
        return False
    return True


def _credentials(view: "DeepCallCredentialsView", *, can_change: bool) -> DeepCallCredentials:
    expires_at = optional_micros(view.ssid_expires_at)
    new = None
    if view.ssid is not None and expires_at is not None:
        new = NewSsid(ssid=view.ssid, can_change=can_change, expires_at=expires_at)
    user = DeepCallUser(
        account_id=0,
        user_id=view.user_id,
        token=view.token,
        old_token=None,
        old_token_until=optional_micros(view.old_token_until),
    )
    ssids = tuple(
        SsidRow(
            account_id=0,
            can_change=not it.read_only,
            created_at=from_datetime(it.created_at),
            expires_at=from_datetime(it.expires_at),
        )
        for it in view.ssids
    )
    return DeepCallCredentials(user=user, ssids=ssids, new_ssid=new)
