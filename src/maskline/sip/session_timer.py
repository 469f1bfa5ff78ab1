"""Session timers: how long a dialog lives without a refresh, and whose task the refresh is.

Pure rules; the alarms are in `user_agent_refresh`. Intervals are whole seconds. "uac" and "uas" are roles in the
refresh in question, so that the same words mean other sides in the other direction.

Source: RFC 4028 sections 4, 5, 7 to 10.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from maskline.sip.errors import RemoteProtocolError
from maskline.sip.headers import parse_number
from maskline.sip.message import Message

OPTION_TAG: Final = "timer"
# Section 5: what Min-SE stands for when it is absent, and no smaller value may be asked for.
MIN_SE_S_DEFAULT: Final = 90
# Section 4 bounds it by 2**32-1; nobody's call lasts these 68 years either.
INTERVAL_S_MAX: Final = 2**31 - 1
# Section 10: the end comes this much before the interval is over, or a third of it.
END_LEAD_S_MAX: Final = 32.0
# Peers ask for a handful of values.
_CACHE_SIZE: Final = 256
UAC: Final = "uac"
UAS: Final = "uas"


class Wish(NamedTuple):
    """What a request, or a 2xx to one, says about the timer."""

    interval_s: int | None = None
    refresher: str | None = None
    min_s: int | None = None
    is_supported: bool = False


class Agreement(NamedTuple):
    """What holds for a dialog until its next refresh.

    Without `is_agreed` the peer knows nothing of timers: we refresh to learn whether it lives, and it never ends
    the session by itself.
    """

    interval_s: int
    is_ours: bool
    """Whether the refresh is our task."""
    is_agreed: bool


def read_wish(message: Message) -> Wish:
    """Read Session-Expires, Min-SE and the option tag. Raises RemoteProtocolError for malformed values."""
    headers = message.headers
    expires = headers.get("Session-Expires")
    supported = headers.fields("Supported")
    if expires is None and not supported:
        return NO_WISH  # of most phones, and of many carriers
    min_se = headers.get("Min-SE")
    said = (*supported, *headers.fields("Require"))  # who requires it knows it
    interval_s, refresher = (None, None) if expires is None else _parse_session_expires(expires)
    return Wish(
        interval_s,
        refresher,
        None if min_se is None else parse_min_se(min_se),
        any(tag.strip().lower() == OPTION_TAG for value in said for tag in value.split(",")),
    )


NO_WISH: Final = Wish()


def parse_min_se(value: str) -> int:
    """Read Min-SE, in seconds. Raises RemoteProtocolError."""
    return parse_number(value.partition(";")[0].strip(), INTERVAL_S_MAX)


def is_too_small(wish: Wish, min_s: int) -> bool:
    """Whether a request is to be refused with 422 and our Min-SE (section 9).

    Not when its sender cannot read that answer: then a proxy has put the value there.
    """
    return wish.is_supported and wish.interval_s is not None and wish.interval_s < min_s


def answer_wish(wish: Wish, *, ours_s: int, min_s: int, is_ours_now: bool) -> Agreement:
    """Decide what our 2xx says (section 9, table 2): the interval asked for, or our own when that is shorter.

    Left the choice, the refresh stays with whom it is (`is_ours_now`), at first with us: a dead peer is noticed by
    its silence at half the interval and not at the end of it.
    """
    asked_s = ours_s if wish.interval_s is None else min(wish.interval_s, ours_s)
    is_ours = is_ours_now if wish.refresher is None else wish.refresher == UAS
    return Agreement(
        interval_s=max(asked_s, min_s, wish.min_s or 0),
        is_ours=is_ours or not wish.is_supported,
        is_agreed=wish.is_supported,
    )


@lru_cache(_CACHE_SIZE)
def read_answer(wish: Wish, *, ours_s: int, min_s: int) -> Agreement:
    """Take what a 2xx to our request says (section 7.2); one that says nothing leaves the watching to us.

    An interval below what we allow is taken for what we allow: as refresher we come early enough for anything
    above half of that, and otherwise it is the peer who has to keep it.
    """
    if wish.interval_s is None:
        return Agreement(interval_s=ours_s, is_ours=True, is_agreed=False)
    return Agreement(interval_s=max(wish.interval_s, min_s), is_ours=wish.refresher != UAS, is_agreed=True)


def life_s(interval_s: int) -> float:
    """Return how long after a refresh the session ends without another (section 10)."""
    return interval_s - min(END_LEAD_S_MAX, interval_s / 3)


def _parse_session_expires(value: str) -> tuple[int, str | None]:
    seconds, *params = value.split(";")
    refresher = None
    for param in params:
        name, _, word = param.partition("=")
        if name.strip().lower() == "refresher":
            refresher = word.strip().lower()
            if refresher not in {UAC, UAS}:
                raise RemoteProtocolError("refresher is neither side")
    return parse_number(seconds.strip(), INTERVAL_S_MAX), refresher
