"""Tests of the timer queues."""

from hypothesis import given
from hypothesis import strategies as st

from maskline.sip.timers import COMPACT_COUNT_MIN, Timer, TimerName, TimerQueues


def test_timers_fire_in_order_of_their_instants() -> None:
    """Earlier instants come first, equal ones in the order they were set."""
    timers: TimerQueues[str] = TimerQueues()
    for at, target in ((2.0, "late"), (1.0, "first"), (1.0, "second")):
        timers.set(0.0, at, TimerName.LINGER, target)
    fired = [timers.pop_due(2.0) for _ in range(3)]
    assert [timer.target for timer in fired if timer is not None] == ["first", "second", "late"]


def test_nothing_fires_before_its_instant() -> None:
    """A timer is due at its instant and not before."""
    timers: TimerQueues[str] = TimerQueues()
    timers.set(0.0, 1.0, TimerName.LINGER, "x")
    assert timers.pop_due(0.999) is None
    assert timers.next_at() == 1.0
    assert timers.pop_due(1.0) is not None
    assert timers.next_at() is None


def test_cancelled_timers_do_not_fire() -> None:
    """A cancelled timer is neither due nor next, and cancelling twice or nothing is harmless."""
    timers: TimerQueues[str] = TimerQueues()
    timer = timers.set(0.0, 1.0, TimerName.LINGER, "x")
    timers.cancel(timer)
    timers.cancel(timer)
    timers.cancel(None)
    assert timers.next_at() is None
    assert timers.pop_due(9.0) is None
    assert len(timers) == 0


def test_cancelling_a_fired_timer_counts_nothing() -> None:
    """The count of live timers is right when a fired timer is cancelled later."""
    timers: TimerQueues[str] = TimerQueues()
    timer = timers.set(0.0, 1.0, TimerName.LINGER, "x")
    timers.pop_due(1.0)
    timers.cancel(timer)
    assert len(timers) == 0


def test_a_cancelled_timer_lets_go_of_its_target() -> None:
    """What a timer was about is not kept in memory until its instant."""
    timers: TimerQueues[str] = TimerQueues()
    timer = timers.set(0.0, 60.0, TimerName.PROVISIONAL, "leg")
    timers.cancel(timer)
    assert timer.target is None


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 50), st.sampled_from(list(TimerName)), st.booleans())
    )
)
def test_queues_agree_with_a_list(plan: list[tuple[int, int, TimerName, bool]]) -> None:
    """What fires is what was set and not cancelled, by instant and then in the order it was set."""
    timers: TimerQueues[int] = TimerQueues()
    kept: list[tuple[float, int]] = []
    now = 0.0
    for number, (step, delay_s, name, is_cancelled) in enumerate(plan):
        now += step
        timer = timers.set(now, float(delay_s), name, number)
        if is_cancelled:
            timers.cancel(timer)
        else:
            kept.append((now + delay_s, number))
        assert timers.next_at() == (min(kept)[0] if kept else None)
    assert len(timers) == len(kept)
    fired: list[Timer[int]] = []
    while (due := timers.pop_due(now + 50.0)) is not None:
        fired.append(due)
    assert [(timer.at, timer.target) for timer in fired] == sorted(kept)
    assert timers.held_count == 0


def test_dead_timers_do_not_pile_up() -> None:
    """When most timers are cancelled they are let go, long before their instants."""
    timers: TimerQueues[int] = TimerQueues()
    for number in range(COMPACT_COUNT_MIN * 10):
        timers.cancel(timers.set(0.0, 1_000.0, TimerName.LINGER, number))
    assert timers.held_count <= COMPACT_COUNT_MIN
    assert len(timers) == 0
