import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.media.dtmf import KEYS, KeyEvent, make_key_press, parse_key_event, render_key_event
from maskline.media.errors import LocalProtocolError, RemoteProtocolError

events = st.builds(
    KeyEvent,
    key=st.sampled_from(KEYS),
    is_end=st.booleans(),
    duration=st.integers(0, 65_535),
    volume=st.integers(0, 63),
)


@given(events)
def test_round_trip(event: KeyEvent) -> None:
    """What is written is read back the same."""
    assert parse_key_event(render_key_event(event)) == event


@given(st.binary(max_size=8))
def test_any_bytes(payload: bytes) -> None:
    """Any bytes are a key or the peer's fault."""
    try:
        event = parse_key_event(payload)
    except RemoteProtocolError:
        return
    assert event.key in KEYS


def test_press_ends_three_times() -> None:
    """A press grows in duration and says its end three times."""
    press = [parse_key_event(payload) for payload in make_key_press("#", duration_ms=60)]
    assert [event.duration for event in press] == [160, 320, 480, 480, 480, 480]
    assert [event.is_end for event in press] == [False] * 3 + [True] * 3


def test_wire_form() -> None:
    """The payload is event, end and volume, duration."""
    assert render_key_event(KeyEvent(key="#", is_end=True, duration=800)) == b"\x0b\x8a\x03\x20"


@pytest.mark.parametrize(
    "event",
    [
        KeyEvent(key="x", is_end=False, duration=0),
        KeyEvent(key="", is_end=False, duration=0),
        KeyEvent(key="1", is_end=False, duration=70_000),
        KeyEvent(key="1", is_end=False, duration=0, volume=64),
    ],
)
def test_unsayable(event: KeyEvent) -> None:
    """A key or value that has no wire form is our own fault."""
    with pytest.raises(LocalProtocolError):
        render_key_event(event)
