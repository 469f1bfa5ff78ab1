"""Which addresses are public: tables of those that are not, and the judgement by them.

Source: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), and the documents beside each row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class SpecialNetwork:
    """Addresses that nobody on the public Internet answers, or that must not be asked."""

    network: IPNetwork
    name: str
    source: str


def _row(network: str, name: str, source: str) -> SpecialNetwork:
    return SpecialNetwork(ip_network(network), name, source)


SPECIAL_V4: Final = (
    _row("0.0.0.0/8", "this network", "RFC 791, section 3.2"),
    _row("10.0.0.0/8", "private", "RFC 1918"),
    _row("100.64.0.0/10", "shared by carriers; metadata of Alibaba Cloud", "RFC 6598"),
    _row("127.0.0.0/8", "loopback", "RFC 1122, section 3.2.1.3"),
    _row("168.63.129.16/32", "platform service of Azure, an otherwise public address", "Microsoft Learn"),
    _row("169.254.0.0/16", "link-local; metadata of most clouds", "RFC 3927"),
    _row("172.16.0.0/12", "private", "RFC 1918"),
    _row("192.0.0.0/24", "protocol assignments; metadata of Oracle Cloud", "RFC 6890"),
    _row("192.0.2.0/24", "documentation", "RFC 5737"),
    _row("192.88.99.0/24", "6to4 relays", "RFC 7526"),
    _row("192.168.0.0/16", "private", "RFC 1918"),
    _row("198.18.0.0/15", "benchmarks", "RFC 2544"),
    _row("198.51.100.0/24", "documentation", "RFC 5737"),
    _row("203.0.113.0/24", "documentation", "RFC 5737"),
    _row("224.0.0.0/4", "multicast", "RFC 1112, section 4"),
    _row("240.0.0.0/4", "reserved, and the broadcast address", "RFC 1112, section 4"),
)
SPECIAL_V6: Final = (
    _row("::/128", "unspecified", "RFC 4291, section 2.5.2"),
    _row("::1/128", "loopback", "RFC 4291, section 2.5.3"),
    _row("::/96", "IPv4-compatible", "RFC 4291, section 2.5.5.1"),
    _row(
        "64:ff9b:1::/48", "NAT64 of one network; where the IPv4 address lies in it is not known", "RFC 8215"
    ),
    _row("100::/64", "discarded", "RFC 6666"),
    _row("2001::/23", "protocol assignments: Teredo, benchmarks, ORCHID", "RFC 2928, RFC 4380"),
    _row("2001:db8::/32", "documentation", "RFC 3849"),
    _row("2002::/16", "6to4", "RFC 7526"),
    _row("3fff::/20", "documentation", "RFC 9637"),
    _row("5f00::/16", "segment routing", "RFC 9602"),
    _row("fc00::/7", "unique local; metadata of Amazon (fd00:ec2::254) and Google", "RFC 4193"),
    _row("fe80::/10", "link-local", "RFC 4291, section 2.5.6"),
    _row("fec0::/10", "site-local", "RFC 3879"),
    _row("ff00::/8", "multicast", "RFC 4291, section 2.7"),
)
SPECIAL: Final = (*SPECIAL_V4, *SPECIAL_V6)

GLOBAL_UNICAST_V6: Final = IPv6Network("2000::/3")  # RFC 4291, section 2.4: nothing else has been given out
NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: its last 32 bits are the IPv4 address that is reached


def parse_networks(networks: Sequence[str]) -> tuple[IPNetwork, ...]:
    """Read networks in CIDR form. Raises ValueError."""
    return tuple(ip_network(network) for network in networks)


def parse_ip_address(text: str) -> IPAddress | None:
    """Read an address as a resolver gives it; None for anything else, an address with a zone included.

    An IPv4 address in IPv6 form (RFC 4291, section 2.5.5.2) is that IPv4 address: so do systems connect to it.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


def is_address_reachable(address: IPAddress, allowed: Sequence[IPNetwork]) -> bool:
    """Say whether a request may go to an address: it is public, or in a network that the operator allows."""
    if any(address in network for network in allowed):
        return True
    if isinstance(address, IPv4Address):
        return not any(address in special.network for special in SPECIAL_V4)
    if address.ipv4_mapped is not None:
        return is_address_reachable(address.ipv4_mapped, allowed)
    if address in NAT64:
        return is_address_reachable(IPv4Address(int(address) & 0xFFFF_FFFF), allowed)
    return address in GLOBAL_UNICAST_V6 and not any(address in special.network for special in SPECIAL_V6)
