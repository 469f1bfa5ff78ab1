import pytest
from tests.world import NOW, SECOND, person, virtual

from maskline.webhooks.deepcall_words import (
    CALL_STATUSES,
    CALL_TYPES,
    count_seconds,
    name_call_type,
    render_digits,
    render_time,
)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("UTC", "2026-09-21 14:13:20"),
        ("Asia/Kolkata", "2026-09-21 19:43:20"),
        ("America/New_York", "2026-09-21 10:13:20"),
    ],
)
def test_times_are_those_of_a_zone(zone: str, shown: str) -> None:
    """With the offset it has at that moment; a fraction is cut off."""
    assert render_time(NOW, zone) == shown
    assert render_time(NOW + SECOND - 1, zone) == shown


def test_numbers_have_no_plus() -> None:
    """People's and virtual ones; nobody is an empty text."""
    assert render_digits(person(1)) == "919800000001"
    assert render_digits(virtual(1)) == "912200000001"
    assert render_digits(None) == ""


@pytest.mark.parametrize(("us", "seconds"), [(-5, 0), (0, 0), (1, 1), (SECOND, 1), (SECOND + 1, 2)])
def test_a_started_second_counts(us: int, seconds: int) -> None:
    """And nothing lasts less than nothing."""
    assert count_seconds(NOW, NOW + us) == seconds


def test_calls_are_of_two_types() -> None:
    """Dialled or placed; and as many answer as there are statuses but one."""
    assert (
        name_call_type(is_service_initiated=False),
        name_call_type(is_service_initiated=True),
    ) == CALL_TYPES
    assert CALL_TYPES == ("MASK", "CTC")
    assert CALL_STATUSES == (1, 2, 3)
