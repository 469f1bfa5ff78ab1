import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.api.native.errors import FieldError, NativeError
from maskline.api.native.models.webhooks import DeliveryQuery, NewWebhook
from maskline.api.native.parsing import ERROR_COUNT_MAX, parse_body, parse_query
from maskline.core.delivery import DeliveryState
from maskline.core.events import EventKind


def _errors(body: bytes) -> tuple[FieldError, ...]:
    with pytest.raises(NativeError) as caught:
        parse_body(NewWebhook, body)
    assert caught.value.code == "invalid"
    return caught.value.errors


def test_a_body_in_our_words() -> None:
    """Event names become kinds; what is left out has its default."""
    parsed = parse_body(NewWebhook, b'{"url": "https://a.example/", "events": ["call.started"]}')
    assert (parsed.events, parsed.include_numbers) == ([EventKind.CALL_STARTED], False)


def test_a_query_in_our_words() -> None:
    """Texts become states and numbers."""
    parsed = parse_query(DeliveryQuery, [("state", "dead"), ("limit", "5")])
    assert (parsed.state, parsed.limit, parsed.after) == (DeliveryState.DEAD, 5, None)


@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Nothing a client sends becomes another kind of error."""
    with suppress(NativeError):
        parse_body(NewWebhook, body)


@given(st.lists(st.tuples(st.text(max_size=10), st.text(max_size=10)), max_size=4))
def test_any_query_is_read_or_refused(pairs: list[tuple[str, str]]) -> None:
    """Nothing a client sends becomes another kind of error."""
    with suppress(NativeError):
        parse_query(DeliveryQuery, pairs)


def test_refusals_name_the_place_and_not_the_value() -> None:
    """What was sent may be a secret."""
    errors = _errors(b'{"url": 5, "include_numbers": "hidden-word", "events": ["call.started", "hidden"]}')
    assert {(it.pointer, it.code) for it in errors} == {
        ("/url", "string-type"),
        ("/include_numbers", "bool-type"),
        ("/events/1", "enum"),
    }
    assert "hidden" not in str(errors)


def test_an_unknown_field_is_pointed_at() -> None:
    """By its name, where that can be a field's name; else only the place it stands in is told."""
    told = _errors(b'{"url": "https://a.example/", "colour": 1, "+912025550000": 2}')
    assert {(it.pointer, it.code) for it in told} == {("/colour", "extra-forbidden"), ("", "extra-forbidden")}


@given(
    st.from_regex(r"[A-Za-z_-]{0,4}", fullmatch=True),
    st.from_regex(r"(?:[0-9][_-]?){5,15}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9_-]{0,4}", fullmatch=True),
)
def test_what_has_a_number_in_it_is_no_field_s_name(before: str, digits: str, after: str) -> None:
    """However it is dressed up; a few digits are in many names."""
    [told] = _errors(json.dumps({"url": "https://a.example/", "x" + before + digits + after: 1}).encode())
    assert told.pointer == ""
    [told] = _errors(b'{"url": "https://a.example/", "line_2024": 1}')
    assert told.pointer == "/line_2024"


def test_not_every_fault_is_told() -> None:
    """A body may have as many faults as bytes."""
    fields = ",".join(f'"f{index}": 1' for index in range(200))
    assert len(_errors(f"{{{fields}}}".encode())) <= ERROR_COUNT_MAX


def test_a_parameter_stands_once() -> None:
    """Which of two is meant would be a guess."""
    with pytest.raises(NativeError) as caught:
        parse_query(DeliveryQuery, [("limit", "1"), ("limit", "2")])
    assert caught.value.errors == (FieldError("/limit", "repeated", "It may stand once."),)
