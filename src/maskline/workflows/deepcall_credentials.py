"""Make, change, withdraw and check what opens an account to clients of the DeepCall dialect."""

import hmac
from typing import Final

from maskline.core.deepcall import (
    SSID_COUNT_MAX,
    DeepCallCaller,
    DeepCallCredentials,
    DeepCallCredentialsWanted,
    DeepCallRotation,
    DeepCallUser,
    NewSsid,
    SsidRow,
    TooManySsids,
)
from maskline.core.inventory import Account
from maskline.core.secret import Secret
from maskline.store import accounts
from maskline.store import deepcall as rows
from maskline.store.engine import RetryableError, Tx

_DIGITS: Final = "0123456789"
_USER_ID_LENGTH: Final = 8  # digits, as far as seen; it is an identifier, the token is the secret
_USER_ID_DRAW_COUNT_MAX: Final = 8
_TOKEN_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # noqa: S105 - five bits of a random byte, evenly
_TOKEN_LENGTH: Final = 48  # 240 bits


def make_credentials(
    tx: Tx, account: Account, wanted: DeepCallCredentialsWanted, now: int
) -> DeepCallCredentials | TooManySsids:
    """Make what is missing, or draw anew what is to be; an ssid that only lists is always one more."""
    if wanted.rotation is DeepCallRotation.TOKEN:
        return rotate_token(tx, account, old_until=wanted.old_until, now=now)
    known = ensure_credentials(tx, account, now)
    if known.ssids and wanted.rotation is None and wanted.can_change:
        return known
    return issue_ssid(
        tx,
        account,
        expires_at=wanted.ssid_expires_at,
        can_change=wanted.can_change,
        old_until=wanted.old_until if wanted.rotation is DeepCallRotation.SSID else None,
        now=now,
    )


def ensure_credentials(tx: Tx, account: Account, now: int) -> DeepCallCredentials:
    """Return what opens the account, making the user where there is none."""
    user = _ensure_user(tx, account.id, now)
    return DeepCallCredentials(user=user, ssids=rows.load_ssids(tx, account.id, now))


def issue_ssid(
    tx: Tx, account: Account, *, expires_at: int, can_change: bool, old_until: int | None, now: int
) -> DeepCallCredentials | TooManySsids:
    """Make an ssid; with `old_until` (µs UTC) the others that may do as much work no longer."""
    user = _ensure_user(tx, account.id, now)
    if old_until is not None:
        rows.shorten_ssids(tx, account.id, can_change=can_change, until=old_until)
    rows.delete_lapsed_ssids(tx, account.id, now)
    if rows.count_ssids(tx, account.id) >= SSID_COUNT_MAX:
        return TooManySsids()
    new = NewSsid(ssid=_draw_token(tx), can_change=can_change, expires_at=expires_at)
    row = SsidRow(account_id=account.id, can_change=can_change, created_at=now, expires_at=expires_at)
    rows.insert_ssid(tx, row, new.ssid)
    return DeepCallCredentials(user=user, ssids=rows.load_ssids(tx, account.id, now), new_ssid=new)


def rotate_token(tx: Tx, account: Account, *, old_until: int, now: int) -> DeepCallCredentials:
    """Draw another token; the present one works until `old_until` (µs UTC), not at all when that is now."""
    user = _ensure_user(tx, account.id, now)
    rows.update_token(tx, user, _draw_token(tx), old_until=old_until if old_until > now else None)
    return ensure_credentials(tx, account, now)


def withdraw_credentials(tx: Tx, account: Account) -> bool:
    """Close the account to the dialect at once; False when it was closed."""
    return rows.delete_user(tx, account.id)


def authenticate_ssid(tx: Tx, ssid: str, now: int) -> DeepCallCaller | None:
    """Return who sent this ssid; None when it is unknown or lapsed."""
    found = rows.load_ssid(tx, ssid, now)
    account = None if found is None else accounts.load_account(tx, id_=found.account_id)
    if found is None or account is None:
        return None
    return DeepCallCaller(account=account, can_change=found.can_change)


def authenticate_user(tx: Tx, user_id: str, token: str, now: int) -> DeepCallCaller | None:
    """Return whose user id and token these are.

    The comparison takes the same time wherever the first difference is.
    """
    user = rows.load_user_by_id(tx, user_id)
    if user is None:
        return None
    is_good = _is_same(user.token, token)
    if user.old_token is not None and user.old_token_until is not None and now < user.old_token_until:
        is_good |= _is_same(user.old_token, token)
    if not is_good:
        return None
    account = accounts.load_account(tx, id_=user.account_id)
    return None if account is None else DeepCallCaller(account=account, can_change=True)


def _ensure_user(tx: Tx, account_id: int, now: int) -> DeepCallUser:
    for _ in range(_USER_ID_DRAW_COUNT_MAX):
        if (user := rows.lock_user(tx, account_id)) is not None:
            return user
        rows.insert_user(tx, account_id, user_id=_draw_user_id(tx), token=_draw_token(tx), now=now)
    raise RetryableError  # eight ids in a row were taken: chance will not repeat that


def _draw_user_id(tx: Tx) -> str:
    # The modulus prefers some digits a little, which costs an identifier nothing.
    first, *others = tx.random_bytes(_USER_ID_LENGTH)
    return _DIGITS[1 + first % 9] + "".join(_DIGITS[byte % 10] for byte in others)


def _draw_token(tx: Tx) -> Secret:
    return Secret("".join(_TOKEN_ALPHABET[byte & 31] for byte in tx.random_bytes(_TOKEN_LENGTH)))


def _is_same(secret: Secret, given: str) -> bool:
    return hmac.compare_digest(secret.reveal().encode(), given.encode(errors="surrogatepass"))
