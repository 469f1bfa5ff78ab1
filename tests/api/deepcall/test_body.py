"""Fields of bodies and queries, whatever type they are said to have."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.api.deepcall.body import FIELD_COUNT_MAX, parse_body, parse_form, pick_fields
from maskline.api.deepcall.errors import Code, DeepCallError


def test_json_is_read_as_it_is_meant() -> None:
    """Numbers stay numbers; a byte order mark and blanks around do no harm."""
    text = b'\xef\xbb\xbf {"ssid": "s", "m1": 9812300001, "expiry_duration": -1} \n'
    assert parse_body(text) == {"ssid": "s", "m1": 9812300001, "expiryduration": -1}


def test_forms_are_read_where_there_is_no_json() -> None:
    """As curl and browsers send them."""
    assert parse_body(b"ssid=s&m1=%2B919812300001&eventId=a+b&token=") == {
        "ssid": "s",
        "m1": "+919812300001",
        "eventid": "a b",
    }


@pytest.mark.parametrize(
    "data",
    [
        b"null",
        b"[]",
        b'"m1=1"',
        b"12",
        b"true",
        b"hello",
        b'{"m1": 1',
        b'{"m1": "a=b"',
        b'{"m1": 0981}',  # a leading zero is no JSON number
        b'{"m1": +91}',
        b'{"m1": NaN}',
        b'{"m1": ' + b"9" * 5000 + b"}",
        b"\xff\xfe",
        b"[" * 100_000,
        b"m1=1&" * (FIELD_COUNT_MAX + 1),
    ],
)
def test_anything_else_is_malformed(data: bytes) -> None:
    """1047."""
    with pytest.raises(DeepCallError) as caught:
        parse_body(data)
    assert caught.value.code is Code.MALFORMED


def test_an_empty_body_has_no_fields() -> None:
    """The query may have them."""
    assert parse_body(b" \r\n") == {}
    assert parse_form("") == {}


def test_spellings_of_names_meet() -> None:
    """Any letter case, with or without underscores; the first that says something counts."""
    assert pick_fields([("user_id", " "), ("userId", None), ("USERID", "1"), ("userid", "2")]) == {
        "userid": "1"
    }


@given(st.dictionaries(st.text("abcXYZ_", min_size=1), st.integers() | st.text(min_size=1)))
def test_values_come_through_unchanged(fields: dict[str, object]) -> None:
    """Nothing is converted on the way; only blanks are dropped."""
    given_ = {k.replace("_", "").lower(): v for k, v in fields.items() if str(v).strip()}
    assert parse_body(json.dumps(given_).encode()) == given_
