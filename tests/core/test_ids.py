import uuid

from hypothesis import given
from hypothesis import strategies as st

from maskline.core.ids import RANDOM_LENGTH, draw_ordered_id

instants = st.integers(min_value=0, max_value=2**62)
randoms = st.binary(min_size=RANDOM_LENGTH, max_size=RANDOM_LENGTH)


@given(instants, randoms)
def test_ids_have_the_form_of_version_4(now: int, random: bytes) -> None:
    """Clients that check the form accept them."""
    text = draw_ordered_id(now, random)
    assert uuid.UUID(text).version == 4
    assert uuid.UUID(text).variant == uuid.RFC_4122
    assert str(uuid.UUID(text)) == text


@given(
    st.integers(min_value=0, max_value=2**52), st.integers(min_value=1000, max_value=2**52), randoms, randoms
)
def test_later_ids_come_later(now: int, later_by: int, one: bytes, other: bytes) -> None:
    """A millisecond apart, whatever was drawn, the texts are in the order of their instants."""
    assert draw_ordered_id(now, one) < draw_ordered_id(now + later_by, other)


@given(instants, randoms, randoms)
def test_ids_of_one_moment_differ_by_what_was_drawn(now: int, one: bytes, other: bytes) -> None:
    """All random bits but those of the form and of the instant are kept."""

    def kept(random: bytes) -> int:
        return int.from_bytes(random[6:]) & ~(0xF << 76 | 0x3 << 62)

    assert (draw_ordered_id(now, one) == draw_ordered_id(now, other)) == (kept(one) == kept(other))
