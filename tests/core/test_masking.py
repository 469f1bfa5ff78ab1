import pytest

from maskline.core.masking import SessionStatus
from tests.builders import a_session


@pytest.mark.parametrize(
    ("now", "status"),
    [(999, SessionStatus.ACTIVE), (1000, SessionStatus.EXPIRED), (1001, SessionStatus.EXPIRED)],
)
def test_status_is_read_from_the_clock(now: int, status: SessionStatus) -> None:
    """A session is over from its end instant on, marked or not."""
    assert a_session(created_at=0, ends_at=1000).status(now) is status


@pytest.mark.parametrize(("ends_at", "seconds"), [(1_999_999, 1), (2_000_000, 2), (0, 0)])
def test_duration_cuts_the_fraction_off(ends_at: int, seconds: int) -> None:
    """Duration is whole seconds from creation to end."""
    assert a_session(created_at=0, ends_at=ends_at).duration_s == seconds
