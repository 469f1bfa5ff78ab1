"""Click to call: somebody asks that two people be called and joined, under one of our numbers."""

from dataclasses import dataclass

from .masking import MaskingSession


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
