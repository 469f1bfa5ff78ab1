"""Ids that lie together when they are made together."""

import uuid
from typing import Final

RANDOM_LENGTH: Final = 16
"""Random bytes asked for an id."""
_INSTANT_LENGTH: Final = 6  # milliseconds until the year 10889


def draw_ordered_id(now: int, random: bytes) -> str:
    """Make a UUID of version 4 whose first 48 bits are `now` (µs UTC) in milliseconds; 74 bits stay random.

    Ids of one moment are neighbours in every index, so that a million of them cost no more than the first: an index
    of purely random ids is written all over. What an id tells is when it was made; whom it is of it does not.

    Source: docs/adr/0017-ordered-session-ids.md; RFC 9562 section 5.4 for the form.
    """
    assert len(random) == RANDOM_LENGTH
    instant = (now // 1000 & (1 << 8 * _INSTANT_LENGTH) - 1).to_bytes(_INSTANT_LENGTH)
    return str(uuid.UUID(bytes=instant + random[_INSTANT_LENGTH:], version=4))
