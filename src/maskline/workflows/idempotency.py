"""Do something once for each idempotency key: the work and what was answered are one transaction."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from maskline.core.masking import MICROSECONDS
from maskline.store import idempotency as rows
from maskline.store.engine import Tx
from maskline.store.idempotency import KeptAnswer

KEPT_S: Final = 86_400
"""How long an answer is kept: longer than any client retries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyClaim:
    """A request that is to have one effect. `owner` is whose credentials were sent; the rest is what clients wrote."""

    owner: str
    key: str = field(repr=False)
    request: bytes = field(repr=False)
    """Everything that makes two requests the same: method, path, whom it is for, body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The work's answer: of this request, or, `is_replayed`, of the first one with this key."""

    answer: str = field(repr=False)
    is_replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AnotherRequest:
    """The key was used for a request that was not this one; nothing was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StillRunning:
    """A request with this key is being worked on; nothing was done."""


def run_idempotently(
    tx: Tx, claim: IdempotencyClaim, work: Callable[[Tx], str], now: int
) -> Answered | AnotherRequest | StillRunning:
    """Run `work` unless that was done under this key within `KEPT_S`; what it returns is kept, sealed.

    When the work raises, nothing is kept. Whatever becomes of the process, work and answer are both there or neither.
    """
    key_hash = tx.keys.idempotency_hash(f"{claim.owner}\n{claim.key}".encode())
    request_hash = tx.keys.idempotency_hash(claim.request)
    if not rows.try_lock(tx, key_hash):
        return StillRunning()
    kept = rows.load_answer(tx, claim.owner, key_hash)
    if kept is not None and now < kept.created_at + KEPT_S * MICROSECONDS:
        if kept.request_hash != request_hash:
            return AnotherRequest()
        return Answered(answer=kept.answer, is_replayed=True)
    if kept is not None:
        rows.delete_answer(tx, claim.owner, key_hash)
    answer = work(tx)
    rows.insert_answer(tx, claim.owner, key_hash, KeptAnswer(request_hash, answer, now))
    return Answered(answer=answer, is_replayed=False)


def forget_answers(tx: Tx, now: int) -> int:
    """Forget up to 500 answers that were kept long enough; return how many. Run again while it returns 500."""
    return rows.prune(tx, now - KEPT_S * MICROSECONDS)
