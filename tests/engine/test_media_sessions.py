"""The order of commands and filters, seen from outside: windows, late packets, ports, addresses that change."""

import asyncio
import threading

import pytest

from maskline.engine.media_client import Family, MediaRelay, RelayFull, RelayPorts, RelayRefused, Side
from maskline.engine.media_types import PartyMedia
from tests.engine.media_rig import Party, guard, is_port_free, make_settings, parties, until

A, B, X = "127.0.0.11", "127.0.0.12", "127.0.0.66"


async def joined(relay: MediaRelay, call: str, a: Party, b: Party) -> RelayPorts:
    """Open and connect a call of two plain parties."""
    ports = await relay.open(call, a.media())
    await relay.connect(call, Side.B, b.media())
    return ports


def at_a(ports: RelayPorts) -> tuple[str, int]:
    """Where A sends."""
    return (ports.address_a, ports.port_a)


def at_b(ports: RelayPorts) -> tuple[str, int]:
    """Where B sends."""
    return (ports.address_b, ports.port_b)


class Sprayer(threading.Thread):
    """A stranger that sends RTP, RTCP and junk to every port of a range until stopped."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__(daemon=True)
        self._ports = range(first, last + 1)
        self._stopped = threading.Event()
        self.sent_count = 0

    def run(self) -> None:
        with parties(X) as (x,):
            while not self._stopped.is_set():
                for port in self._ports:
                    x.rtp.sendto(x.packet(b"spray"), ("127.0.0.1", port))
                    x.rtp.sendto(b"spray", ("127.0.0.1", port))
                    self.sent_count += 2

    def stop(self) -> None:
        """End and wait."""
        self._stopped.set()
        self.join()


@pytest.mark.parametrize("is_behind_nat", [False, True])
async def test_no_window_while_ports_open(*, is_behind_nat: bool) -> None:
    """A stranger spraying every port without pause gets into no call, whatever instant it hits."""
    with parties(A, B) as (a, b):
        async with guard(pairs=30) as (supervisor, relay):
            settings = supervisor.settings
            sprayer = Sprayer(settings.port_first, settings.port_last)
            sprayer.start()
            try:
                for number in range(40):
                    call = f"call{number}"
                    ports = await relay.open(call, a.media(is_behind_nat=is_behind_nat))
                    await relay.connect(call, Side.B, b.media(is_behind_nat=is_behind_nat))
                    b.say(at_b(ports), b"b opens")
                    assert a.hear(b"b opens") == []
                    a.say(at_a(ports), b"a answers")
                    assert b.hear(b"a answers") == []
                    await relay.close(call)
            finally:
                sprayer.stop()
    assert sprayer.sent_count > 1000


async def test_late_packets_stay_out_of_the_next_call() -> None:
    """A phone that goes on sending after its call is not heard in the call that gets its port next.

    The next call's party is at the same address (one carrier), so the source filter alone would let it in.
    """
    with parties(A, B, A, B) as (old_a, old_b, a, b):
        async with guard(pairs=4) as (_, relay):  # the canary's pair and three more: ports come back at once
            used: dict[int, tuple[Party, Party]] = {}
            for number in range(4):
                ports = await joined(relay, f"old{number}", old_a, old_b)
                used[ports.port_a] = used[ports.port_b] = (old_a, old_b)
                old_a.say(at_a(ports), b"old")
                old_b.hear(b"old")
                await relay.close(f"old{number}")
            ports = await joined(relay, "next", a, b)
            assert {ports.port_a, ports.port_b} <= set(used)
            for _ in range(3):
                for late in (old_a, old_b):
                    late.say(at_a(ports), b"late")
                    late.say(at_b(ports), b"late")
            a.say(at_a(ports), b"new a")
            b.say(at_b(ports), b"new b")
            assert b.hear(b"new a") == []
            assert a.hear(b"new b") == []
            assert old_a.drain() + old_b.drain() == []


async def test_ports_rest_where_there_are_enough() -> None:
    """A port released just before its turn in the ring is passed over."""
    with parties(A, B) as (a, b):
        async with guard(pairs=40) as (_, relay):
            first = await joined(relay, "long", a, b)
            for number in range(60):  # walk round the ring until the long call's ports are next
                ports = await relay.open(f"c{number}", None)
                await relay.close(f"c{number}")
                if (first.port_b - ports.port_a) % 80 <= 4 and number > 5:
                    break
            else:
                raise AssertionError("the ring never came round")
            await relay.close("long")
            await until(lambda: is_port_free(first.port_a) and is_port_free(first.port_b))
            opened = [await relay.open(f"d{number}", None) for number in range(3)]
            taken = {port for each in opened for port in (each.port_a, each.port_b)}
            assert not taken & {first.port_a, first.port_b}


async def test_exhaustion_and_recovery() -> None:
    """With every port in use a call is refused; the next close makes room at once."""
    with parties(A, B) as (a, b):
        async with guard(pairs=5) as (_, relay):
            await joined(relay, "one", a, b)
            await joined(relay, "two", a, b)
            with pytest.raises(RelayFull):
                await relay.open("three", a.media())
            assert {live.call for live in await relay.list()} == {"one", "two"}
            await relay.close("one")
            ports = await joined(relay, "three", a, b)
            a.say(at_a(ports), b"room")
            b.hear(b"room")


async def test_many_calls_leave_nothing() -> None:
    """After a thousand calls through a few ports none is left over and the ports all work."""
    with parties(A, B) as (a, b):
        async with guard(pairs=40) as (_, relay):

            async def call(number: int) -> None:
                await joined(relay, f"c{number}", a, b)
                await relay.close(f"c{number}")

            for start in range(0, 1000, 10):
                await asyncio.gather(*(call(start + each) for each in range(10)))
            assert await relay.list() == ()
            open_now = [await joined(relay, f"last{number}", a, b) for number in range(19)]
            for ports in open_now:
                a.say(at_a(ports), b"still there")
                assert b.hear(b"still there") == []


async def test_b_is_deaf_and_dumb_until_connected() -> None:
    """Before B's answer nothing sent to B's port reaches A, even from where B will be."""
    with parties(A, B) as (a, b):
        async with guard() as (_, relay):
            ports = await relay.open("early", a.media())
            b.say(at_b(ports), b"too early")
            await relay.connect("early", Side.B, b.media())
            b.say(at_b(ports), b"now")
            assert a.hear(b"now") == []
            assert b.drain() == []


async def test_unknown_a_then_known() -> None:
    """A call may be opened before A's address is known; until then A's port is shut as well."""
    with parties(A, B, X) as (a, b, x):
        async with guard() as (_, relay):
            ports = await relay.open("late", None)
            x.say(at_a(ports), b"stranger")
            a.say(at_a(ports), b"too early")
            await relay.connect("late", Side.B, b.media())
            await relay.connect("late", Side.A, a.media())
            x.say(at_a(ports), b"stranger")
            a.say(at_a(ports), b"hello")
            assert b.hear(b"hello") == []
            b.say(at_b(ports), b"hello back")
            assert a.hear(b"hello back") == []
            assert x.drain() == []


async def test_call_that_begins_on_hold() -> None:
    """An offer with an unspecified address opens A's port for nobody until A says where it is."""
    with parties(A, B, X) as (a, b, x):
        async with guard() as (_, relay):
            ports = await relay.open("held", PartyMedia(address="0.0.0.0", port=a.port))
            x.say(at_a(ports), b"stranger")
            await relay.connect("held", Side.B, b.media())
            await relay.connect("held", Side.A, a.media())
            a.say(at_a(ports), b"off hold")
            assert b.hear(b"off hold") == []
            b.say(at_b(ports), b"hello")
            assert a.hear(b"hello") == []
            assert x.drain() == []


async def test_changed_address() -> None:
    """After a re-INVITE audio goes to the new place, and the old one is a stranger."""
    with parties(A, B, "127.0.0.13") as (a, b, moved):
        async with guard() as (_, relay):
            ports = await joined(relay, "move", a, b)
            b.say(at_b(ports), b"before")
            a.hear(b"before")
            await relay.connect("move", Side.B, moved.media())
            b.say(at_b(ports), b"from the old place")
            a.say(at_a(ports), b"to the new place")
            assert moved.hear(b"to the new place") == []
            moved.say(at_b(ports), b"from the new place")
            assert a.hear(b"from the new place") == []
            assert b.drain() == []


async def test_port_behind_nat_is_learned_from_the_signalled_address_only() -> None:
    """Behind NAT the port comes from the first packet, and only the signalled address can send one."""
    with parties(A, A, B, X) as (signalled, real, b, x):
        async with guard() as (_, relay):
            ports = await relay.open("nat", signalled.media(is_behind_nat=True))
            await relay.connect("nat", Side.B, b.media())
            x.say(at_a(ports), b"stranger first")
            real.say(at_a(ports), b"from another port")
            assert b.hear(b"from another port") == []
            b.say(at_b(ports), b"back")
            assert real.hear(b"back") == []
            assert signalled.drain() + x.drain() == []


async def test_media_networks() -> None:
    """With media networks given, audio may come from anywhere in them and from nowhere else."""
    with parties(A, B, "127.0.7.1", X) as (a, b, node, x):
        async with guard() as (_, relay):
            ports = await relay.open("net", a.media("127.0.7.0/24", "2001:db8::/32"))
            await relay.connect("net", Side.B, b.media())
            x.say(at_a(ports), b"stranger")
            node.say(at_a(ports), b"from the network")
            assert b.hear(b"from the network") == []


async def test_hold_of_old_changes_nothing() -> None:
    """An unspecified address (RFC 2543 hold) leaves filter and destination as they are."""
    with parties(A, B) as (a, b):
        async with guard() as (_, relay):
            ports = await joined(relay, "hold", a, b)
            await relay.connect("hold", Side.B, PartyMedia(address="0.0.0.0", port=b.port))
            a.say(at_a(ports), b"same as ever")
            assert b.hear(b"same as ever") == []


async def test_own_ports_are_no_destination() -> None:
    """A party that names one of the relay's ports as its own would make calls talk to each other."""
    async with guard() as (supervisor, relay):
        evil = PartyMedia(address="127.0.0.1", port=supervisor.settings.port_first + 4)
        with pytest.raises(RelayRefused):
            await relay.open("loop", evil)
        assert await relay.list() == ()
    everywhere = {Family.V4: "0.0.0.0"}
    async with guard(bind=everywhere, advertise={Family.V4: "192.0.2.1"}) as (supervisor, relay):
        evil = PartyMedia(address="127.0.0.1", port=supervisor.settings.port_first + 4)
        with pytest.raises(RelayRefused):
            await relay.open("loop", evil)


@pytest.mark.parametrize("call", ["", "a b", "x&&D", "x\nX", "../x", "é", "x" * 65, "canary", "T:x"])
async def test_call_ids_are_ours(call: str) -> None:
    """No text that could mean anything to the engine is taken for a call."""
    async with guard() as (_, relay):
        with parties(A) as (a,), pytest.raises(RelayRefused):
            await relay.open(call, a.media())
        assert await relay.list() == ()


async def test_family_must_fit() -> None:
    """A side opened for one IP version refuses an address of the other."""
    with parties(A, "::1") as (a, six):
        async with guard() as (_, relay):
            await relay.open("four", a.media())
            with pytest.raises(RelayRefused):
                await relay.connect("four", Side.B, six.media())
            with pytest.raises(RelayRefused):
                await relay.open("mixed", a.media(), family_a=Family.V6)


async def test_missing_family_is_refused() -> None:
    """A guard without an IPv6 address opens no IPv6 side."""
    with parties(A) as (a,):
        async with guard(bind={Family.V4: "127.0.0.1"}, advertise={Family.V4: "127.0.0.1"}) as (_, relay):
            with pytest.raises(RelayRefused):
                await relay.open("six", a.media(), family_b=Family.V6)
            ports = await relay.open("four", a.media())
            assert ports.address_a == "127.0.0.1"


async def test_announced_addresses() -> None:
    """What is announced may differ from what is bound."""
    announced = {Family.V4: "192.0.2.1", Family.V6: "2001:db8::1"}
    with parties(A) as (a,):
        async with guard(advertise=announced) as (_, relay):
            ports = await relay.open("far", a.media(), family_b=Family.V6)
            assert (ports.address_a, ports.address_b) == ("192.0.2.1", "2001:db8::1")


def test_settings_of_the_rig_are_on_free_ports() -> None:
    """The ports these tests use are free when chosen."""
    settings = make_settings("/tmp", pairs=3)
    assert is_port_free(settings.port_first)
