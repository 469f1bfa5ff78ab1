"""Rows of the DeepCall dialect's credentials."""

from typing import Final

from sqlalchemy import bindparam, delete, func, select, update

from maskline.core.deepcall import SSID_COUNT_MAX, DeepCallUser, SsidRow
from maskline.core.secret import Secret

from .engine import Row, Tx
from .schema_deepcall import deepcall_ssid, deepcall_user
from .statement import Statement, insert_row

_u: Final = deepcall_user.c
_s: Final = deepcall_ssid.c
_INSERT_USER: Final = Statement(
    insert_row(deepcall_user, "account_id", "user_id", "token_sealed", "created_at").on_conflict_do_nothing()
)
_USER: Final = select(_u.account_id, _u.user_id, _u.token_sealed, _u.old_token_sealed, _u.old_token_until)
_LOCK_BY_ACCOUNT: Final = Statement(_USER.where(_u.account_id == bindparam("account_id")).with_for_update())
_SELECT_BY_USER_ID: Final = Statement(_USER.where(_u.user_id == bindparam("user_id")))
_UPDATE_TOKEN: Final = Statement(
    update(deepcall_user)
    .where(_u.account_id == bindparam("owner_id"))
    .values(
        token_sealed=bindparam("token_sealed_"),
        old_token_sealed=bindparam("old_token_sealed_"),
        old_token_until=bindparam("old_token_until_"),
    )
)
_DELETE_USER: Final = Statement(delete(deepcall_user).where(_u.account_id == bindparam("owner_id")))
_INSERT_SSID: Final = Statement(
    insert_row(deepcall_ssid, "hash", "account_id", "can_change", "created_at", "expires_at")
)
_SELECT_SSID: Final = Statement(
    select(_s.account_id, _s.can_change, _s.created_at, _s.expires_at).where(
        _s.hash == bindparam("hash_"), _s.expires_at > bindparam("now")
    )
)
_SELECT_SSIDS: Final = Statement(
    select(_s.account_id, _s.can_change, _s.created_at, _s.expires_at)
    .where(_s.account_id == bindparam("account_id"), _s.expires_at > bindparam("now"))
    .order_by(_s.created_at.desc(), _s.hash)
    .limit(SSID_COUNT_MAX)
)
_SHORTEN_SSIDS: Final = Statement(
    update(deepcall_ssid)
    .where(
        _s.account_id == bindparam("owner_id"),
        _s.can_change == bindparam("can_change_"),
        _s.expires_at > bindparam("until"),
    )
    .values(expires_at=bindparam("until"))
)
_DELETE_LAPSED: Final = Statement(
    delete(deepcall_ssid).where(_s.account_id == bindparam("owner_id"), _s.expires_at <= bindparam("now"))
)
_DELETE_SSIDS: Final = Statement(delete(deepcall_ssid).where(_s.account_id == bindparam("owner_id")))
_COUNT_SSIDS: Final = Statement(
    select(func.count()).select_from(deepcall_ssid).where(_s.account_id == bindparam("account_id"))
)


def insert_user(tx: Tx, account_id: int, *, user_id: str, token: Secret, now: int) -> bool:
    """Insert an account's user; False when it has one or the id is taken."""
    sealed = tx.keys.seal(token.reveal(), _place(account_id))
    count = tx.run(_INSERT_USER, account_id=account_id, user_id=user_id, token_sealed=sealed, created_at=now)
    return count == 1


def lock_user(tx: Tx, account_id: int) -> DeepCallUser | None:
    """Load the user of an account and keep others from changing it."""
    row = tx.row(_LOCK_BY_ACCOUNT, account_id=account_id)
    return None if row is None else _user(tx, row)


def load_user_by_id(tx: Tx, user_id: str) -> DeepCallUser | None:
    """Load a user by the id that its client sends."""
    row = tx.row(_SELECT_BY_USER_ID, user_id=user_id)
    return None if row is None else _user(tx, row)


def update_token(tx: Tx, user: DeepCallUser, token: Secret, *, old_until: int | None) -> None:
    """Give a user another token; the present one works until `old_until` (µs UTC), None: no more."""
    place = _place(user.account_id)
    tx.run(
        _UPDATE_TOKEN,
        owner_id=user.account_id,
        token_sealed_=tx.keys.seal(token.reveal(), place),
        old_token_sealed_=None if old_until is None else tx.keys.seal(user.token.reveal(), place),
        old_token_until_=old_until,
    )


def delete_user(tx: Tx, account_id: int) -> bool:
    """Delete the user of an account and all its ssids; False when there is none."""
    tx.run(_DELETE_SSIDS, owner_id=account_id)
    return tx.run(_DELETE_USER, owner_id=account_id) == 1


def insert_ssid(tx: Tx, row: SsidRow, ssid: Secret) -> None:
    """Keep what is known of a new ssid."""
    tx.run(
        _INSERT_SSID,
        hash=tx.keys.ssid_hash(ssid.reveal()),
        account_id=row.account_id,
        can_change=row.can_change,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def load_ssid(tx: Tx, ssid: str, now: int) -> SsidRow | None:
    """Load an ssid that works at `now` (µs UTC).

    It is looked for by its keyed hash, so how long that takes tells nothing of how near a guess is.
    """
    row = tx.row(_SELECT_SSID, hash_=tx.keys.ssid_hash(ssid), now=now)
    return None if row is None else _ssid(row)


def load_ssids(tx: Tx, account_id: int, now: int) -> tuple[SsidRow, ...]:
    """Load the ssids of an account that work at `now`, newest first."""
    return tuple(_ssid(row) for row in tx.rows(_SELECT_SSIDS, account_id=account_id, now=now))


def shorten_ssids(tx: Tx, account_id: int, *, can_change: bool, until: int) -> int:
    """Let no ssid of an account that may do as much work after `until` (µs UTC); return how many would have."""
    return tx.run(_SHORTEN_SSIDS, owner_id=account_id, can_change_=can_change, until=until)


def delete_lapsed_ssids(tx: Tx, account_id: int, now: int) -> None:
    """Forget an account's ssids that work no more."""
    tx.run(_DELETE_LAPSED, owner_id=account_id, now=now)


def count_ssids(tx: Tx, account_id: int) -> int:
    """Count an account's ssids."""
    row = tx.row(_COUNT_SSIDS, account_id=account_id)
    assert row is not None
    return int(row[0])


def _place(account_id: int) -> str:
    return f"deepcall_user.token_sealed:{account_id}"


def _user(tx: Tx, row: Row) -> DeepCallUser:
    account_id, user_id, sealed, old_sealed, old_until = row
    place = _place(account_id)
    return DeepCallUser(
        account_id=account_id,
        user_id=user_id,
        token=Secret(tx.keys.unseal(sealed, place)),
        old_token=None if old_sealed is None else Secret(tx.keys.unseal(old_sealed, place)),
        old_token_until=old_until,
    )


def _ssid(row: Row) -> SsidRow:
    account_id, can_change, created_at, expires_at = row
    return SsidRow(
        account_id=account_id, can_change=bool(can_change), created_at=created_at, expires_at=expires_at
    )
