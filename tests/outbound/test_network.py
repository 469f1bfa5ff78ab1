import asyncio
import ssl
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.outbound.addresses import parse_networks
from maskline.outbound.client import OutboundClient
from maskline.outbound.network import ATTEMPTS_MAX, Connector, SystemNetwork
from maskline.outbound.policy import Target, parse_target
from maskline.outbound.resolver import Resolver
from maskline.outbound.types import (
    FailureReason,
    OutboundError,
    OutboundFailed,
    OutboundLimits,
    OutboundRefused,
    RefusalReason,
)
from maskline.outbound.wire import Wire
from tests.outbound.rig import OK, AnsweringTransport, resolving, serve
from tests.outbound.test_addresses import ADDRESSES

LIMITS = OutboundLimits(total_s=5, connect_s=5, read_s=5, response_bytes_max=1_000)
TRUST = ssl.create_default_context()


class RecordingNetwork:
    """Connects nowhere, and knows who was asked for; `answering` addresses give an answer."""

    def __init__(self, *, answering: Iterable[str] = (), error: type[OSError] | None = OSError) -> None:
        self.asked: list[str] = []
        self._answering = frozenset(answering)
        self._error = error

    async def connect(self, address: str, port: int, tls: ssl.SSLContext | None, name: str | None) -> Wire:
        """Record the address; without an error it never answers."""
        self.asked.append(address)
        if address not in self._answering:
            if self._error is None:
                await asyncio.Event().wait()
            else:
                raise self._error
        wire = Wire()
        wire.connection_made(AnsweringTransport(wire, OK))
        return wire


def _target(url: str = "http://a.example/") -> Target:
    target = parse_target(url)
    assert isinstance(target, Target)
    return target


def _connector(network: RecordingNetwork, resolver: Resolver, *allowed: str) -> Connector:
    return Connector(network, resolver, parse_networks(allowed), TRUST)


def _is_inside(address: IPv4Address | IPv6Address) -> bool:
    """Whether the standard library knows an address for one that is not of the public Internet."""
    if isinstance(address, IPv6Address) and str(address).startswith("64:ff9b::"):
        address = IPv4Address(int(address) & 0xFFFF_FFFF)
    return (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )


@given(st.lists(ADDRESSES, max_size=5), st.lists(st.text(max_size=8), max_size=1))
async def test_no_connection_is_tried_to_an_address_that_is_not_public(
    addresses: list[object], junk: list[str]
) -> None:
    """Whatever the resolver answers, the network is asked for public addresses only."""
    network = RecordingNetwork()
    answer = [*(str(address) for address in addresses), *junk]
    async with OutboundClient(resolver=resolving(*answer), network=network) as client:
        with pytest.raises(OutboundError):
            await client.request("GET", "http://a.example/", headers={}, body=None, limits=LIMITS)
    assert not any(_is_inside(ip_address(host)) for host in network.asked)
    assert len(network.asked) <= ATTEMPTS_MAX


@given(ADDRESSES, st.sampled_from(["http", "https"]))
async def test_no_connection_is_tried_to_an_address_in_the_url_that_is_not_public(
    address: object, scheme: str
) -> None:
    """The same holds where the URL itself names the address; a resolver that lies changes nothing."""
    network = RecordingNetwork()
    host = f"[{address}]" if ":" in str(address) else str(address)
    async with OutboundClient(resolver=resolving("8.8.8.8"), network=network) as client:
        with pytest.raises(OutboundError):
            await client.request("GET", f"{scheme}://{host}/", headers={}, body=None, limits=LIMITS)
    for asked in network.asked:
        assert not _is_inside(ip_address(asked))


async def test_next_address_is_tried() -> None:
    """Where the first public address is dead, the second serves, in the resolver's order."""
    network = RecordingNetwork(answering=["8.8.8.8"])
    resolver = resolving("2606::1", "8.8.8.8", "9.9.9.9")
    async with OutboundClient(resolver=resolver, network=network) as client:
        answer = await client.request("GET", "http://a.example/", headers={}, body=None, limits=LIMITS)
    assert answer.status == 200
    assert network.asked == ["2606::1", "8.8.8.8"]


async def test_attempts_are_bounded() -> None:
    """A name with many dead addresses costs three attempts."""
    network = RecordingNetwork()
    connector = _connector(network, resolving(*(f"8.8.8.{n}" for n in range(20))))
    with pytest.raises(OutboundFailed) as caught:
        await connector.connect(_target(), 1)
    assert caught.value.reason is FailureReason.CONNECT
    assert len(network.asked) == ATTEMPTS_MAX


async def test_attempts_share_the_time_to_connect() -> None:
    """Addresses that do not answer are each given their share of the time."""
    network = RecordingNetwork(error=None)
    with pytest.raises(OutboundFailed) as caught:
        await _connector(network, resolving("8.8.8.8", "9.9.9.9")).connect(_target(), 0.1)
    assert caught.value.reason is FailureReason.TIMEOUT
    assert network.asked == ["8.8.8.8", "9.9.9.9"]


async def test_wrong_certificate_is_not_tried_elsewhere() -> None:
    """Somebody who answers as somebody else is a failure of TLS, whatever other addresses there are."""
    network = RecordingNetwork(error=ssl.SSLCertVerificationError)
    with pytest.raises(OutboundFailed) as caught:
        await _connector(network, resolving("8.8.8.8", "9.9.9.9")).connect(_target("https://a.example/"), 1)
    assert caught.value.reason is FailureReason.TLS
    assert network.asked == ["8.8.8.8"]


async def test_resolver_that_hangs_costs_the_time_to_connect() -> None:
    """The wait for a name is part of the time to connect."""

    async def hang(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(OutboundFailed) as caught:
        await _connector(RecordingNetwork(), hang).connect(_target(), 0.05)
    assert caught.value.reason is FailureReason.TIMEOUT


async def test_name_without_addresses_is_a_failure_of_dns() -> None:
    """No such name, and a name without addresses, are told as such."""

    async def unknown(host: str, port: int) -> list[str]:
        raise OSError

    for resolver in (unknown, resolving()):
        with pytest.raises(OutboundFailed) as caught:
            await _connector(RecordingNetwork(), resolver).connect(_target(), 1)
        assert caught.value.reason is FailureReason.DNS


async def test_allowed_networks_are_connected_to() -> None:
    """The operator's networks are reached by name and by address, mapped addresses as what they are."""
    network = RecordingNetwork(answering=["10.0.0.1"])
    connector = _connector(network, resolving("::ffff:10.0.0.1"), "10.0.0.0/8")
    await connector.connect(_target(), 1)
    await connector.connect(_target("http://[::ffff:10.0.0.1]/"), 1)
    assert network.asked == ["10.0.0.1", "10.0.0.1"]


async def test_address_in_a_url_needs_no_resolver() -> None:
    """An address is judged as it stands."""

    async def never(host: str, port: int) -> list[str]:
        raise AssertionError

    network = RecordingNetwork(answering=["8.8.8.8"])
    await _connector(network, never).connect(_target("http://8.8.8.8/"), 1)
    with pytest.raises(OutboundRefused) as caught:
        await _connector(network, never).connect(_target("http://10.0.0.1/"), 1)
    assert caught.value.reason is RefusalReason.ADDRESS_NOT_PUBLIC
    assert network.asked == ["8.8.8.8"]


async def test_system_network_connects_to_the_address() -> None:
    """The real one brings bytes to a peer and back."""
    async with serve() as peer:
        wire = await SystemNetwork().connect("127.0.0.1", peer.port, None, None)
        wire.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await wire.read(2) == OK
        wire.abort()
