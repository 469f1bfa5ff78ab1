import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.client.event_lines import DATA_LENGTH_MAX, EventReader, EventTooLargeError, SentEvent


def read(*lines: str) -> list[SentEvent]:
    reader = EventReader()
    return [event for line in lines if (event := reader.feed(line)) is not None]


def test_an_event_ends_with_an_empty_line() -> None:
    """Id and kind stand before the data; an id holds until the next one, a kind does not."""
    assert read("id: 7", "event: call.finished", "data: {", "data:}", "", "data: x", "") == [
        SentEvent(id="7", kind="call.finished", data="{\n}"),
        SentEvent(id="7", kind="message", data="x"),
    ]


def test_heartbeats_and_unknown_fields_are_no_events() -> None:
    """A comment keeps the connection busy and says nothing."""
    assert read(": heartbeat", "", "retry: 10", "", "event: lonely", "", "id: 3\0", "") == []


def test_a_cut_off_event_is_none() -> None:
    """What was not ended did not arrive."""
    assert read("id: 1", "data: x") == []


def test_a_place_counts_once_it_is_complete() -> None:
    """So that nobody goes on behind an event that was cut off; a place needs no event."""
    reader = EventReader()
    reader.feed("id: 1")
    assert reader.last_id == ""
    reader.feed("")
    assert reader.last_id == "1"
    reader.feed("id: 2")
    reader.feed("data: x")
    assert reader.last_id == "1"


def test_an_event_has_a_limit() -> None:
    """A peer that never ends one does not fill the memory."""
    reader = EventReader()
    reader.feed("data:" + "x" * DATA_LENGTH_MAX)
    with pytest.raises(EventTooLargeError):
        reader.feed("data:x")


@given(st.lists(st.text(st.characters(exclude_characters="\r\n\0"), max_size=20), min_size=1, max_size=4))
def test_data_comes_out_as_it_went_in(lines: list[str]) -> None:
    """Written line by line, read as one text."""
    written = [f"data: {line}" for line in lines]
    assert [event.data for event in read(*written, "")] == ["\n".join(lines)]


@given(st.lists(st.text(max_size=20), max_size=20))
def test_any_lines_are_read(lines: list[str]) -> None:
    """Nothing raises."""
    assert all(isinstance(event, SentEvent) for event in read(*lines))
