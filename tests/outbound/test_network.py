import asyncio
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.outbound.addresses import parse_networks
from maskline.outbound.client import OutboundClient
from maskline.outbound.network import ATTEMPTS_MAX, Budget, PinnedNetwork, PinnedStream, current_budget
from maskline.outbound.types import (
    FailureReason,
    OutboundError,
    OutboundFailed,
    OutboundLimits,
    OutboundRefused,
    RefusalReason,
)
from tests.outbound.rig import resolving
from tests.outbound.test_addresses import ADDRESSES

LIMITS = OutboundLimits(total_s=5, connect_s=5, read_s=5, response_bytes_max=1_000)


class RecordingNetwork(httpcore.AsyncNetworkBackend):
    """Connects nowhere, and knows who was asked for; `answering` addresses give an answer."""

    def __init__(self, *, answering: Iterable[str] = (), is_hanging: bool = False) -> None:
        self.asked: list[str] = []
        self._answering = frozenset(answering)
        self._is_hanging = is_hanging

    async def sleep(self, seconds: float) -> None:
        """Wait for nothing."""

    async def connect_tcp(
        self, host: str, port: int, *args: Any, **options: Any
    ) -> httpcore.AsyncNetworkStream:
        """Record the address."""
        self.asked.append(host)
        if self._is_hanging:
            try:
                async with asyncio.timeout(options["timeout"]):
                    await asyncio.Event().wait()
            except TimeoutError:
                raise httpcore.ConnectTimeout from None
        if host not in self._answering:
            raise httpcore.ConnectError
        return httpcore.AsyncMockStream([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])


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
    pinned = PinnedNetwork(network, resolving(*(f"8.8.8.{n}" for n in range(20))), ())
    with pytest.raises(OutboundFailed) as caught:
        await pinned.connect_tcp("a.example", 80, timeout=1)
    assert caught.value.reason is FailureReason.CONNECT
    assert len(network.asked) == ATTEMPTS_MAX


async def test_attempts_share_the_time_to_connect() -> None:
    """Addresses that do not answer are each given their share of the time."""
    network = RecordingNetwork(is_hanging=True)
    pinned = PinnedNetwork(network, resolving("8.8.8.8", "9.9.9.9"), ())
    with pytest.raises(OutboundFailed) as caught:
        await pinned.connect_tcp("a.example", 80, timeout=0.1)
    assert caught.value.reason is FailureReason.TIMEOUT
    assert network.asked == ["8.8.8.8", "9.9.9.9"]


async def test_resolver_that_hangs_costs_the_time_to_connect() -> None:
    """The wait for a name is part of the time to connect."""

    async def hang(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        raise AssertionError

    pinned = PinnedNetwork(RecordingNetwork(), hang, ())
    with pytest.raises(OutboundFailed) as caught:
        await pinned.connect_tcp("a.example", 80, timeout=0.05)
    assert caught.value.reason is FailureReason.TIMEOUT


async def test_name_without_addresses_is_a_failure_of_dns() -> None:
    """No such name, and a name without addresses, are told as such."""

    async def unknown(host: str, port: int) -> list[str]:
        raise OSError

    for resolver in (unknown, resolving()):
        pinned = PinnedNetwork(RecordingNetwork(), resolver, ())
        with pytest.raises(OutboundFailed) as caught:
            await pinned.connect_tcp("a.example", 80)
        assert caught.value.reason is FailureReason.DNS


async def test_allowed_networks_are_connected_to() -> None:
    """The operator's networks are reached by name and by address, mapped addresses as what they are."""
    network = RecordingNetwork(answering=["10.0.0.1"])
    pinned = PinnedNetwork(network, resolving("::ffff:10.0.0.1"), parse_networks(["10.0.0.0/8"]))
    await pinned.connect_tcp("inside.example", 80)
    assert network.asked == ["10.0.0.1"]


async def test_sockets_of_this_machine_are_not_reached() -> None:
    """No request goes to a Unix socket."""
    with pytest.raises(OutboundRefused) as caught:
        await PinnedNetwork(RecordingNetwork(), resolving(), ()).connect_unix_socket("/run/x.sock")
    assert caught.value.reason is RefusalReason.URL


async def test_reading_is_charged_to_the_request_that_reads() -> None:
    """What is read counts against the budget of the task's request, and only while there is one."""
    stream = PinnedStream(httpcore.AsyncMockStream([b"12345", b"67890", b"more"]))
    budget = Budget(9)
    token = current_budget.set(budget)
    assert await stream.read(100) == b"12345"
    assert budget.bytes_left == 4
    with pytest.raises(OutboundFailed) as caught:
        await stream.read(100)
    assert caught.value.reason is FailureReason.TOO_LARGE
    current_budget.reset(token)
    assert await stream.read(100) == b"more"
