"""How the DeepCall dialect writes numbers, times and what a call was: in reports as in the answers of its interface.

Source: Sarv DeepCall, push report (2026), and one report as it was captured by a receiver.
"""

from typing import Final
from zoneinfo import ZoneInfo

from maskline.clock import to_datetime
from maskline.core.masking import MICROSECONDS
from maskline.core.numbers import E164

TYPE_DIALLED: Final = "MASK"
TYPE_PLACED: Final = "CTC"
CALL_TYPES: Final = (TYPE_DIALLED, TYPE_PLACED)
"""`cType`: of calls that somebody dialled, and of those that the service placed."""
STATUS_NOBODY: Final = 1
STATUS_ONE: Final = 2
STATUS_BOTH: Final = 3
CALL_STATUSES: Final = (STATUS_NOBODY, STATUS_ONE, STATUS_BOTH)
"""`callStatus`: how many answered. Only that both is 3 was ever seen; the rest is ours."""


def name_call_type(*, is_service_initiated: bool) -> str:
    """The `cType` of a call under a mask."""
    return TYPE_PLACED if is_service_initiated else TYPE_DIALLED


def render_time(instant: int, timezone: str) -> str:
    """`YYYY-MM-DD HH:MM:SS` of an instant in µs UTC, in the zone of an IANA name, the fraction cut off."""
    return f"{to_datetime(instant).astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M:%S}"


def render_digits(number: E164 | str | None) -> str:
    """A number with its country code and without plus; "" for none."""
    if number is None:
        return ""
    return (number.reveal() if isinstance(number, E164) else number).removeprefix("+")


def count_seconds(from_: int, until: int) -> int:
    """Seconds between two instants in µs, a started one counting whole, as everywhere in the service; 0 at least."""
    return max(0, -((from_ - until) // MICROSECONDS))
