"""What a switch does on the side."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from maskline.core.inventory import Registration, Target, Trunk
from maskline.core.routing import CallOrder
from maskline.engine import housekeeping
from maskline.engine.call_session import LEASE_US
from maskline.engine.housekeeping import Housekeeping
from maskline.engine.ports import SwitchStore
from maskline.engine.switch import Switch
from maskline.engine.switch_settings import SwitchSettings
from maskline.engine.trunk_resolver import TTL_S_MIN, Found, FoundServices, NameUnknownError
from maskline.engine.trunk_table import TrunkTable
from maskline.testing.clock import ManualClock

TRUNK = Trunk(id=1, created_at=0, name="one", targets=(Target(host="192.0.2.1"),), accept=("192.0.2.1/32",))
NAMED = replace(
    TRUNK,
    id=2,
    name="two",
    targets=(Target(host="sip.carrier.example", port=5080),),
    registration=Registration(registrar=Target(host="reg.carrier.example", port=5080)),
)


ANSWER = Found(("192.0.2.7",), 30.0)


class TwoClocks(ManualClock):
    """A `SwitchClock` whose clocks run together."""

    def now_us(self) -> int:
        return self.now()

    def mono_s(self) -> float:
        return self.now() / 1_000_000


@dataclass
class FakeSwitch:
    """As much of a switch as housekeeping looks at."""

    settings: SwitchSettings = field(
        default_factory=lambda: SwitchSettings(
            local={("udp", False): ("127.0.0.1", 5060)}, advertised=("127.0.0.1", 5060)
        )
    )
    trunks: TrunkTable = field(default_factory=TrunkTable)
    sessions_in_setup: tuple[str, ...] = ()
    live_count: int = 0
    room_count: int = 0
    revoked: list[str] = field(default_factory=list)
    moved: list[tuple[str, int]] = field(default_factory=list)
    placed: list[CallOrder] = field(default_factory=list)

    def revoke(self, session_id: str) -> None:
        self.revoked.append(session_id)

    def move_window(self, session_id: str, ends_at: int) -> None:
        self.moved.append((session_id, ends_at))

    def place(self, orders: Sequence[CallOrder]) -> None:
        self.placed += orders


@dataclass
class FakeStore:
    """As much of a store as housekeeping asks; `failures` go before answers."""

    trunks: tuple[Trunk, ...] = ()
    ended: frozenset[str] = frozenset()
    asked: Counter[str] = field(default_factory=Counter)
    leases: list[tuple[int, int]] = field(default_factory=list)
    orders: list[CallOrder] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def _note(self, what: str) -> None:
        self.asked[what] += 1
        if self.failures:
            raise self.failures.pop()

    async def load_trunks(self) -> tuple[Trunk, ...]:
        self._note("trunks")
        return self.trunks

    async def windows(self, session_ids: Sequence[str], now: int) -> dict[str, int | None]:
        self._note("windows")
        return {each: None if each in self.ended else now + 1 for each in session_ids}

    async def renew_leases(self, until: int, now: int) -> None:
        self._note("leases")
        self.leases.append((until, now))

    async def take_orders(self, now: int, count_max: int) -> tuple[CallOrder, ...]:
        self._note("orders")
        taken, self.orders = self.orders[:count_max], self.orders[count_max:]
        return tuple(taken)

    async def end_lost_calls(self, now: int) -> tuple[str, ...]:
        self._note("lost")
        return ("c1",)


@dataclass
class OneAnswer:
    """A name service by hand: what it answers, and what it was asked."""

    answer: Found = ANSWER
    asked: list[str] = field(default_factory=list)

    async def services(self, name: str) -> FoundServices:
        raise NameUnknownError

    async def addresses(self, host: str) -> Found:
        self.asked.append(host)
        return self.answer


@dataclass
class CountingWatch:
    """Somebody who looks after the trunks."""

    tick_count: int = 0

    def tick(self) -> None:
        self.tick_count += 1


class Scene:
    """Housekeeping with everything around it faked."""

    def __init__(self, *trunks: Trunk) -> None:
        self.switch, self.store, self.names = FakeSwitch(), FakeStore(trunks=trunks), OneAnswer()
        self.watch = CountingWatch()
        self.clock = TwoClocks()
        self.work = Housekeeping(
            cast("Switch", self.switch),
            cast("SwitchStore", self.store),
            self.clock,
            watch=self.watch,
            names=self.names,
        )

    async def refresh(self, *, after_s: float = 0.0) -> None:
        """Refresh the trunks some time later."""
        self.clock.advance(s=after_s)
        await self.work.refresh_trunks()


async def test_trunks_are_taken_over_as_they_stand() -> None:
    """A trunk added or removed while the service runs takes effect."""
    scene = Scene(TRUNK)
    await scene.refresh()
    assert scene.switch.trunks.trunks == (TRUNK,)
    assert scene.switch.trunks.is_trusted("192.0.2.1")
    scene.store.trunks = ()
    await scene.work.refresh_trunks()
    assert not scene.switch.trunks.is_trusted("192.0.2.1")


async def test_names_of_targets_and_registrars_become_addresses() -> None:
    """Calls never wait for a name service; it is asked beside them and not each time."""
    scene = Scene(NAMED)
    for _ in range(5):
        await scene.refresh(after_s=1)
    assert sorted(scene.names.asked) == ["reg.carrier.example", "sip.carrier.example"]
    assert [each.host for each in scene.switch.trunks.route(2, dice=0, now=0.0)] == ["192.0.2.7"]
    scene.names.answer = Found(("192.0.2.8",), 30.0)
    await scene.refresh(after_s=TTL_S_MIN)
    assert [each.host for each in scene.switch.trunks.route(2, dice=0, now=0.0)] == ["192.0.2.8"]


async def test_trunks_are_watched() -> None:
    """Whoever looks after them is told that time has passed."""
    scene = Scene()
    await scene.work.watch_trunks()
    assert scene.watch.tick_count == 1
    await Housekeeping(
        cast("Switch", scene.switch), cast("SwitchStore", scene.store), scene.clock, names=scene.names
    ).watch_trunks()


async def test_sessions_of_calls_in_setup_are_looked_at() -> None:
    """Those that are over are revoked, others told of their end; without such calls the database is left alone."""
    scene = Scene()
    await scene.work.see_revocations()
    assert scene.store.asked["windows"] == 0
    scene.switch.sessions_in_setup = ("s1", "s2", "s3")
    scene.store.ended = frozenset({"s2", "s9"})
    await scene.work.see_revocations()
    assert scene.switch.revoked == ["s2"]
    ends_at = scene.clock.now() + 1
    assert scene.switch.moved == [("s1", ends_at), ("s3", ends_at)]


async def test_leases_are_renewed_while_calls_live() -> None:
    """Each renewal holds the sessions for a whole lease from now."""
    scene = Scene()
    await scene.work.renew_leases()
    assert scene.store.leases == []
    scene.switch.live_count = 1
    await scene.work.renew_leases()
    now = scene.clock.now()
    assert scene.store.leases == [(now + LEASE_US, now)]


async def test_owed_calls_are_placed_as_far_as_there_is_room() -> None:
    """A full switch asks for none; what it has no room for stays where it is."""
    scene = Scene()
    orders = [cast("CallOrder", object()) for _ in range(3)]
    scene.store.orders = list(orders)
    await scene.work.place_orders()
    assert scene.store.asked["orders"] == 0
    scene.switch.room_count = 2
    await scene.work.place_orders()
    assert scene.switch.placed == orders[:2]
    assert scene.store.orders == orders[2:]


async def test_calls_of_switches_that_never_came_back_are_accounted_for() -> None:
    """Somebody has to; it is told in the log, since nobody waits for them."""
    scene = Scene()
    with capture_logs() as logs:
        await scene.work.end_lost_calls()
    assert [(entry["event"], entry["call_id"]) for entry in logs] == [("call.lost", "c1")]


async def test_every_kind_of_work_repeats_and_survives_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is away is asked again; no kind of work waits for another."""
    for period in ("TRUNKS", "WATCH", "REVOCATIONS", "ORDERS", "LEASES", "LOST_CALLS"):
        monkeypatch.setattr(housekeeping, f"{period}_EVERY_S", 0.001)
    scene = Scene(TRUNK)
    scene.switch.sessions_in_setup, scene.switch.live_count, scene.switch.room_count = ("s1",), 1, 1
    scene.store.failures = [OSError("away") for _ in range(10)]
    enough = asyncio.Event()
    note = scene.store._note

    def noting(what: str) -> None:
        if len(scene.store.asked) == 5 and min(scene.store.asked.values()) >= 5:
            enough.set()
        note(what)

    cast("Any", scene.store)._note = noting
    task = asyncio.get_running_loop().create_task(scene.work.run())
    await asyncio.wait_for(enough.wait(), 5)
    assert scene.switch.trunks.trunks == (TRUNK,)
    assert scene.watch.tick_count > 0
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
