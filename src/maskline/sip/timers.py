"""Timers as data: one heap for a whole user agent, so that a driver arms one alarm.

A timer is cancelled by marking it; marked ones leave the heap when they come to its top, or all together when
they are the majority.
"""

from enum import StrEnum
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

# Below this size dead timers cost less than looking for them.
COMPACT_COUNT_MIN = 1_024

Target = TypeVar("Target")


class TimerName(StrEnum):
    """The timers of RFC 3261 table 4 and RFC 6026, by what they are for, and those of a leg."""

    RETRANSMIT = "retransmit"
    """A, E and G: send the same bytes again."""
    TIMEOUT = "timeout"
    """B, F and H: the other side did not answer."""
    LINGER = "linger"
    """D, I, J, K, L and M: absorb what is still on its way, then forget."""
    REPEAT_2XX = "repeat-2xx"
    """13.3.1.4: our 2xx again, until its ACK."""
    ACK_WAIT = "ack-wait"
    """13.3.1.4: 64*T1 without ACK, the dialog ends."""
    CANCEL_WAIT = "cancel-wait"
    """9.1: 64*T1 after CANCEL without a final answer, the INVITE is given up."""
    PROVISIONAL = "provisional"
    """13.3.1.1: a ringing INVITE says so again every minute, lest proxies end it."""
    FORGET_ENDING = "forget-ending"
    """No copy of a refused INVITE can be under way any more."""
    FORGET_HOSTS = "forget-hosts"
    """The same of a dialog's requests."""


class Timer(Generic[Target]):
    """One alarm: `at` is an instant of the caller's clock in seconds, `target` what it concerns."""

    __slots__ = ("at", "is_cancelled", "name", "target")

    def __init__(self, at: float, name: TimerName, target: Target) -> None:
        self.at = at
        self.name = name
        self.target = target
        self.is_cancelled = False


class TimerHeap(Generic[Target]):
    """Timers in order of their instants; equal instants fire in the order they were set."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer[Target]]] = []
        self._count = 0
        self._cancelled_count = 0

    def __len__(self) -> int:
        """Count the timers that will fire."""
        return len(self._heap) - self._cancelled_count

    def set(self, at: float, name: TimerName, target: Target) -> Timer[Target]:
        """Arm a timer."""
        timer = Timer(at, name, target)
        self._count += 1
        heappush(self._heap, (at, self._count, timer))
        return timer

    def cancel(self, timer: Timer[Target] | None) -> None:
        """Disarm a timer; one that fired, was cancelled or never was is left alone."""
        if timer is None or timer.is_cancelled:
            return
        timer.is_cancelled = True
        self._cancelled_count += 1
        if self._cancelled_count * 2 > len(self._heap) >= COMPACT_COUNT_MIN:
            self._heap = [entry for entry in self._heap if not entry[2].is_cancelled]
            heapify(self._heap)
            self._cancelled_count = 0

    def next_at(self) -> float | None:
        """Return the instant of the next timer, or None."""
        heap = self._heap
        while heap and heap[0][2].is_cancelled:
            heappop(heap)
            self._cancelled_count -= 1
        return heap[0][0] if heap else None

    def pop_due(self, now: float) -> Timer[Target] | None:
        """Take the next timer whose instant has come, or None."""
        at = self.next_at()
        if at is None or at > now:
            return None
        timer = heappop(self._heap)[2]
        # A fired timer counts as cancelled, so that cancelling it later is harmless.
        timer.is_cancelled = True
        return timer
