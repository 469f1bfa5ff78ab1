"""Who may have how many requests under way: so that a slow receiver delays nobody but itself."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from maskline.core.delivery import LeasePlan

SLOT_COUNT: Final = 128
"""Requests under way in one worker; each holds a socket and some 100 kB."""
RECEIVER_SLOT_COUNT: Final = 32
"""Of one receiver that answers fast: 320 a second at a tenth of a second each."""
CAUTIOUS_SLOT_COUNT: Final = 48
"""Of all receivers together that are slow, silent or not known yet; the rest is left to the fast."""
CAUTIOUS_RECEIVER_SLOT_COUNT: Final = 2
FAST_S: Final = 2.0
"""An answer within this time, of whatever status, makes a receiver trusted."""
TRUSTED_COUNT_MAX: Final = 4096
"""Receivers remembered as fast; a forgotten one has to show it again."""


@dataclass(slots=True)
class Slots:
    """The requests under way, and which receivers answered fast last time. For one thread; time in seconds."""

    slot_count: int = SLOT_COUNT
    receiver_slot_count: int = RECEIVER_SLOT_COUNT
    cautious_slot_count: int = CAUTIOUS_SLOT_COUNT
    cautious_receiver_slot_count: int = CAUTIOUS_RECEIVER_SLOT_COUNT
    _started: dict[str, list[float]] = field(default_factory=dict)  # of each receiver with requests under way
    _trusted: OrderedDict[str, None] = field(default_factory=OrderedDict)

    @property
    def busy_count(self) -> int:
        """How many requests are under way."""
        return sum(len(started) for started in self._started.values())

    def take(self, receiver: str, now_mono_s: float) -> None:
        """Begin a request."""
        self._started.setdefault(receiver, []).append(now_mono_s)

    def give_back(
        self, receiver: str, started_mono_s: float, now_mono_s: float, *, was_answered: bool
    ) -> None:
        """End a request that began at `started_mono_s`."""
        started = self._started[receiver]
        started.remove(started_mono_s)
        if not started:
            del self._started[receiver]
        if was_answered and now_mono_s - started_mono_s <= FAST_S:
            self._trusted[receiver] = None
            self._trusted.move_to_end(receiver)
            if len(self._trusted) > TRUSTED_COUNT_MAX:
                self._trusted.popitem(last=False)
        else:
            self._trusted.pop(receiver, None)

    def plan(self, worker_id: str, lease_until: int, now_mono_s: float) -> LeasePlan:
        """Say what may be taken now. A receiver that has left a request waiting is not trusted meanwhile."""
        slow = {receiver for receiver, started in self._started.items() if now_mono_s - min(started) > FAST_S}
        trusted = frozenset(self._trusted.keys() - slow)
        counts = {receiver: len(started) for receiver, started in self._started.items()}
        cautious_busy = sum(count for receiver, count in counts.items() if receiver not in trusted)
        free = {
            receiver: max(0, self._allowance(receiver in trusted) - counts.get(receiver, 0))
            for receiver in counts.keys() | trusted
        }
        return LeasePlan(
            worker_id=worker_id,
            lease_until=lease_until,
            total_max=max(0, self.slot_count - sum(counts.values())),
            cautious_max=max(0, self.cautious_slot_count - cautious_busy),
            free=free,
            free_default=self.cautious_receiver_slot_count,
            trusted=trusted,
        )

    def _allowance(self, is_trusted: bool) -> int:  # noqa: FBT001  # read at its one call
        return self.receiver_slot_count if is_trusted else self.cautious_receiver_slot_count
