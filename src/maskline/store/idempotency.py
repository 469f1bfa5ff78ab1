"""Rows of answers kept under idempotency keys."""

from typing import Final, NamedTuple

from sqlalchemy import BigInteger, bindparam, delete, func, select, tuple_

from .engine import Tx
from .schema_api_keys import idempotency_key
from .statement import Database, Statement, insert_row

PRUNE_BATCH_SIZE: Final = 500
"""Rows deleted in one transaction; keeps the writer free for calls in between."""

_i: Final = idempotency_key.c
_TRY_LOCK: Final = Statement(select(func.pg_try_advisory_xact_lock(bindparam("number", type_=BigInteger))))
_SELECT: Final = Statement(
    select(_i.request_hash, _i.answer_sealed, _i.created_at).where(
        _i.owner == bindparam("owner"), _i.key_hash == bindparam("key_hash")
    )
)
_INSERT: Final = Statement(
    insert_row(idempotency_key, "owner", "key_hash", "request_hash", "answer_sealed", "created_at")
)
_DELETE: Final = Statement(
    delete(idempotency_key).where(_i.owner == bindparam("owner_"), _i.key_hash == bindparam("hash_"))
)
_old = idempotency_key.alias("old")
# By the primary key: SQLite would look at everything that is old for each batch, which after a day is millions.
PRUNE: Final = Statement(
    delete(idempotency_key).where(
        tuple_(_i.owner, _i.key_hash).in_(
            select(_old.c.owner, _old.c.key_hash)
            .where(_old.c.created_at <= bindparam("before"))
            .order_by(_old.c.created_at)
            .limit(PRUNE_BATCH_SIZE)
            .with_for_update(skip_locked=True, of=_old)
        )
    )
)


class KeptAnswer(NamedTuple):
    """What was answered, and to which request."""

    request_hash: str
    answer: str
    created_at: int


def try_lock(tx: Tx, key_hash: str) -> bool:
    """Keep others from working under the same key until the transaction ends; False while another one does.

    On SQLite the write lock does this, and nobody else is ever seen at work.
    """
    if tx.database is Database.SQLITE:
        return True
    number = int.from_bytes(bytes.fromhex(key_hash[:16]), signed=True)
    row = tx.row(_TRY_LOCK, number=number)
    return row is not None and bool(row[0])


def load_answer(tx: Tx, owner: str, key_hash: str) -> KeptAnswer | None:
    """Load what was kept under a key."""
    row = tx.row(_SELECT, owner=owner, key_hash=key_hash)
    if row is None:
        return None
    request_hash, sealed, created_at = row
    return KeptAnswer(request_hash, tx.keys.unseal(sealed, _place(owner, key_hash)), created_at)


def insert_answer(tx: Tx, owner: str, key_hash: str, kept: KeptAnswer) -> None:
    """Keep an answer."""
    tx.run(
        _INSERT,
        owner=owner,
        key_hash=key_hash,
        request_hash=kept.request_hash,
        answer_sealed=tx.keys.seal(kept.answer, _place(owner, key_hash)),
        created_at=kept.created_at,
    )


def delete_answer(tx: Tx, owner: str, key_hash: str) -> None:
    """Forget an answer."""
    tx.run(_DELETE, owner_=owner, hash_=key_hash)


def prune(tx: Tx, before: int) -> int:
    """Forget up to 500 answers kept until then; return how many."""
    return tx.run(PRUNE, before=before)


def _place(owner: str, key_hash: str) -> str:
    return f"idempotency_key.answer_sealed:{owner}/{key_hash}"
