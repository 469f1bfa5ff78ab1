"""Published events as those read them who follow along: one place after the other."""

from dataclasses import dataclass
from typing import Final

from .events import DomainEvent, EventKind
from .numbers import DID, E164

EVENT_LIST_LIMIT_MAX: Final = 100
"""Events read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events to read: of an account, or of one sub-account's sessions; those behind `after`, oldest first.

    No kinds means all. People's numbers are unsealed only with `has_numbers`.
    """

    account_id: int
    subaccount_id: int | None = None
    kinds: frozenset[EventKind] = frozenset()
    after: int = 0
    limit: int = EVENT_LIST_LIMIT_MAX
    has_numbers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedEvent:
    """An event with what it is told with. `position` is its place among all published events of all accounts.

    `caller` and `callee` are None where numbers were not asked for, and where a party was erased.
    """

    position: int
    event: DomainEvent
    auth_id: str
    virtual_number: DID
    sends_numbers: bool
    caller: E164 | None
    callee: E164 | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Some events, and how far has been looked: whoever reads on from `position` misses nothing."""

    events: tuple[PublishedEvent, ...]
    position: int
    has_more: bool
