"""Make, find and authenticate accounts."""

import hmac
from dataclasses import dataclass, replace
from typing import Final

from maskline.core.inventory import Account, AllocationPolicy, CooloffScope, NewAccount, Subaccount
from maskline.core.secret import Secret
from maskline.store import accounts as rows
from maskline.store.engine import Tx

_ID_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # 32 letters: five bits of a random byte, evenly
_TOKEN_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"  # noqa: S105 - six bits
_ID_LENGTH: Final = 18  # after MA or SA; 90 bits
_TOKEN_LENGTH: Final = 40  # 240 bits, and what Plivo's tokens have


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountExists:
    """An account of that name or auth id is there already."""


def create_account(tx: Tx, new: NewAccount, now: int) -> Account | AccountExists:
    """Make an account, drawing the auth id and token that were not given."""
    auth_id = new.auth_id or _draw_id(tx, "MA")
    token = new.token or _draw_token(tx)
    id_ = rows.insert_account(
        tx,
        auth_id=auth_id,
        token=token,
        name=new.name,
        country=new.country,
        timezone=new.timezone,
        policy=new.policy,
        cooloff_scope=new.cooloff_scope,
        created_at=now,
    )
    if id_ is None:
        return AccountExists()
    return Account(
        id=id_,
        auth_id=auth_id,
        name=new.name,
        country=new.country,
        timezone=new.timezone,
        token=token,
        policy=new.policy,
        cooloff_scope=new.cooloff_scope,
        created_at=now,
    )


def change_account(
    tx: Tx,
    account: Account,
    *,
    refusal_prompt_url: str | None = None,
    has_strict_pins: bool | None = None,
    country: str | None = None,
    timezone: str | None = None,
    policy: AllocationPolicy | None = None,
    cooloff_scope: CooloffScope | None = None,
) -> Account:
    """Replace what is given (None: not given); it holds for the next call and the next session."""
    changes = {
        "refusal_prompt_url": refusal_prompt_url,
        "has_strict_pins": has_strict_pins,
        "country": country,
        "timezone": timezone,
        "policy": None if policy is None else policy.value,
        "cooloff_scope": None if cooloff_scope is None else cooloff_scope.value,
    }
    rows.update_account(tx, account.id, changes)
    changed = rows.load_account(tx, id_=account.id)
    assert changed is not None, "accounts are not deleted"
    return changed


def rotate_token(tx: Tx, auth_id: str) -> Account | None:
    """Give an account or a sub-account another token; None when there is none of this auth id.

    The old one opens nothing from now on, and requests to its receivers are signed with the new one: a token is
    rotated because somebody else may know it. Who needs an overlap uses API keys.
    """
    if load_account_of(tx, auth_id) is None:
        return None
    rows.update_token(tx, auth_id, _draw_token(tx))
    return load_account_of(tx, auth_id)


def create_subaccount(tx: Tx, account: Account, name: str, now: int) -> Subaccount | AccountExists:
    """Make a sub-account with credentials of its own."""
    auth_id, token = _draw_id(tx, "SA"), _draw_token(tx)
    id_ = rows.insert_subaccount(
        tx, auth_id=auth_id, token=token, account_id=account.id, name=name, created_at=now
    )
    if id_ is None:
        return AccountExists()
    return Subaccount(id=id_, account_id=account.id, auth_id=auth_id, name=name, token=token, created_at=now)


def authenticate(tx: Tx, auth_id: str, token: str) -> Account | None:
    """Return the account whose credentials these are; with `subaccount` set when they are a sub-account's.

    The comparison takes the same time wherever the first difference is.
    """
    if auth_id.startswith("SA"):
        subaccount = rows.load_subaccount(tx, auth_id)
        if subaccount is None or not _is_same(subaccount.token, token):
            return None
        account = rows.load_account(tx, id_=subaccount.account_id)
        return None if account is None else replace(account, subaccount=subaccount)
    account = rows.load_account(tx, auth_id=auth_id)
    return account if account is not None and _is_same(account.token, token) else None


def load_account_of(tx: Tx, auth_id: str) -> Account | None:
    """Load the account that an auth id opens; with `subaccount` set when it is a sub-account's."""
    if not auth_id.startswith("SA"):
        return rows.load_account(tx, auth_id=auth_id)
    subaccount = rows.load_subaccount(tx, auth_id)
    account = None if subaccount is None else rows.load_account(tx, id_=subaccount.account_id)
    return None if account is None else replace(account, subaccount=subaccount)


def load_account(tx: Tx, *, auth_id: str | None = None, name: str | None = None) -> Account | None:
    """Load the account with this auth id or, without one, this name."""
    return rows.load_account(tx, auth_id=auth_id, name=name)


def load_subaccount(tx: Tx, account: Account, auth_id: str) -> Subaccount | None:
    """Load a sub-account of this account."""
    found = rows.load_subaccount(tx, auth_id)
    return found if found is not None and found.account_id == account.id else None


def list_accounts(tx: Tx) -> tuple[Account, ...]:
    """List accounts, oldest first."""
    return rows.load_accounts(tx)


def list_account_page(tx: Tx, before: int | None, limit: int) -> tuple[Account, ...]:
    """List accounts, newest first, beginning below the internal id `before`."""
    return rows.load_account_page(tx, before, limit)


def list_subaccount_page(tx: Tx, account_id: int, before: int | None, limit: int) -> tuple[Subaccount, ...]:
    """List an account's sub-accounts, likewise."""
    return rows.load_subaccount_page(tx, account_id, before, limit)


def list_subaccounts(tx: Tx, account: Account) -> tuple[Subaccount, ...]:
    """List an account's sub-accounts, oldest first."""
    return rows.load_subaccounts(tx, account.id)


def _is_same(secret: Secret, given: str) -> bool:
    return hmac.compare_digest(secret.reveal().encode(), given.encode(errors="surrogatepass"))


def _draw_id(tx: Tx, prefix: str) -> str:
    return prefix + "".join(_ID_ALPHABET[byte & 31] for byte in tx.random_bytes(_ID_LENGTH))


def _draw_token(tx: Tx) -> Secret:
    return Secret("".join(_TOKEN_ALPHABET[byte & 63] for byte in tx.random_bytes(_TOKEN_LENGTH)))
