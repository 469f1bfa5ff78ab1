from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.api.native.errors import NativeError
from maskline.api.native.wire import DeliveryQuery, NewWebhook, parse_body, parse_query
from maskline.core.delivery import DeliveryState, NewEndpoint
from maskline.core.events import EventKind


def test_a_body_in_our_words() -> None:
    """Event names become kinds; what is left out has its default."""
    parsed = parse_body(NewWebhook, b'{"url": "https://a.example/", "events": ["call.started"]}')
    assert parsed.new_endpoint() == NewEndpoint(
        url="https://a.example/", kinds=frozenset({EventKind.CALL_STARTED}), sends_numbers=False
    )


def test_a_query_in_our_words() -> None:
    """Texts become states and numbers."""
    parsed = parse_query(DeliveryQuery, {"state": "dead", "limit": "5"})
    assert (parsed.state, parsed.limit, parsed.before) == (DeliveryState.DEAD, 5, None)


@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Nothing a client sends becomes another kind of error."""
    with suppress(NativeError):
        parse_body(NewWebhook, body)


def test_refusals_name_the_field_and_not_its_value() -> None:
    """What was sent may be a secret."""
    with pytest.raises(NativeError) as caught:
        parse_body(NewWebhook, b'{"url": "https://a.example/", "include_numbers": "hidden-word"}')
    assert caught.value.detail == "include_numbers: bool_type"
