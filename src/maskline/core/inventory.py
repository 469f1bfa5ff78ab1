"""What the operator owns and lends: accounts, trunks, virtual numbers and their leases."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .numbers import DID
from .secret import Secret

PATH_NAME: Final = r"[A-Za-z0-9]([A-Za-z0-9 ._-]*[A-Za-z0-9])?"
"""Names of pools and trunks, which stand in paths of the native interface: what needs no escape there but blanks."""
PATH_NAME_LENGTH_MAX: Final = 64


class AllocationPolicy(StrEnum):
    """How an account's next number is chosen among the free ones."""

    FIRST_FIT = "first_fit"
    """The first free number in inventory order; packs best."""
    STICKY = "sticky"
    """The number this pair had last, when free; else first fit."""
    SPREAD = "spread"
    """The number least recently used by either party."""


class CooloffScope(StrEnum):
    """Whom a cooling number is kept from."""

    PARTY = "party"
    """The parties of the ended session only; strangers to the pair may use the number."""
    NUMBER = "number"
    """Everybody, as Plivo words it."""


class Transport(StrEnum):
    """How a trunk's peer is reached."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class DialledFrom(StrEnum):
    """Where a trunk puts the number that was dialled."""

    REQUEST_URI = "request_uri"
    TO = "to"


class NumberFormat(StrEnum):
    """How a trunk writes numbers."""

    PLUS = "plus"
    """`+919812300001`"""
    DIGITS = "digits"
    """`919812300001`"""
    NATIONAL = "national"
    """`09812300001` within the trunk's country; others behind that country's international prefix."""
    ZEROS = "00"
    """`00919812300001`"""


class NumberHealth(StrEnum):
    """Whether a virtual number can be given to new sessions."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A tenant. `token` signs its webhooks and is its HTTP password. `created_at` in µs UTC."""

    id: int
    auth_id: str
    name: str
    country: str
    timezone: str
    token: Secret
    policy: AllocationPolicy
    cooloff_scope: CooloffScope
    created_at: int
    refusal_prompt_url: str = ""
    """Played to callers who are refused: "" for nothing, or `routing.BUILT_IN`."""
    has_strict_pins: bool = False
    """Whether no more PIN sessions are put on a number than keep a day of guessing hopeless."""
    subaccount: "Subaccount | None" = None
    """Set when the credentials that opened this account were those of a sub-account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subaccount:
    """A part of an account with credentials of its own. `created_at` in µs UTC."""

    id: int
    account_id: int
    auth_id: str
    name: str
    token: Secret
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """What is asked of `create_account`; an id or token not given is drawn."""

    name: str
    auth_id: str | None = None
    token: Secret | None = None
    country: str = "IN"
    timezone: str = "Asia/Kolkata"
    policy: AllocationPolicy = AllocationPolicy.FIRST_FIT
    cooloff_scope: CooloffScope = CooloffScope.PARTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a trunk's calls may be sent: an address or a name, without port a name to be looked up by SRV.

    The lowest `priority` goes first; within one, `weight` is the share (0 to 65535 both). The defaults leave room
    on either side.

    Source: RFC 2782, RFC 3263 section 4.
    """

    host: str
    port: int | None = None
    transport: Transport = Transport.UDP
    priority: int = 10
    weight: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """That a trunk registers with its carrier, for `expires_s` seconds at a time, as `TrunkSettings.username`.

    Without `registrar` it registers with each of the trunk's targets.
    """

    registrar: Target | None = None
    expires_s: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkSettings:
    """How to talk to one carrier.

    `targets` are in the order they were given. `accept` and `media_networks` are CIDR texts; no media network
    means: only the signalled address. `codecs` are names we may offer; their order on the wire is always the same
    (I5). `caller_format` None means `number_format`; `dial_prefix` (digits) stands before what is dialled.
    `realm` None means the first that asks for the credentials; `from_host` None means our own host, or the
    registrar's where the trunk registers. `max_calls` None means no limit of its own.
    """

    name: str
    targets: tuple[Target, ...]
    accept: tuple[str, ...] = ()
    media_networks: tuple[str, ...] = ()
    country: str = "IN"
    codecs: tuple[str, ...] = ("PCMU", "PCMA", "G722", "opus", "G729")
    is_trusted_for_identity: bool = True
    dialled_from: DialledFrom = DialledFrom.REQUEST_URI
    sends_asserted: bool = False
    number_format: NumberFormat = NumberFormat.PLUS
    caller_format: NumberFormat | None = None
    dial_prefix: str = ""
    sends_user_phone: bool = False
    from_host: str | None = None
    username: str | None = None
    password: Secret | None = None
    realm: str | None = None
    registration: Registration | None = None
    has_health_check: bool = True
    max_calls: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk(TrunkSettings):
    """A stored trunk. `created_at` in µs UTC."""

    id: int
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Some of an account's numbers, with a policy of their own. `created_at` in µs UTC."""

    id: int
    account_id: int
    name: str
    policy: AllocationPolicy
    created_at: int
    number_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualNumber:
    """One number of the inventory and who leases it now. Instants in µs UTC."""

    id: int
    number: DID
    country: str
    area: str | None
    trunk_id: int
    trunk_name: str
    health: NumberHealth
    created_at: int
    draining_at: int | None
    account_id: int | None
    account_name: str | None
    subaccount_auth_id: str | None
    account_auth_id: str | None = None
    pool_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFilter:
    """Which numbers of the inventory to list; None is any."""

    account_id: int | None = None
    trunk_name: str | None = None
    pool_name: str | None = None
    country: str | None = None
    health: NumberHealth | None = None
    is_draining: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNumbers:
    """Virtual numbers to be added in this order and leased to one account or sub-account."""

    numbers: tuple[DID, ...]
    account_id: int
    trunk_id: int
    subaccount_id: int | None = None
    area: str | None = None
    pool_id: int | None = None
