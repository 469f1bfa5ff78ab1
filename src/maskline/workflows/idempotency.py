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
    acting_for: str = field(default="", repr=False)
    """The auth id on whose behalf, empty for nobody's: an owner has keys of its own for each."""
    request: bytes = field(repr=False)
    """Everything that makes two requests the same: method, path, body."""


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
    key_hash = _key_hash(tx, claim)
    if not rows.try_lock(tx, key_hash):
        return StillRunning()
    kept = rows.load_answer(tx, claim.owner, key_hash)
    if kept is not None:
        if (answered := _judge(tx, claim, kept, now)) is not None:
            return answered
        rows.delete_answer(tx, claim.owner, key_hash)
    answer = work(tx)
    request_hash = tx.keys.idempotency_hash(claim.request)
    rows.insert_answer(tx, claim.owner, key_hash, KeptAnswer(request_hash, answer, now))
    return Answered(answer=answer, is_replayed=False)


def load_kept_answer(tx: Tx, claim: IdempotencyClaim, now: int) -> Answered | AnotherRequest | None:
    """Load what was answered under this key within `KEPT_S`; None when nothing was, or not yet.

    For what precedes the work and cannot be in its transaction; who goes on then runs the work idempotently.
    """
    kept = rows.load_answer(tx, claim.owner, _key_hash(tx, claim))
    return None if kept is None else _judge(tx, claim, kept, now)


def _judge(tx: Tx, claim: IdempotencyClaim, kept: KeptAnswer, now: int) -> Answered | AnotherRequest | None:
    """Say what an answer under the claim's key means to it; None for one that was kept long enough."""
    if now >= kept.created_at + KEPT_S * MICROSECONDS:
        return None
    if kept.request_hash != tx.keys.idempotency_hash(claim.request):
        return AnotherRequest()
    return Answered(answer=kept.answer, is_replayed=True)


def _key_hash(tx: Tx, claim: IdempotencyClaim) -> str:
    return tx.keys.idempotency_hash(f"{claim.owner}\n{claim.acting_for}\n{claim.key}".encode())


def forget_answers(tx: Tx, now: int) -> int:
    """Forget up to 500 answers that were kept long enough; return how many. Run again while it returns 500."""
    return rows.prune(tx, now - KEPT_S * MICROSECONDS)
