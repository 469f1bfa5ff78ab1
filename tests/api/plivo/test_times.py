import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.api.plivo.times import parse_time, render_time


def test_times_look_as_recorded() -> None:
    """UTC to the second, with both ways of saying so."""
    assert render_time(1_717_039_932_999_999) == "2024-05-30 03:32:12 +0000 UTC"
    assert render_time(None) == ""


@given(st.integers(0, 4_000_000_000))
def test_what_is_written_can_be_read(second: int) -> None:
    """A time copied from an answer into a filter names its second."""
    assert parse_time("created_time", render_time(second * 1_000_000)) == (second * 1_000_000, 1_000_000)


@pytest.mark.parametrize(
    ("text", "width"), [("1970-01-01 00:00:00.5", 100_000), ("1970-01-01 00:00:00.1234567", 1)]
)
def test_fractions_have_their_width(text: str, width: int) -> None:
    """More digits than microseconds are cut off."""
    assert parse_time("created_time", text)[1] == width
