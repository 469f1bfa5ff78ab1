from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.webhooks.builders import NOW, SECOND, a_delivery

from maskline.clock import to_datetime
from maskline.core.delivery import ENDPOINT_DIALECTS, DeliveryState, Dialect, FinishedAttempt
from maskline.webhooks.schedule import (
    DELAY_S_MAX,
    Answered,
    Outcome,
    Unanswered,
    decide_attempt,
    delay_s,
    parse_retry_after,
)
from maskline.webhooks.target import CallbackTarget, RetryCause, parse_callback_target

TARGET = CallbackTarget(url="https://app.example.com/cb")
TIMEOUT = Unanswered(error="timeout", cause=RetryCause.READ)
HOUR_S = 3600


def _decide(
    outcome: Outcome,
    *,
    target: CallbackTarget = TARGET,
    now: int = NOW,
    chance: float = 0.5,
    **changed: object,
) -> FinishedAttempt:
    return decide_attempt(
        a_delivery(**changed), target, outcome, started_at=now - SECOND, now=now, chance=chance
    )


def _wait_s(attempt: FinishedAttempt, now: int = NOW) -> float:
    assert attempt.state is DeliveryState.PENDING
    assert attempt.retry_at is not None
    return (attempt.retry_at - now) / SECOND


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226, 299])
def test_success_is_delivered(status: int) -> None:
    """Any 2xx ends a delivery."""
    attempt = _decide(Answered(status=status))
    assert (attempt.state, attempt.status, attempt.error) == (DeliveryState.DELIVERED, status, None)


@pytest.mark.parametrize("status", [300, 301, 302, 307, 400, 401, 404, 410, 429, 500, 503, 599])
def test_every_other_status_is_tried_again(status: int) -> None:
    """Redirects are no success, and a callback that is gone may be back."""
    attempt = _decide(Answered(status=status))
    assert (attempt.state, attempt.status, attempt.is_gone) == (DeliveryState.PENDING, status, False)


@pytest.mark.parametrize("dialect", ENDPOINT_DIALECTS)
def test_gone_disables_an_endpoint(dialect: Dialect) -> None:
    """An endpoint that says 410 gets nothing more; the delivery is dead and can be replayed."""
    attempt = _decide(Answered(status=410), dialect=dialect)
    assert (attempt.state, attempt.error, attempt.is_gone) == (DeliveryState.DEAD, "gone", True)


def test_first_retries_come_fast_and_later_ones_double() -> None:
    """5 s, 30 s, 2 min, then twice as long each time, to six hours."""
    delays = [delay_s(count, 0.5) for count in range(12)]
    assert delays == [5, 30, 120, 240, 480, 960, 1920, 3840, 7680, 15_360, 21_600, 21_600]
    assert delay_s(10**6, 0.5) == DELAY_S_MAX


@given(count=st.integers(0, 50), chance=st.floats(0, 1, exclude_max=True))
def test_jitter_is_a_fifth_either_way(count: int, chance: float) -> None:
    """What failed together does not come back together, yet not at any other time either."""
    assert 0.8 <= delay_s(count, chance) / delay_s(count, 0.5) <= 1.2


@given(st.randoms(use_true_random=False))
def test_the_schedule_spans_72_hours(chance: "object") -> None:
    """A receiver that never answers is tried until the third day is over, and not a moment longer."""
    draw = chance.random  # type: ignore[attr-defined]
    delivery, instants = a_delivery(), [NOW]
    while True:
        now = instants[-1]
        attempt = decide_attempt(delivery, TARGET, TIMEOUT, started_at=now, now=now, chance=draw())
        if attempt.state is DeliveryState.DEAD:
            break
        assert attempt.retry_at is not None
        instants.append(attempt.retry_at)
        delivery = replace(delivery, attempt_count=delivery.attempt_count + 1)
    assert instants[-1] - NOW == 72 * HOUR_S * SECOND
    assert 15 <= len(instants) <= 30
    assert all(earlier < later for earlier, later in pairwise(instants))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("-5", None),
        ("soon", None),
        ("9" * 100, None),
        (format_datetime(to_datetime(NOW) + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(to_datetime(NOW) - timedelta(seconds=90), usegmt=True), 0.0),
        ("Sun, 06 Nov 9999999 08:49:37 GMT", None),
    ],
)
def test_retry_after_is_read(text: str | None, seconds: float | None) -> None:
    """Seconds or a date, and nothing else."""
    assert parse_retry_after(text, NOW) == seconds


@given(st.text(max_size=70))
def test_any_retry_after_is_survived(text: str) -> None:
    """A header field of any content gives a wait or none."""
    seconds = parse_retry_after(text, NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("status", "retry_after", "wait_s"),
    [
        (503, "60", 60.0),
        (429, "60", 60.0),
        (503, "1", 5.0),  # never sooner than without it
        (503, "999999", DELAY_S_MAX),
        (500, "60", 5.0),  # means nothing there
    ],
)
def test_retry_after_counts_within_bounds(status: int, retry_after: str, wait_s: float) -> None:
    """A receiver that says when it will be back is believed, up to six hours."""
    assert _wait_s(_decide(Answered(status=status, retry_after=retry_after))) == wait_s


@pytest.mark.parametrize(("attempt_count", "is_dead"), [(0, False), (1, False), (2, True)])
def test_a_fragment_bounds_the_retries(attempt_count: int, is_dead: bool) -> None:
    """`rc=2` means three attempts in all."""
    target = parse_callback_target("https://app.example.com/cb#rc=2")
    attempt = _decide(TIMEOUT, target=target, attempt_count=attempt_count)
    assert (attempt.state is DeliveryState.DEAD) == is_dead


@pytest.mark.parametrize(
    ("outcome", "policy", "is_dead"),
    [
        (Answered(status=404), "4xx", False),
        (Answered(status=404), "5xx,ct,rt", True),
        (Answered(status=500), "5xx", False),
        (Answered(status=302), "4xx,5xx,ct,rt", True),
        (Answered(status=302), "all", False),
        (TIMEOUT, "rt", False),
        (TIMEOUT, "ct", True),
        (Unanswered(error="dns", cause=RetryCause.CONNECT), "ct", False),
    ],
)
def test_a_fragment_says_what_is_retried(outcome: Outcome, policy: str, is_dead: bool) -> None:
    """`rp` names the failures worth another attempt."""
    target = parse_callback_target(f"https://app.example.com/cb#rp={policy}")
    assert (_decide(outcome, target=target).state is DeliveryState.DEAD) == is_dead


def test_what_is_never_requested_is_dead_at_once() -> None:
    """A URL of another scheme does not become one of ours by waiting."""
    refused = Unanswered(error="refused-scheme", cause=RetryCause.CONNECT, is_final=True)
    attempt = _decide(refused)
    assert (attempt.state, attempt.error) == (DeliveryState.DEAD, "refused-scheme")
