"""The trunks a switch knows, and who may speak for which."""

import ipaddress
from collections.abc import Sequence

from maskline.core.inventory import Trunk

ADDRESS_CACHE_MAX = 4096  # addresses remembered; a scan from more of them only empties the cache

ADDRESS_LENGTH_MAX = 64  # the longest IPv6 address with a zone of an interface's name

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class TrunkTable:
    """Which trunks accept an address; answers are remembered until the trunks change."""

    def __init__(self, edges: Sequence[str] = ()) -> None:
        self._edges = tuple(ipaddress.ip_network(edge, strict=False) for edge in edges)
        self._trunks: tuple[Trunk, ...] = ()
        self._networks: tuple[tuple[_Network, Trunk], ...] = ()
        self._cache: dict[str, tuple[Trunk, ...]] = {}

    @property
    def trunks(self) -> tuple[Trunk, ...]:
        """All of them."""
        return self._trunks

    def replace(self, trunks: tuple[Trunk, ...]) -> bool:
        """Take the trunks as they stand now; say whether anything changed."""
        if trunks == self._trunks:
            return False
        self._trunks = trunks
        self._networks = tuple(
            (ipaddress.ip_network(network, strict=False), trunk)
            for trunk in trunks
            for network in trunk.accept
        )
        self._cache = {}
        return True

    def accepting(self, address: str) -> tuple[Trunk, ...]:
        """The trunks that accept SIP from `address`, oldest first; none for what is no address."""
        found = self._cache.get(address)
        if found is None:
            if len(address) > ADDRESS_LENGTH_MAX:  # what an edge wrote into a header may be anything
                return ()
            if len(self._cache) >= ADDRESS_CACHE_MAX:
                self._cache = {}
            found = self._cache[address] = self._look_up(address)
        return found

    def is_edge(self, address: str) -> bool:
        """Whether `address` is a proxy of ours that may say where a request came from."""
        if not self._edges:
            return False
        parsed = _address(address)
        return parsed is not None and any(parsed in edge for edge in self._edges)

    def is_trusted(self, address: str) -> bool:
        """Whether `address` gets answers at all."""
        return bool(self.accepting(address)) or self.is_edge(address)

    def are_peers(self, address: str, hosts: frozenset[str]) -> bool:
        """Whether SIP from `address` may be about a dialog with `hosts`: a trunk has both, or it is an edge."""
        return self.is_edge(address) or any(
            host == trunk.peer_host or trunk in self.accepting(host)
            for trunk in self.accepting(address)
            for host in hosts
        )

    def _look_up(self, address: str) -> tuple[Trunk, ...]:
        parsed = _address(address)
        if parsed is None:
            return ()
        found = {trunk.id: trunk for network, trunk in self._networks if parsed in network}
        return tuple(found.values())


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an address, None if it is none; one of IPv4 that came through an IPv6 socket counts as IPv4."""
    try:
        parsed = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
