"""The DeepCall dialect: what opens an account to its clients, and what can be chosen about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .inventory import Account
from .masking import MaskingSession, SessionFilter
from .numbers import DID, E164
from .recording import Recording, RecordingLink
from .secret import Secret

SSID_DAYS_DEFAULT: Final = 365
SSID_DAYS_MAX: Final = 3650
SSID_COUNT_MAX: Final = 20
"""Ssids of one account at one time: room for a few clients, each in the middle of a change."""
OVERLAP_HOURS_DEFAULT: Final = 24
OVERLAP_HOURS_MAX: Final = 720
EXPIRY_MINUTES_DEFAULT: Final = 1440
EXPIRY_MINUTES_MAX: Final = 525_600
"""A year of 365 days."""
UNSET_COUNT_MAX: Final = 1000
"""Masks that one unset can ever end: each is some statements of one transaction."""


class SuccessShape(StrEnum):
    """Which of the likely bodies a success has; the vendor's own could not be read."""

    UNION = "union"
    """`data`, and its `mask` and `expiry_time` at the top too."""
    DATA = "data"
    TOP = "top"
    """All of it at the top, no `data`."""
    MASK = "mask"
    """`status` and `mask` alone."""


class DeepCallRepeat(StrEnum):
    """What a set does that finds a live mask of its two numbers."""

    REFUSE = "refuse"
    """With 1503."""
    REUSE = "reuse"
    """The live mask is the answer."""


class DeepCallErrorStatus(StrEnum):
    """The HTTP status of errors."""

    OK = "200"
    OWN = "4xx"
    """400, 401, 403 or 409; and 500 or 503 where the service is at fault."""


class DeepCallRecord(StrEnum):
    """Whether calls under new masks are recorded, and as what: no request says so, the vendor's panel does."""

    NO = "no"
    MP3 = "mp3"
    WAV = "wav"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepCallUser:
    """The user of an account and its token. Instants in µs UTC."""

    account_id: int
    user_id: str
    token: Secret
    old_token: Secret | None
    """The one before, good until `old_token_until`."""
    old_token_until: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SsidRow:
    """An ssid that was handed out; its text is kept nowhere. Instants in µs UTC."""

    account_id: int
    can_change: bool
    """Whether it may set and unset masks, not only list them."""
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSsid:
    """An ssid at the only moment when its text is known. `expires_at` in µs UTC."""

    ssid: Secret
    can_change: bool
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepCallCredentials:
    """All that opens an account now; `new_ssid` when one was just made."""

    user: DeepCallUser
    ssids: tuple[SsidRow, ...]
    """Newest first, without the lapsed ones."""
    new_ssid: NewSsid | None = None


class DeepCallRotation(StrEnum):
    """What of an account's credentials is drawn anew."""

    TOKEN = "token"  # noqa: S105  # the word, not one
    SSID = "ssid"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepCallCredentialsWanted:
    """What is asked of an account's credentials. Instants in µs UTC."""

    rotation: DeepCallRotation | None
    """None: what is missing is made."""
    can_change: bool
    """Whether the new ssid may set and unset masks, not only list them."""
    ssid_expires_at: int
    old_until: int
    """Until when what is replaced works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepCallCaller:
    """The account whose credentials a request carried, and whether they may change anything."""

    account: Account
    can_change: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TooManySsids:
    """The account has `SSID_COUNT_MAX` ssids that still work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskChoice:
    """Which live masks an unset means: those that meet all that is given; at least one thing is.

    `m1` and `m2` together are a pair, whoever was named first; one alone is sought on its own side. `masks` are one
    or two readings of a virtual number.
    """

    m1: E164 | None = None
    m2: E164 | None = None
    masks: tuple[DID, ...] = ()

    @property
    def is_pair(self) -> bool:
        """Whether both parties are named."""
        return self.m1 is not None and self.m2 is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class MasksUnset:
    """Masks were ended, or given another end (`is_moved`). Newest first, at least one."""

    sessions: tuple[MaskingSession, ...]
    is_moved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSuchMask:
    """No live mask of the account is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TooManyMasks:
    """More masks are meant than may be ended at once; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFilter:
    """Which masks to list: those of `sessions` on one of `masks`, the readings of a virtual number; () for any."""

    sessions: SessionFilter
    masks: tuple[DID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardRecording:
    """A recording that can be heard, and a link for whoever has no credentials where such links are made."""

    recording: Recording
    link: RecordingLink | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskPage:
    """One page of masks, newest first, how many there are in all, and the recordings of their calls by id."""

    sessions: tuple[MaskingSession, ...]
    total_count: int
    recordings: Mapping[str, HeardRecording]
