"""What a switch does on the side."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from maskline.core.inventory import Trunk
from maskline.engine import housekeeping
from maskline.engine.call import LEASE_US
from maskline.engine.housekeeping import NAMES_EVERY_S, Housekeeping, look_up
from maskline.engine.ports import SwitchStore
from maskline.engine.switch import Switch, SwitchSettings
from maskline.engine.trunk_table import TrunkTable
from maskline.testing.clock import ManualClock

TRUNK = Trunk(id=1, created_at=0, name="one", peer_host="192.0.2.1", accept=("192.0.2.1/32",))
NAMED = replace(TRUNK, id=2, name="two", peer_host="sip.carrier.example", peer_port=5080)


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
    revoked: list[str] = field(default_factory=list)

    def revoke(self, session_id: str) -> None:
        self.revoked.append(session_id)


@dataclass
class FakeStore:
    """As much of a store as housekeeping asks; `failures` go before answers."""

    trunks: tuple[Trunk, ...] = ()
    ended: frozenset[str] = frozenset()
    asked: Counter[str] = field(default_factory=Counter)
    leases: list[tuple[int, int]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def _note(self, what: str) -> None:
        self.asked[what] += 1
        if self.failures:
            raise self.failures.pop()

    async def load_trunks(self) -> tuple[Trunk, ...]:
        self._note("trunks")
        return self.trunks

    async def revoked(self, session_ids: Sequence[str], now: int) -> tuple[str, ...]:
        self._note("revoked")
        return tuple(each for each in session_ids if each in self.ended)

    async def renew_leases(self, until: int, now: int) -> None:
        self._note("leases")
        self.leases.append((until, now))


@dataclass
class Names:
    """A name service by hand: what it answers, and how often it was asked."""

    answer: tuple[str, ...] | Exception = ("192.0.2.7",)
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def look_up(self, host: str, port: int) -> tuple[str, ...]:
        self.asked.append((host, port))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Scene:
    """Housekeeping with everything around it faked."""

    def __init__(self, *trunks: Trunk) -> None:
        self.switch, self.store, self.names = FakeSwitch(), FakeStore(trunks=trunks), Names()
        self.clock = TwoClocks()
        self.work = Housekeeping(
            cast("Switch", self.switch),
            cast("SwitchStore", self.store),
            self.clock,
            look_up=self.names.look_up,
        )

    async def refresh(self, *, after_s: float = 0.0) -> str:
        """Refresh the trunks some time later; return where the last of them is."""
        self.clock.advance(s=after_s)
        await self.work.refresh_trunks()
        return self.switch.trunks.trunks[-1].peer_host


async def test_trunks_are_taken_over_as_they_stand() -> None:
    """A trunk added or removed while the service runs takes effect."""
    scene = Scene(TRUNK)
    await scene.refresh()
    assert scene.switch.trunks.trunks == (TRUNK,)
    assert scene.switch.trunks.is_trusted("192.0.2.1")
    scene.store.trunks = ()
    await scene.work.refresh_trunks()
    assert not scene.switch.trunks.is_trusted("192.0.2.1")


async def test_an_address_is_not_looked_up() -> None:
    """Only names are asked for."""
    scene = Scene(TRUNK, replace(TRUNK, id=3, peer_host="2001:db8::1"))
    assert await scene.refresh() == "2001:db8::1"
    assert scene.names.asked == []


async def test_a_peers_name_becomes_its_address() -> None:
    """Calls never wait for a name service; it is asked beside them and not each time."""
    scene = Scene(NAMED)
    for _ in range(5):
        assert await scene.refresh(after_s=1) == "192.0.2.7"
    assert scene.names.asked == [("sip.carrier.example", 5080)]
    scene.names.answer = ("192.0.2.8",)
    assert await scene.refresh(after_s=NAMES_EVERY_S) == "192.0.2.8"


async def test_trunks_of_one_name_ask_once() -> None:
    """Ten trunks at one carrier are one question."""
    scene = Scene(NAMED, replace(NAMED, id=3, name="three"))
    await scene.refresh()
    assert len(scene.names.asked) == 1
    assert {trunk.peer_host for trunk in scene.switch.trunks.trunks} == {"192.0.2.7"}


async def test_answers_in_turn_do_not_move_the_trunk() -> None:
    """A name service that rotates its answers must not make the trunks change every time."""
    scene = Scene(NAMED)
    scene.names.answer = ("192.0.2.7", "192.0.2.8")
    await scene.refresh()
    scene.names.answer = ("192.0.2.8", "192.0.2.7")
    assert await scene.refresh(after_s=NAMES_EVERY_S) == "192.0.2.7"


@pytest.mark.parametrize("failure", [OSError("no such name"), TimeoutError(), ()])
async def test_a_failing_name_service_keeps_the_last_address(
    failure: Exception | tuple[str, ...],
) -> None:
    """A carrier stays reachable while its names are not."""
    scene = Scene(TRUNK, NAMED)
    await scene.refresh()
    scene.names.answer = failure
    assert await scene.refresh(after_s=NAMES_EVERY_S) == "192.0.2.7"


async def test_a_name_never_resolved_does_not_hold_up_the_others() -> None:
    """Its trunk keeps the name, which no socket sends to; the rest works; it is asked again later."""
    scene = Scene(TRUNK, NAMED)
    scene.names.answer = OSError("no such name")
    assert await scene.refresh() == "sip.carrier.example"
    assert scene.switch.trunks.is_trusted("192.0.2.1")
    scene.names.answer = ("192.0.2.7",)
    assert await scene.refresh(after_s=NAMES_EVERY_S) == "192.0.2.7"


async def test_a_name_service_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is bounded, and the next round does not wait again."""
    monkeypatch.setattr(housekeeping, "LOOK_UP_TIMEOUT_S", 0.01)
    scene = Scene(NAMED)
    asked: list[str] = []

    async def hang(host: str, port: int) -> tuple[str, ...]:
        asked.append(host)
        await asyncio.Event().wait()
        return ()

    scene.work._look_up = hang
    async with asyncio.timeout(5):
        await scene.refresh()
        await scene.refresh(after_s=1)
    assert asked == ["sip.carrier.example"]


async def test_only_addresses_we_can_send_to_are_taken() -> None:
    """A name with an IPv6 address first is of no use to a switch on IPv4 alone."""
    scene = Scene(NAMED)
    scene.names.answer = ("2001:db8::1", "192.0.2.7")
    assert await scene.refresh() == "192.0.2.7"


async def test_the_systems_own_names_are_found() -> None:
    """The default look-up asks the system."""
    assert set(await look_up("localhost", 5060)) <= {"127.0.0.1", "::1"}


async def test_sessions_of_calls_in_setup_are_looked_at() -> None:
    """Those that are over are revoked; without such calls the database is left alone."""
    scene = Scene()
    await scene.work.see_revocations()
    assert scene.store.asked["revoked"] == 0
    scene.switch.sessions_in_setup = ("s1", "s2", "s3")
    scene.store.ended = frozenset({"s2", "s9"})
    await scene.work.see_revocations()
    assert scene.switch.revoked == ["s2"]


async def test_leases_are_renewed_while_calls_live() -> None:
    """Each renewal holds the sessions for a whole lease from now."""
    scene = Scene()
    await scene.work.renew_leases()
    assert scene.store.leases == []
    scene.switch.live_count = 1
    await scene.work.renew_leases()
    now = scene.clock.now()
    assert scene.store.leases == [(now + LEASE_US, now)]


async def test_every_kind_of_work_repeats_and_survives_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is away is asked again; no kind of work waits for another."""
    for period in ("TRUNKS_EVERY_S", "REVOCATIONS_EVERY_S", "LEASES_EVERY_S"):
        monkeypatch.setattr(housekeeping, period, 0.001)
    scene = Scene(TRUNK)
    scene.switch.sessions_in_setup, scene.switch.live_count = ("s1",), 1
    scene.store.failures = [OSError("away") for _ in range(6)]
    enough = asyncio.Event()
    note = scene.store._note

    def noting(what: str) -> None:
        if len(scene.store.asked) == 3 and min(scene.store.asked.values()) >= 5:
            enough.set()
        note(what)

    cast("Any", scene.store)._note = noting
    task = asyncio.get_running_loop().create_task(scene.work.run())
    await asyncio.wait_for(enough.wait(), 5)
    assert scene.switch.trunks.trunks == (TRUNK,)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
