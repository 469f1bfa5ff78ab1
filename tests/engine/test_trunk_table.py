"""Which trunk accepts an address."""

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.inventory import Registration, Target, Transport, Trunk
from maskline.core.secret import Secret
from maskline.core.targets import ATTEMPT_COUNT_MAX, TargetAddress, address_of
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
    second = replace(
        TRUNK, id=2, name="two", targets=(Target(host="203.0.113.5"),), accept=("198.51.100.0/24",)
    )
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


# --- where calls go ---------------------------------------------------------------------------------------------

FIRST = Target(host="192.0.2.1", priority=1)
SECOND = Target(host="2001:db8::2", port=5062, transport=Transport.TCP, priority=2)
NAMED = Target(host="sip.carrier.example", transport=Transport.TLS, priority=3)
FOUND = (
    address_of(NAMED, "192.0.2.8", 5061, priority=1, weight=1),
    address_of(NAMED, "192.0.2.9", 5061, priority=2, weight=1),
)


def _table(
    *targets: Target, local: frozenset[tuple[str, bool]] | None = None, **changed: object
) -> TrunkTable:
    table = TrunkTable(local=local)
    trunk = replace(TRUNK, targets=targets, **changed)  # type: ignore[arg-type]
    table.replace((trunk,), {NAMED: FOUND})
    return table


def _places(addresses: tuple[TargetAddress, ...]) -> list[str]:
    return [f"{address.transport} {address.host} {address.port}" for address in addresses]


def test_a_call_is_routed_through_all_targets_in_order() -> None:
    """By the targets' priority, then by what their names lead to; addresses lead to themselves."""
    route = _table(NAMED, SECOND, FIRST).route(1, dice=7, now=0.0)
    assert _places(route) == [
        "udp 192.0.2.1 5060",
        "tcp 2001:db8::2 5062",
        "tls 192.0.2.8 5061",
        "tls 192.0.2.9 5061",
    ]
    assert [address.name for address in route] == [FIRST.host, SECOND.host, NAMED.host, NAMED.host]


def test_nowhere_to_go() -> None:
    """An unknown trunk and a name that nobody could look up lead nowhere."""
    table = TrunkTable()
    table.replace((replace(TRUNK, targets=(NAMED,)),))
    assert table.route(1, dice=0, now=0.0) == ()
    assert table.route(2, dice=0, now=0.0) == ()


def test_targets_this_switch_cannot_reach_are_left_out() -> None:
    """A transport or IP version without a socket is no choice."""
    table = _table(FIRST, SECOND, NAMED, local=frozenset({("udp", False), ("tls", False)}))
    assert {address.host for address in table.route(1, dice=0, now=0.0)} == {
        "192.0.2.1",
        "192.0.2.8",
        "192.0.2.9",
    }


def test_a_call_tries_no_more_than_a_handful() -> None:
    """However many targets there are, a caller does not wait for all of them."""
    targets = tuple(Target(host=f"192.0.2.{index}") for index in range(10))
    assert len(_table(*targets).route(1, dice=0, now=0.0)) == ATTEMPT_COUNT_MAX


def test_unhealthy_targets_are_tried_last() -> None:
    """The machine counts, whatever it is called; when all are ill the order is the old one."""
    table = _table(FIRST, SECOND, NAMED)
    healthy = table.route(1, dice=0, now=0.0)
    for _ in range(2):
        table.note_failure(healthy[0], 0.0)
    assert not table.is_healthy(healthy[0], 0.0)
    assert table.route(1, dice=0, now=0.0) == (*healthy[1:], healthy[0])
    table.note_success(healthy[0])
    assert table.route(1, dice=0, now=0.0) == healthy
    for address in healthy:
        table.note_failure(address, 0.0, retry_after_s=30)
    assert table.route(1, dice=0, now=0.0) == healthy


def test_health_is_forgotten_with_the_target() -> None:
    """A target that was taken away and comes back begins anew."""
    table = _table(FIRST, SECOND)
    (address, _) = table.route(1, dice=0, now=0.0)
    table.note_failure(address, 0.0, retry_after_s=600)
    table.replace((replace(TRUNK, targets=(SECOND,)),))
    table.replace((replace(TRUNK, targets=(FIRST, SECOND)),))
    assert table.is_healthy(address, 0.0)


def test_new_addresses_are_a_change() -> None:
    """A name that moved is followed though the trunk is the same."""
    table = _table(NAMED)
    trunks = table.trunks
    assert not table.replace(trunks, {NAMED: FOUND})
    assert table.replace(trunks, {NAMED: FOUND[1:]})
    assert _places(table.route(1, dice=0, now=0.0)) == ["tls 192.0.2.9 5061"]


def test_names_for_certificates() -> None:
    """An address is asked for the name the operator wrote, not for one that DNS made up."""
    table = _table(FIRST, NAMED)
    assert table.server_name_for(("192.0.2.8", 5061)) == "sip.carrier.example"
    assert table.server_name_for(("192.0.2.1", 5060)) == "192.0.2.1"
    assert table.server_name_for(("192.0.2.8", 5060)) is None


def test_hosts_of_all_targets_are_peers() -> None:
    """The trunk's accepted addresses may speak of a dialog with any of its targets, or with its registrar."""
    registration = Registration(registrar=Target(host="198.51.100.9"))
    table = _table(FIRST, NAMED, registration=registration)
    for host in ("192.0.2.9", "198.51.100.9"):
        assert table.are_peers("192.0.2.3", frozenset({host}))
    assert not table.are_peers("192.0.2.3", frozenset({"198.51.100.8"}))
    assert [address.host for address in table.addresses(Target(host="198.51.100.9"))] == ["198.51.100.9"]
    assert len(table.route(1, dice=0, now=0.0)) == 3, "calls do not go to the registrar"


# --- credentials ------------------------------------------------------------------------------------------------


def test_credentials_stay_the_same_object_with_their_pin() -> None:
    """A realm once pinned stays pinned while other settings change, and is let go with the password or by hand."""
    trunk = replace(TRUNK, username="us", password=Secret("p"))
    table = TrunkTable()
    table.replace((trunk,))
    first = table.credentials(1)
    assert first is not None
    assert first.pin is not None
    first.pin.realm = "carrier"
    table.replace((replace(trunk, max_calls=3),))
    assert table.credentials(1) is first
    for changed in (replace(trunk, password=Secret("q")), replace(trunk, realm="other")):
        table.replace((changed,))
        later = table.credentials(1)
        assert later is not None
        assert later.pin is not None
        assert later.pin.realm is None
    table.replace((replace(trunk, password=None),))
    assert table.credentials(1) is None


# --- channels ---------------------------------------------------------------------------------------------------


def test_channels_are_counted_for_each_trunk() -> None:
    """A leg beyond the limit is not taken and not counted; one given back makes room."""
    table = TrunkTable()
    table.replace((replace(TRUNK, max_calls=2), replace(TRUNK, id=2, name="two")))
    assert [table.take_channel(1) for _ in range(3)] == [True, True, False]
    assert all(table.take_channel(2) for _ in range(100))
    assert (table.channel_count(1), table.channel_count(2)) == (2, 100)
    table.give_channel(1)
    assert table.take_channel(1)
    assert not table.take_channel(1)


def test_a_lower_limit_ends_nothing() -> None:
    """Legs above a limit that was lowered run on; no further one is taken until it is met."""
    table = TrunkTable()
    table.replace((replace(TRUNK, max_calls=2),))
    assert table.take_channel(1)
    assert table.take_channel(1)
    table.replace((replace(TRUNK, max_calls=1),))
    table.give_channel(1)
    assert not table.take_channel(1)
    table.give_channel(1)
    assert table.take_channel(1)


def test_legs_of_a_trunk_that_is_gone_are_given_back() -> None:
    """Its calls end after it."""
    table = TrunkTable()
    table.replace((TRUNK,))
    assert table.take_channel(1)
    table.replace(())
    table.give_channel(1)
    assert table.channel_count(1) == 0


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5))
def test_channels_never_exceed_the_limit(takes: list[bool], limit: int) -> None:
    """Whatever the order of taking and giving back."""
    table = TrunkTable()
    table.replace((replace(TRUNK, max_calls=limit),))
    held = 0
    for is_take in takes:
        if is_take:
            assert table.take_channel(1) is (held < limit)
            held = min(limit, held + 1)
        elif held:
            table.give_channel(1)
            held -= 1
        assert table.channel_count(1) == held
