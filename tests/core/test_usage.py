from dataclasses import replace

import pytest

from maskline.core.usage import NOTHING_USED, needed_number_count


@pytest.mark.parametrize(("busiest", "needed"), [(0, 0), (1, 1), (2, 3), (7, 13)])
def test_what_never_runs_out(busiest: int, needed: int) -> None:
    """One number less than twice what the busiest party has; none where nobody has any."""
    assert needed_number_count(busiest) == needed
    assert replace(NOTHING_USED, busiest_party_session_count=busiest).needed_number_count == needed


def test_what_is_left_for_the_busiest() -> None:
    """What is taken on numbers that take no new sessions does not make it less than nothing."""
    counts = replace(NOTHING_USED, number_count=5, healthy_count=3, taken_for_busiest=2)
    assert counts.free_for_busiest == 1
    assert replace(counts, taken_for_busiest=4).free_for_busiest == 0
