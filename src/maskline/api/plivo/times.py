"""Instants as the Plivo dialect writes and reads them: UTC, to the second in answers.

Source: recorded responses of 2024 (`2024-05-30 03:32:12 +0000 UTC`); list parameters of the pages of 2024.
"""

import re
from datetime import UTC, datetime

from maskline.api.plivo import errors
from maskline.clock import from_datetime, to_datetime

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US

# What a client copies from an answer into a query loses its plus sign on the way: `+0000` arrives as ` 0000`.
_TIME = re.compile(
    r"\s*([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[ T]+([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6})[0-9]*)?)?)?"
    r"\s*(?:[+\s]?00:?00)?\s*(?:UTC|Z)?\s*",
    re.ASCII,
)


def render_time(instant: int | None) -> str:
    """`YYYY-MM-DD HH:MM:SS +0000 UTC`, the fraction cut off; "" for never."""
    if instant is None:
        return ""
    return f"{to_datetime(instant):%Y-%m-%d %H:%M:%S} +0000 UTC"


def parse_time(name: str, text: str) -> tuple[int, int]:
    """First instant meant and how many microseconds wide the text is: a day, a minute, a second or less.

    Raises PlivoError 400.
    """
    found = _TIME.fullmatch(text)
    if not found:
        raise errors.not_valid(name)
    year, month, day, hour, minute, second, fraction = found.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC
        )
    except ValueError:
        raise errors.not_valid(name) from None
    start = from_datetime(moment)
    if hour is None:
        return start, DAY_US
    if second is None:
        return start, 60 * SECOND_US
    if fraction is None:
        return start, SECOND_US
    return start + int(fraction.ljust(6, "0")), 10 ** (6 - len(fraction))
