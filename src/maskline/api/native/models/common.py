"""What all models share: how numbers, secrets, instants and lists are written."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from maskline.clock import to_datetime
from maskline.core.inventory import PATH_NAME, PATH_NAME_LENGTH_MAX
from maskline.core.numbers import DID, E164, is_country_known, parse_number
from maskline.core.secret import Secret

T = TypeVar("T")

LIST_LIMIT_MAX: Final = 100
LIST_LIMIT_DEFAULT: Final = 20
ID_LENGTH_MAX: Final = 64
NAME_LENGTH_MAX: Final = 100
CURSOR_LENGTH_MAX: Final = 400
URL_LENGTH_MAX: Final = 1_000
_E164_SHAPE: Final = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)
_E164_SCHEMA: Final[dict[str, Any]] = {
    "type": "string",
    "pattern": r"^\+[1-9][0-9]{1,14}$",
    "examples": ["+912025550000"],
    "description": "A telephone number: plus and at most 15 digits.",
}


_CONTROL: Final = r"\x00-\x1f\x7f-\x9f"
_NAME: Final = rf"^[^\s{_CONTROL}]([^{_CONTROL}]*[^\s{_CONTROL}])?$"


class Request(BaseModel):
    """A body or a query that comes in: what is not known is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """The query of a request: everything in it is text."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoQuery(Query):
    """The query where an operation has no parameters."""


class Resource(BaseModel):
    """A body that goes out; a client passes over what it does not know."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def _read_number(value: object) -> E164:
    if isinstance(value, E164):
        return value
    if isinstance(value, str) and _E164_SHAPE.fullmatch(value):
        return E164(value)
    raise PydanticCustomError("number", "Expected plus and at most 15 digits.")


def _read_dialable(value: object) -> E164:
    number = _read_number(value)
    parsed = parse_number(number.reveal(), country="ZZ")
    if parsed is None:
        raise PydanticCustomError("number", "No telephone number has these digits.")
    return parsed


def _read_virtual(value: object) -> DID:
    return DID(_read_dialable(value).reveal())


def _read_secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        return Secret(value)
    raise PydanticCustomError("string_type", "Expected a text.")


def _read_instant(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise PydanticCustomError("instant", "Expected an instant as of RFC 3339, with its offset.")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("instant", "Expected an instant of this era.") from None


def _write_instant(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def instant(moment_at: int) -> datetime:
    """The instant of microseconds, for a field of type `Instant`."""
    return to_datetime(moment_at)


def optional_instant(moment_at: int | None) -> datetime | None:
    """As `instant`; None stays None."""
    return None if moment_at is None else to_datetime(moment_at)


Number = Annotated[
    E164,
    PlainValidator(_read_dialable),
    PlainSerializer(lambda it: it.reveal(), return_type=str),
    WithJsonSchema(_E164_SCHEMA),
]
"""A person's number that a client gives: one that can be dialled."""

KnownNumber = Annotated[
    E164,
    PlainValidator(_read_number),
    PlainSerializer(lambda it: it.reveal(), return_type=str),
    WithJsonSchema(_E164_SCHEMA),
]
"""A person's number that we tell: also one that no plan knows, as callers may have."""

VirtualNumberText = Annotated[DID, PlainValidator(_read_virtual), WithJsonSchema(_E164_SCHEMA)]
"""A virtual number, in either direction; it is not secret."""


def _unescape_plus(value: object) -> object:
    return "+" + value[1:] if isinstance(value, str) and value.startswith(" ") else value


QueryNumber = Annotated[
    E164,
    PlainValidator(lambda it: _read_number(_unescape_plus(it))),
    PlainSerializer(lambda it: it.reveal(), return_type=str),
    WithJsonSchema(_E164_SCHEMA),
]
"""A person's number in a query, where a plus that was not escaped arrives as a blank."""

QueryVirtualNumber = Annotated[
    DID,
    PlainValidator(lambda it: DID(_read_number(_unescape_plus(it)).reveal())),
    WithJsonSchema(_E164_SCHEMA),
]
"""A virtual number in a query."""

SecretText = Annotated[
    Secret,
    PlainValidator(_read_secret),
    PlainSerializer(lambda it: it.reveal(), return_type=str),
    WithJsonSchema({"type": "string", "format": "password"}),
]
"""A secret, shown in the one answer that makes it, or only ever written."""

Instant = Annotated[
    datetime,
    PlainValidator(_read_instant),
    PlainSerializer(_write_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An aware datetime; written as UTC with microseconds and Z."""

Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX, pattern=_NAME)]
"""A name people can read and type, without blanks around it."""


PathName = Annotated[str, Field(min_length=1, max_length=PATH_NAME_LENGTH_MAX, pattern=f"^{PATH_NAME}$")]
"""A name that stands in paths: letters, digits, and blanks, dots, lines and hyphens between them."""
AccountId = Annotated[str, Field(pattern=r"^MA[0-9A-Za-z]{18}$", description="An account's auth id.")]
SubaccountId = Annotated[str, Field(pattern=r"^SA[0-9A-Za-z]{18}$", description="A sub-account's auth id.")]


def _check_country(text: str) -> str:
    if not is_country_known(text):
        raise PydanticCustomError("country", "Expected a country with phone numbers, such as IN.")
    return text


Country = Annotated[
    str,
    Field(pattern=r"^[A-Z]{2}$", description="ISO 3166, two capital letters."),
    AfterValidator(_check_country),
]


def _check_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise PydanticCustomError("url", "Expected an http or https URL.")
    return text


Url = Annotated[
    str,
    Field(min_length=1, max_length=URL_LENGTH_MAX, pattern=r"^[^\x00-\x20\x7f-\xa0]*$"),
    AfterValidator(_check_url),
]
"""An http or https URL, without blanks; where its name leads is judged when it is used."""


class ListOf(Resource, Generic[T]):
    """One page. `next` is the cursor of the page after it."""

    object: Literal["list"] = "list"
    data: list[T]
    next: str | None = None
    has_more: bool = False


class ListQuery(Query):
    """What every list takes; filters are added to it."""

    limit: Annotated[int, Field(ge=1, le=LIST_LIMIT_MAX, description="Things on a page.")] = (
        LIST_LIMIT_DEFAULT
    )
    after: Annotated[
        str | None, Field(max_length=CURSOR_LENGTH_MAX, description="The `next` of the page before.")
    ] = None


class FieldProblem(Resource):
    """What is wrong with one part of a request."""

    pointer: Annotated[str, Field(description="Where in the body, or the parameter of the query.")]
    code: str
    detail: str


class Problem(Resource):
    """A refusal (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str | None = None
    errors: list[FieldProblem] | None = None
    session_id: Annotated[str | None, Field(description="Of `pair-live`: the live session.")] = None
    reason: Annotated[str | None, Field(description="Of `pool-exhausted`: why no number was free.")] = None
    needed: Annotated[
        int | None, Field(description="Of `pool-exhausted`: how many numbers would have been enough.")
    ] = None
