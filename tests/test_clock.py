import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.clock import SystemClock, from_datetime, to_datetime
from maskline.testing.clock import ManualClock


def test_system_clock_counts_microseconds_of_utc() -> None:
    """The clock agrees with the machine's to well under a second."""
    assert abs(SystemClock().now() / 1e6 - time.time()) < 0.5


@given(st.datetimes(timezones=st.just(UTC)))
def test_datetimes_survive_the_way_to_microseconds_and_back(moment: datetime) -> None:
    """No microsecond is lost or rounded."""
    assert to_datetime(from_datetime(moment)) == moment


def test_manual_clock_moves_only_when_told() -> None:
    """A test's clock stands still and never runs backwards."""
    clock = ManualClock(5)
    assert clock.now() == clock.now() == 5
    clock.advance(s=1.5, us=2)
    assert clock.now() == 1_500_007
    with pytest.raises(AssertionError):
        clock.advance(s=-1)
