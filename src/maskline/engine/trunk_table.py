"""The trunks a switch knows: who may speak for which, where their calls go, how many they carry."""

import ipaddress
from collections import Counter
from collections.abc import Container, Mapping, Sequence

from maskline.core.inventory import Target, Trunk
from maskline.core.targets import (
    ATTEMPT_COUNT_MAX,
    UNKNOWN,
    Health,
    TargetAddress,
    address_of,
    default_port,
    healthy_first,
    is_healthy,
    note_failure,
    note_success,
    order_targets,
    parse_literal,
)
from maskline.sip.digest import Credentials, RealmPin

ADDRESS_CACHE_MAX = 4096  # addresses remembered; a scan from more of them only empties the cache

ADDRESS_LENGTH_MAX = 64  # the longest IPv6 address with a zone of an interface's name

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Addresses = Mapping[Target, tuple[TargetAddress, ...]]


class TrunkTable:
    """Which trunks accept an address, and the addresses a trunk's calls go to.

    Answers are remembered until the trunks change; health, channels and pinned realms live as long as their trunk.
    `local` are the (transport, is IPv6) pairs this switch speaks; None stands for all.
    """

    def __init__(self, edges: Sequence[str] = (), local: Container[tuple[str, bool]] | None = None) -> None:
        self._edges = tuple(ipaddress.ip_network(edge, strict=False) for edge in edges)
        self._local = local
        self._trunks: tuple[Trunk, ...] = ()
        self._addresses: dict[Target, tuple[TargetAddress, ...]] = {}
        self._by_id: dict[int, Trunk] = {}
        self._hosts: dict[int, frozenset[str]] = {}
        self._names: dict[tuple[str, int], str] = {}
        self._credentials: dict[int, Credentials] = {}
        self._health: dict[tuple[str, str, int], Health] = {}
        self._channels: Counter[int] = Counter()
        self._networks: tuple[tuple[_Network, Trunk], ...] = ()
        self._cache: dict[str, tuple[Trunk, ...]] = {}

    @property
    def trunks(self) -> tuple[Trunk, ...]:
        """All of them."""
        return self._trunks

    def replace(self, trunks: tuple[Trunk, ...], addresses: Addresses | None = None) -> bool:
        """Take the trunks as they stand now and what their targets' names mean; say whether anything changed.

        Targets given as addresses need not be in `addresses`; a name that is not there leads nowhere.
        """
        found = {
            target: self._reachable((addresses or {}).get(target) or literal_addresses(target))
            for trunk in trunks
            for target in targets_of(trunk)
        }
        if trunks == self._trunks and found == self._addresses:
            return False
        self._trunks, self._addresses = trunks, found
        self._by_id = {trunk.id: trunk for trunk in trunks}
        self._networks = tuple(
            (ipaddress.ip_network(network, strict=False), trunk)
            for trunk in trunks
            for network in trunk.accept
        )
        self._cache = {}
        self._index_addresses()
        self._credentials = {
            trunk.id: credentials
            for trunk in trunks
            if (credentials := self._renewed_credentials(trunk)) is not None
        }
        return True

    # --- who may speak --------------------------------------------------------------------------------------

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
            host in self._hosts[trunk.id] or trunk in self.accepting(host)
            for trunk in self.accepting(address)
            for host in hosts
        )

    # --- where calls go -------------------------------------------------------------------------------------

    def route(self, trunk_id: int, *, dice: int, now: float) -> tuple[TargetAddress, ...]:
        """Give the addresses to try for one call, in order; none for an unknown trunk or unresolved names.

        `dice` is any integer of 64 random bits, `now` monotonic seconds.
        """
        trunk = self._by_id.get(trunk_id)
        if trunk is None:
            return ()
        ordered = [
            address
            for target in order_targets(trunk.targets, dice=dice)
            for address in order_targets(self._addresses[target], dice=dice)
        ]
        return healthy_first(ordered, lambda address: self.is_healthy(address, now))[:ATTEMPT_COUNT_MAX]

    def addresses(self, target: Target) -> tuple[TargetAddress, ...]:
        """What a target of some trunk, or its registrar, leads to at present."""
        return self._addresses.get(target, ())

    def server_name_for(self, remote: tuple[str, int]) -> str | None:
        """The name a TLS certificate at this address and port has to be for; None where no trunk leads."""
        return self._names.get(remote)

    def credentials(self, trunk_id: int) -> Credentials | None:
        """A trunk's credentials, which every request of it shares: with them goes the realm they are pinned to."""
        return self._credentials.get(trunk_id)

    # --- how targets do -------------------------------------------------------------------------------------

    def is_healthy(self, address: TargetAddress, now: float) -> bool:
        """Whether an address is preferred to unhealthy ones; one that nothing is known of is."""
        return is_healthy(self._health.get(address.place, UNKNOWN), now)

    def note_success(self, address: TargetAddress, *, is_call: bool = True) -> None:
        """An address answered; `is_call` tells a call that got through from a health check or a registration."""
        if address.place in self._health:
            self._health[address.place] = note_success(self._health[address.place], is_call=is_call)

    def note_failure(self, address: TargetAddress, now: float, *, retry_after_s: int | None = None) -> None:
        """An address did not answer, or said 503, perhaps with Retry-After."""
        health = self._health.get(address.place, UNKNOWN)
        self._health[address.place] = note_failure(health, now, retry_after_s=retry_after_s)

    # --- how much trunks carry ------------------------------------------------------------------------------

    def take_channel(self, trunk_id: int) -> bool:
        """Count one more leg on a trunk; False, and nothing counted, when it carries `max_calls` already."""
        trunk = self._by_id.get(trunk_id)
        limit = None if trunk is None else trunk.max_calls
        if limit is not None and self._channels[trunk_id] >= limit:
            return False
        self._channels[trunk_id] += 1
        return True

    def give_channel(self, trunk_id: int) -> None:
        """Count one leg less; the leg was counted by `take_channel`."""
        self._channels[trunk_id] -= 1
        assert self._channels[trunk_id] >= 0, "a channel is given back once"

    def channel_count(self, trunk_id: int) -> int:
        """Legs counted on a trunk now."""
        return self._channels[trunk_id]

    # --- within ---------------------------------------------------------------------------------------------

    def _reachable(self, addresses: tuple[TargetAddress, ...]) -> tuple[TargetAddress, ...]:
        if self._local is None:
            return addresses
        return tuple(each for each in addresses if (each.transport.value, ":" in each.host) in self._local)

    def _index_addresses(self) -> None:
        self._hosts = {
            trunk.id: frozenset(
                address.host for target in targets_of(trunk) for address in self._addresses[target]
            )
            for trunk in self._trunks
        }
        known = [address for found in self._addresses.values() for address in found]
        self._names = {(address.host, address.port): address.name for address in reversed(known)}
        places = {address.place for address in known}
        self._health = {place: health for place, health in self._health.items() if place in places}

    def _renewed_credentials(self, trunk: Trunk) -> Credentials | None:
        """Keep the pinned realm while user name, password and the realm that was set stay as they are."""
        if trunk.username is None or trunk.password is None:
            return None
        password = trunk.password.reveal()
        new = Credentials(username=trunk.username, password=password, realm=trunk.realm, pin=RealmPin())
        old = self._credentials.get(trunk.id)
        return old if old == new else new

    def _look_up(self, address: str) -> tuple[Trunk, ...]:
        parsed = _address(address)
        if parsed is None:
            return ()
        found = {trunk.id: trunk for network, trunk in self._networks if parsed in network}
        return tuple(found.values())


def targets_of(trunk: Trunk) -> tuple[Target, ...]:
    """All targets of a trunk whose addresses matter: those of calls, and its registrar."""
    registrar = trunk.registration.registrar if trunk.registration is not None else None
    return trunk.targets if registrar is None else (*trunk.targets, registrar)


def literal_addresses(target: Target) -> tuple[TargetAddress, ...]:
    """The one address of a target that is given as such; none for a name."""
    host = parse_literal(target.host)
    return () if host is None else (address_of(target, host, target.port or default_port(target.transport)),)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an address, None if it is none; one of IPv4 that came through an IPv6 socket counts as IPv4."""
    try:
        parsed = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
