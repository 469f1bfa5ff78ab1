"""Masking sessions."""

import re
from typing import Annotated, Final, Literal

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from maskline.api.native.models.common import (
    Instant,
    KnownNumber,
    ListQuery,
    Name,
    Number,
    QueryNumber,
    QueryVirtualNumber,
    Request,
    Resource,
    SubaccountId,
    Url,
    VirtualNumberText,
)
from maskline.core.masking import (
    CALL_TIME_LIMIT_S_MAX,
    CALL_TIME_LIMIT_S_MIN,
    PIN_LENGTH_DEFAULT,
    PIN_LENGTH_MAX,
    PIN_LENGTH_MIN,
    PIN_RETRY_COUNT_DEFAULT,
    PIN_RETRY_WAIT_S_DEFAULT,
    RING_TIMEOUT_S_MAX,
    RING_TIMEOUT_S_MIN,
    SESSION_EXPIRY_S_MIN,
    CallbackMethod,
    RecordFormat,
    RepeatRule,
    SessionStatus,
)
from maskline.core.secret import Secret

EXPIRES_IN_S_MAX: Final = 365 * 86_400
NATIVE_COOLOFF_S_MAX: Final = 86_400
PIN_RETRY_COUNT_MAX: Final = 5
PIN_RETRY_WAIT_S_MIN: Final = 5
PIN_RETRY_WAIT_S_MAX: Final = 10
_PIN_SHAPE: Final = re.compile(f"[0-9]{{{PIN_LENGTH_MIN},{PIN_LENGTH_MAX}}}", re.ASCII)


def _read_pin(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str) and _PIN_SHAPE.fullmatch(value):
        return Secret(value)
    raise PydanticCustomError("value", "Expected 4 to 15 digits, as a text.")


PinText = Annotated[
    Secret,
    PlainValidator(_read_pin),
    PlainSerializer(lambda it: it.reveal(), return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "format": "password",
            "pattern": f"^[0-9]{{{PIN_LENGTH_MIN},{PIN_LENGTH_MAX}}}$",
            "examples": ["4711"],
        }
    ),
]
"""A PIN: digits."""

ExpiresIn = Annotated[
    int,
    Field(
        ge=SESSION_EXPIRY_S_MIN, le=EXPIRES_IN_S_MAX, description="Seconds from now; not beside `ends_at`."
    ),
]
CallTimeLimit = Annotated[int, Field(ge=CALL_TIME_LIMIT_S_MIN, le=CALL_TIME_LIMIT_S_MAX)]
RingTimeout = Annotated[int, Field(ge=RING_TIMEOUT_S_MIN, le=RING_TIMEOUT_S_MAX)]
Reference = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$",
        description="Your own name for it, such as an order's number; no secret, nobody's number.",
    ),
]
Format = Annotated[RecordFormat, Field(strict=False)]
Method = Annotated[CallbackMethod, Field(strict=False)]
CallbackUrl = Annotated[
    Url, Field(description="Is told in Plivo's form; webhooks are told in ours. Takes `calls:read`.")
]
RecordingCallbackUrl = Annotated[
    Url, Field(description="Is told of recordings in Plivo's form. Takes `calls:read` and `recordings:read`.")
]


class NewPin(Request):
    """How callers are asked for a PIN; PINs that are not given are drawn."""

    generate: Annotated[
        bool | None, Field(description="Whether PINs are drawn; by default when none is given.")
    ] = None
    first: PinText | None = None
    second: PinText | None = None
    length: Annotated[
        int, Field(ge=PIN_LENGTH_MIN, le=PIN_LENGTH_MAX, description="Of PINs that are drawn.")
    ] = PIN_LENGTH_DEFAULT
    prompt_url: Url | None = None
    incorrect_prompt_url: Url | None = None
    retry_count: Annotated[int, Field(ge=0, le=PIN_RETRY_COUNT_MAX)] = PIN_RETRY_COUNT_DEFAULT
    retry_wait_s: Annotated[int, Field(ge=PIN_RETRY_WAIT_S_MIN, le=PIN_RETRY_WAIT_S_MAX)] = (
        PIN_RETRY_WAIT_S_DEFAULT
    )
    forced: Annotated[bool, Field(description="Whether registered parties are asked too.")] = False


class NewSession(Request):
    """What is asked of POST sessions; at least one party is needed."""

    first: Number | None = None
    second: Number | None = None
    expires_in_s: ExpiresIn | None = None
    ends_at: Annotated[
        Instant | None, Field(description="From 60 s to 365 days ahead; not beside `expires_in_s`.")
    ] = None
    call_time_limit_s: CallTimeLimit | None = None
    ring_timeout_s: RingTimeout | None = None
    cooloff_s: Annotated[
        int,
        Field(ge=0, le=NATIVE_COOLOFF_S_MAX, description="How long after the end the number stays theirs."),
    ] = 0
    record: bool | None = None
    record_format: Format | None = None
    recording_callback_url: RecordingCallbackUrl | None = None
    recording_callback_method: Method | None = None
    callback_url: CallbackUrl | None = None
    callback_method: Method | None = None
    first_prompt_url: Annotated[
        Url | None, Field(description="What the first party hears before being joined.")
    ] = None
    second_prompt_url: Annotated[
        Url | None, Field(description="What the second party hears before being joined.")
    ] = None
    unknown_caller_prompt_url: Annotated[
        Url | None, Field(description="What strangers to the number hear.")
    ] = None
    call_first_party: Annotated[bool, Field(description="Whether the service calls the first party now.")] = (
        False
    )
    pin: NewPin | None = None
    geomatch: Annotated[
        bool, Field(description="Whether the number must be of the first party's country.")
    ] = False
    single_party: Annotated[
        bool | None, Field(description="Whether the other party may join later; by default if one is given.")
    ] = None
    reference: Reference | None = None
    pool: Annotated[Name | None, Field(description="Only numbers of this pool; by default any.")] = None
    subaccount: Annotated[
        SubaccountId | None, Field(description="Whose it is; with the account's credentials.")
    ] = None
    on_repeat: Annotated[
        RepeatRule,
        Field(
            strict=False,
            description="What becomes of a live session of the pair: changed, a refusal, or as it is.",
        ),
    ] = RepeatRule.UPDATE
    ordered_pair: Annotated[
        bool, Field(description="Whether the same two the other way round are another pair.")
    ] = True


class SessionUpdate(Request):
    """What is asked of PATCH sessions; what is absent stays. Null takes a URL or the reference away."""

    first: Annotated[
        Number | None, Field(description="Only of a session that was made for a single party.")
    ] = None
    second: Number | None = None
    expires_in_s: ExpiresIn | None = None
    ends_at: Annotated[Instant | None, Field(description="Up to 365 days ahead.")] = None
    call_time_limit_s: CallTimeLimit | None = None
    ring_timeout_s: RingTimeout | None = None
    record: bool | None = None
    record_format: Format | None = None
    recording_callback_url: RecordingCallbackUrl | None = None
    recording_callback_method: Method | None = None
    callback_url: CallbackUrl | None = None
    callback_method: Method | None = None
    first_prompt_url: Url | None = None
    second_prompt_url: Url | None = None
    unknown_caller_prompt_url: Url | None = None
    reference: Reference | None = None


class SessionPin(Resource):
    """The PIN dialogue of a session. PINs are told to whoever may write sessions, else they are null."""

    generated: bool
    first: PinText | None
    second: PinText | None
    length: int
    prompt_url: str | None
    incorrect_prompt_url: str | None
    retry_count: int
    retry_wait_s: int
    forced: bool


class Session(Resource):
    """A masking session."""

    object: Literal["session"] = "session"
    id: str
    status: Annotated[SessionStatus, Field(description="`active` or `expired`.")]
    virtual_number: VirtualNumberText
    first: KnownNumber | None
    second: KnownNumber | None
    reference: str | None
    subaccount: str | None
    created_at: Instant
    modified_at: Instant
    ends_at: Instant
    ended_at: Annotated[Instant | None, Field(description="Null while it is active.")]
    end_cause: str | None
    call_time_limit_s: int
    ring_timeout_s: int
    cooloff_s: int
    record: bool
    record_format: RecordFormat
    recording_callback_url: str | None
    recording_callback_method: CallbackMethod
    callback_url: str | None
    callback_method: CallbackMethod
    first_prompt_url: str | None
    second_prompt_url: str | None
    unknown_caller_prompt_url: str | None
    call_first_party: bool
    geomatch: bool
    single_party: bool
    pin: SessionPin | None
    last_call_at: Annotated[Instant | None, Field(description="When the last finished call ended.")]
    leg_count: Annotated[int, Field(description="Of all finished calls.")]
    talk_s: Annotated[int, Field(description="Answered seconds of all legs of all finished calls.")]


class SessionQuery(ListQuery):
    """What may be asked of GET sessions."""

    status: SessionStatus | None = None
    first: QueryNumber | None = None
    second: QueryNumber | None = None
    virtual_number: QueryVirtualNumber | None = None
    reference: Reference | None = None
    created_after: Instant | None = None
    created_before: Instant | None = None
    subaccount: SubaccountId | None = None
