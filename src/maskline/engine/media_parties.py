"""Which addresses a party may have, and from where it may send."""

import ipaddress
from functools import lru_cache
from typing import Final

from maskline.engine.media_types import NETWORKS_MAX, EngineSettings, Family, PartyMedia, RelayRefused

UNKNOWN: Final = {Family.V4: "0.0.0.0", Family.V6: "::"}  # noqa: S104 - an address in a message


@lru_cache(maxsize=4096)
def allowed_networks(address: str, networks: tuple[str, ...]) -> tuple[Family, tuple[str, ...]]:
    """Return the family of a party and from where it may send. Raises `RelayRefused`."""
    try:
        parsed = ipaddress.ip_address(address)
        nets = [ipaddress.ip_network(network) for network in networks]
    except ValueError:
        raise RelayRefused("address or network malformed") from None
    if len(nets) >= NETWORKS_MAX:
        raise RelayRefused("too many networks")
    if address != str(parsed):
        raise RelayRefused("address not in its canonical form")
    if parsed.is_multicast or address == "255.255.255.255" or getattr(parsed, "scope_id", None):
        raise RelayRefused("address is not unicast")
    same = (str(network) for network in nets if network.version == parsed.version)
    return Family(parsed.version), (str(ipaddress.ip_network(address)), *same)


class PartyCheck:
    """Refuses parties that cannot be where they say: above all at the relay's own ports."""

    def __init__(self, settings: EngineSettings) -> None:
        self._ports = range(settings.port_first, settings.port_last + 1)
        self._own = frozenset((*settings.bind.values(), *settings.advertise.values()))
        self._is_wildcard = not self._own.isdisjoint(UNKNOWN.values())

    def family(self, party: PartyMedia) -> Family:
        """Return the IP version of a party's address. Raises `RelayRefused`."""
        family, _ = allowed_networks(party.address, party.networks)
        if not 0 < party.port < 65_536:
            raise RelayRefused("port out of range")
        if party.port in self._ports and self._is_own(party.address):
            raise RelayRefused("address is one of the relay's own ports")
        return family

    def _is_own(self, address: str) -> bool:
        return address in self._own or (self._is_wildcard and ipaddress.ip_address(address).is_loopback)
