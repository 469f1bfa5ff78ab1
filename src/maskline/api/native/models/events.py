"""Events, as a list; a stream of them has the same bodies."""

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from maskline.api.native.models.common import Instant, ListQuery, Resource
from maskline.core.events import EventKind

KINDS_LENGTH_MAX = 1_000

EventFact = str | int | bool | None


class EventView(Resource):
    """Something that happened. `id` is the cursor behind it: `after` it comes the next."""

    object: Literal["event"] = "event"
    id: str
    type: EventKind
    timestamp: Instant
    data: Annotated[dict[str, EventFact], Field(description="The facts, as webhooks tell them.")]


class EventQuery(ListQuery):
    """What may be asked of GET events."""

    kinds: Annotated[
        str | None,
        Field(max_length=KINDS_LENGTH_MAX, description="Kinds with commas between; none means all."),
    ] = None
    include_numbers: Annotated[
        bool, Field(description="Whether people's numbers are told; takes `calls:read`.")
    ] = False

    @field_validator("kinds")
    @classmethod
    def _check_kinds(cls, text: str | None) -> str | None:
        if text is not None and not set(text.split(",")) <= set(EventKind):
            raise PydanticCustomError("value", "Expected kinds of events with commas between.")
        return text

    @property
    def wanted_kinds(self) -> frozenset[EventKind]:
        """The kinds as values; none means all."""
        return frozenset() if self.kinds is None else frozenset(map(EventKind, self.kinds.split(",")))
