"""Between the Plivo dialect's words and ours: the only module here that knows both."""

from collections.abc import Mapping

from maskline.api.plivo import errors
from maskline.api.plivo.times import render_time
from maskline.api.plivo.wire import SessionRequest
from maskline.core.call_record import Side, leg_id
from maskline.core.inventory import Account
from maskline.core.masking import (
    PIN_LENGTH_DEFAULT,
    PIN_RETRY_COUNT_DEFAULT,
    PIN_RETRY_WAIT_S_DEFAULT,
    CallbackMethod,
    Interaction,
    MaskingSession,
    NewMaskingSession,
    PinSettings,
    RecordFormat,
    Role,
    SessionChanges,
)
from maskline.core.numbers import E164, parse_number
from maskline.core.recording import render_recording_uuid
from maskline.core.secret import Secret


def build_new_session(
    request: SessionRequest, account: Account, *, subaccount_id: int | None, has_geomatch: bool
) -> NewMaskingSession:
    """Translate a create request; the legacy path knows no geomatch.

    Raises PlivoError 400 for a party that is no number or is the other party.
    """
    first, second = _parse_parties(request, account)
    return NewMaskingSession(
        first=first,
        second=second,
        expires_in_s=request.session_expiry_s,
        call_time_limit_s=request.call_time_limit_s,
        ring_timeout_s=request.ring_timeout_s,
        is_recorded=request.is_recorded,
        record_format=RecordFormat(request.record_format) if request.record_format else None,
        recording_callback_url=request.recording_callback_url,
        recording_callback_method=_method(request.recording_callback_method),
        callback_url=request.callback_url,
        callback_method=_method(request.callback_method),
        first_play_url=request.first_party_play_url,
        second_play_url=request.second_party_play_url,
        unknown_caller_url=request.unknown_caller_url,
        calls_first=request.is_first_party_called or False,
        pin=_pin_settings(request),
        is_geomatched=has_geomatch and request.is_geomatched is not False,
        is_single_party=request.is_single_party,
        cooloff_s=request.cooloff_s or 0,
        subaccount_id=subaccount_id,
    )


def build_changes(request: SessionRequest, account: Account) -> SessionChanges:
    """Translate an update request. Raises PlivoError 400 for a party that is no number or is the other party."""
    first, second = _parse_parties(request, account)
    return SessionChanges(
        first=first,
        second=second,
        expires_in_s=request.session_expiry_s,
        call_time_limit_s=request.call_time_limit_s,
        ring_timeout_s=request.ring_timeout_s,
        is_recorded=request.is_recorded,
        record_format=RecordFormat(request.record_format) if request.record_format else None,
        recording_callback_url=request.recording_callback_url,
        recording_callback_method=_method(request.recording_callback_method),
        callback_url=request.callback_url,
        callback_method=_method(request.callback_method),
        first_play_url=request.first_party_play_url,
        second_play_url=request.second_party_play_url,
    )


def _method(text: str | None) -> CallbackMethod | None:
    return CallbackMethod(text) if text else None


def _parse_parties(request: SessionRequest, account: Account) -> tuple[E164 | None, E164 | None]:
    first = _parse_party("first_party", request.first_party, account)
    second = _parse_party("second_party", request.second_party, account)
    if first is not None and first == second:
        raise errors.not_a_phone_number("second_party")
    return first, second


def _parse_party(name: str, text: str | None, account: Account) -> E164 | None:
    if text is None:
        return None
    number = parse_number(text, country=account.country, is_country_code_first=True)
    if number is None:
        raise errors.not_a_phone_number(name)
    return number


def _pin_settings(request: SessionRequest) -> PinSettings | None:
    if not request.is_pin_required:
        return None
    retry_count, retry_wait_s = request.pin_retry_count, request.pin_retry_wait_s
    return PinSettings(
        first=Secret(request.first_pin) if request.first_pin else None,
        second=Secret(request.second_pin) if request.second_pin else None,
        is_generated=request.is_pin_generated or False,
        length=request.generated_pin_length or PIN_LENGTH_DEFAULT,
        prompt_url=request.pin_prompt_url or "",
        retry_count=PIN_RETRY_COUNT_DEFAULT if retry_count is None else retry_count,
        retry_wait_s=PIN_RETRY_WAIT_S_DEFAULT if retry_wait_s is None else retry_wait_s,
        incorrect_url=request.incorrect_pin_url or "",
        is_forced=request.is_pin_forced or False,
    )


def render_session(session: MaskingSession, *, auth_id: str, public_url: str, now: int) -> dict[str, object]:
    """The session object, its keys in the vendor's order; numbers without plus.

    This is the one place where the parties' numbers leave the service over HTTP.
    Source: recorded responses of May and September 2024.
    """
    rendered: dict[str, object] = {
        "first_party": _digits(session.first),
        "second_party": _digits(session.second),
        "virtual_number": session.virtual_number.removeprefix("+"),
        "status": session.status(now).value,
        "initiate_call_to_first_party": session.calls_first,
        "session_uuid": session.id,
        "callback_url": session.callback_url,
        "callback_method": session.callback_method.value,
        "created_time": render_time(session.created_at),
        "modified_time": render_time(session.modified_at),
        "expiry_time": render_time(session.ends_at),
        "duration": session.duration_s,
        "amount": 0,
        "call_time_limit": session.call_time_limit_s,
        "ring_timeout": session.ring_timeout_s,
        "first_party_play_url": session.first_play_url,
        "second_party_play_url": session.second_play_url,
        "record": session.is_recorded,
        "record_file_format": session.record_format.value,
        "recording_callback_url": session.recording_callback_url,
        "recording_callback_method": session.recording_callback_method.value,
        "interaction": [
            render_interaction(it, f"{public_url}/v1/Account/{auth_id}") for it in session.interactions
        ]
        or None,
        "total_call_amount": 0,
        "total_call_count": session.total_leg_count,
        "total_call_billed_duration": session.total_billed_s,
        "total_session_amount": 0,
        "last_interaction_time": render_time(session.last_interaction_at),
        "unknown_caller_play": session.unknown_caller_url,
        "is_pin_authentication_required": session.pin is not None,
        **_render_pin(session.pin),
        "create_session_with_single_party": session.is_single_party,
        "virtual_number_cooloff_period": session.cooloff_s,
        "force_pin_authentication": session.pin is not None and session.pin.is_forced,
    }
    if session.subaccount_auth_id is not None:
        rendered["subaccount"] = session.subaccount_auth_id
    return rendered


def render_listed_session(rendered: Mapping[str, object], *, auth_id: str) -> dict[str, object]:
    """The session object as lists show it: keys in alphabetical order, with its own address."""
    address = f"/v1/Account/{auth_id}/Masking/Session/{rendered['session_uuid']}/"
    return dict(sorted({**rendered, "resource_uri": address}.items()))


def render_interaction(interaction: Interaction, account_url: str) -> dict[str, object]:
    """One contact; what there was not of a leg, a recording or charges is left out.

    Source: recorded response of 2024-05-30; statuses are in the vendor's Go client and in no recorded response.
    """
    rendered: dict[str, object] = {
        "start_time": render_time(interaction.started_at),
        "end_time": render_time(interaction.ended_at),
    }
    first_side = Side.A if interaction.is_caller_first else Side.B
    legs = (
        (Role.FIRST, first_side, interaction.first_status),
        (Role.SECOND, first_side.other, interaction.second_status),
    )
    for role, side, status in legs:
        if status is not None:
            rendered[f"{role.value}_party_resource_url"] = (
                f"{account_url}/Call/{leg_id(interaction.call_id, side)}"
            )
    if interaction.recording_id is not None:
        recording = render_recording_uuid(interaction.recording_id)
        rendered["recording_resource_url"] = f"{account_url}/Recording/{recording}/"
    for role, _, status in legs:
        if status is not None:
            rendered[f"{role.value}_party_status"] = status.value
    rendered["type"] = interaction.kind.value
    if interaction.duration_s:
        rendered |= {"total_call_amount": 0, "call_billed_duration": interaction.duration_s}
    return rendered | {"total_call_count": interaction.leg_count, "duration": interaction.duration_s}


def _digits(number: E164 | None) -> str:
    return "" if number is None else number.reveal().removeprefix("+")


def _render_pin(pin: PinSettings | None) -> dict[str, object]:
    return {
        "generate_pin": None if pin is None else pin.is_generated,
        "generate_pin_length": None if pin is None else pin.length,
        "first_party_pin": None if pin is None or pin.first is None else pin.first.reveal(),
        "second_party_pin": None if pin is None or pin.second is None else pin.second.reveal(),
        "pin_prompt_play": None if pin is None else pin.prompt_url,
        "pin_retry": None if pin is None else pin.retry_count,
        "pin_retry_wait": None if pin is None else pin.retry_wait_s,
        "incorrect_pin_play": None if pin is None else pin.incorrect_url,
    }
