"""When a request is sent again, and after how long: pure.

A request that was refused because the service is busy, or that never arrived, does no harm a second time. Each POST
carries an Idempotency-Key, so that one whose answer was lost is carried out once all the same. A DELETE or PATCH has
none: when its answer was lost it is not sent again, for an end that succeeded would be refused as ended already.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_UNDONE_STATUSES: Final = frozenset({429, 503})
"""Too much to do, and what proxies say while there is no service: the request was not carried out."""
_LOST_STATUS: Final = 502
"""What proxies say when they lost the connection to the service: as if the answer had been lost here."""
RUNNING: Final = "idempotency-running"
"""The code of the 409 that says that the same request is still being carried out."""
RETRY_AFTER_DIGITS_MAX: Final = 6  # eleven days; who asks for more does not mean us


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patiently a request is sent again.

    `attempt_max` counts the first one too; 1 sends nothing again. The wait doubles from `first_wait_s` up to
    `longest_wait_s`; the service may ask for another one, and is not asked again when that is longer than
    `longest_asked_s`.
    """

    attempt_max: int = 4
    first_wait_s: float = 0.25
    longest_wait_s: float = 8.0
    longest_asked_s: float = 60.0


NO_RETRIES: Final = RetryPolicy(attempt_max=1)


def retried_statuses(*, is_harmless_twice: bool) -> frozenset[int]:
    """The statuses after which a request is sent again, by whether it may have been carried out before."""
    return _UNDONE_STATUSES | {_LOST_STATUS} if is_harmless_twice else _UNDONE_STATUSES


def decide_wait(
    policy: RetryPolicy, attempt_count: int, *, asked_s: float | None, chance: float
) -> float | None:
    """Seconds until the next attempt after `attempt_count` of them; None: there is none.

    `asked_s` is what the service asked for. `chance`, from 0 to 1, keeps clients apart that failed together: half
    of the wait is certain.
    """
    if attempt_count >= policy.attempt_max:
        return None
    if asked_s is not None:
        return asked_s if asked_s <= policy.longest_asked_s else None
    doubled = policy.first_wait_s * 2.0 ** (attempt_count - 1)
    return min(doubled, policy.longest_wait_s) * (0.5 + chance / 2)


def parse_retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds from now that a Retry-After header asks for; None when it is absent or broken.

    Source: RFC 9110 section 10.2.3.
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return float(text) if len(text) <= RETRY_AFTER_DIGITS_MAX else None
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())
