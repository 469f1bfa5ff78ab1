"""What a request of the DeepCall dialect says, wherever it says it.

The vendor's samples send JSON with no Content-Type, with that of plain text, and with that of forms: the bytes
decide. Fields of the body come before those of the query.
Source: Sarv DeepCall v2, Masking, Set, code samples.
"""

import json
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from fastapi import Request

from maskline.api.body import read_body
from maskline.api.deepcall.errors import Code, DeepCallError

BODY_BYTES_MAX = 65_536  # a dozen short fields leave ample room
FIELD_COUNT_MAX = 100  # of forms and queries

Fields = Mapping[str, object]
"""Given values by folded name."""


async def read_fields(request: Request) -> Fields:
    """Read the fields of body and query. Raises DeepCallError 1047 when there are none."""
    in_body = parse_body(await read_body(request, BODY_BYTES_MAX))
    in_query = parse_form(request.scope["query_string"].decode("latin-1"))
    if not in_body and not in_query:
        raise DeepCallError(Code.MALFORMED)
    return {**in_query, **in_body}


def parse_body(data: bytes) -> dict[str, object]:
    """Read a JSON object or else a form; nothing at all is no fields. Raises DeepCallError 1047."""
    if not data.strip():
        return {}
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DeepCallError(Code.MALFORMED) from None
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return _parse_as_form(text)
    if not isinstance(value, dict):
        raise DeepCallError(Code.MALFORMED)
    return pick_fields(value.items())


def parse_form(text: str) -> dict[str, object]:
    """Read a form or a query. Raises DeepCallError 1047 when it has far too many fields."""
    try:
        return pick_fields(parse_qsl(text.strip(), max_num_fields=FIELD_COUNT_MAX))
    except ValueError:
        raise DeepCallError(Code.MALFORMED) from None


def fold_name(name: str) -> str:
    """`userId`, `user_id` and `USERID` are the same field."""
    return name.replace("_", "").lower()


def find_field(fields: Fields, name: str) -> object | None:
    """What was given under a name, however it was written; None when nothing was."""
    return fields.get(fold_name(name))


def pick_fields(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Values by folded name; null and blank texts are not given, the first of two spellings counts."""
    picked: dict[str, object] = {}
    for name, value in pairs:
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        picked.setdefault(fold_name(name), value)
    return picked


def _parse_as_form(text: str) -> dict[str, object]:
    if "=" not in text or text.lstrip()[:1] in {"{", "[", '"'}:
        raise DeepCallError(Code.MALFORMED)  # broken JSON, though it may hold an equals sign
    return parse_form(text)


def _refuse_constant(_name: str) -> object:
    raise ValueError("NaN and infinities are not JSON")
