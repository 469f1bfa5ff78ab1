"""Click to call: somebody asks that two people be called and joined, under one of our numbers."""

from dataclasses import dataclass

from .masking import MaskingSession
from .numbers import DID, E164


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClick:
    """What is asked of `click_to_call`; the two differ. `ends_at` (µs UTC) and the rest are of a session made for it.

    `shown` is the number both are to see; None: whichever the session has.
    """

    first: E164
    """Who is called first."""
    second: E164
    ends_at: int
    shown: DID | None = None
    ring_timeout_s: int | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOrdered:
    """The call is owed. `call_id` is the one it will have, `session` that under which it is made."""

    call_id: str
    session: MaskingSession


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberNotLeased:
    """Refused: the number to be shown is not the account's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherNumberShown:
    """Refused: the two have a session on another number than that to be shown."""
