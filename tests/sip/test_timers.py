"""Tests of the timer heap."""

from hypothesis import given
from hypothesis import strategies as st

from maskline.sip.timers import COMPACT_COUNT_MIN, Timer, TimerHeap, TimerName


def test_timers_fire_in_order_of_their_instants() -> None:
    """Earlier instants come first, equal ones in the order they were set."""
    heap: TimerHeap[str] = TimerHeap()
    for at, target in ((2.0, "late"), (1.0, "first"), (1.0, "second")):
        heap.set(at, TimerName.LINGER, target)
    fired = [heap.pop_due(2.0) for _ in range(3)]
    assert [timer.target for timer in fired if timer is not None] == ["first", "second", "late"]


def test_nothing_fires_before_its_instant() -> None:
    """A timer is due at its instant and not before."""
    heap: TimerHeap[str] = TimerHeap()
    heap.set(1.0, TimerName.LINGER, "x")
    assert heap.pop_due(0.999) is None
    assert heap.next_at() == 1.0
    assert heap.pop_due(1.0) is not None
    assert heap.next_at() is None


def test_cancelled_timers_do_not_fire() -> None:
    """A cancelled timer is neither due nor next, and cancelling twice or nothing is harmless."""
    heap: TimerHeap[str] = TimerHeap()
    timer = heap.set(1.0, TimerName.LINGER, "x")
    heap.cancel(timer)
    heap.cancel(timer)
    heap.cancel(None)
    assert heap.next_at() is None
    assert heap.pop_due(9.0) is None
    assert len(heap) == 0


def test_cancelling_a_fired_timer_counts_nothing() -> None:
    """The count of live timers is right when a fired timer is cancelled later."""
    heap: TimerHeap[str] = TimerHeap()
    timer = heap.set(1.0, TimerName.LINGER, "x")
    heap.pop_due(1.0)
    heap.cancel(timer)
    assert len(heap) == 0


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=200))
def test_heap_agrees_with_a_list(plan: list[tuple[int, bool]]) -> None:
    """What fires is what was set and not cancelled, sorted."""
    heap: TimerHeap[int] = TimerHeap()
    kept: list[tuple[float, int]] = []
    for number, (at, is_cancelled) in enumerate(plan):
        timer = heap.set(float(at), TimerName.LINGER, number)
        if is_cancelled:
            heap.cancel(timer)
        else:
            kept.append((float(at), number))
    assert len(heap) == len(kept)
    fired: list[Timer[int]] = []
    while (due := heap.pop_due(50.0)) is not None:
        fired.append(due)
    assert [(timer.at, timer.target) for timer in fired] == sorted(kept)


def test_dead_timers_do_not_pile_up() -> None:
    """When most timers are cancelled the heap lets them go, long before their instants."""
    heap: TimerHeap[int] = TimerHeap()
    for number in range(COMPACT_COUNT_MIN * 10):
        heap.cancel(heap.set(1_000.0, TimerName.LINGER, number))
    assert len(heap._heap) <= COMPACT_COUNT_MIN
    assert len(heap) == 0
