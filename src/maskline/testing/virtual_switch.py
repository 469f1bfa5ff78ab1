"""A whole switch as a node of the virtual network: real SIP, real call machine, real database, no waiting.

Work of the store and the relay takes `work_s` of virtual time. As on a real loop it begins after the step that asked
for it, piece after piece in order; it may `Pause`, and then other pieces overtake it. With the same seed and the same
datagrams the switch sends the same bytes.
"""

from collections import deque
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from random import Random
from typing import Any, TypeVar

from maskline.engine.call_session import LEASE_US
from maskline.engine.ports import Cancellable
from maskline.engine.switch import Switch
from maskline.engine.switch_settings import SwitchLimits, SwitchSettings
from maskline.engine.switch_store import WorkflowStore
from maskline.sip.events import Flow
from maskline.store.engine import Store
from maskline.testing.network import Address, VirtualNetwork
from maskline.testing.prompts import FakePrompts
from maskline.testing.relay import FakeRelay

T = TypeVar("T")

US_PER_S = 1_000_000
SWITCH_ID = "switch"


class InlineThreads:
    """The store's threads, without threads: every workflow runs at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, fn: Callable[..., T], *args: Any) -> T:
        """Run a reading workflow."""
        return self._store.read(fn, *args)

    look_up = read

    async def write(self, fn: Callable[..., T], *args: Any) -> T:
        """Run a writing workflow as one transaction."""
        return self._store.run(fn, *args)

    async def write_within(self, patience_s: float, fn: Callable[..., T], *args: Any) -> T:
        """Run it at once: there is nobody to share a commit with."""
        del patience_s
        return self._store.run(fn, *args)


@dataclass(frozen=True, slots=True)
class Pause:
    """Awaited within virtual work: go on so many seconds later."""

    seconds: float

    def __await__(self) -> Generator[float, None, None]:
        """Hand the seconds to the runner."""
        yield self.seconds


@dataclass(slots=True)
class _Alarm:
    callback: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass(slots=True)
class VirtualRunner:
    """Clocks and work on the network's time. `epoch_us` is the UTC instant of virtual second 0."""

    network: VirtualNetwork
    epoch_us: int
    work_s: float = 0.001
    _agenda: list[tuple[float, int, _Alarm]] = field(default_factory=list)
    _beginning: deque[tuple[Coroutine[Any, Any, Any], Callable[[Any], None]]] = field(default_factory=deque)
    _count: int = 0

    def now_us(self) -> int:
        """Microseconds UTC."""
        return self.epoch_us + round(self.network.now * US_PER_S)

    def mono_s(self) -> float:
        """The network's clock."""
        return self.network.now

    def run(self, work: Coroutine[Any, Any, T], done: Callable[[T | Exception], None]) -> None:
        """Carry `work` out after this step and tell of it `work_s` later; it must not wait for anything real."""
        self._beginning.append((work, done))

    def _go_on(self, work: Coroutine[Any, Any, T], done: Callable[[T | Exception], None]) -> None:
        result: T | Exception
        try:
            pause_s = work.send(None)
        except StopIteration as stop:
            result = stop.value
        except Exception as error:  # noqa: BLE001  # handed on, as the real runner does
            result = error
        else:
            assert isinstance(pause_s, float), "virtual work waited for something real"
            self._at(self.network.now + pause_s, lambda: self._go_on(work, done))
            return
        self._at(self.network.now + self.work_s, partial(done, result))

    def call_at(self, at: int, callback: Callable[[], None]) -> Cancellable:
        """Call back once the clock reads `at`; the clock may have been set meanwhile."""
        alarm = _Alarm(callback)

        def wake() -> None:
            if alarm.is_cancelled:
                return
            if self.now_us() < at:
                self._at((at - self.epoch_us) / US_PER_S, wake)
            else:
                alarm.callback()

        self._at((at - self.epoch_us) / US_PER_S, wake)
        return alarm

    def set_clock(self, by_us: int) -> None:
        """Let the time of day jump; the network's own clock goes on as it was."""
        self.epoch_us += by_us

    def call_at_mono(self, at_mono_s: float, callback: Callable[[], None]) -> Cancellable:
        """Call back at an instant of the network's clock."""
        return self._at(at_mono_s, callback)

    def next_at(self) -> float | None:
        """When the next callback is due."""
        if self._beginning:
            return self.network.now
        while self._agenda and self._agenda[0][2].is_cancelled:
            heappop(self._agenda)
        return self._agenda[0][0] if self._agenda else None

    def run_due(self, now: float) -> None:
        """Call back what is due."""
        beginning, agenda = self._beginning, self._agenda
        while True:
            while beginning:
                self._go_on(*beginning.popleft())
            while agenda and agenda[0][2].is_cancelled:
                heappop(agenda)
            if not agenda or agenda[0][0] > now:
                return
            heappop(agenda)[2].callback()

    def _at(self, at: float, callback: Callable[[], None]) -> _Alarm:
        alarm = _Alarm(callback)
        self._count += 1
        heappush(self._agenda, (max(at, self.network.now), self._count, alarm))
        return alarm


def _drive(work: Coroutine[Any, Any, T]) -> T:
    """Carry `work` out at once, whatever it would pause for."""
    try:
        while True:
            assert isinstance(work.send(None), float), "virtual work waited for something real"
    except StopIteration as stop:
        result: T = stop.value
        return result


class VirtualSwitch:
    """A switch at `address`, with trunks and sessions as they stand in `store`.

    `relay`, `prompts` and `threads` may be slower than the usual ones.
    """

    def __init__(
        self,
        network: VirtualNetwork,
        store: Store,
        *,
        address: Address,
        epoch_us: int,
        seed: int = 0,
        limits: SwitchLimits | None = None,
        relay: FakeRelay | None = None,
        prompts: FakePrompts | None = None,
        threads: InlineThreads | None = None,
    ) -> None:
        self.runner = VirtualRunner(network, epoch_us)
        self.relay = relay or FakeRelay(now=lambda: network.now)
        self.prompts = prompts or FakePrompts()
        self._out: list[tuple[Flow, bytes]] = []
        self.store = WorkflowStore(InlineThreads(store), SWITCH_ID)  # of housekeeping, which never waits here
        dice = Random(seed)  # noqa: S311  # a reproducible switch is the point
        self.switch = Switch(
            SwitchSettings(
                local={("udp", False): address, ("tcp", False): address},
                advertised=address,
                limits=limits or SwitchLimits(),
            ),
            store=self.store if threads is None else WorkflowStore(threads, SWITCH_ID),
            relay=self.relay,
            prompts=self.prompts,
            runner=self.runner,
            clock=self.runner,
            random_bytes=dice.randbytes,
            send=lambda flow, data: self._out.append((flow, data)),
            close_flow=network.close,
        )
        self.relay.set_event_handler(self.switch.relay_event)
        self.refresh_trunks()
        network.attach(self, address)

    def refresh_trunks(self) -> None:
        """Take the trunks as they stand."""
        self.switch.trunks.replace(_drive(self.store.load_trunks()))

    def start(self) -> int:
        """End what an earlier life left; return how many calls that was."""
        return _drive(self.switch.end_predecessors_calls())

    def place_orders(self) -> int:
        """Place the calls that the service owes, as housekeeping does; return how many there were."""
        orders = _drive(self.store.take_orders(self.runner.now_us(), self.switch.room_count))
        self.switch.place(orders)
        return len(orders)

    def see_revocations(self) -> None:
        """Look at the sessions of calls in set-up, as housekeeping does twice a second."""
        waiting = self.switch.sessions_in_setup
        windows = _drive(self.store.windows(waiting, self.runner.now_us())) if waiting else {}
        for session_id, ends_at in windows.items():
            if ends_at is None:
                self.switch.revoke(session_id)
            else:
                self.switch.move_window(session_id, ends_at)

    def keep_leases(self) -> None:
        """Keep the sessions of running calls claimed, as housekeeping does every ten seconds."""
        if self.switch.live_count:
            now = self.runner.now_us()
            _drive(self.store.renew_leases(now + LEASE_US, now))

    # --- the interface of a node ----------------------------------------------------------------------------

    def receive(self, data: bytes, flow: Flow, now: float) -> None:  # noqa: ARG002  # the runner knows the time
        """Take what arrived."""
        self.switch.receive(data, flow)

    def outgoing(self) -> list[tuple[Flow, bytes]]:
        """Give what is to be sent."""
        out, self._out = self._out, []
        return out

    def next_timer(self) -> float | None:
        """Say when to be woken."""
        return self.runner.next_at()

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self.runner.run_due(now)

    def flow_closed(self, flow: Flow, now: float) -> None:  # noqa: ARG002
        """Learn that a TCP connection is gone."""
        self.switch.flow_closed(flow)
