from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.client.retries import NO_RETRIES, RetryPolicy, decide_wait, parse_retry_after

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@given(st.integers(1, 50), st.floats(0, 1))
def test_waits_are_bounded(attempt_count: int, chance: float) -> None:
    """Whatever happened, nobody waits longer than the policy says, and never without end."""
    policy = RetryPolicy(attempt_max=40)
    wait_s = decide_wait(policy, attempt_count, asked_s=None, chance=chance)
    if attempt_count >= 40:
        assert wait_s is None
    else:
        assert wait_s is not None
        assert policy.first_wait_s / 2 <= wait_s <= policy.longest_wait_s


def test_what_the_service_asks_for_is_waited() -> None:
    """Unless it is too long."""
    policy = RetryPolicy()
    assert decide_wait(policy, 1, asked_s=60.0, chance=0) == 60.0
    assert decide_wait(policy, 1, asked_s=60.1, chance=0) is None
    assert decide_wait(NO_RETRIES, 1, asked_s=1.0, chance=0) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 12:00:30 -0000", 30.0),
        ("soon", None),
        ("-1", None),
        ("9" * 400, None),
    ],
)
def test_both_forms_of_retry_after(header: str | None, seconds: float | None) -> None:
    """Seconds or a date; what is neither is passed over."""
    assert parse_retry_after(header, NOW) == seconds


@given(st.text(max_size=60))
def test_any_header_is_read(header: str) -> None:
    """No header raises, and none asks for a negative wait."""
    seconds = parse_retry_after(header, NOW)
    assert seconds is None or seconds >= 0
