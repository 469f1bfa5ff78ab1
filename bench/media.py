"""Calls that one core relays without loss and without delay: our guard, the engine bare, and rtpengine beside them.

The relay's process is pinned to one core, the load to the other. G.711 flows both ways in every call, 20 ms a packet.
Each relay climbs a stair of call counts until a step is not held: a packet lost, or one in a hundred late by 10 ms.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from bench.media_load import ADDRESSES, LoadPlan, Measured
from bench.process import pin, time_core_ms
from bench.rtpengine import PORT_FIRST, PORT_LAST, is_installed, rtpengine
from bench.world import OTHER_CORE, SERVICE_CORE
from maskline.engine.media_client import Side
from maskline.engine.media_supervisor import GUARD_COMMAND, MediaSupervisor
from maskline.engine.media_types import EngineSettings, Family, PartyMedia

STEPS = (100, 200, 300, 400, 450, 500, 550, 600, 700, 800)
RUN_S = 3.0
TRIES = 2  # of a step: a virtual machine takes its core away now and then
P99_MS_MAX = 10.0
WANTED_CALLS = 400
GUARD_SHARE_CALLS_MIN = 200  # below, idle work weighs more than packets
CALLS_AT_ONCE = 50
LOOPBACK = {Family.V4: "127.0.0.1"}

# The guard's process without its guards: filters attached to nothing, every stream learning its address.
_BARE_PROGRAM = """
import sys
from maskline.engine import media_filters, media_guard, media_sessions
media_filters.Program.attach = lambda self, fd: None
media_sessions._mode = lambda party: ""
sys.exit(media_guard.main(sys.argv[1:]))
"""
BARE_COMMAND = (sys.executable, "-c", _BARE_PROGRAM)
OpenCall = Callable[[str, tuple[str, int], tuple[str, int]], Awaitable[tuple[int, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """A relay that runs: its process, and how it takes a call (both parties' places; the ports they send to)."""

    pid: int
    open_call: OpenCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the table."""

    name: str
    calls: int
    measured: Measured
    core_ms: float

    @property
    def is_held(self) -> bool:
        """Nothing lost, next to nothing late."""
        return not self.measured.lost and self.measured.p99_ms < P99_MS_MAX

    @property
    def cpu_per_100_calls(self) -> float:
        """Points of the core that a hundred calls take."""
        return self.measured.relay_cpu * 100 * 100 / self.calls


@asynccontextmanager
async def guard(
    directory: Path, *, command: tuple[str, ...] = GUARD_COMMAND, is_recorded: bool = False
) -> AsyncIterator[Relay]:
    """Our guard, its parties' ports to be learned as those of a trunk without media networks are."""
    settings = EngineSettings(
        bind=LOOPBACK,
        advertise=LOOPBACK,
        port_first=PORT_FIRST,
        port_last=PORT_LAST,
        spool=str(directory / "spool"),
        calls_max=2 * max(STEPS),
    )
    async with MediaSupervisor(settings, switch="bench", command=command) as supervisor:
        assert supervisor.pid is not None
        pin(supervisor.pid, SERVICE_CORE)
        relay = supervisor.relay

        async def open_call(call: str, a: tuple[str, int], b: tuple[str, int]) -> tuple[int, int]:
            party_a, party_b = (
                PartyMedia(address=host, port=port, is_behind_nat=True) for host, port in (a, b)
            )
            ports = await relay.open(call, party_a)
            await relay.connect(call, Side.B, party_b)
            if is_recorded:
                await relay.start_recording(call, call)
            return ports.port_a, ports.port_b

        yield Relay(pid=supervisor.pid, open_call=open_call)


@asynccontextmanager
async def peer(directory: Path, *, is_recorded: bool = False) -> AsyncIterator[Relay]:
    """rtpengine, relaying the same streams."""
    with rtpengine(directory, is_recorded=is_recorded) as engine:

        async def open_call(call: str, a: tuple[str, int], b: tuple[str, int]) -> tuple[int, int]:
            return engine.open_call(call, a, b)

        yield Relay(pid=engine.pid, open_call=open_call)


class Load:
    """The process that sends and hears."""

    def __init__(self, process: "subprocess.Popen[str]", outgoing: IO[str], incoming: IO[str]) -> None:
        self._process = process
        self._outgoing, self._incoming = outgoing, incoming
        ports = json.loads(incoming.readline())
        self.parties = tuple(zip(ADDRESSES, ports, strict=True))

    def measure(self, plan: LoadPlan) -> Measured:
        """Run one plan."""
        self._outgoing.write(json.dumps(asdict(plan)) + "\n")
        self._outgoing.flush()
        line = self._incoming.readline()
        if not line:
            raise RuntimeError("the load ended")
        return Measured(**json.loads(line))


@contextmanager
def loading() -> Iterator[Load]:
    """A load on the other core."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.media_load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        load = Load(process, process.stdin, process.stdout)
        pin(process.pid, OTHER_CORE)
        yield load
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


async def climb(name: str, started: AbstractAsyncContextManager[Relay], steps: tuple[int, ...]) -> list[Step]:
    """Add calls step by step until one is not held in any try."""
    taken: list[Step] = []
    ports: list[tuple[int, int]] = []
    with loading() as load:
        async with started as relay:
            for calls in steps:
                await add_calls(relay, load, ports, calls)
                for _ in range(TRIES):
                    taken.append(measure_step(name, relay, load, ports))
                    if taken[-1].is_held:
                        break
                else:
                    break
    return taken


async def add_calls(relay: Relay, load: Load, ports: list[tuple[int, int]], count: int) -> None:
    """Open calls until there are `count`."""
    while len(ports) < count:
        numbers = range(len(ports), min(len(ports) + CALLS_AT_ONCE, count))
        ports += await asyncio.gather(
            *(relay.open_call(f"call{number}", *load.parties) for number in numbers)
        )


def measure_step(name: str, relay: Relay, load: Load, ports: list[tuple[int, int]]) -> Step:
    """Let every call talk for a while."""
    core_ms = time_core_ms(SERVICE_CORE)
    ports_a, ports_b = zip(*ports, strict=True)
    plan = LoadPlan(ports_a=ports_a, ports_b=ports_b, relay_pid=relay.pid, run_s=RUN_S)
    step = Step(name=name, calls=len(ports), measured=load.measure(plan), core_ms=core_ms)
    show(step)
    return step


def show(step: Step) -> None:
    """Print one line of the table."""
    measured = step.measured
    print(
        f"{step.name:<20} {step.calls:>4} calls  lost {measured.lost:>6}  p50 {measured.p50_ms:6.2f}  "
        f"p99 {measured.p99_ms:7.2f}  max {measured.max_ms:7.2f} ms  CPU {measured.relay_cpu:4.0%} "
        f"({step.cpu_per_100_calls:5.1f} points for 100 calls)  load {measured.load_cpu:4.0%}, "
        f"late {measured.load_late_ms:5.1f} ms, dropped {measured.load_dropped}  core_ms {step.core_ms:4.1f}",
        flush=True,
    )


def held_calls(steps: list[Step]) -> int:
    """The highest step that was held."""
    return max((step.calls for step in steps if step.is_held), default=0)


def cpu_ratio(steps: list[Step], base: list[Step]) -> float | None:
    """CPU of one relay by that of another, over the steps that both held; None where there are none."""
    ours, theirs = (
        {step.calls: step.measured.relay_cpu for step in each if step.is_held} for each in (steps, base)
    )
    common = [calls for calls in ours.keys() & theirs.keys() if calls >= GUARD_SHARE_CALLS_MIN]
    return sum(ours[calls] for calls in common) / sum(theirs[calls] for calls in common) if common else None


async def climb_all(steps: tuple[int, ...]) -> dict[str, list[Step]]:
    """Each relay in turn, each with files of its own."""
    relays: dict[str, Callable[[Path], AbstractAsyncContextManager[Relay]]] = {
        "guard": guard,
        "guard, recorded": lambda directory: guard(directory, is_recorded=True),
        "engine bare": lambda directory: guard(directory, command=BARE_COMMAND),
    }
    if is_installed():
        relays["rtpengine"] = peer
        relays["rtpengine, recorded"] = lambda directory: peer(directory, is_recorded=True)
    else:
        print("rtpengine is missing: its part is left out. Type:  tools/bench-peers")
    taken = {}
    for name, start in relays.items():
        with tempfile.TemporaryDirectory(prefix="maskline-bench-") as directory:
            taken[name] = await climb(name, start(Path(directory)), steps)
    return taken


def bench_media(steps: tuple[int, ...] = STEPS) -> dict[str, Any]:
    """Every relay, and what it holds."""
    taken = asyncio.run(climb_all(steps))
    held = {name: held_calls(each) for name, each in taken.items()}
    guard_cost = cpu_ratio(taken["guard"], taken["engine bare"])
    figures: dict[str, Any] = {
        "held_calls": held,
        "is_wanted_reached": held["guard"] >= WANTED_CALLS,
        "guard_cpu_ratio": guard_cost,
        "steps": {
            name: [{**asdict(step), "cpu_per_100_calls": step.cpu_per_100_calls} for step in each]
            for name, each in taken.items()
        },
    }
    for name, calls in held.items():
        print(f"{name:<20} holds {calls} calls")
    if guard_cost is not None:
        print(f"CPU of the guard by that of the engine bare: {guard_cost:.2f}")
    return figures
