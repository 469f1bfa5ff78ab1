"""Callback URLs: what is requested, and what their fragment says of time and retries.

Source: Plivo, callback configurations (2026): `#ct=2000&rt=3000&tt=8000&rc=3&rp=5xx,ct`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl

CONNECT_S_DEFAULT: Final = 2.0
TOTAL_S_DEFAULT: Final = 15.0
"""A receiver that takes longer works while we wait; the vendor waits for 40 s, and holds up more behind it."""
CONNECT_MS_MIN: Final = 100
CONNECT_MS_MAX: Final = 10_000
READ_MS_MAX: Final = 40_000
TOTAL_MS_MAX: Final = 55_000
RETRY_COUNT_MAX: Final = 5
FRAGMENT_PAIR_COUNT_MAX: Final = 20
"""Pairs read of a fragment: there are six names."""


class RetryCause(StrEnum):
    """What kind of failure may be tried again, in the words of a fragment's `rp`."""

    CLIENT_ERROR = "4xx"
    SERVER_ERROR = "5xx"
    CONNECT = "ct"
    READ = "rt"
    OTHER = "other"
    """Redirects and whatever else is no success; only `all` covers it."""


_ALL: Final = frozenset(RetryCause)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackTarget:
    """A URL without its fragment, and what the fragment asks for within our bounds.

    `retry_count_max` None: as often as the schedule has it.
    """

    url: str
    connect_s: float = CONNECT_S_DEFAULT
    read_s: float = TOTAL_S_DEFAULT
    total_s: float = TOTAL_S_DEFAULT
    retry_count_max: int | None = None
    retried: frozenset[RetryCause] = _ALL


def parse_callback_target(url: str) -> CallbackTarget:
    """Split a callback URL and read its fragment.

    What the fragment says outside its ranges is moved into them, what is unreadable is ignored.
    """
    bare, _, fragment = url.partition("#")
    given = _parse_fragment(fragment)
    connect_ms = _number(given.get("ct"), CONNECT_MS_MIN, CONNECT_MS_MAX)
    read_ms = _number(given.get("rt"), CONNECT_MS_MIN, READ_MS_MAX)
    total_ms = _number(given.get("tt"), CONNECT_MS_MIN, TOTAL_MS_MAX)
    connect_s = CONNECT_S_DEFAULT if connect_ms is None else connect_ms / 1000
    read_s = TOTAL_S_DEFAULT if read_ms is None else read_ms / 1000
    if total_ms is not None:
        total_s = total_ms / 1000
        read_s = total_s if read_ms is None else read_s
    elif connect_ms is None and read_ms is None:
        total_s = TOTAL_S_DEFAULT
    else:
        total_s = connect_s + read_s
    return CallbackTarget(
        url=bare,
        connect_s=min(connect_s, total_s),
        read_s=min(read_s, total_s),
        total_s=total_s,
        retry_count_max=_number(given.get("rc"), 0, RETRY_COUNT_MAX),
        retried=_parse_policy(given.get("rp")),
    )


def _parse_fragment(fragment: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(fragment, max_num_fields=FRAGMENT_PAIR_COUNT_MAX))
    except ValueError:  # too many pairs: not one of these fragments
        return {}


def _number(text: str | None, low: int, high: int) -> int | None:
    if text is None or not (text.isascii() and text.isdecimal() and len(text) <= 9):
        return None
    return max(low, min(high, int(text)))


def _parse_policy(text: str | None) -> frozenset[RetryCause]:
    if text is None:
        return _ALL
    words = {word.strip().lower() for word in text.split(",")}
    if "all" in words:
        return _ALL
    named = frozenset(cause for cause in RetryCause if cause in words and cause is not RetryCause.OTHER)
    return named or _ALL
