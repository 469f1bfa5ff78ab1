"""Events in our own words: the JSON body of a webhook.

Source: Standard Webhooks 1.0, Payload structure; docs/flows/events.md has the facts of each kind.
"""

import json
from datetime import datetime
from typing import Final, Protocol

from maskline.clock import to_datetime
from maskline.core.events import DomainEvent, EventValue
from maskline.core.numbers import DID, E164

_REFERENCES: Final = frozenset({"caller", "callee", "first", "second"})
"""Facts that name a party by its reference, which means nothing outside."""


class EventFacts(Protocol):
    """What a body is built from besides the event."""

    @property
    def auth_id(self) -> str:
        """Of the account."""
        ...

    @property
    def virtual_number(self) -> DID:
        """Of the session."""
        ...

    @property
    def sends_numbers(self) -> bool:
        """Whether people's numbers are told."""
        ...

    @property
    def caller(self) -> E164 | None:
        """Who called, where the event says."""
        ...

    @property
    def callee(self) -> E164 | None:
        """Who was called."""
        ...


def build_body(event: DomainEvent, facts: EventFacts) -> str:
    """Build the body of an event. People's numbers are in it only if the endpoint asked for them."""
    data: dict[str, EventValue] = {
        "account": facts.auth_id,
        "session_id": event.session_id,
        "call_id": event.call_id,
        "sequence": event.sequence,
        "virtual_number": facts.virtual_number,
    }
    if facts.sends_numbers and "caller" in event.facts:
        data |= {"caller": _number(facts.caller), "callee": _number(facts.callee)}
    data |= {name: _value(name, value) for name, value in event.facts.items() if name not in _REFERENCES}
    body = {"type": event.kind.value, "timestamp": _time(event.occurred_at), "data": data}
    return json.dumps(body, separators=(",", ":"))


def _value(name: str, value: EventValue) -> EventValue:
    return _time(value) if name.endswith(("_at", "_until")) and isinstance(value, int) else value


def _number(number: E164 | None) -> str | None:
    return None if number is None else number.reveal()


def _time(instant: int) -> str:
    moment: datetime = to_datetime(instant)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
