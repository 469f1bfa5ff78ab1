"""Single values of DeepCall requests; readers raise DeepCallError with the code the vendor has for each."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from maskline.api.deepcall import errors
from maskline.api.deepcall.body import Fields, find_field
from maskline.api.deepcall.errors import Code, DeepCallError
from maskline.clock import from_datetime
from maskline.core.deepcall import EXPIRY_MINUTES_MAX
from maskline.core.masking import MICROSECONDS
from maskline.core.numbers import DID, E164, parse_number

EVENT_ID_LENGTH_MAX = 200  # what a session's reference holds
TEXT_LENGTH_MAX = 256  # of anything else; the longest, an ssid, has 48 characters
MINUTE_US = 60 * MICROSECONDS
EXPIRY_US_MAX = EXPIRY_MINUTES_MAX * MINUTE_US
EPOCH_MS_MIN = 10**11  # in seconds that is the year 5138, in milliseconds 1973: nobody means either
INTEGER_MAX = 10**15  # minutes, seconds or milliseconds beyond any end that could be asked for

_MASK = re.compile(r"\+?([0-9]{2,15})", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
# A form turns the plus of an offset into a blank.
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(Z|[+\- ][0-9]{2}:?[0-9]{2})?",
    re.ASCII | re.IGNORECASE,
)


def read_text(fields: Fields, name: str, length_max: int = TEXT_LENGTH_MAX) -> str | None:
    """A short text without control characters, numbers taken for their digits; None when not given.

    Raises DeepCallError 1000.
    """
    value = find_field(fields, name)
    if value is None:
        return None
    text = _text_of(value)
    if text is None or len(text) > length_max or not text.isprintable():
        raise errors.invalid(f"{name} is no text of at most {length_max} printable characters")
    return text


def read_phone(fields: Fields, name: str, country: str) -> E164 | None:
    """A phone number, in the account's country first; None when not given. Raises DeepCallError 1000."""
    value = find_field(fields, name)
    if value is None:
        return None
    text = _text_of(value)
    # Nobody dials a minus: it is a number below zero.
    is_negative = not isinstance(value, str) and text is not None and text.startswith("-")
    number = None if text is None or is_negative else parse_phone(text, country)
    if number is None:
        raise errors.not_a_phone_number(name)
    return number


def parse_phone(text: str, country: str) -> E164 | None:
    """Read a number as one of the country; where it is none, as one that begins with its country code."""
    return parse_number(text, country=country) or parse_number(
        text, country=country, is_country_code_first=True
    )


def read_mask(fields: Fields, country: str) -> tuple[DID, ...]:
    """A virtual number as we answer it, or as a national number; () when not given. Raises DeepCallError 1000."""
    value = find_field(fields, "mask")
    if value is None:
        return ()
    text = _text_of(value)
    found = None if text is None else _MASK.fullmatch(text)
    if text is None or found is None:
        raise errors.not_a_phone_number("mask")
    as_answered = DID("+" + found[1])
    national = parse_number(text, country=country)
    return (as_answered,) if national is None else (as_answered, DID(national.reveal()))


def read_event_id(fields: Fields) -> str | None:
    """The client's own reference. Raises DeepCallError 1000."""
    return read_text(fields, "eventId", EVENT_ID_LENGTH_MAX)


def read_end(fields: Fields, *, now: int, timezone: str) -> int | None:
    """The end that was asked for in µs UTC, maybe in the past; None when none was.

    `expiry_time` wins over `expiry_duration`. Raises DeepCallError: 1502 for what is no time or no integer, 1000
    for more than a year.
    """
    if (given := find_field(fields, "expiry_time")) is not None:
        end = parse_time(given, timezone)
    elif (given := find_field(fields, "expiry_duration")) is not None:
        minutes = parse_integer(given)
        end = None if minutes is None else now + _bound(minutes) * MINUTE_US
    else:
        return None
    if end is None:
        raise DeepCallError(Code.EXPIRY_NOT_INTEGER)
    if end > now + EXPIRY_US_MAX:
        raise errors.invalid("a masking lasts at most 365 days")
    return end


def parse_integer(value: object) -> int | None:
    """An integer, an integral float, or a text of digits; None for everything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and _INTEGER.fullmatch(text := value.strip()):
        return int(text)
    return None


def parse_time(value: object, timezone: str) -> int | None:
    """An instant in µs UTC: epoch seconds or milliseconds, a text in the account's zone, ISO 8601 with an offset."""
    if (epoch := parse_integer(value)) is not None:
        epoch = _bound(epoch)
        return epoch * 1000 if abs(epoch) >= EPOCH_MS_MIN else epoch * MICROSECONDS
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    *parts, fraction, offset = found.groups()
    year, month, day, hour, minute, second = (int(part) for part in parts)
    zone = UTC if offset else ZoneInfo(timezone)
    shift = _parse_offset(offset)
    try:
        # Subtracting what the zone says can leave the calendar at either end of it.
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        if shift is None:
            return None
        at = from_datetime(moment.astimezone(UTC) - shift)
    except (ValueError, OverflowError):
        return None
    return at + int((fraction or "").ljust(6, "0")[:6])


def _parse_offset(text: str | None) -> timedelta | None:
    """What to take off for UTC; None when there is no such offset."""
    if text is None or text in "Zz":
        return timedelta()
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 23 or minutes > 59:
        return None
    shift = timedelta(hours=hours, minutes=minutes)
    return -shift if text[0] == "-" else shift


def _text_of(value: object) -> str | None:
    """A text without blanks around it, or the digits of a JSON number; None for anything else."""
    if isinstance(value, str):
        return value.strip()
    number = parse_integer(value)
    return str(number) if number is not None and abs(number) < 10**40 else None


def _bound(number: int) -> int:
    """Keep arithmetic within what a calendar has; both ends are refused anyway."""
    return max(-INTEGER_MAX, min(number, INTEGER_MAX))
