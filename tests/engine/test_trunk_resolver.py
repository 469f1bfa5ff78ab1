"""What the targets of trunks mean."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.inventory import Target, Transport
from maskline.core.targets import TargetAddress, order_targets
from maskline.engine import trunk_resolver
from maskline.engine.trunk_resolver import (
    ADDRESS_COUNT_MAX,
    TTL_S_MAX,
    TTL_S_MIN,
    Found,
    FoundServices,
    NameUnknownError,
    Service,
    SystemNames,
    TrunkResolver,
    look_up,
)

T = TypeVar("T", Found, FoundServices)

NAME = Target(host="carrier.example")
WITH_PORT = Target(host="carrier.example", port=5080)
BOTH = frozenset({(transport, is_v6) for transport in ("udp", "tcp", "tls") for is_v6 in (False, True)})


@dataclass
class Zone:
    """A name service by hand. What is not in it does not exist; an exception in it is what happens."""

    srv: dict[str, FoundServices | Exception] = field(default_factory=dict)
    hosts: dict[str, Found | Exception] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    async def services(self, name: str) -> FoundServices:
        return self._answer(self.srv, name)

    async def addresses(self, host: str) -> Found:
        return self._answer(self.hosts, host)

    def _answer(self, entries: Mapping[str, T | Exception], name: str) -> T:
        self.asked[name] += 1
        found = entries.get(name, NameUnknownError())
        if isinstance(found, Exception):
            raise found
        return found


class Scene:
    """A resolver, its names and its clock."""

    def __init__(
        self, zone: Zone | None = None, *, local: frozenset[tuple[str, bool]] = frozenset({("udp", False)})
    ) -> None:
        self.zone = zone or Zone()
        self.now = 0.0
        self.resolver = TrunkResolver(self.zone, mono_s=lambda: self.now, local=local)

    async def ask(self, target: Target, *, after_s: float = 0.0) -> list[str]:
        """The places a target leads to some time later."""
        return [f"{each.host} {each.port}" for each in await self.addresses(target, after_s=after_s)]

    async def addresses(self, target: Target, *, after_s: float = 0.0) -> tuple[TargetAddress, ...]:
        self.now += after_s
        return (await self.resolver.resolve([target]))[target]


def found(*addresses: str, ttl_s: float = 60.0) -> Found:
    return Found(addresses, ttl_s)


def services(*records: tuple[int, int, int, str], ttl_s: float = 60.0) -> FoundServices:
    return FoundServices(tuple(Service(*record) for record in records), ttl_s)


# --- which questions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["192.0.2.1", "2001:db8::1"])
async def test_an_address_is_not_looked_up(text: str) -> None:
    """It means itself, at the port of its transport."""
    scene = Scene()
    assert await scene.ask(Target(host=text)) == [f"{text} 5060"]
    assert await scene.ask(Target(host=text, transport=Transport.TLS)) == [f"{text} 5061"]
    assert not scene.zone.asked


async def test_a_name_with_port_is_a_host() -> None:
    """RFC 3263 section 4.2: with a port there is no SRV."""
    scene = Scene(Zone(hosts={"carrier.example": found("192.0.2.7")}))
    assert await scene.ask(WITH_PORT) == ["192.0.2.7 5080"]
    assert list(scene.zone.asked) == ["carrier.example"]


@pytest.mark.parametrize(
    ("transport", "service"),
    [
        (Transport.UDP, "_sip._udp.carrier.example"),
        (Transport.TCP, "_sip._tcp.carrier.example"),
        (Transport.TLS, "_sips._tcp.carrier.example"),
    ],
)
async def test_a_name_without_port_is_a_service(transport: Transport, service: str) -> None:
    """Each transport asks for its own; priority and weight come along, the name stays the operator's."""
    zone = Zone(
        srv={service: services((20, 5, 5070, "b.example"), (10, 7, 5090, "a.example"))},
        hosts={"a.example": found("192.0.2.1"), "b.example": found("192.0.2.2")},
    )
    scene = Scene(zone, local=BOTH)
    first, second = await scene.addresses(Target(host="carrier.example", transport=transport))
    assert (first.host, first.port, first.priority) == ("192.0.2.1", 5090, 10)
    assert (second.host, second.port, second.priority) == ("192.0.2.2", 5070, 20)
    assert first.weight / second.weight == pytest.approx(7 / 5, abs=0.01)
    assert {first.name, second.name} == {"carrier.example"}
    assert {first.name_port, second.name_port} == {None}
    assert {first.transport, second.transport} == {transport}


async def test_a_name_without_service_is_a_host() -> None:
    """At the port of its transport."""
    scene = Scene(Zone(hosts={"carrier.example": found("192.0.2.7")}), local=BOTH)
    assert await scene.ask(NAME) == ["192.0.2.7 5060"]
    assert await scene.ask(Target(host="carrier.example", transport=Transport.TLS)) == ["192.0.2.7 5061"]


async def test_a_service_that_is_not_offered_leads_nowhere() -> None:
    """A root target says so (RFC 2782), and the plain name is not tried."""
    zone = Zone(srv={"_sip._udp.carrier.example": services()}, hosts={"carrier.example": found("192.0.2.7")})
    assert await Scene(zone).ask(NAME) == []


async def test_a_host_of_a_service_may_be_missing() -> None:
    """The others serve; the missing one is asked for again soon."""
    zone = Zone(
        srv={"_sip._udp.carrier.example": services((1, 1, 5060, "a.example"), (2, 1, 5060, "b.example"))},
        hosts={"b.example": found("192.0.2.2", ttl_s=3000)},
    )
    scene = Scene(zone)
    assert await scene.ask(NAME) == ["192.0.2.2 5060"]
    zone.hosts["a.example"] = found("192.0.2.1")
    assert await scene.ask(NAME, after_s=TTL_S_MIN) == ["192.0.2.1 5060", "192.0.2.2 5060"]


async def test_trunks_of_one_name_ask_once() -> None:
    """Ten trunks at one carrier are one question, whatever weight they give it."""
    scene = Scene(Zone(hosts={"carrier.example": found("192.0.2.7")}))
    other = Target(host="carrier.example", port=5080, priority=1, weight=2)
    answers = await scene.resolver.resolve([WITH_PORT, other])
    assert answers[WITH_PORT] == answers[other] != ()
    assert scene.zone.asked["carrier.example"] == 1


async def test_only_addresses_we_can_send_to_are_taken() -> None:
    """Of the families this switch has a socket for, for this transport."""
    hosts = {"carrier.example": found("2001:db8::1", "192.0.2.7")}
    local = frozenset({("udp", False), ("tcp", True)})
    scene = Scene(Zone(hosts=dict(hosts)), local=local)
    assert await scene.ask(WITH_PORT) == ["192.0.2.7 5080"]
    over_tcp = Target(host="carrier.example", port=5080, transport=Transport.TCP)
    assert await scene.ask(over_tcp) == ["2001:db8::1 5080"]


async def test_a_hosts_weight_is_shared_among_its_addresses() -> None:
    """Two hosts of equal weight get equal shares though one has three addresses."""
    zone = Zone(
        srv={"_sip._udp.carrier.example": services((1, 1, 5060, "a.example"), (1, 1, 5060, "b.example"))},
        hosts={"a.example": found("192.0.2.1", "192.0.2.2", "192.0.2.3"), "b.example": found("192.0.2.9")},
    )
    addresses = await Scene(zone).addresses(NAME)
    firsts = Counter(order_targets(addresses, dice=dice)[0].host for dice in range(2_000))
    assert firsts["192.0.2.9"] / 2_000 == pytest.approx(0.5, abs=0.05)


# --- when ------------------------------------------------------------------------------------------------------


@given(ttl_s=st.floats(0, 10**9))
def test_an_answer_is_good_for_its_lifetime(ttl_s: float) -> None:
    """Within bounds: neither asked for all the time nor kept for ever."""

    async def run() -> None:
        scene = Scene(Zone(hosts={"carrier.example": found("192.0.2.7", ttl_s=ttl_s)}))
        kept_s = min(max(ttl_s, TTL_S_MIN), TTL_S_MAX)
        await scene.ask(WITH_PORT)
        await scene.ask(WITH_PORT, after_s=kept_s - 0.001)
        assert scene.zone.asked["carrier.example"] == 1
        await scene.ask(WITH_PORT, after_s=0.002)
        assert scene.zone.asked["carrier.example"] == 2

    asyncio.run(run())


async def test_the_shortest_lifetime_counts() -> None:
    """A host that moves is followed though its service record is good for an hour."""
    zone = Zone(
        srv={"_sip._udp.carrier.example": services((1, 1, 5060, "a.example"), ttl_s=3600)},
        hosts={"a.example": found("192.0.2.1", ttl_s=40)},
    )
    scene = Scene(zone)
    await scene.ask(NAME)
    zone.hosts["a.example"] = found("192.0.2.2")
    assert await scene.ask(NAME, after_s=39) == ["192.0.2.1 5060"]
    assert await scene.ask(NAME, after_s=1) == ["192.0.2.2 5060"]


@pytest.mark.parametrize("failure", [OSError("away"), TimeoutError(), NameUnknownError(), found()])
async def test_the_last_good_answer_is_kept(failure: Exception | Found) -> None:
    """A carrier stays reachable while its names are not, and is looked up again soon."""
    scene = Scene(Zone(hosts={"carrier.example": found("192.0.2.7")}))
    await scene.ask(WITH_PORT)
    scene.zone.hosts["carrier.example"] = failure
    for _ in range(3):
        assert await scene.ask(WITH_PORT, after_s=60) == ["192.0.2.7 5080"]
    scene.zone.hosts["carrier.example"] = found("192.0.2.8")
    assert await scene.ask(WITH_PORT, after_s=TTL_S_MIN) == ["192.0.2.8 5080"]


async def test_a_service_that_cannot_be_looked_up_does_not_become_a_host() -> None:
    """While its last answer is known; without one the host is better than nothing."""
    service = "_sip._udp.carrier.example"
    zone = Zone(
        srv={service: services((1, 1, 5070, "a.example"))},
        hosts={"a.example": found("192.0.2.1"), "carrier.example": found("192.0.2.9")},
    )
    scene = Scene(zone)
    await scene.ask(NAME)
    zone.srv[service] = TimeoutError()
    assert await scene.ask(NAME, after_s=60) == ["192.0.2.1 5070"]
    assert await Scene(zone).ask(NAME) == ["192.0.2.9 5060"]


async def test_a_name_never_resolved_does_not_hold_up_the_others() -> None:
    """It leads nowhere until it is known; the rest works."""
    scene = Scene(Zone(hosts={"carrier.example": OSError("away")}))
    answers = await scene.resolver.resolve([WITH_PORT, Target(host="192.0.2.1")])
    assert [len(each) for each in answers.values()] == [0, 1]
    scene.zone.hosts["carrier.example"] = found("192.0.2.7")
    assert await scene.ask(WITH_PORT, after_s=TTL_S_MIN) == ["192.0.2.7 5080"]


async def test_answers_in_turn_are_no_change() -> None:
    """A name server that rotates its answers must not make the trunks change every time."""
    scene = Scene(Zone(hosts={"carrier.example": found("192.0.2.7", "192.0.2.8")}))
    before = await scene.addresses(WITH_PORT)
    scene.zone.hosts["carrier.example"] = found("192.0.2.8", "192.0.2.7", "192.0.2.8")
    assert await scene.addresses(WITH_PORT, after_s=60) == before


async def test_a_name_service_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is bounded, and the next round does not wait again."""
    monkeypatch.setattr(trunk_resolver, "LOOK_UP_TIMEOUT_S", 0.01)

    class Hanging(Zone):
        async def addresses(self, host: str) -> Found:
            self.asked[host] += 1
            await asyncio.Event().wait()
            raise AssertionError

    scene = Scene(Hanging())
    async with asyncio.timeout(5):
        assert await scene.ask(WITH_PORT) == []
        assert await scene.ask(WITH_PORT, after_s=1) == []
    assert scene.zone.asked["carrier.example"] == 1


# --- DNS itself -------------------------------------------------------------------------------------------------

ANSWERS = {
    ("carrier.example.", "A"): ["carrier.example. 77 IN A 192.0.2.7"],
    ("alias.example.", "A"): [
        "alias.example. 300 IN CNAME carrier.example.",
        "carrier.example. 40 IN A 192.0.2.7",
    ],
    ("six.example.", "AAAA"): ["six.example. 90 IN AAAA 2001:db8::7"],
    ("_sip._udp.carrier.example.", "SRV"): [
        "_sip._udp.carrier.example. 50 IN SRV 10 60 5070 a.carrier.example.",
        "_sip._udp.carrier.example. 50 IN SRV 20 0 5080 b.carrier.example.",
    ],
    ("_sip._udp.closed.example.", "SRV"): ["_sip._udp.closed.example. 50 IN SRV 0 0 0 ."],
}


class _NameServer(asyncio.DatagramProtocol):
    """A DNS server with the answers above."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        (asked,) = query.question
        kind = dns.rdatatype.to_text(asked.rdtype)
        records = ANSWERS.get((asked.name.to_text(), kind))
        if records is None and "broken" in asked.name.to_text():
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif records is None and not any(name == asked.name.to_text() for name, _ in ANSWERS):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        for record in records or ():
            name, ttl, class_, type_, *rest = record.split()
            found = dns.rrset.from_text(name, int(ttl), class_, type_, " ".join(rest))
            held = reply.find_rrset(reply.answer, found.name, found.rdclass, found.rdtype, create=True)
            for item in found:
                held.add(item, int(ttl))
        self.transport.sendto(reply.to_wire(), addr)


@pytest.fixture
async def names() -> AsyncIterator[SystemNames]:
    """Names as the system looks them up, but at our own name server."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_NameServer, local_addr=("127.0.0.1", 0))
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = transport.get_extra_info("sockname")[1]
    names = SystemNames()
    names._resolver = resolver
    yield names
    transport.close()


async def test_srv_records_are_read(names: SystemNames) -> None:
    """Priority, weight, port and host, with their lifetime."""
    assert await names.services("_sip._udp.carrier.example") == FoundServices(
        (Service(10, 60, 5070, "a.carrier.example"), Service(20, 0, 5080, "b.carrier.example")), 50.0
    )
    assert await names.services("_sip._udp.closed.example") == FoundServices((), 50.0)


@pytest.mark.parametrize("name", ["_sip._udp.nowhere.example", "_sip._udp.six.example", "carrier.example"])
async def test_a_service_that_does_not_exist_is_told_from_a_failure(names: SystemNames, name: str) -> None:
    """No such name, and no such record under it, are the same; a server that fails is another thing."""
    with pytest.raises(NameUnknownError):
        await names.services(name)
    with pytest.raises(OSError):
        await names.services("_sip._udp.broken.example")


async def test_what_is_no_name_is_a_failure(names: SystemNames) -> None:
    """A label may have 63 characters; nothing else comes out than what is promised."""
    with pytest.raises(OSError):
        await names.services("a" * 64 + ".example")


async def test_address_records_are_read(names: SystemNames) -> None:
    """Of both families; the shortest lifetime on the way counts."""
    assert await names.addresses("carrier.example") == Found(("192.0.2.7",), 77.0)
    assert await names.addresses("alias.example") == Found(("192.0.2.7",), 40.0)
    assert await names.addresses("six.example") == Found(("2001:db8::7",), 90.0)


async def test_names_of_the_machine_itself_are_found(names: SystemNames) -> None:
    """What is in no DNS may be in the hosts file."""
    found_here = await names.addresses("localhost")
    assert set(found_here.addresses) <= {"127.0.0.1", "::1"}
    assert found_here.addresses
    assert len(found_here.addresses) <= ADDRESS_COUNT_MAX


async def test_the_system_knows_no_such_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its refusal is told from its failure."""
    loop = asyncio.get_running_loop()

    async def refuse(*_args: object, **_options: object) -> list[object]:
        raise socket.gaierror(code, "as the system says it")

    monkeypatch.setattr(loop, "getaddrinfo", refuse)
    code = socket.EAI_NONAME
    with pytest.raises(NameUnknownError):
        await look_up("nowhere.example")
    code = socket.EAI_AGAIN
    with pytest.raises(socket.gaierror):
        await look_up("nowhere.example")


async def test_a_whole_resolution(names: SystemNames) -> None:
    """From a target to addresses through a real name server."""
    resolver = TrunkResolver(names, mono_s=lambda: 0.0, local=BOTH)
    target = Target(host="six.example", transport=Transport.TCP)
    answers = await resolver.resolve([target])
    assert [(each.host, each.port) for each in answers[target]] == [("2001:db8::7", 5060)]
