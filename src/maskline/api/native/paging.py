"""Pages of lists: a cursor names the last thing that was seen, so that what is added since moves nothing.

A cursor is opaque to clients. It is checked, not signed: a forged one only begins elsewhere in the same list.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from maskline.api.native.errors import NativeError
from maskline.api.native.models.common import CURSOR_LENGTH_MAX, ListOf

T = TypeVar("T")
M = TypeVar("M")

Key = tuple[int | str, ...]
"""What a list is sorted by, in a thing's own values: whole numbers of a database and short texts."""

_INTEGER_MAX: Final = 2**63 - 1
_TEXT_LENGTH_MAX: Final = 200


def make_cursor(list_name: str, key: Key) -> str:
    """The cursor behind the thing with this key."""
    text = json.dumps([list_name, *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(list_name: str, cursor: str | None, *types: type[int] | type[str]) -> Key | None:
    """The key that a cursor of this list stands for. Raises NativeError."""
    if cursor is None:
        return None
    key = _decode(list_name, cursor)
    if key is None or len(key) != len(types):
        raise NativeError("cursor-invalid")
    if not all(_is_of(value, type_) for value, type_ in zip(key, types, strict=True)):
        raise NativeError("cursor-invalid")
    return key


def _decode(list_name: str, cursor: str) -> Key | None:
    if len(cursor) > CURSOR_LENGTH_MAX:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = json.loads(text)
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(found, list) or not found or found[0] != list_name:
        return None
    return tuple(found[1:])


def _is_of(value: object, type_: type[int] | type[str]) -> bool:
    match value:
        case bool():
            return False
        case int():
            return type_ is int and 0 <= value <= _INTEGER_MAX
        case str():
            return type_ is str and len(value) <= _TEXT_LENGTH_MAX and value.isascii() and value.isprintable()
        case _:
            return False


def page_of(
    list_name: str, found: Sequence[T], limit: int, *, render: Callable[[T], M], key: Callable[[T], Key]
) -> ListOf[M]:
    """A page of at most `limit` things; `found` has one more where there are more."""
    shown = found[:limit]
    has_more = len(found) > limit
    return ListOf(
        data=[render(it) for it in shown],
        next=make_cursor(list_name, key(shown[-1])) if has_more else None,
        has_more=has_more,
    )
