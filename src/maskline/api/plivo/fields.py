"""Single values of Plivo requests, read as tolerantly as the official clients need.

Clients send numbers as strings, booleans as "true", zero or an empty string for "not given", keys in any
letter case and with or without underscores. Readers raise PlivoError 400 with the text that names the field.
"""

import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from maskline.api.plivo import errors
from maskline.core.masking import PIN_LENGTH_MAX, PIN_LENGTH_MIN

BODY_BYTES_MAX = 65_536  # thirty fields, eight of them URLs of at most 1,000 characters, leave ample room
URL_LENGTH_MAX = 1_000
TEXT_LENGTH_MAX = 64  # of anything that is not a URL: numbers, PINs, ids

_INTEGER = re.compile(r"[+-]?[0-9]{1,4000}(?:\.0{1,20})?", re.ASCII)  # Python converts at most 4,300 digits
_SUBACCOUNT = re.compile(r"SA[0-9A-Za-z]{18}", re.ASCII)
_PIN = re.compile(rf"[0-9]{{{PIN_LENGTH_MIN},{PIN_LENGTH_MAX}}}", re.ASCII)


def parse_body(data: bytes) -> dict[str, object]:
    """Read a JSON object; an empty body is an empty object, as some clients send on DELETE and empty updates.

    Raises PlivoError 400 on anything else: other JSON, other encodings, NaN, depth that exhausts the parser.
    """
    if not data.strip():
        return {}
    try:
        text = data.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise errors.PlivoError(400, errors.BODY_MALFORMED) from None
    if not isinstance(value, dict):
        raise errors.PlivoError(400, errors.BODY_MALFORMED)
    return value


def _refuse_constant(_name: str) -> object:
    raise ValueError("NaN and infinities are not JSON")


def fold_key(key: str) -> str:
    """`sessionExpiry`, `session_expiry` and `Session_Expiry` are the same key."""
    return key.replace("_", "").lower()


def pick_fields(body: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """Given values by canonical name; `names` maps folded spellings to them, unknown keys are ignored.

    The canonical spelling wins over its synonyms, whatever their order; null and blank strings are left out.
    """
    picked: dict[str, object] = {}
    for key, value in body.items():
        name = names.get(fold_key(key))
        if name is None or value is None or (name in picked and key != name):
            continue
        if isinstance(value, str) and not value.strip():
            continue
        picked[name] = value
    return picked


def read_text(name: str, value: object) -> str:
    """A short string without control characters; integers are taken for their digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**TEXT_LENGTH_MAX else None
    if not isinstance(value, str) or len(value) > TEXT_LENGTH_MAX or not value.isprintable():
        raise errors.not_valid(name)
    return value.strip()


def read_party(name: str, value: object) -> str:
    """The text of a telephone number, not yet parsed."""
    try:
        return read_text(name, value)
    except errors.PlivoError:
        raise errors.not_a_phone_number(name) from None


def parse_integer(value: object) -> int | None:
    """An integer, integral float or numeric string; None for everything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and _INTEGER.fullmatch(text := value.strip()):
        return int(text.partition(".")[0])
    return None


def read_integer(name: str, value: object, low: int, high: int, *, is_zero_absent: bool) -> int | None:
    """An integer from `low` to `high`; otherwise the 400 text for ranges."""
    number = parse_integer(value)
    if number == 0 and is_zero_absent:
        return None
    if number is None or not low <= number <= high:
        raise errors.outside_range(name)
    return number


def read_clamped(value: object, low: int, high: int) -> int | None:
    """An integer moved into `low`..`high`; zero and what is no integer count as not given."""
    number = parse_integer(value)
    return min(max(number, low), high) if number else None


def read_boolean(name: str, value: object) -> bool:
    """JSON true and false, or these words in any letter case."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and (word := value.strip().lower()) in ("true", "false"):
        return word == "true"
    raise errors.not_among(name, "true", "false")


def read_choice(name: str, value: object, *allowed: str) -> str:
    """One of `allowed`, in any letter case, answered as spelled there."""
    if isinstance(value, str):
        word = value.strip().lower()
        for choice in allowed:
            if choice.lower() == word:
                return choice
    raise errors.not_among(name, *allowed)


def read_url(name: str, value: object) -> str:
    """An absolute http or https URL of at most `URL_LENGTH_MAX` characters."""
    if not isinstance(value, str):
        raise errors.not_a_url(name)
    url = value.strip()
    if len(url) > URL_LENGTH_MAX:
        raise errors.url_too_long(name, URL_LENGTH_MAX)
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not url.isprintable() or " " in url:
        raise errors.not_a_url(name)
    return url


def read_pin(name: str, value: object) -> str:
    """4 to 15 digits; a support article of the vendor sends them as an integer."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**PIN_LENGTH_MAX:
        value = str(value)
    if not isinstance(value, str) or not _PIN.fullmatch(value):
        raise errors.not_a_pin(name)
    return value


def read_subaccount(name: str, value: object) -> str:
    """`SA` and 18 letters or digits."""
    if not isinstance(value, str) or not _SUBACCOUNT.fullmatch(value):
        raise errors.not_valid(name)
    return value
