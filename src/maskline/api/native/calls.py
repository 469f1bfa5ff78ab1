"""Calls over the native interface: running ones, finished ones, refused ones."""

from typing import Final

from starlette.responses import Response

from maskline.api.native.errors import NativeError, refuse_field
from maskline.api.native.kernel import NativeKernel, reply
from maskline.api.native.models.calls import Call, CallLeg, CallQuery, CallStatus, CallTermination
from maskline.api.native.models.common import ListOf, instant, optional_instant
from maskline.api.native.paging import make_cursor, read_cursor
from maskline.api.native.queries import open_span
from maskline.api.native.routes import Asked, Route
from maskline.core.access import Permission, Reach
from maskline.core.call_record import CallRecord, Side, leg_id, leg_status
from maskline.core.listing import CallListFilter, CallNotFound, LiveCall, PageKey
from maskline.core.masking import Role
from maskline.workflows.calls import list_calls, show_call

_LIST: Final = "calls"
_OTHER_ROLE: Final = {Role.FIRST: Role.SECOND, Role.SECOND: Role.FIRST}


class CallsAPI:
    """Operations on calls; a sub-account's credentials see those of its sessions."""

    def __init__(self, kernel: NativeKernel) -> None:
        self._kernel = kernel

    async def list_calls(self, asked: Asked) -> Response:
        """List calls, newest first: those that are over, refused ones included, or those that run."""
        query = asked.query(CallQuery)
        is_live = query.status is CallStatus.LIVE
        if is_live and query.result is not None:
            raise refuse_field("/result", "value", "A live call has no result yet.")
        key = read_cursor(_LIST, query.after, int, str)
        wanted = CallListFilter(
            account_id=asked.account.id,
            session_id=query.session_id,
            result=query.result,
            is_live=is_live,
            started_at=open_span(query.started_after, query.started_before),
            before=None if key is None else PageKey(*key),  # type: ignore[arg-type]  # checked by `read_cursor`
            limit=query.limit,
        )
        page = await self._kernel.store.read(list_calls, asked.account, wanted, self._kernel.clock.now())
        last = page.calls[-1] if page.has_more else None
        return reply(
            200,
            ListOf[Call](
                data=[render_call(it) for it in page.calls],
                next=None if last is None else make_cursor(_LIST, (last.started_at, last.call_id)),
                has_more=page.has_more,
            ),
        )

    async def get_call(self, asked: Asked) -> Response:
        """Show a call."""
        now = self._kernel.clock.now()
        found = await self._kernel.store.read(show_call, asked.account, asked.path(), now)
        if isinstance(found, CallNotFound):
            raise NativeError("not-found")
        return reply(200, render_call(found))


def render_call(call: LiveCall | CallRecord) -> Call:
    """A call as it is told."""
    match call:
        case LiveCall():
            return Call(
                id=call.call_id,
                status=CallStatus.LIVE,
                session_id=call.session_id,
                virtual_number=call.number,
                caller=call.caller,
                callee=call.callee,
                caller_role=call.role,
                service_initiated=call.is_service_initiated,
                started_at=instant(call.started_at),
                bridged_at=None,
                ended_at=None,
                duration_s=None,
                legs=[],
                termination=None,
                recording_id=None,
            )
        case CallRecord():
            return _render_record(call)


def _render_record(call: CallRecord) -> Call:
    ending = call.termination
    legs = [_render_leg(call, Side.A)]
    if call.is_callee_dialled:
        legs.append(_render_leg(call, Side.B))
    return Call(
        id=call.call_id,
        status=CallStatus.FINISHED,
        session_id=call.session_id,
        virtual_number=call.number,
        caller=call.caller,
        callee=call.callee,
        caller_role=call.role,
        service_initiated=call.is_service_initiated,
        started_at=instant(call.started_at),
        bridged_at=optional_instant(call.bridged_at),
        ended_at=instant(call.ended_at),
        duration_s=call.caller_leg_s + call.callee_leg_s,
        legs=legs,
        termination=CallTermination(
            result=ending.result, reason=ending.reason, q850=ending.q850, sip_status=ending.sip_status
        ),
        recording_id=call.recording_id,
    )


def _render_leg(call: CallRecord, side: Side) -> CallLeg:
    """One leg; who stands for a stranger's counterpart is the session's to say."""
    is_a = side is Side.A
    answered_at = call.answered_at if is_a else call.callee_answered_at
    role = call.role if is_a or call.role is None else _OTHER_ROLE.get(call.role)
    return CallLeg(
        id=leg_id(call.call_id, side),
        side=side,
        role=role,
        status=leg_status(call.termination.reason, is_answered=answered_at is not None),
        ringing_at=None if is_a else optional_instant(call.ringing_at),
        answered_at=optional_instant(answered_at),
        ended_at=instant(call.ended_at),
        duration_s=call.caller_leg_s if is_a else call.callee_leg_s,
    )


def call_routes(api: CallsAPI) -> tuple[Route, ...]:
    """The rows of the table."""
    return (
        Route(
            path="/calls",
            method="GET",
            name="list_calls",
            operation=api.list_calls,
            permission=Permission.CALLS_READ,
            reach=Reach.SUBACCOUNT,
            query=CallQuery,
            response=ListOf[Call],
        ),
        Route(
            path="/calls/{id}",
            method="GET",
            name="get_call",
            operation=api.get_call,
            permission=Permission.CALLS_READ,
            reach=Reach.SUBACCOUNT,
            response=Call,
        ),
    )
