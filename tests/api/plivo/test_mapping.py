import json
from dataclasses import replace

import pytest

from maskline.api.plivo.errors import PlivoError
from maskline.api.plivo.mapping import build_new_session, render_listed_session, render_session
from maskline.api.plivo.wire import SessionRequest
from maskline.core.call_record import Side, leg_id
from maskline.core.inventory import Account, AllocationPolicy, CooloffScope
from maskline.core.masking import (
    CallbackMethod,
    Interaction,
    InteractionKind,
    LegStatus,
    MaskingSession,
    NewMaskingSession,
    PinSettings,
    RecordFormat,
    Role,
)
from maskline.core.numbers import DID, E164
from maskline.core.secret import Secret
from maskline.core.termination import Reason, terminate

S = 1_000_000
CREATED_AT = 1_717_039_932 * S + 999_999  # 2024-05-30 03:32:12
CALL_ID = "0123456789abcdef0123456789abcdef"
ACCOUNT = Account(
    id=1,
    auth_id="MA012345678901234567",
    name="demo",
    country="IN",
    timezone="Asia/Kolkata",
    token=Secret("t"),
    policy=AllocationPolicy.FIRST_FIT,
    cooloff_scope=CooloffScope.PARTY,
    created_at=0,
)
SESSION = MaskingSession(
    id="8dd7b81f-1cdc-4e5c-9999-123456789012",
    account_id=1,
    subaccount_id=None,
    subaccount_auth_id=None,
    virtual_number=DID("+912269947011"),
    first=E164("+912025550000"),
    second=E164("+912025551111"),
    created_at=CREATED_AT,
    modified_at=CREATED_AT,
    ends_at=CREATED_AT + 1_800 * S,
    ended_at=None,
    end_cause=None,
    call_time_limit_s=14_400,
    ring_timeout_s=45,
    is_recorded=False,
    record_format=RecordFormat.MP3,
    recording_callback_url="",
    recording_callback_method=CallbackMethod.POST,
    callback_url="",
    callback_method=CallbackMethod.POST,
    first_play_url="",
    second_play_url="",
    unknown_caller_url="",
    calls_first=False,
    pin=None,
    is_geomatched=True,
    is_single_party=None,
    cooloff_s=0,
    last_interaction_at=None,
    total_leg_count=0,
    total_duration_s=0,
    total_billed_s=0,
)
INTERACTION = Interaction(
    kind=InteractionKind.CALL,
    call_id=CALL_ID,
    started_at=CREATED_AT,
    ended_at=CREATED_AT + 20 * S,
    caller_role=Role.FIRST,
    leg_count=2,
    first_leg_s=15,
    second_leg_s=14,
    first_status=LegStatus.COMPLETED,
    second_status=LegStatus.COMPLETED,
    termination=terminate(Reason.CALLER_HUNG_UP),
)


def render(session: MaskingSession = SESSION, now: int = CREATED_AT) -> dict[str, object]:
    return render_session(session, auth_id=ACCOUNT.auth_id, public_url="http://m", now=now)


def test_a_fresh_session_looks_as_recorded() -> None:
    """Keys, order, types and values of a recorded answer, to the byte, plus the fields of September 2024."""
    assert json.dumps(render(), separators=(",", ":")) == (
        '{"first_party":"912025550000","second_party":"912025551111","virtual_number":"912269947011",'
        '"status":"active","initiate_call_to_first_party":false,'
        '"session_uuid":"8dd7b81f-1cdc-4e5c-9999-123456789012","callback_url":"","callback_method":"POST",'
        '"created_time":"2024-05-30 03:32:12 +0000 UTC","modified_time":"2024-05-30 03:32:12 +0000 UTC",'
        '"expiry_time":"2024-05-30 04:02:12 +0000 UTC","duration":1800,"amount":0,"call_time_limit":14400,'
        '"ring_timeout":45,"first_party_play_url":"","second_party_play_url":"","record":false,'
        '"record_file_format":"mp3","recording_callback_url":"","recording_callback_method":"POST",'
        '"interaction":null,"total_call_amount":0,"total_call_count":0,"total_call_billed_duration":0,'
        '"total_session_amount":0,"last_interaction_time":"","unknown_caller_play":"",'
        '"is_pin_authentication_required":false,"generate_pin":null,"generate_pin_length":null,'
        '"first_party_pin":null,"second_party_pin":null,"pin_prompt_play":null,"pin_retry":null,'
        '"pin_retry_wait":null,"incorrect_pin_play":null,"create_session_with_single_party":null,'
        '"virtual_number_cooloff_period":0,"force_pin_authentication":false}'
    )


def test_status_follows_the_clock() -> None:
    """Active up to the end, expired from it on."""
    assert render(now=SESSION.ends_at - 1)["status"] == "active"
    assert render(now=SESSION.ends_at)["status"] == "expired"


def test_an_interaction_looks_as_recorded() -> None:
    """Keys and order of a recorded answer; legs have addresses of their own."""
    session = replace(
        SESSION,
        interactions=(INTERACTION,),
        last_interaction_at=INTERACTION.ended_at,
        total_leg_count=2,
        total_duration_s=29,
        total_billed_s=29,
    )
    rendered = render(session)
    assert rendered["last_interaction_time"] == "2024-05-30 03:32:32 +0000 UTC"
    assert (rendered["total_call_count"], rendered["total_call_billed_duration"]) == (2, 29)
    account_url = "http://m/v1/Account/MA012345678901234567/Call"
    assert list(rendered["interaction"][0].items()) == [  # type: ignore[index]
        ("start_time", "2024-05-30 03:32:12 +0000 UTC"),
        ("end_time", "2024-05-30 03:32:32 +0000 UTC"),
        ("first_party_resource_url", f"{account_url}/{leg_id(CALL_ID, Side.A)}"),
        ("second_party_resource_url", f"{account_url}/{leg_id(CALL_ID, Side.B)}"),
        ("first_party_status", "completed"),
        ("second_party_status", "completed"),
        ("type", "call"),
        ("total_call_amount", 0),
        ("call_billed_duration", 29),
        ("total_call_count", 2),
        ("duration", 29),
    ]


def test_legs_never_placed_and_charges_of_none_are_left_out() -> None:
    """An unanswered call of one leg shows neither."""
    missed = replace(
        INTERACTION,
        leg_count=1,
        first_leg_s=None,
        second_leg_s=None,
        first_status=LegStatus.CANCELLED,
        second_status=None,
    )
    shown = render(replace(SESSION, interactions=(missed,)))["interaction"][0]  # type: ignore[index]
    assert list(shown) == [
        "start_time",
        "end_time",
        "first_party_resource_url",
        "first_party_status",
        "type",
        "total_call_count",
        "duration",
    ]


def test_legs_are_named_as_recordings_name_them() -> None:
    """When the second party called, leg A is the second's; a recording has its address, with the id as a UUID."""
    called = replace(
        INTERACTION,
        is_caller_first=False,
        caller_role=Role.SECOND,
        second_status=LegStatus.COMPLETED,
        first_status=LegStatus.NO_ANSWER,
        recording_id="ab" * 16,
    )
    shown = render(replace(SESSION, interactions=(called,)))["interaction"][0]  # type: ignore[index]
    account_url = "http://m/v1/Account/MA012345678901234567"
    assert shown["first_party_resource_url"] == f"{account_url}/Call/{leg_id(CALL_ID, Side.B)}"
    assert shown["second_party_resource_url"] == f"{account_url}/Call/{leg_id(CALL_ID, Side.A)}"
    assert (shown["first_party_status"], shown["second_party_status"]) == ("no-answer", "completed")
    recording = "abababab-abab-abab-abab-abababababab"
    assert shown["recording_resource_url"] == f"{account_url}/Recording/{recording}/"


def test_pins_are_strings_and_waits_numbers() -> None:
    """The strictest client fails on anything else."""
    pin = PinSettings(
        first=Secret("1234"), second=Secret("0321"), prompt_url="http://p/a.mp3", is_forced=True
    )
    rendered = render(replace(SESSION, pin=pin))
    assert rendered["is_pin_authentication_required"] is True
    assert (rendered["first_party_pin"], rendered["second_party_pin"]) == ("1234", "0321")
    assert (rendered["generate_pin"], rendered["generate_pin_length"]) == (False, 4)
    assert (rendered["pin_retry"], rendered["pin_retry_wait"]) == (1, 5)
    assert (rendered["pin_prompt_play"], rendered["incorrect_pin_play"]) == ("http://p/a.mp3", "")
    assert rendered["force_pin_authentication"] is True


def test_subaccount_and_missing_party() -> None:
    """A sub-account is echoed only when there is one; a party nobody gave is blank."""
    rendered = render(replace(SESSION, subaccount_auth_id="SA1", second=None, is_single_party=True))
    assert rendered["subaccount"] == "SA1"
    assert rendered["second_party"] == ""
    assert rendered["create_session_with_single_party"] is True


def test_listed_sessions_are_alphabetical_with_their_address() -> None:
    """As lists were recorded."""
    listed = render_listed_session(render(), auth_id=ACCOUNT.auth_id)
    assert list(listed) == sorted(listed)
    assert listed["resource_uri"] == f"/v1/Account/MA012345678901234567/Masking/Session/{SESSION.id}/"
    assert len(listed) == len(render()) + 1


def build(**fields: object) -> NewMaskingSession:
    request = replace(SessionRequest(first_party="+912025550000", second_party="912025551111"), **fields)  # type: ignore[arg-type]
    return build_new_session(request, ACCOUNT, subaccount_id=None, has_geomatch=True)


def test_numbers_without_plus_start_with_their_country() -> None:
    """`91...` and `+91...` are the same."""
    assert build(first_party="912025550000").first == E164("+912025550000")
    assert build().second == E164("+912025551111")


@pytest.mark.parametrize("name", ["first_party", "second_party"])
@pytest.mark.parametrize("text", ["abc", "12", "+", "0000000000", "+91202555000012345"])
def test_what_is_no_number_is_refused(name: str, text: str) -> None:
    """With the vendor's text."""
    with pytest.raises(PlivoError, match=rf"^Invalid parameter\. {name} is not a valid phone number\.$"):
        build(**{name: text})


def test_nobody_is_masked_from_oneself() -> None:
    """Two spellings of one number are refused."""
    with pytest.raises(PlivoError, match="second_party is not a valid phone number"):
        build(second_party="00 91 2025550000")


def test_nothing_given_stays_nothing() -> None:
    """Defaults are applied where sessions are made, so that a repeated create changes only what it gives."""
    assert build() == NewMaskingSession(first=E164("+912025550000"), second=E164("+912025551111"))


def test_everything_given_is_passed_on() -> None:
    """Each field arrives under our name."""
    new = build(
        session_expiry_s=60,
        call_time_limit_s=61,
        ring_timeout_s=62,
        is_recorded=True,
        record_format="wav",
        recording_callback_url="http://r",
        recording_callback_method="GET",
        is_first_party_called=True,
        callback_url="http://c",
        callback_method="GET",
        first_party_play_url="http://1",
        second_party_play_url="http://2",
        unknown_caller_url="http://u",
        is_geomatched=False,
        is_single_party=True,
        cooloff_s=63,
        is_pin_required=True,
        is_pin_forced=True,
        first_pin="1234",
        second_pin="4321",
        pin_prompt_url="http://p",
        pin_retry_count=0,
        pin_retry_wait_s=6,
        incorrect_pin_url="http://i",
    )
    assert new == NewMaskingSession(
        first=E164("+912025550000"),
        second=E164("+912025551111"),
        expires_in_s=60,
        call_time_limit_s=61,
        ring_timeout_s=62,
        is_recorded=True,
        record_format=RecordFormat.WAV,
        recording_callback_url="http://r",
        recording_callback_method=CallbackMethod.GET,
        callback_url="http://c",
        callback_method=CallbackMethod.GET,
        first_play_url="http://1",
        second_play_url="http://2",
        unknown_caller_url="http://u",
        calls_first=True,
        pin=PinSettings(
            first=Secret("1234"),
            second=Secret("4321"),
            prompt_url="http://p",
            retry_count=0,
            retry_wait_s=6,
            incorrect_url="http://i",
            is_forced=True,
        ),
        is_geomatched=False,
        is_single_party=True,
        cooloff_s=63,
    )


def test_the_legacy_path_knows_no_geomatch() -> None:
    """Whatever is sent there."""
    request = SessionRequest(first_party="+912025550000", second_party="+912025551111", is_geomatched=True)
    assert not build_new_session(request, ACCOUNT, subaccount_id=None, has_geomatch=False).is_geomatched
