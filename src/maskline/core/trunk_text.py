"""Hosts and networks of trunks, as operators write them."""

import ipaddress
import re
from typing import Final

from .targets import parse_literal

NETWORK_COUNT_MAX: Final = 64
"""Networks of one trunk: a carrier publishes a handful; more is a mistake."""
CODECS: Final = ("PCMU", "PCMA", "G722", "opus", "G729")
RANK_MAX: Final = 65_535
"""Of priority and weight, which have 16 bits (RFC 2782)."""
PORT_MAX: Final = 65_535
HOST_LENGTH_MAX: Final = 253
"""Of a name as text (RFC 1035 section 2.3.4)."""
TEXT_LENGTH_MAX: Final = 255
"""Of names for authentication: what the table holds."""
EXPIRES_S_MIN: Final = 60
"""Shorter registrations are a burden on the carrier."""
EXPIRES_S_MAX: Final = 86_400
"""Longer ones outlive a restart by far."""
CALL_COUNT_MAX: Final = 1_000_000
DIAL_PREFIX: Final = r"[0-9*#]{1,16}"

_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?|_[A-Za-z0-9-]{1,62}", re.ASCII)


def read_host(text: str) -> str | None:
    """Read an address, with or without brackets, or a name; None for what cannot be reached."""
    host = text.strip().strip("[]")
    literal = parse_literal(host)
    if literal is not None:
        return None if ipaddress.ip_address(literal).is_unspecified else literal
    name = host.removesuffix(".")
    labels = name.split(".")
    is_name = len(host) <= HOST_LENGTH_MAX and all(map(_LABEL.fullmatch, labels))
    return name.lower() if is_name and not labels[-1].isdecimal() else None


def read_network(text: str) -> str | None:
    """Read an address or a network; None for what is neither, or has bits beyond its mask."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        return None
