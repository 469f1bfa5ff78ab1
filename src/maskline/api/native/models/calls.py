"""Calls."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from maskline.api.native.models.common import (
    ID_LENGTH_MAX,
    Instant,
    KnownNumber,
    ListQuery,
    Resource,
    VirtualNumberText,
)
from maskline.core.call_record import Side
from maskline.core.masking import LegStatus, Role
from maskline.core.termination import Reason, Result


class CallStatus(StrEnum):
    """Whether a call runs."""

    LIVE = "live"
    """It is being set up or runs."""
    FINISHED = "finished"


class CallLeg(Resource):
    """One side of a finished call: `a` was answered by the service, `b` was originated by it."""

    object: Literal["leg"] = "leg"
    id: str
    side: Side
    role: Annotated[Role | None, Field(description="Whose leg: `first`, `second`, or `anyone`.")]
    status: LegStatus
    ringing_at: Instant | None
    answered_at: Instant | None
    ended_at: Instant
    duration_s: Annotated[int, Field(description="Answered seconds, a started one counting whole.")]


class CallTermination(Resource):
    """How a call ended."""

    result: Annotated[Result, Field(description="Whose doing it was.")]
    reason: Reason
    q850: int | None
    sip_status: int | None


class Call(Resource):
    """One attempt to connect two parties, or a refused one; a live call has neither legs nor termination yet."""

    object: Literal["call"] = "call"
    id: str
    status: CallStatus
    session_id: Annotated[str | None, Field(description="Null for a call that met no session.")]
    virtual_number: VirtualNumberText
    caller: KnownNumber | None
    callee: KnownNumber | None
    caller_role: Annotated[Role | None, Field(description="Who the caller is in the session.")]
    service_initiated: bool
    started_at: Instant
    bridged_at: Annotated[Instant | None, Field(description="When both could hear each other.")]
    ended_at: Instant | None
    duration_s: Annotated[int | None, Field(description="Answered seconds of both legs.")]
    legs: list[CallLeg]
    termination: CallTermination | None
    recording_id: str | None


class CallQuery(ListQuery):
    """What may be asked of GET calls."""

    status: Annotated[CallStatus, Field(description="Live calls, or those that are over.")] = (
        CallStatus.FINISHED
    )
    session_id: Annotated[str | None, Field(max_length=ID_LENGTH_MAX, pattern=r"^[!-~]+$")] = None
    result: Annotated[Result | None, Field(description="Not of live calls.")] = None
    started_after: Instant | None = None
    started_before: Instant | None = None
