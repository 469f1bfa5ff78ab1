"""Bodies of the Plivo dialect's create and update requests, value by value.

Source: Plivo number masking, create and update a session, legacy page and pages of 2024; official clients.
"""

from dataclasses import dataclass
from types import MappingProxyType

from maskline.api.plivo import errors, fields
from maskline.core import masking

PIN_RETRY_MAX = 5
PIN_RETRY_WAIT_S_MIN, PIN_RETRY_WAIT_S_MAX = 5, 10

URL_FIELDS = (
    "callback_url",
    "recording_callback_url",
    "first_party_play_url",
    "second_party_play_url",
    "pin_prompt_play",
    "incorrect_pin_play",
    "unknown_caller_play",
)
FIELDS = (
    "first_party",
    "second_party",
    "session_expiry",
    "call_time_limit",
    "ring_timeout",
    "record",
    "record_file_format",
    "recording_callback_method",
    "initiate_call_to_first_party",
    "callback_method",
    "is_pin_authentication_required",
    "generate_pin",
    "generate_pin_length",
    "first_party_pin",
    "second_party_pin",
    "pin_retry",
    "pin_retry_wait",
    "geomatch",
    "subaccount",
    "force_pin_authentication",
    "create_session_with_single_party",
    "virtual_number_cooloff_period",
    *URL_FIELDS,
)
PARTIES = frozenset({"first_party", "second_party"})
UPDATABLE = frozenset(
    {
        "session_expiry",
        "call_time_limit",
        "ring_timeout",
        "callback_url",
        "callback_method",
        "record",
        "record_file_format",
        "recording_callback_url",
        "recording_callback_method",
        "first_party_play_url",
        "second_party_play_url",
    }
)
"""Source: Plivo number masking, update a number masking session."""
# Folding already joins sub_account, geo_match, create_session_with_single_Party and camelCase to their names.
_NAMES = MappingProxyType(
    {fields.fold_key(name): name for name in FIELDS}
    | dict.fromkeys(("pinauthenticationrequired", "ispinauthentication"), "is_pin_authentication_required")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """What a client gave, checked one by one; None is "not given"."""

    first_party: str | None = None
    second_party: str | None = None
    session_expiry_s: int | None = None
    call_time_limit_s: int | None = None
    ring_timeout_s: int | None = None
    is_recorded: bool | None = None
    record_format: str | None = None
    recording_callback_url: str | None = None
    recording_callback_method: str | None = None
    is_first_party_called: bool | None = None
    callback_url: str | None = None
    callback_method: str | None = None
    first_party_play_url: str | None = None
    second_party_play_url: str | None = None
    is_pin_required: bool | None = None
    is_pin_generated: bool | None = None
    generated_pin_length: int | None = None
    first_pin: str | None = None
    second_pin: str | None = None
    pin_prompt_url: str | None = None
    pin_retry_count: int | None = None
    pin_retry_wait_s: int | None = None
    incorrect_pin_url: str | None = None
    unknown_caller_url: str | None = None
    is_geomatched: bool | None = None
    subaccount: str | None = None
    is_pin_forced: bool | None = None
    is_single_party: bool | None = None
    cooloff_s: int | None = None


def parse_create(data: bytes) -> SessionRequest:
    """Read the body of a create request.

    Raises PlivoError 400 with the vendor's text for the first thing wrong; a missing party comes first.
    """
    given = fields.pick_fields(fields.parse_body(data), _NAMES)
    single = "create_session_with_single_party"
    if single in given and fields.read_boolean(single, given[single]):
        if "first_party" not in given and "second_party" not in given:
            raise errors.parameter_missing("first_party")
    else:
        for name in ("first_party", "second_party"):
            if name not in given:
                raise errors.parameter_missing(name)
    request = _parse_fields(given)
    _check_pins(request)
    return request


def parse_update(data: bytes, *, has_parties: bool) -> SessionRequest:
    """Read the body of an update request; everything is optional. Raises PlivoError 400.

    What cannot be updated is not even looked at; parties can where the session was created for one (`has_parties`).
    """
    names = UPDATABLE | PARTIES if has_parties else UPDATABLE
    given = fields.pick_fields(fields.parse_body(data), _NAMES)
    return _parse_fields({name: value for name, value in given.items() if name in names})


def _parse_fields(given: dict[str, object]) -> SessionRequest:
    def boolean(name: str) -> bool | None:
        return fields.read_boolean(name, given[name]) if name in given else None

    def url(name: str) -> str | None:
        return fields.read_url(name, given[name]) if name in given else None

    def method(name: str) -> str | None:
        return fields.read_choice(name, given[name], "GET", "POST") if name in given else None

    def party(name: str) -> str | None:
        return fields.read_party(name, given[name]) if name in given else None

    def pin(name: str) -> str | None:
        return fields.read_pin(name, given[name]) if name in given else None

    def clamped(name: str, low: int, high: int) -> int | None:
        return fields.read_clamped(given.get(name), low, high)

    def integer(name: str, low: int, high: int, *, is_zero_absent: bool = True) -> int | None:
        if name not in given:
            return None
        return fields.read_integer(name, given[name], low, high, is_zero_absent=is_zero_absent)

    is_pin_required = boolean("is_pin_authentication_required")
    return SessionRequest(
        first_party=party("first_party"),
        second_party=party("second_party"),
        session_expiry_s=integer(
            "session_expiry", masking.SESSION_EXPIRY_S_MIN, masking.SESSION_EXPIRY_S_MAX
        ),
        call_time_limit_s=clamped(
            "call_time_limit", masking.CALL_TIME_LIMIT_S_MIN, masking.CALL_TIME_LIMIT_S_MAX
        ),
        ring_timeout_s=clamped("ring_timeout", masking.RING_TIMEOUT_S_MIN, masking.RING_TIMEOUT_S_MAX),
        is_recorded=boolean("record"),
        record_format=fields.read_choice("record_file_format", given["record_file_format"], "mp3", "wav")
        if "record_file_format" in given
        else None,
        recording_callback_url=url("recording_callback_url"),
        recording_callback_method=method("recording_callback_method"),
        is_first_party_called=boolean("initiate_call_to_first_party"),
        callback_url=url("callback_url"),
        callback_method=method("callback_method"),
        first_party_play_url=url("first_party_play_url"),
        second_party_play_url=url("second_party_play_url"),
        is_pin_required=is_pin_required,
        is_pin_generated=boolean("generate_pin"),
        generated_pin_length=integer("generate_pin_length", masking.PIN_LENGTH_MIN, masking.PIN_LENGTH_MAX),
        first_pin=pin("first_party_pin") if is_pin_required else None,
        second_pin=pin("second_party_pin") if is_pin_required else None,
        pin_prompt_url=url("pin_prompt_play"),
        pin_retry_count=integer("pin_retry", 0, PIN_RETRY_MAX, is_zero_absent=False),
        pin_retry_wait_s=integer("pin_retry_wait", PIN_RETRY_WAIT_S_MIN, PIN_RETRY_WAIT_S_MAX),
        incorrect_pin_url=url("incorrect_pin_play"),
        unknown_caller_url=url("unknown_caller_play"),
        is_geomatched=boolean("geomatch"),
        subaccount=fields.read_subaccount("subaccount", given["subaccount"])
        if "subaccount" in given
        else None,
        is_pin_forced=boolean("force_pin_authentication"),
        is_single_party=boolean("create_session_with_single_party"),
        cooloff_s=integer("virtual_number_cooloff_period", 0, masking.COOLOFF_S_MAX),
    )


def _check_pins(request: SessionRequest) -> None:
    """PINs are needed where PIN is on and the service makes none; they must tell the parties apart."""
    if not request.is_pin_required or request.is_pin_generated:
        return
    if request.first_pin is not None and request.first_pin == request.second_pin:
        raise errors.PlivoError(
            400, "Invalid parameter. first_party_pin and second_party_pin must be different."
        )
    if request.is_single_party and (request.first_pin or request.second_pin):
        return
    for name, pin in (("first_party_pin", request.first_pin), ("second_party_pin", request.second_pin)):
        if pin is None:
            raise errors.parameter_missing(name)
