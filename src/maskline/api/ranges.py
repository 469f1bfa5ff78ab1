"""Parts of a file, as a player asks for them.

Source: RFC 9110 sections 13.1.5 and 14.
"""

import re
from dataclasses import dataclass
from typing import Final

RANGE_LENGTH_MAX: Final = 200
"""Of the header; one range is at most fifty characters, and more than one is answered with the whole file."""
_ONE_RANGE: Final = re.compile(
    r"bytes=\s*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))\s*", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """Send everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Send `byte_count` bytes from `first` on; at least one."""

    first: int
    byte_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsatisfiable:
    """No byte of the file lies in the range."""


RangeOutcome = Whole | Part | Unsatisfiable


def choose_range(header: str | None, if_range: str | None, *, etag: str, size: int) -> RangeOutcome:
    """Decide what to send of a file of `size` bytes.

    What is no single range of bytes is as if it were absent; so is a range of another version of the file,
    which `if_range` names. `etag` is a strong one.
    """
    if (
        header is None
        or len(header) > RANGE_LENGTH_MAX
        or (if_range is not None and if_range.strip() != etag)
    ):
        return Whole()
    found = _ONE_RANGE.fullmatch(header.strip())
    if found is None:
        return Whole()
    first_text, last_text, suffix_text = found.groups()
    if suffix_text is not None:
        count = min(int(suffix_text), size)
        return Part(first=size - count, byte_count=count) if count else Unsatisfiable()
    first = int(first_text)
    if last_text and int(last_text) < first:
        return Whole()  # not a valid range at all
    if first >= size:
        return Unsatisfiable()
    last = min(int(last_text), size - 1) if last_text else size - 1
    return Part(first=first, byte_count=last - first + 1)
