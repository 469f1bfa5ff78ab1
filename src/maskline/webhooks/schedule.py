"""When to try again, and when to give up: decided from the answer, the clock and one random number."""

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from maskline.clock import from_datetime
from maskline.core.delivery import DeliveryState, Dialect, FinishedAttempt, LeasedDelivery
from maskline.core.masking import MICROSECONDS

from .target import CallbackTarget, RetryCause

FIRST_DELAYS_S: Final = (5, 30, 120)
"""A restart of the receiver takes seconds, a deployment minutes."""
DELAY_S_MAX: Final = 6 * 3600
"""From there on the delay does not grow: four attempts a day for whoever is away for days."""
JITTER: Final = 0.2
"""Delays differ by up to a fifth either way, so that what failed together does not come back together."""
RETRY_AFTER_TEXT_LENGTH_MAX: Final = 64  # an HTTP date has 29 characters

_GONE: Final = 410
_BUSY: Final = frozenset({429, 503})  # RFC 9110 section 10.2.3, RFC 6585 section 4: where Retry-After counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The receiver answered; `retry_after` is its header, if it sent one."""

    status: int
    retry_after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """There was no answer; `error` is a kebab-case word. `is_final`: this URL is never requested."""

    error: str
    cause: RetryCause
    is_final: bool = False


Outcome = Answered | Unanswered


def decide_attempt(
    delivery: LeasedDelivery,
    target: CallbackTarget,
    outcome: Outcome,
    *,
    started_at: int,
    now: int,
    chance: float,
) -> FinishedAttempt:
    """Say what becomes of a delivery after an attempt; `chance` is uniform in [0, 1). Instants in µs UTC."""
    status = outcome.status if isinstance(outcome, Answered) else None
    if status is not None and 200 <= status < 300:
        return FinishedAttempt(
            delivery=delivery,
            state=DeliveryState.DELIVERED,
            started_at=started_at,
            status=status,
            error=None,
        )
    is_gone = status == _GONE and delivery.dialect is not Dialect.PLIVO
    retry_at = None if is_gone else _retry_at(delivery, target, outcome, now=now, chance=chance)
    return FinishedAttempt(
        delivery=delivery,
        state=DeliveryState.DEAD if retry_at is None else DeliveryState.PENDING,
        started_at=started_at,
        status=status,
        error=_error(outcome),
        retry_at=retry_at,
        is_gone=is_gone,
    )


def delay_s(attempt_count: int, chance: float) -> float:
    """How long to wait after an attempt that `attempt_count` others came before."""
    if attempt_count < len(FIRST_DELAYS_S):
        base: float = FIRST_DELAYS_S[attempt_count]
    else:
        doublings = min(attempt_count - len(FIRST_DELAYS_S) + 1, 16)  # far beyond the most it may be
        base = min(FIRST_DELAYS_S[-1] * 2**doublings, DELAY_S_MAX)
    return base * (1 - JITTER + 2 * JITTER * chance)


def parse_retry_after(text: str | None, now: int) -> float | None:
    """Read Retry-After: seconds from `now`, never negative; None when it is absent or unreadable.

    Source: RFC 9110 section 10.2.3.
    """
    if text is None or len(text) > RETRY_AFTER_TEXT_LENGTH_MAX:
        return None
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
        at = from_datetime(date if date.tzinfo else date.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
    return max(0.0, (at - now) / MICROSECONDS)


def _retry_at(
    delivery: LeasedDelivery, target: CallbackTarget, outcome: Outcome, *, now: int, chance: float
) -> int | None:
    """When to try again; None for never."""
    if now >= delivery.give_up_at or _cause(outcome) not in target.retried:
        return None
    if isinstance(outcome, Unanswered) and outcome.is_final:
        return None
    if target.retry_count_max is not None and delivery.attempt_count >= target.retry_count_max:
        return None
    wait_s = delay_s(delivery.attempt_count, chance)
    if isinstance(outcome, Answered) and outcome.status in _BUSY:
        asked_s = parse_retry_after(outcome.retry_after, now)
        if asked_s is not None:
            wait_s = max(wait_s, min(asked_s, DELAY_S_MAX))
    # The last attempt falls on the very end, so that the whole time is used.
    return min(now + round(wait_s * MICROSECONDS), delivery.give_up_at)


def _cause(outcome: Outcome) -> RetryCause:
    if isinstance(outcome, Unanswered):
        return outcome.cause
    match outcome.status // 100:
        case 4:
            return RetryCause.CLIENT_ERROR
        case 5:
            return RetryCause.SERVER_ERROR
        case _:
            return RetryCause.OTHER


def _error(outcome: Outcome) -> str:
    if isinstance(outcome, Unanswered):
        return outcome.error
    return "gone" if outcome.status == _GONE else "http-status"
