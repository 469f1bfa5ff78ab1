"""Bodies and queries of the native dialect, read by their models; refusals say where and never what."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from maskline.api.native.errors import FieldError, NativeError

T = TypeVar("T", bound=BaseModel)

BODY_BYTES_MAX: Final = 65_536  # the largest is a list of two hundred numbers
ERROR_COUNT_MAX: Final = 20  # told at once; a body may have as many faults as bytes

# A field that we do not know is named by its sender: the name of a program's field, not somebody's number, and so with
# four digits at most.
_FIELD_NAME: Final = re.compile(r"(?!(?:[^0-9]*[0-9]){5})[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)
_UNTOLD: Final = "This value cannot be used."
# Kinds of errors whose message pydantic makes of the model alone, never of what was sent.
_TOLD: Final = frozenset(
    {
        "bool_parsing",
        "bool_type",
        "dict_type",
        "enum",
        "extra_forbidden",
        "greater_than",
        "greater_than_equal",
        "int_from_float",
        "int_parsing",
        "int_type",
        "less_than",
        "less_than_equal",
        "list_type",
        "literal_error",
        "missing",
        "model_attributes_type",
        "model_type",
        "string_pattern_mismatch",
        "string_too_long",
        "string_too_short",
        "string_type",
        "too_long",
        "too_short",
    }
)
_OWN: Final = frozenset({"country", "host", "instant", "network", "number", "time_zone", "url", "value"})
"""Kinds that our own validators raise, with a message of ours."""


def parse_body(model: type[T], body: bytes) -> T:
    """Read a JSON body, which may be left out where no field of it is needed. Raises NativeError."""
    if not body and not any(field.is_required() for field in model.model_fields.values()):
        body = b"{}"
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise refusal_of(error) from None


def parse_query(model: type[T], pairs: Iterable[tuple[str, str]]) -> T:
    """Read a query, in which each name may stand once. Raises NativeError."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            where = _pointer((name,))
            raise NativeError("invalid", errors=(FieldError(where, "repeated", "It may stand once."),))
        found[name] = value
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise refusal_of(error) from None


def refusal_of(error: ValidationError) -> NativeError:
    """The refusal that tells what a model found."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    if any(it["type"] == "json_invalid" for it in found):
        return NativeError("malformed", "The body must be JSON.")
    return NativeError("invalid", errors=tuple(dict.fromkeys(_tell(it) for it in found[:ERROR_COUNT_MAX])))


def _tell(it: ErrorDetails) -> FieldError:
    kind = it["type"]
    detail = it["msg"] if kind in _TOLD or kind in _OWN else _UNTOLD
    return FieldError(_pointer(it["loc"]), kind.replace("_", "-"), detail)


def _pointer(location: Sequence[Any]) -> str:
    """A JSON pointer (RFC 6901), as far as it can be told: nothing of it was made up by the sender but field names."""
    parts = []
    for part in location:
        text = str(part)
        if not (isinstance(part, int) or _FIELD_NAME.fullmatch(text)):
            break
        parts.append(text)
    return "".join("/" + part for part in parts)
