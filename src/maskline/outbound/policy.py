"""Which requests may be made: the URL first, then every address that its host's name has.

One strict reading of the URL serves both the decision and the request, so that no second parser can be told
something else. Whatever has two readings (numbers as hosts, escapes in the host, backslashes) is refused.

Source: RFC 3986, section 3; RFC 6943, section 3.1.1, on the many ways to write an IPv4 address.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, Literal
from urllib.parse import quote

import idna

from maskline.outbound.addresses import IPAddress, IPNetwork, is_address_reachable, parse_ip_address
from maskline.outbound.types import RefusalReason

URL_LENGTH_MAX: Final = 2_000  # what the narrowest clients and servers in use take
HOST_LENGTH_MAX: Final = 253  # RFC 1035, section 3.1
ADDRESSES_MAX: Final = 64  # of one name; more is an attack on those who try them
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# Ports whose servers might take an HTTP request for a command of their own: the Fetch Standard's list of bad
# ports (port blocking, 2024), and databases and caches, which no browser talks to either.
PORTS_REFUSED: Final = frozenset(
    {
        *(1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95),
        *(101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179),
        *(389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601),
        *(636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566),
        *(6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
        *(138, 445, 1433, 1521, 3306, 3389, 5432, 5900, 6379, 11211, 27017),
    }
)

_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?:\#.*)?"
)
_AUTHORITY: Final = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]@]*)(?::(?P<port>[0-9]{0,5}))?", re.ASCII)
_UNREADABLE: Final = re.compile(r"[\x00-\x20\x7f-\x9f\\\s\u200b-\u200f\u2028-\u202e\ufeff\ud800-\udfff]")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_KEPT_IN_TARGET: Final = "/?:@!$&'()*+,;=%[]-._~"  # RFC 3986: what stands unescaped; escapes stay as written


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL as it will be requested.

    `host` is a lower-case ASCII name without a final dot, or an address without brackets; `address` is set for
    the latter. `path` is the request target: path and query.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str
    address: IPAddress | None = None

    @property
    def host_header(self) -> str:
        """The value of Host: without the port where it goes without saying (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def decide(
    url: str, addresses: Sequence[str], allowed: Sequence[IPNetwork]
) -> tuple[Target, tuple[IPAddress, ...]] | RefusalReason:
    """Return what to request and where, or why not; `addresses` are those of the host, if it is a name."""
    target = parse_target(url)
    if isinstance(target, RefusalReason):
        return target
    judged = judge_addresses([str(target.address)] if target.address else addresses, allowed)
    return judged if isinstance(judged, RefusalReason) else (target, judged)


def judge_addresses(
    addresses: Sequence[str], allowed: Sequence[IPNetwork]
) -> tuple[IPAddress, ...] | RefusalReason:
    """Return the addresses of a name to be tried in order, none of which may be out of bounds.

    One address that is neither public nor allowed refuses all of them: a name that has both kinds is wrong or
    hostile (DNS rebinding), and which of them would be used is no matter for chance.
    """
    parsed = [parse_ip_address(address) for address in addresses[: ADDRESSES_MAX + 1]]
    if len(parsed) > ADDRESSES_MAX:
        return RefusalReason.ADDRESS_NOT_PUBLIC
    reachable = tuple(
        address for address in parsed if address is not None and is_address_reachable(address, allowed)
    )
    return reachable if len(reachable) == len(parsed) else RefusalReason.ADDRESS_NOT_PUBLIC


def parse_target(url: str) -> Target | RefusalReason:
    """Read a URL, or say what is wrong with it; whether its host may be reached is another question."""
    if len(url) > URL_LENGTH_MAX or _UNREADABLE.search(url):
        return RefusalReason.URL
    parts = _URL.fullmatch(url)
    if parts is None:
        return RefusalReason.URL
    scheme = parts["scheme"].lower()
    if scheme not in ("http", "https"):
        return RefusalReason.SCHEME
    authority = _AUTHORITY.fullmatch(parts["authority"])
    host = None if authority is None else _parse_host(authority["host"])
    if authority is None or host is None:
        return RefusalReason.URL
    port = int(authority["port"]) if authority["port"] else DEFAULT_PORTS[scheme]
    if not 1 <= port <= 65_535 or port in PORTS_REFUSED:
        return RefusalReason.PORT
    path = quote((parts["path"] or "/") + (parts["query"] or ""), safe=_KEPT_IN_TARGET)
    name, address = host
    return Target(scheme=scheme, host=name, port=port, path=path, address=address)  # type: ignore[arg-type]


def _parse_host(text: str) -> tuple[str, IPAddress | None] | None:
    """Return the host in its one form, and its address if it is one; None for what is neither."""
    if text.startswith("["):
        return _parse_address_v6(text[1:-1])
    name = _parse_name(text)
    if name is None:
        return None
    if _NUMBER.fullmatch(name.rpartition(".")[2]):  # meant as a number, whatever a resolver would make of it
        try:
            address = IPv4Address(name)  # four decimal numbers without leading zeros
        except AddressValueError:
            return None
        return str(address), address
    return name, None


def _parse_address_v6(text: str) -> tuple[str, IPAddress | None] | None:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return None
    if address.scope_id is not None or "%" in text:
        return None
    return str(address), address.ipv4_mapped or address


def _parse_name(text: str) -> str | None:
    if not text.isascii():
        try:
            text = idna.encode(text, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    name = text.lower().removesuffix(".")
    if not name or len(name) > HOST_LENGTH_MAX:
        return None
    return name if all(_LABEL.fullmatch(label) for label in name.split(".")) else None
