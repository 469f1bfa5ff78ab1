"""What switch and guard say to each other about a relay; imports nothing, so that the guard starts fast."""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

CALL_PATTERN: Final = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII)
"""Call ids are of our making: anything else could smuggle words into the engine's command line."""

STEM_PATTERN: Final = re.compile(r"/(?:[^\0\n]{0,3000}/)?[A-Za-z0-9][A-Za-z0-9_-]{0,127}", re.ASCII)
"""Prompts are named by absolute paths without their ending; the engine's command line holds the last part only."""

PLAYABLE: Final = frozenset({0, 8, 9})
"""PCMU, PCMA, G.722: what the engine plays at 8,000 bytes a second. Of others it plays nothing, without a word."""

PAYLOAD_TYPES: Final = range(128)
DIGITS: Final = frozenset("0123456789*#ABCD")

CANARY: Final = "canary"
"""The guard's own call; nobody else's may have this name."""
NETWORKS_MAX: Final = 64
"""Networks of one party: more than any carrier publishes; keeps a filter far below the kernel's 4,096 steps."""


class Family(IntEnum):
    """IP version of the addresses used towards one party."""

    V4 = 4
    V6 = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Where the engine listens. `bind` and `advertise` hold one address per IP version in use.

    `ttl_s` is how long a bridged call may be silent on both sides. `calls_max` is what one engine carries on one
    core without delay (measured: 600 lose packets). The calls of a switch that has been gone for `switch_gone_s`
    are deleted. Captures are written below `spool`; prompts are played from `prompt_dirs` and below, nowhere else.
    """

    bind: dict[Family, str]
    advertise: dict[Family, str]
    port_first: int
    port_last: int
    spool: str
    prompt_dirs: tuple[str, ...] = ()
    ttl_s: int = 60
    calls_max: int = 400
    switch_gone_s: float = 60.0  # a restarted switch has come back and ended its calls long before


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyMedia:
    """Where one party wants its audio, and from where it may send.

    `networks` are the trunk's media networks in CIDR form; none means `address` alone. Behind NAT the port
    (and only the port) is learned from the first packet.
    """

    address: str
    port: int
    networks: tuple[str, ...] = ()
    is_behind_nat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayPorts:
    """Where each party must send: what we announce to it."""

    address_a: str
    port_a: int
    address_b: str
    port_b: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRelay:
    """One entry of the guard's registry; `switch` is the tag of the client that opened it."""

    call: str
    age_s: float
    switch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayStats:
    """Packets so far."""

    from_a_count: int
    from_b_count: int
    relayed_count: int
    dropped_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayFinished:
    """A prompt has been played to its end; not sent for one that was stopped or repeats."""

    call: str
    side: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitPressed:
    """A watched party pressed a key: one of 0-9, *, #, A-D (RFC 4733)."""

    call: str
    side: str
    digit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaTimeout:
    """Neither party has sent a packet for the time to live; the relay of this call is gone."""

    call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayLost:
    """The guard or its engine died: every relay is gone, ports included."""


RelayEvent = MediaTimeout | PlayFinished | DigitPressed | RelayLost


class RelayError(Exception):
    """Parent of what a relay command may raise."""


class RelayFull(RelayError):  # noqa: N818
    """The cap on calls is reached or no port is free; answer 503."""


class RelayUnavailable(RelayError):  # noqa: N818
    """No guard process answers."""


class RelayUnknownCall(RelayError):  # noqa: N818
    """The call has no relay: never opened, closed, or timed out."""


class RelayRefused(RelayError):  # noqa: N818
    """The command makes no sense (bad id, address or family): a bug, or a hostile SDP."""
