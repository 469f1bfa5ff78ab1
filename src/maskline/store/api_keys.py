"""Rows of API keys."""

from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, and_, bindparam, func, or_, select, update

from maskline.core.access import KEY_COUNT_MAX, ApiKey, Permission

from .engine import Row, Tx
from .schema import account, subaccount
from .schema_api_keys import api_key
from .statement import Statement, insert_row

_k: Final = api_key.c
_INSERT: Final = Statement(
    insert_row(
        api_key,
        "id",
        "account_id",
        "subaccount_id",
        "name",
        "permissions",
        "secret_hash",
        "created_at",
        "expires_at",
    )
)
_KEY: Final = (
    select(
        _k.id,
        _k.name,
        _k.permissions,
        _k.created_at,
        _k.account_id,
        account.c.auth_id,
        subaccount.c.auth_id,
        _k.expires_at,
        _k.last_used_at,
        _k.overlap_until,
        _k.secret_hash,
        _k.old_secret_hash,
    )
    .join_from(api_key, account, account.c.id == _k.account_id, isouter=True)
    .outerjoin(subaccount, subaccount.c.id == _k.subaccount_id)
    .where(_k.revoked_at.is_(None))
)
_SELECT_ONE: Final = Statement(_KEY.where(_k.id == bindparam("id")))
_COUNT: Final = Statement(
    select(func.count())
    .select_from(api_key)
    .where(
        _k.revoked_at.is_(None),
        or_(
            _k.account_id == bindparam("account_id"),
            and_(_k.account_id.is_(None), bindparam("account_id", type_=_k.account_id.type).is_(None)),
        ),
    )
)
_ROTATE: Final = Statement(
    update(api_key)
    .where(_k.id == bindparam("id_"), _k.revoked_at.is_(None))
    .values(
        old_secret_hash=_k.secret_hash,
        overlap_until=bindparam("until"),
        secret_hash=bindparam("secret"),
    )
)
_REVOKE: Final = Statement(
    update(api_key)
    .where(_k.id == bindparam("id_"), _k.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
)
_TOUCH: Final = Statement(
    update(api_key)
    .where(_k.id == bindparam("id_"), or_(_k.last_used_at.is_(None), _k.last_used_at <= bindparam("before")))
    .values(last_used_at=bindparam("now"))
)


class StoredApiKey(NamedTuple):
    """A key with the hashes of its secrets."""

    key: ApiKey
    secret_hash: str
    old_secret_hash: str | None


def insert_key(tx: Tx, *, permissions: frozenset[Permission], **columns: Any) -> None:
    """Insert a key."""
    tx.run(_INSERT, permissions=" ".join(sorted(permissions)), **columns)


def count_keys(tx: Tx, account_id: int | None) -> int:
    """Count the valid keys of an account, or the operator's."""
    row = tx.row(_COUNT, account_id=account_id)
    assert row is not None
    return int(row[0])


def load_key(tx: Tx, id_: str) -> StoredApiKey | None:
    """Load a key that was not revoked."""
    row = tx.row(_SELECT_ONE, id=id_)
    return None if row is None else _stored(row)


def load_keys(
    tx: Tx, account_id: int | None, after: tuple[int, str] | None, limit: int
) -> tuple[ApiKey, ...]:
    """Load one page of keys, of one account if one is given, newest first."""
    params: dict[str, Any] = {} if account_id is None else {"account_id": account_id}
    if after is not None:
        params |= {"after_at": after[0], "after_id": after[1]}
    statement = _page(frozenset(params))
    return tuple(_stored(row).key for row in tx.rows(statement, **params, limit_=min(limit, KEY_COUNT_MAX)))


def rotate_key(tx: Tx, id_: str, *, secret_hash: str, overlap_until: int) -> None:
    """Give a key another secret; the old one is remembered until then."""
    tx.run(_ROTATE, id_=id_, secret=secret_hash, until=overlap_until)


def revoke_key(tx: Tx, id_: str, now: int) -> None:
    """Let a key open nothing any more."""
    tx.run(_REVOKE, id_=id_, now=now)


def update_last_used(tx: Tx, id_: str, *, before: int, now: int) -> None:
    """Note that a key was used, unless that was noted after `before`."""
    tx.run(_TOUCH, id_=id_, before=before, now=now)


@lru_cache(maxsize=8)  # combinations of two conditions
def _page(names: frozenset[str]) -> Statement:
    conditions: list[Any] = []
    if "account_id" in names:
        conditions.append(_k.account_id == bindparam("account_id"))
    if "after_at" in names:
        after_at: BindParameter[int] = bindparam("after_at")
        conditions.append(
            or_(_k.created_at < after_at, and_(_k.created_at == after_at, _k.id < bindparam("after_id")))
        )
    ordered = _KEY.where(*conditions).order_by(_k.created_at.desc(), _k.id.desc())
    return Statement(ordered.limit(bindparam("limit_")))


def _stored(row: Row) -> StoredApiKey:
    (
        id_,
        name,
        permissions,
        created_at,
        account_id,
        account_auth_id,
        subaccount_auth_id,
        expires_at,
        last_used_at,
        overlap_until,
        secret_hash,
        old_secret_hash,
    ) = row
    key = ApiKey(
        id=id_,
        name=name,
        permissions=frozenset(Permission(it) for it in permissions.split()),
        created_at=created_at,
        account_id=account_id,
        account_auth_id=account_auth_id,
        subaccount_auth_id=subaccount_auth_id,
        expires_at=expires_at,
        last_used_at=last_used_at,
        overlap_until=overlap_until,
    )
    return StoredApiKey(key, secret_hash, old_secret_hash)
