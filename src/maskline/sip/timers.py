"""Timers as data: one set of queues for a whole user agent, so that a driver arms one alarm.

The delays of SIP are a handful of constants, and timers of one name and one delay come due in the order they were
set: each such kind has a queue of its own, and nothing is ever sorted. A timer is cancelled by marking it and
letting go of its target; marked ones leave their queue when they come to its head, or all together when they are
its majority. Most timers of a call are cancelled, and in queues of their own they leave soon.
"""

from collections import deque
from enum import StrEnum
from typing import Generic, TypeVar

# Below this size the dead timers of a queue cost less than looking for them.
COMPACT_COUNT_MIN = 256

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
    REPEAT_1XX = "repeat-1xx"
    """RFC 3262, 3: our reliable 180 again, until its PRACK."""
    PRACK_WAIT = "prack-wait"
    """RFC 3262, 3: 64*T1 without PRACK, the INVITE is refused."""
    SESSION = "session"
    """RFC 4028, 10: a refresh is due, or the end of a session without one."""
    PROVISIONAL = "provisional"
    """13.3.1.1: a ringing INVITE says so again every minute, lest proxies end it."""
    FORGET_ENDING = "forget-ending"
    """No copy of a refused INVITE can be under way any more."""
    FORGET_HOSTS = "forget-hosts"
    """The same of a dialog's requests."""


class Timer(Generic[Target]):
    """One alarm: `at` is an instant of the caller's clock in seconds, `target` what it concerns.

    `number` counts timers in the order they were set. A cancelled timer has no target. No timer refers to its
    queue: what belongs to one leg must not lead to another's.
    """

    __slots__ = ("at", "delay_s", "is_cancelled", "name", "number", "target")

    def __init__(self, at: float, delay_s: float, name: TimerName, target: Target, number: int) -> None:
        self.at = at
        self.delay_s = delay_s
        self.name = name
        self.target: Target | None = target
        self.number = number
        self.is_cancelled = False


class _Queue(Generic[Target]):
    """The timers of one name and delay, in order; some of them cancelled."""

    __slots__ = ("cancelled_count", "timers")

    def __init__(self) -> None:
        self.timers: deque[Timer[Target]] = deque()
        self.cancelled_count = 0

    def drop_cancelled(self) -> None:
        """Drop the cancelled timers before the first that is not."""
        timers = self.timers
        while timers and timers[0].is_cancelled:
            timers.popleft()
            self.cancelled_count -= 1

    def note_cancelled(self) -> None:
        """Count one cancelled, and drop them all when they are the majority."""
        self.cancelled_count += 1
        if self.cancelled_count * 2 > len(self.timers) >= COMPACT_COUNT_MIN:
            self.timers = deque(timer for timer in self.timers if not timer.is_cancelled)
            self.cancelled_count = 0


class TimerQueues(Generic[Target]):
    """Timers in order of their instants; equal instants fire in the order they were set.

    The caller's clock must not go back: timers would wait for others of their kind that were set before them.
    """

    def __init__(self) -> None:
        self._queues: dict[tuple[TimerName, float], _Queue[Target]] = {}
        self._count = 0
        self._first: Timer[Target] | None = None
        """The next timer, as far as known: looked for anew when it is None or cancelled."""

    def __len__(self) -> int:
        """Count the timers that will fire."""
        return sum(len(queue.timers) - queue.cancelled_count for queue in self._queues.values())

    @property
    def held_count(self) -> int:
        """Timers in memory, cancelled ones included."""
        return sum(len(queue.timers) for queue in self._queues.values())

    def set(self, now: float, delay_s: float, name: TimerName, target: Target) -> Timer[Target]:
        """Arm a timer."""
        queue = self._queues.get((name, delay_s))
        if queue is None:
            queue = self._queues[name, delay_s] = _Queue()
        self._count += 1
        timer = Timer(now + delay_s, delay_s, name, target, self._count)
        queue.timers.append(timer)
        if self._first is not None and timer.at < self._first.at:
            self._first = timer
        return timer

    def cancel(self, timer: Timer[Target] | None) -> None:
        """Disarm a timer; one that fired, was cancelled or never was is left alone."""
        if timer is None or timer.is_cancelled:
            return
        timer.is_cancelled = True
        timer.target = None
        self._queues[timer.name, timer.delay_s].note_cancelled()

    def next_at(self) -> float | None:
        """Return the instant of the next timer, or None."""
        first = self._first
        if first is None or first.is_cancelled:
            first = self._first = self._find_first()
        return None if first is None else first.at

    def pop_due(self, now: float) -> Timer[Target] | None:
        """Take the next timer whose instant has come, or None."""
        at = self.next_at()
        if at is None or at > now:
            return None
        timer = self._first
        assert timer is not None, "it has an instant"
        self._queues[timer.name, timer.delay_s].timers.popleft()
        # A fired timer counts as cancelled, so that cancelling it later is harmless.
        timer.is_cancelled = True
        self._first = None
        return timer

    def _find_first(self) -> Timer[Target] | None:
        """Look at the heads of all queues; this runs several times a call, with about seven of them in use."""
        found: Timer[Target] | None = None
        for queue in self._queues.values():
            if not queue.timers:
                continue
            if queue.timers[0].is_cancelled:
                queue.drop_cancelled()
                if not queue.timers:
                    continue
            first = queue.timers[0]
            if found is None or first.at < found.at or (first.at == found.at and first.number < found.number):
                found = first
        return found
