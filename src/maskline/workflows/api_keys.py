"""Make, find, rotate and revoke API keys, and say whom one opens."""

import base64
import hmac
import re
from dataclasses import dataclass, replace
from typing import Final

from maskline.core.access import (
    KEY_COUNT_MAX,
    ApiKey,
    ApiKeyIssued,
    ApiKeyNotFound,
    GrantExceeded,
    NewApiKey,
    Permission,
    TooManyApiKeys,
    may_grant,
)
from maskline.core.inventory import Account
from maskline.core.masking import MICROSECONDS
from maskline.core.secret import Secret
from maskline.store import accounts
from maskline.store import api_keys as rows
from maskline.store.engine import Tx

TOUCH_EVERY_S: Final = 60
"""How coarse a key's last use is known: one write a minute for a key in constant use."""
KEY_ID_PREFIX: Final = "key_"
SECRET_PREFIX: Final = "mk_"  # noqa: S105  # what scanners of leaked secrets look for
_ID_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"  # 32 letters: five bits of a random byte, evenly
_ID_LENGTH: Final = 16  # 80 bits: no two of millions meet
_SECRET_BYTES: Final = 32
_SECRET: Final = re.compile(r"mk_([a-z2-7]{16})_[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedKey:
    """A key whose secret was shown, and the account it is one's of; `subaccount` is set where it is that one's."""

    key: ApiKey
    account: Account | None


def create_key(
    tx: Tx, new: NewApiKey, now: int, *, granted_by: frozenset[Permission] = frozenset({Permission.ALL})
) -> ApiKeyIssued | TooManyApiKeys | GrantExceeded:
    """Make a key with a secret of its own, with no more permissions than its maker has."""
    if not may_grant(granted_by, new.permissions):
        return GrantExceeded()
    account_id = None if new.account is None else new.account.id
    if rows.count_keys(tx, account_id) >= KEY_COUNT_MAX:
        return TooManyApiKeys()
    subaccount = None if new.account is None else new.account.subaccount
    id_ = KEY_ID_PREFIX + "".join(_ID_ALPHABET[byte & 31] for byte in tx.random_bytes(_ID_LENGTH))
    secret = _draw_secret(tx, id_)
    rows.insert_key(
        tx,
        id=id_,
        account_id=account_id,
        subaccount_id=None if subaccount is None else subaccount.id,
        name=new.name,
        permissions=new.permissions,
        secret_hash=tx.keys.api_key_hash(secret.reveal()),
        created_at=now,
        expires_at=new.expires_at,
    )
    made = rows.load_key(tx, id_)
    assert made is not None, "written in this transaction"
    return ApiKeyIssued(key=made.key, secret=secret)


def list_keys(
    tx: Tx, account_id: int | None, *, after: tuple[int, str] | None = None, limit: int = KEY_COUNT_MAX
) -> tuple[ApiKey, ...]:
    """List keys that were not revoked, of one account if one is given, newest first, after `(created_at, id)`."""
    return rows.load_keys(tx, account_id, after, limit)


def load_key(tx: Tx, id_: str, account_id: int | None) -> ApiKey | ApiKeyNotFound:
    """Load a key, of one account if one is given."""
    found = rows.load_key(tx, id_)
    if found is None or account_id not in (None, found.key.account_id):
        return ApiKeyNotFound()
    return found.key


def rotate_key(
    tx: Tx,
    id_: str,
    account_id: int | None,
    now: int,
    *,
    overlap_s: int,
    granted_by: frozenset[Permission] = frozenset({Permission.ALL}),
) -> ApiKeyIssued | ApiKeyNotFound | GrantExceeded:
    """Give a key another secret; the one it had works for `overlap_s` more, one before that no longer.

    Whoever may do less than the key does not get its secret.
    """
    found = load_key(tx, id_, account_id)
    if isinstance(found, ApiKeyNotFound):
        return found
    if not may_grant(granted_by, found.permissions):
        return GrantExceeded()
    secret = _draw_secret(tx, id_)
    overlap_until = now + overlap_s * MICROSECONDS
    rows.rotate_key(tx, id_, secret_hash=tx.keys.api_key_hash(secret.reveal()), overlap_until=overlap_until)
    return ApiKeyIssued(key=replace(found, overlap_until=overlap_until), secret=secret)


def revoke_key(tx: Tx, id_: str, account_id: int | None, now: int) -> ApiKey | ApiKeyNotFound:
    """Let a key open nothing any more; its row stays, so that logs that name it can be read."""
    found = load_key(tx, id_, account_id)
    if isinstance(found, ApiKey):
        rows.revoke_key(tx, id_, now)
    return found


def authenticate_key(tx: Tx, secret: str, now: int) -> OpenedKey | None:
    """Return what a secret opens; None when it is no valid key's.

    The comparison takes the same time wherever the first difference is.
    """
    form = _SECRET.fullmatch(secret)
    found = None if form is None else rows.load_key(tx, KEY_ID_PREFIX + form.group(1))
    if found is None or not _is_valid(found, tx.keys.api_key_hash(secret), now):
        return None
    account = _load_account(tx, found.key)
    return OpenedKey(key=found.key, account=account)


def touch_key(tx: Tx, id_: str, now: int) -> None:
    """Note that a key was used, at most once a minute."""
    rows.update_last_used(tx, id_, before=now - TOUCH_EVERY_S * MICROSECONDS, now=now)


def _is_valid(found: rows.StoredApiKey, hash_: str, now: int) -> bool:
    key = found.key
    if key.expires_at is not None and key.expires_at <= now:
        return False
    if hmac.compare_digest(found.secret_hash, hash_):
        return True
    return (
        found.old_secret_hash is not None
        and key.overlap_until is not None
        and now < key.overlap_until
        and hmac.compare_digest(found.old_secret_hash, hash_)
    )


def _load_account(tx: Tx, key: ApiKey) -> Account | None:
    if key.account_id is None:
        return None
    account = accounts.load_account(tx, id_=key.account_id)
    assert account is not None, "accounts are not deleted"
    if key.subaccount_auth_id is None:
        return account
    subaccount = accounts.load_subaccount(tx, key.subaccount_auth_id)
    assert subaccount is not None, (
        "nor are sub-accounts; without its own the key would open the whole account"
    )
    return replace(account, subaccount=subaccount)


def _draw_secret(tx: Tx, id_: str) -> Secret:
    """Draw 256 bits behind the key's own id, by which it is found and recognised."""
    drawn = base64.urlsafe_b64encode(tx.random_bytes(_SECRET_BYTES)).decode().rstrip("=")
    return Secret(f"{SECRET_PREFIX}{id_.removeprefix(KEY_ID_PREFIX)}_{drawn}")
