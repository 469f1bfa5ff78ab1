"""The only place where the time of day comes from."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_US = 1_000


class Clock(Protocol):
    """Tells the time; tests and the simulator give their own."""

    def now(self) -> int:
        """Microseconds since 1970 in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Microseconds since 1970 in UTC."""
        return time.time_ns() // _NS_PER_US


def to_datetime(instant: int) -> datetime:
    """Aware UTC datetime of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=instant)


def from_datetime(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime; whole numbers, so nothing is rounded."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
