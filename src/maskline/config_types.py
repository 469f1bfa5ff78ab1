"""What settings consist of: addresses, ports and networks, and how people write them; ways to log and to record."""

import ipaddress
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator

PORT_MAX = 65_535
RTP_PORTS_MIN = 4  # one call: two legs, RTP and RTCP each


class Address(NamedTuple):
    """Where to listen or what to announce; IPv6 without brackets; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of the machine, so that no peer can be told it."""
        try:
            return ipaddress.ip_address(self.host).is_unspecified
        except ValueError:
            return False


class PortRange(NamedTuple):
    """Ports `first` to `last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


class LogFormat(StrEnum):
    """How log lines look."""

    AUTO = "auto"  # for people on a terminal, else JSON
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The least severe events that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class RecordingChannels(StrEnum):
    """How both sides of a call lie in its recording."""

    STEREO = "stereo"  # the caller left, the callee right
    MONO = "mono"


def parse_address(text: str) -> Address:
    """Read HOST:PORT or [IPv6]:PORT.

    Raises ValueError with a sentence for the operator.
    """
    host, colon, port = text.strip().rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > PORT_MAX:
        msg = f"expected HOST:PORT with a port from 0 to {PORT_MAX}, got {text!r}"
        raise ValueError(msg)
    if host.startswith("[") and host.endswith("]"):
        host = str(ipaddress.IPv6Address(host[1:-1]))
    elif ":" in host:
        msg = f"an IPv6 address stands in brackets: [{host}]:{port}"
        raise ValueError(msg)
    return Address(host, int(port))


def parse_port_range(text: str) -> PortRange:
    """Read FIRST-LAST.

    Raises ValueError with a sentence for the operator.
    """
    first, dash, last = text.strip().partition("-")
    if not dash or not (first.isascii() and first.isdecimal() and last.isascii() and last.isdecimal()):
        msg = f"expected FIRST-LAST, got {text!r}"
        raise ValueError(msg)
    ports = PortRange(int(first), int(last))
    if not 1 <= ports.first <= ports.last <= PORT_MAX or ports.last - ports.first + 1 < RTP_PORTS_MIN:
        msg = f"expected at least {RTP_PORTS_MIN} ports between 1 and {PORT_MAX}, got {text!r}"
        raise ValueError(msg)
    return ports


def _one_address(value: object) -> object:
    return parse_address(value) if isinstance(value, str) else value


def _addresses(value: object) -> object:
    """One or two, comma separated or as a TOML array: IPv4 and IPv6 are equal."""
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    if isinstance(value, list):
        return tuple(_one_address(part) for part in value)
    return value


def _hosts(value: object) -> object:
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    if isinstance(value, list):
        return tuple(
            str(ipaddress.ip_address(part.strip())) if isinstance(part, str) else part for part in value
        )
    return value


def _port_range(value: object) -> object:
    return parse_port_range(value) if isinstance(value, str) else value


def _networks(value: object) -> object:
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    if isinstance(value, list):
        return tuple(
            str(ipaddress.ip_network(part.strip())) if isinstance(part, str) else part for part in value
        )
    return value


BindAddress = Annotated[Address, BeforeValidator(_one_address)]
BindAddresses = Annotated[tuple[Address, ...], BeforeValidator(_addresses)]
Hosts = Annotated[tuple[str, ...], BeforeValidator(_hosts)]
Networks = Annotated[tuple[str, ...], BeforeValidator(_networks)]
Ports = Annotated[PortRange, BeforeValidator(_port_range)]
