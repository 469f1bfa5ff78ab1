"""Server-sent events: lines in, events out.

Source: WHATWG HTML, section 9.2.6, interpreting an event stream.
"""

from dataclasses import dataclass
from typing import Final

DATA_LENGTH_MAX: Final = 1_048_576
"""Characters of one event; the service's have a few thousand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentEvent:
    """One event as it was sent; `id` is where a stream goes on after it, "" when none was given yet."""

    id: str
    kind: str
    data: str


class EventTooLargeError(Exception):
    """An event has more than `DATA_LENGTH_MAX` characters."""


class EventReader:
    """Takes the lines of a stream, without their ends, one by one.

    `last_id` is where the stream goes on after all that is complete; it may stand without an event.
    """

    def __init__(self) -> None:
        self.last_id = ""
        self._id = ""
        self._kind = ""
        self._data: list[str] = []
        self._length = 0

    def feed(self, line: str) -> SentEvent | None:
        """The event that ends with this line, if one does. Raises EventTooLargeError."""
        if not line:
            return self._end()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._length += len(value)
            if self._length > DATA_LENGTH_MAX:
                raise EventTooLargeError
            self._data.append(value)
        elif name == "event":
            self._kind = value
        elif name == "id" and "\0" not in value:
            self._id = value
        return None  # a comment has no name; an unknown field means nothing

    def _end(self) -> SentEvent | None:
        data, kind, has_data = "\n".join(self._data), self._kind, bool(self._data)
        self._data, self._kind, self._length = [], "", 0
        self.last_id = self._id
        return SentEvent(id=self._id, kind=kind or "message", data=data) if has_data else None
