"""The audio codecs that may be passed through, and how each is written in SDP."""

from dataclasses import dataclass
from typing import Final

TELEPHONE_EVENT: Final = "telephone-event"


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload format as negotiated on a leg."""

    name: str
    payload_type: int
    clock_rate_hz: int
    channels: int = 1


@dataclass(frozen=True, slots=True)
class CodecProfile:
    """Constants of a codec; `fmtp` is what we always say of it, whatever the other party said."""

    name: str
    clock_rate_hz: int
    channels: int
    payload_type: int
    is_static: bool
    fmtp: str = ""


# In the order we always list them: best sound first. The fmtp values are ones every decoder of the codec can
# serve: RFC 7587 (Opus takes any stream), RFC 4856 (G.729 without Annex B is the common ground).
PROFILES: Final = (
    CodecProfile("opus", 48000, 2, 111, is_static=False, fmtp="minptime=10;useinbandfec=1"),
    CodecProfile("G722", 8000, 1, 9, is_static=True),
    CodecProfile("PCMU", 8000, 1, 0, is_static=True),
    CodecProfile("PCMA", 8000, 1, 8, is_static=True),
    CodecProfile("G729", 8000, 1, 18, is_static=True, fmtp="annexb=no"),
)
PROFILE_OF: Final = {profile.name.lower(): profile for profile in PROFILES}
STATIC_PROFILES: Final = {profile.payload_type: profile for profile in PROFILES if profile.is_static}
CANONICAL_RANK: Final = {profile.name: rank for rank, profile in enumerate(PROFILES)}

EVENT_FMTP: Final = "0-15"  # RFC 4733: the sixteen keys; every telephone-event receiver takes them
EVENT_PAYLOAD_TYPE: Final = 101
EVENT_CLOCK_RATES_HZ: Final = (8000, 48000)  # RFC 4733 section 2.1: the rate of the audio it goes with


def is_payload_type_usable(payload_type: int) -> bool:
    """Say whether a number cannot be mistaken for RTCP on the wire.

    Source: RFC 5761 section 4.
    """
    return 0 <= payload_type <= 127 and not 64 <= payload_type <= 95


def default_codec(name: str) -> Codec | None:
    """Return a codec with the payload type we use when nobody has chosen one."""
    profile = PROFILE_OF.get(name.lower())
    if profile is None:
        return None
    return Codec(profile.name, profile.payload_type, profile.clock_rate_hz, profile.channels)


def identify(payload_type: int, name: str | None, clock_rate_hz: int, channels: int) -> Codec | None:
    """Return the codec a payload type stands for, None if it is not one of ours.

    `name` is None without an rtpmap: then only static numbers mean something (RFC 3551 section 6).
    """
    if not is_payload_type_usable(payload_type):
        return None
    if name is None:
        static = STATIC_PROFILES.get(payload_type)
        return None if static is None else Codec(static.name, payload_type, static.clock_rate_hz, 1)
    if name.lower() == TELEPHONE_EVENT:
        if clock_rate_hz not in EVENT_CLOCK_RATES_HZ or payload_type < 35:
            return None
        return Codec(TELEPHONE_EVENT, payload_type, clock_rate_hz)
    profile = PROFILE_OF.get(name.lower())
    if profile is None or profile.clock_rate_hz != clock_rate_hz or profile.channels != channels:
        return None
    if payload_type < 35 and payload_type != (profile.payload_type if profile.is_static else -1):
        return None  # a static number redefined
    return Codec(profile.name, payload_type, clock_rate_hz, channels)
