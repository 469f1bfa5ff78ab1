"""Masking sessions over the native interface.

PINs are told to callers who may write sessions: who makes one needs what was drawn, who only looks on does not.
"""

from collections.abc import Callable
from typing import Final, assert_never

from starlette.responses import Response

from maskline.api.native.errors import FieldError, NativeError, refuse_field
from maskline.api.native.kernel import NativeKernel, refuse, reply
from maskline.api.native.models.common import ListOf, instant, optional_instant
from maskline.api.native.models.sessions import (
    NewPin,
    NewSession,
    Session,
    SessionPin,
    SessionQuery,
    SessionUpdate,
)
from maskline.api.native.paging import make_cursor, read_cursor
from maskline.api.native.queries import find_subaccount, open_span
from maskline.api.native.routes import Asked, Route
from maskline.clock import from_datetime
from maskline.core.access import Permission, Reach, is_granted
from maskline.core.allocation import PoolExhausted
from maskline.core.listing import PageKey, SessionListFilter
from maskline.core.masking import (
    MaskingSession,
    NewMaskingSession,
    PairIsLive,
    PartyIsVirtual,
    PartyOccupied,
    PinSettings,
    SessionAlreadyExpired,
    SessionChanges,
    SessionCreated,
    SessionEndCause,
    SessionNotFound,
    SessionStatus,
)
from maskline.core.pin import PIN_LIMITS, PinLimits
from maskline.workflows.own_sessions import (
    ChangeRefused,
    CreationRefused,
    EndOutOfRange,
    PartyFixed,
    PoolUnknown,
    SubaccountUnknown,
    change_own_session,
    create_own_session,
    end_own_session,
    list_own_sessions,
    load_own_session,
)

_LIST: Final = "sessions"
_CREATION_PROBLEMS: Final = ("pair-live", "parties-equal", "party-is-virtual", "pool-exhausted")
_CHANGE_PROBLEMS: Final = (
    "parties-equal",
    "party-fixed",
    "party-is-virtual",
    "party-occupied",
    "session-ended",
)


class SessionsAPI:
    """Operations on sessions; a sub-account's credentials see its own."""

    def __init__(self, kernel: NativeKernel, *, pin_limits: PinLimits = PIN_LIMITS) -> None:
        self._kernel = kernel
        self._pin_limits = pin_limits

    async def create_session(self, asked: Asked) -> Response:
        """Make a session, or change the live one of the pair.

        Answers 201 for a new session and 200 for one that was there, as `on_repeat` wants it.
        """
        wanted = asked.read(NewSession)
        now = self._kernel.clock.now()
        tell = _teller(asked, now)

        def render(outcome: SessionCreated | CreationRefused) -> Response:
            if isinstance(outcome, SessionCreated):
                return reply(201 if outcome.is_new else 200, tell(outcome.session))
            return refuse(creation_refusal(outcome))

        return await self._kernel.write(
            asked,
            create_own_session,
            render,
            asked.account,
            build_new_session(wanted),
            now,
            self._pin_limits,
            pool=wanted.pool,
            subaccount=wanted.subaccount,
        )

    async def list_sessions(self, asked: Asked) -> Response:
        """List sessions, newest first."""
        query = asked.query(SessionQuery)
        now = self._kernel.clock.now()
        key = read_cursor(_LIST, query.after, int, str)
        wanted = SessionListFilter(
            account_id=asked.account.id,
            subaccount_id=await find_subaccount(self._kernel.store, asked.account, query.subaccount),
            first=query.first,
            second=query.second,
            virtual_number=query.virtual_number,
            reference=query.reference,
            status=query.status,
            created_at=open_span(query.created_after, query.created_before),
            before=None if key is None else PageKey(*key),  # type: ignore[arg-type]  # checked by `read_cursor`
            limit=query.limit,
        )
        page = await self._kernel.store.read(list_own_sessions, asked.account, wanted, now)
        tell = _teller(asked, now)
        last = page.sessions[-1] if page.has_more else None
        return reply(
            200,
            ListOf[Session](
                data=[tell(it) for it in page.sessions],
                next=None if last is None else make_cursor(_LIST, (last.created_at, last.id)),
                has_more=page.has_more,
            ),
        )

    async def get_session(self, asked: Asked) -> Response:
        """Show a session."""
        found = await self._kernel.store.read(load_own_session, asked.account, asked.path())
        if isinstance(found, SessionNotFound):
            raise NativeError("not-found")
        return reply(200, _teller(asked, self._kernel.clock.now())(found))

    async def update_session(self, asked: Asked) -> Response:
        """Change a live session: what is absent stays."""
        changes = build_changes(asked.read(SessionUpdate))
        now = self._kernel.clock.now()
        outcome = await self._kernel.store.write(
            change_own_session, asked.account, asked.path(), changes, now
        )
        if not isinstance(outcome, MaskingSession):
            raise change_refusal(outcome)
        return reply(200, _teller(asked, now)(outcome))

    async def end_session(self, asked: Asked) -> Response:
        """End a session now; the answer is the ended session. Calls that are not joined yet are cancelled."""
        now = self._kernel.clock.now()
        outcome = await self._kernel.store.write(end_own_session, asked.account, asked.path(), now)
        if not isinstance(outcome, MaskingSession):
            raise change_refusal(outcome)
        return reply(200, _teller(asked, now)(outcome))


def build_new_session(wanted: NewSession) -> NewMaskingSession:
    """Translate a creation; pool and sub-account are still to be found. Raises NativeError."""
    first, second = wanted.first, wanted.second
    if first is None and second is None:
        raise refuse_field("/first", "missing", "A session needs at least one party.")
    if first == second:
        raise NativeError("parties-equal", errors=(FieldError("/second", "parties-equal", "As /first."),))
    _check_one_end(wanted)
    is_one_party = first is None or second is None
    if wanted.call_first_party and is_one_party:
        raise refuse_field("/call_first_party", "value", "It takes two parties to be joined.")
    return NewMaskingSession(
        first=first,
        second=second,
        expires_in_s=wanted.expires_in_s,
        ends_at=None if wanted.ends_at is None else from_datetime(wanted.ends_at),
        call_time_limit_s=wanted.call_time_limit_s,
        ring_timeout_s=wanted.ring_timeout_s,
        is_recorded=wanted.record,
        record_format=wanted.record_format,
        recording_callback_url=wanted.recording_callback_url,
        recording_callback_method=wanted.recording_callback_method,
        callback_url=wanted.callback_url,
        callback_method=wanted.callback_method,
        first_play_url=wanted.first_prompt_url,
        second_play_url=wanted.second_prompt_url,
        unknown_caller_url=wanted.unknown_caller_prompt_url,
        calls_first=wanted.call_first_party,
        pin=None if wanted.pin is None else build_pin(wanted.pin, is_one_party=is_one_party),
        is_geomatched=wanted.geomatch,
        is_single_party=is_one_party if wanted.single_party is None else wanted.single_party,
        cooloff_s=wanted.cooloff_s,
        reference=wanted.reference,
        is_pair_ordered=wanted.ordered_pair,
        repeat_rule=wanted.on_repeat,
    )


def build_pin(pin: NewPin, *, is_one_party: bool) -> PinSettings:
    """Translate PIN settings. Raises NativeError."""
    is_generated = pin.first is None and pin.second is None if pin.generate is None else pin.generate
    if is_generated and not (pin.first is None and pin.second is None):
        raise refuse_field("/pin/generate", "value", "PINs are either given or drawn.")
    if not is_generated:
        if pin.first is None and pin.second is None:
            raise refuse_field("/pin/first", "missing", "PINs that are not drawn are to be given.")
        if not is_one_party and (pin.first is None or pin.second is None):
            missing = "/pin/first" if pin.first is None else "/pin/second"
            raise refuse_field(missing, "missing", "Both parties need a PIN.")
        if pin.first is not None and pin.second is not None and pin.first.reveal() == pin.second.reveal():
            raise refuse_field("/pin/second", "value", "The parties' PINs must differ.")
    return PinSettings(
        first=pin.first,
        second=pin.second,
        is_generated=is_generated,
        length=pin.length,
        prompt_url=pin.prompt_url or "",
        retry_count=pin.retry_count,
        retry_wait_s=pin.retry_wait_s,
        incorrect_url=pin.incorrect_prompt_url or "",
        is_forced=pin.forced,
    )


def build_changes(wanted: SessionUpdate) -> SessionChanges:
    """Translate a change: a URL or reference that is null is taken away. Raises NativeError."""
    if wanted.first is not None and wanted.first == wanted.second:
        raise NativeError("parties-equal", errors=(FieldError("/second", "parties-equal", "As /first."),))
    _check_one_end(wanted)

    def text(name: str) -> str | None:
        value: str | None = getattr(wanted, name)
        return "" if value is None and name in wanted.model_fields_set else value

    return SessionChanges(
        first=wanted.first,
        second=wanted.second,
        ends_at=None if wanted.ends_at is None else from_datetime(wanted.ends_at),
        expires_in_s=wanted.expires_in_s,
        call_time_limit_s=wanted.call_time_limit_s,
        ring_timeout_s=wanted.ring_timeout_s,
        is_recorded=wanted.record,
        record_format=wanted.record_format,
        recording_callback_url=text("recording_callback_url"),
        recording_callback_method=wanted.recording_callback_method,
        callback_url=text("callback_url"),
        callback_method=wanted.callback_method,
        first_play_url=text("first_prompt_url"),
        second_play_url=text("second_prompt_url"),
        unknown_caller_url=text("unknown_caller_prompt_url"),
        reference=text("reference"),
    )


def _check_one_end(wanted: NewSession | SessionUpdate) -> None:
    if wanted.expires_in_s is not None and wanted.ends_at is not None:
        raise refuse_field("/ends_at", "value", "Either it or expires_in_s.")


def creation_refusal(outcome: CreationRefused) -> NativeError:
    """Why no session was made."""
    match outcome:
        case PairIsLive(session=session):
            return NativeError("pair-live", members={"session_id": session.id})
        case PoolExhausted(reason=reason, needed=needed):
            return NativeError("pool-exhausted", members={"reason": reason.value, "needed": needed})
        case PoolUnknown():
            return refuse_field("/pool", "unknown", "The account has no pool of this name.")
        case SubaccountUnknown():
            return refuse_field("/subaccount", "unknown", "The account has no sub-account of this auth id.")
        case PartyIsVirtual() | EndOutOfRange():
            return _shared_refusal(outcome)
        case _:
            assert_never(outcome)


def change_refusal(outcome: ChangeRefused) -> NativeError:
    """Why a session was not changed."""
    match outcome:
        case SessionNotFound():
            return NativeError("not-found")
        case SessionAlreadyExpired():
            return NativeError("session-ended")
        case PartyOccupied(role=role):
            return NativeError("party-occupied", errors=(_at_party(role.value, "party-occupied"),))
        case PartyFixed(role=role):
            return NativeError("party-fixed", errors=(_at_party(role.value, "party-fixed"),))
        case PartyIsVirtual() | EndOutOfRange():
            return _shared_refusal(outcome)
        case _:
            assert_never(outcome)


def _shared_refusal(outcome: PartyIsVirtual | EndOutOfRange) -> NativeError:
    match outcome:
        case PartyIsVirtual(role=role):
            return NativeError("party-is-virtual", errors=(_at_party(role.value, "party-is-virtual"),))
        case EndOutOfRange():
            return refuse_field("/ends_at", "value", "It must be in the future and at most 365 days ahead.")


def _at_party(role: str, code: str) -> FieldError:
    return FieldError(f"/{role}", code, "This party cannot be used.")


def _teller(asked: Asked, now: int) -> Callable[[MaskingSession], Session]:
    """What makes views of sessions for whoever asks."""
    shows_pins = is_granted(asked.caller.permissions, Permission.SESSIONS_WRITE)
    return lambda session: render_session(session, now, shows_pins=shows_pins)


def render_session(session: MaskingSession, now: int, *, shows_pins: bool) -> Session:
    """A session as it is told at `now`."""
    status = session.status(now)
    is_over = status is SessionStatus.EXPIRED
    cause = session.end_cause or (SessionEndCause.EXPIRED if is_over else None)
    has_one_party = session.first is None or session.second is None
    single = session.is_single_party
    return Session(
        id=session.id,
        status=status,
        virtual_number=session.virtual_number,
        first=session.first,
        second=session.second,
        reference=session.reference or None,
        subaccount=session.subaccount_auth_id,
        created_at=instant(session.created_at),
        modified_at=instant(session.modified_at),
        ends_at=instant(session.ends_at),
        ended_at=instant(session.ends_at) if is_over else None,
        end_cause=None if cause is None else cause.value,
        call_time_limit_s=session.call_time_limit_s,
        ring_timeout_s=session.ring_timeout_s,
        cooloff_s=session.cooloff_s,
        record=session.is_recorded,
        record_format=session.record_format,
        recording_callback_url=session.recording_callback_url or None,
        recording_callback_method=session.recording_callback_method,
        callback_url=session.callback_url or None,
        callback_method=session.callback_method,
        first_prompt_url=session.first_play_url or None,
        second_prompt_url=session.second_play_url or None,
        unknown_caller_prompt_url=session.unknown_caller_url or None,
        call_first_party=session.calls_first,
        geomatch=session.is_geomatched,
        single_party=has_one_party if single is None else single,
        pin=None if session.pin is None else _render_pin(session.pin, shows_pins=shows_pins),
        last_call_at=optional_instant(session.last_interaction_at),
        leg_count=session.total_leg_count,
        talk_s=session.total_duration_s,
    )


def _render_pin(pin: PinSettings, *, shows_pins: bool) -> SessionPin:
    return SessionPin(
        generated=pin.is_generated,
        first=pin.first if shows_pins else None,
        second=pin.second if shows_pins else None,
        length=pin.length,
        prompt_url=pin.prompt_url or None,
        incorrect_prompt_url=pin.incorrect_url or None,
        retry_count=pin.retry_count,
        retry_wait_s=pin.retry_wait_s,
        forced=pin.is_forced,
    )


def session_routes(api: SessionsAPI) -> tuple[Route, ...]:
    """The rows of the table."""
    return (
        Route(
            path="/sessions",
            method="POST",
            name="create_session",
            operation=api.create_session,
            permission=Permission.SESSIONS_WRITE,
            reach=Reach.SUBACCOUNT,
            request=NewSession,
            response=Session,
            status=201,
            problems=_CREATION_PROBLEMS,
        ),
        Route(
            path="/sessions",
            method="GET",
            name="list_sessions",
            operation=api.list_sessions,
            permission=Permission.SESSIONS_READ,
            reach=Reach.SUBACCOUNT,
            query=SessionQuery,
            response=ListOf[Session],
        ),
        Route(
            path="/sessions/{id}",
            method="GET",
            name="get_session",
            operation=api.get_session,
            permission=Permission.SESSIONS_READ,
            reach=Reach.SUBACCOUNT,
            response=Session,
        ),
        Route(
            path="/sessions/{id}",
            method="PATCH",
            name="update_session",
            operation=api.update_session,
            permission=Permission.SESSIONS_WRITE,
            reach=Reach.SUBACCOUNT,
            request=SessionUpdate,
            response=Session,
            problems=_CHANGE_PROBLEMS,
        ),
        Route(
            path="/sessions/{id}",
            method="DELETE",
            name="end_session",
            operation=api.end_session,
            permission=Permission.SESSIONS_WRITE,
            reach=Reach.SUBACCOUNT,
            response=Session,
            problems=("session-ended",),
        ),
    )
