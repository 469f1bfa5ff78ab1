"""Which trunk accepts an address."""

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.inventory import Target, Trunk
from maskline.engine.trunk_table import ADDRESS_CACHE_MAX, TrunkTable

TRUNK = Trunk(id=1, created_at=0, name="one", targets=(Target(host="192.0.2.1"),), accept=("192.0.2.0/28",))


def test_a_table_without_trunks_accepts_nobody() -> None:
    """Before any trunk is known every address is a stranger."""
    table = TrunkTable()
    assert table.accepting("192.0.2.1") == ()
    assert not table.is_trusted("192.0.2.1")
    assert not table.is_edge("192.0.2.1")


def test_every_trunk_of_an_address_is_found_in_order() -> None:
    """Two carriers behind one address are both candidates, the older first."""
    second = replace(TRUNK, id=2, name="two", accept=("198.51.100.7/32", "192.0.2.1/32", "192.0.0.0/16"))
    table = TrunkTable()
    table.replace((TRUNK, second))
    assert table.accepting("192.0.2.1") == (TRUNK, second)
    assert table.accepting("192.0.2.200") == (second,)
    assert table.accepting("198.51.100.8") == ()


def test_peers_are_hosts_of_one_trunk() -> None:
    """An address may speak about a dialog with a host of its own trunk, its peer included, and no other."""
    second = replace(TRUNK, id=2, name="two", targets=(Target(host="203.0.113.5"),), accept=("198.51.100.0/24",))
    table = TrunkTable(("10.0.0.1/32",))
    table.replace((TRUNK, second))
    assert table.are_peers("192.0.2.9", frozenset({"192.0.2.1"}))
    assert table.are_peers("198.51.100.9", frozenset({"gone.example", "198.51.100.7"}))
    assert table.are_peers("198.51.100.9", frozenset({"203.0.113.5"}))
    assert not table.are_peers("198.51.100.9", frozenset({"192.0.2.1"}))
    assert not table.are_peers("233.252.0.1", frozenset({"192.0.2.1"}))
    assert table.are_peers("10.0.0.1", frozenset({"192.0.2.1"}))


def test_replacing_forgets_remembered_answers() -> None:
    """An address accepted a moment ago is a stranger once its trunk is gone."""
    table = TrunkTable()
    assert table.replace((TRUNK,))
    assert table.is_trusted("192.0.2.1")
    assert not table.replace((TRUNK,)), "nothing changed"
    assert table.replace(())
    assert not table.is_trusted("192.0.2.1")
    assert table.trunks == ()


def test_a_stranger_becomes_known_with_a_new_trunk() -> None:
    """A refusal is not remembered beyond the trunks it was made of."""
    table = TrunkTable()
    assert not table.is_trusted("192.0.2.1")
    table.replace((TRUNK,))
    assert table.is_trusted("192.0.2.1")


@pytest.mark.parametrize("address", ["::ffff:192.0.2.1", "::ffff:c000:201"])
def test_an_ipv4_address_through_an_ipv6_socket_is_itself(address: str) -> None:
    """Mapped addresses count as the IPv4 address they carry."""
    table = TrunkTable()
    table.replace((TRUNK,))
    assert table.accepting(address) == (TRUNK,)


def test_the_zone_of_a_link_local_address_is_not_compared() -> None:
    """A network names no interface."""
    trunk = replace(TRUNK, accept=("fe80::/64",))
    table = TrunkTable()
    table.replace((trunk,))
    assert table.accepting("fe80::1%eth0") == (trunk,)


@pytest.mark.parametrize(
    "text", ["", "carrier.example", "192.0.2.1:5060", "192.0.2", "1" * 4000, "%", "::1/128"]
)
def test_what_is_no_address_is_accepted_by_nobody(text: str) -> None:
    """What an edge wrote into its header can be anything, and must not raise."""
    table = TrunkTable(("0.0.0.0/0", "::/0"))
    table.replace((replace(TRUNK, accept=("0.0.0.0/0", "::/0")),))
    assert table.accepting(text) == ()
    assert not table.is_edge(text)
    assert not table.is_trusted(text)


def test_an_edge_is_trusted_but_is_no_trunk() -> None:
    """A proxy of ours gets answers though no trunk accepts it."""
    table = TrunkTable(("10.0.0.0/24",))
    table.replace((TRUNK,))
    assert table.is_edge("10.0.0.9")
    assert table.is_trusted("10.0.0.9")
    assert table.accepting("10.0.0.9") == ()
    assert not table.is_edge("192.0.2.1")


def test_a_scan_does_not_fill_the_memory() -> None:
    """More addresses than the cache holds empty it instead of growing it."""
    table = TrunkTable()
    table.replace((TRUNK,))
    for number in range(ADDRESS_CACHE_MAX + 10):
        table.accepting(str(ipaddress.IPv4Address(0x0A000000 + number)))
    assert 0 < len(table._cache) <= ADDRESS_CACHE_MAX
    assert table.accepting("192.0.2.1") == (TRUNK,)


@given(
    address=st.ip_addresses(),
    networks=st.lists(st.tuples(st.ip_addresses(), st.integers(0, 128)), max_size=5),
)
def test_accepting_is_membership(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    networks: list[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]],
) -> None:
    """An address is accepted exactly when a network of the trunk holds it, asked once or twice."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    accept = tuple(f"{host}/{min(bits, host.max_prefixlen)}" for host, bits in networks)
    trunk = replace(TRUNK, accept=accept)
    table = TrunkTable()
    table.replace((trunk,))
    expected = any(address in ipaddress.ip_network(network, strict=False) for network in accept)
    for _ in range(2):
        assert table.accepting(str(address)) == ((trunk,) if expected else ())
