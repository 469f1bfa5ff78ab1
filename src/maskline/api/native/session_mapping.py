"""Masking sessions between the words of the native interface and ours."""

from typing import assert_never

from maskline.api.native.errors import FieldError, NativeError, refuse_field
from maskline.api.native.models.common import instant, optional_instant
from maskline.api.native.models.sessions import NewPin, NewSession, Session, SessionPin, SessionUpdate
from maskline.clock import from_datetime
from maskline.core.allocation import PoolExhausted
from maskline.core.masking import (
    MaskingSession,
    NewMaskingSession,
    PairIsLive,
    PartyIsVirtual,
    PartyOccupied,
    PinSettings,
    SessionAlreadyExpired,
    SessionChanges,
    SessionEndCause,
    SessionNotFound,
    SessionStatus,
)
from maskline.workflows.own_sessions import (
    ChangeRefused,
    CreationRefused,
    EndOutOfRange,
    PartyFixed,
    PoolUnknown,
    SubaccountUnknown,
)


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
