from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maskline.outbound.addresses import (
    SPECIAL,
    SpecialNetwork,
    is_address_reachable,
    parse_ip_address,
    parse_networks,
)

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.0.3.0",
    "192.31.196.1",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "2000::1",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700:4700::1111",
    "2a00::1",
    "3ffe::1",
    "64:ff9b::808:808",
    "::ffff:8.8.8.8",
]
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::808:808",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "::ffff:0:0",
    "64:ff9b::a00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:0:1::1",
    "64:ff9b:1::808:808",
    "64:ff9b:1:fffe::1",
    "100::1",
    "1fff::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:a00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
]

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6), st.sampled_from([*PUBLIC, *NOT_PUBLIC]))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_reachable(address: str) -> None:
    """What the Internet routes is reachable, up to the edges of the special networks."""
    assert is_address_reachable(ip_address(address), ())


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_special_address_is_not_reachable(address: str) -> None:
    """Nothing inside, local, reserved or tunnelled is reachable."""
    assert not is_address_reachable(ip_address(address), ())


@pytest.mark.parametrize("special", SPECIAL, ids=lambda special: str(special.network))
def test_both_ends_of_every_row_are_out_of_bounds(special: SpecialNetwork) -> None:
    """Each network of the table counts whole, and each row says whose words it follows."""
    assert not is_address_reachable(special.network[0], ())
    assert not is_address_reachable(special.network[-1], ())
    assert special.name
    assert special.source


@given(ADDRESSES)
@example("192.0.0.9")
@example("2001:1::1")
def test_reachable_is_never_more_than_the_standard_library_calls_global(address: object) -> None:
    """A second opinion: what `ipaddress` calls private, reserved or local is refused here as well."""
    judged = parse_ip_address(str(address))
    assert judged is not None
    if is_address_reachable(judged, ()):
        if judged in ip_network("64:ff9b::/96"):
            judged = IPv4Address(int(judged) & 0xFFFF_FFFF)
        assert not judged.is_private
        assert not judged.is_loopback
        assert not judged.is_link_local
        assert not judged.is_multicast
        assert not judged.is_reserved
        assert not judged.is_unspecified


@given(ADDRESSES)
def test_networks_that_are_allowed_are_reachable(address: object) -> None:
    """What the operator allows may be reached, whatever it is."""
    judged = ip_address(str(address))
    assert is_address_reachable(judged, parse_networks([f"{judged}/{judged.max_prefixlen}"]))


@given(st.ip_addresses(v=4))
def test_ipv4_address_is_judged_the_same_in_ipv6_form(address: IPv4Address) -> None:
    """Mapped into IPv6 or behind NAT64's own prefix, an IPv4 address is what it is."""
    mapped = IPv6Address(f"::ffff:{address}")
    translated = IPv6Address(f"64:ff9b::{address}")
    expected = is_address_reachable(address, ())
    assert is_address_reachable(mapped, ()) is expected
    assert is_address_reachable(translated, ()) is expected
    assert parse_ip_address(str(mapped)) == address


def test_allowing_an_ipv4_network_allows_its_ipv6_forms() -> None:
    """A network that is allowed is allowed through NAT64 too."""
    allowed = parse_networks(["10.0.0.0/8"])
    assert is_address_reachable(ip_address("64:ff9b::a00:1"), allowed)
    assert not is_address_reachable(ip_address("64:ff9b::7f00:1"), allowed)


@pytest.mark.parametrize("text", ["fe80::1%eth0", "2606:4700::1%25", "localhost", "", "1.2.3", "01.2.3.4"])
def test_what_is_no_address_is_none(text: str) -> None:
    """Zones and shorthands are no addresses."""
    assert parse_ip_address(text) is None
