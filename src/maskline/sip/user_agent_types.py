"""Settings of a user agent and the values its owner hands in."""

import json
from dataclasses import dataclass
from typing import Any

from maskline.sip.digest import Credentials
from maskline.sip.events import Flow
from maskline.sip.session_timer import MIN_SE_S_DEFAULT
from maskline.sip.uri import SIPURI


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAgentSettings:
    """How a user agent names itself, its protocol timers and its limits."""

    advertised: tuple[str, int]
    """Host and port in our Via and Contact, for UDP and TCP alike."""
    advertised_v6: tuple[str, int] | None = None
    """The same for flows over IPv6; without it such a flow names its own local address."""
    advertised_tls: tuple[str, int] | None = None
    """The same for TLS, a name of our certificate at best; without it the host is that of other transports, the
    port the flow's own."""
    product: str = ""
    """Server and User-Agent, a constant; empty means neither is sent."""
    t1_s: float = 0.5
    t2_s: float = 4.0
    t4_s: float = 5.0
    session_expires_s: int = 1800
    """How long a session lives without refresh, unless the peer wants less (RFC 4028, 7.1 recommends it)."""
    min_se_s: int = MIN_SE_S_DEFAULT
    """The shortest such time a peer may ask for."""
    leg_count_max: int = 10_000
    """Further INVITEs get 503: a switch process carries hundreds of calls, so this is a fuse, not a quota."""
    transaction_count_max: int = 200_000
    """Further requests get 503 without state: 32 s of 1,000 calls/s, five transactions each, rounded up."""
    retry_after_s: int = 10
    """What the 503 of both limits asks the peer to wait."""
    extra_headers_allowed: bool = False
    """For phones and tests: lets an `OutgoingInvite` carry headers outside the allow-list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingInvite:
    """Everything a new outgoing leg is made of: there is no other way for a value into its INVITE."""

    flow: Flow
    """Where to send: transport, local and remote address."""
    request_uri: SIPURI
    from_uri: SIPURI
    to_uri: SIPURI
    contact_user: str
    sdp: bytes | None
    max_forwards: int
    asserted: SIPURI | None = None
    """P-Asserted-Identity, when the peer expects one."""
    credentials: Credentials | None = None
    from_display: str = ""
    """Only with `UserAgentSettings.extra_headers_allowed`."""
    extra_headers: tuple[tuple[str, str], ...] = ()
    """Only with `UserAgentSettings.extra_headers_allowed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRequest:
    """A request outside any dialog: OPTIONS or REGISTER."""

    method: str
    flow: Flow
    request_uri: SIPURI
    from_uri: SIPURI
    to_uri: SIPURI
    contact_user: str | None = None
    """REGISTER: the user part of our Contact."""
    expires_s: int | None = None
    """REGISTER: how long the binding is to live; 0 removes it."""
    call_id: str | None = None
    """REGISTER: that of the binding's earlier ones (RFC 3261 section 10.2.4); by default a new one."""
    seq: int = 1
    """The first CSeq number; each challenge answered takes one more."""
    credentials: Credentials | None = None


_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":")
).encode  # made once: it costs more than its work


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogSnapshot:
    """A confirmed dialog at rest: what a later process needs to end it. As secret as the numbers in it."""

    call_id: str
    local: str
    """Our From/To value with tag."""
    remote: str
    local_tag: str
    remote_tag: str
    local_seq: int
    remote_seq: int | None
    target: str
    route_set: tuple[str, ...]
    contact: str
    flow: Flow

    def to_json(self) -> str:
        """Render as one line of JSON with sorted keys."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return _encode(fields)

    @classmethod
    def from_json(cls, text: str) -> "DialogSnapshot":
        """Read what `to_json` wrote. Raises ValueError, KeyError or TypeError on anything else."""
        fields: dict[str, Any] = json.loads(text)
        transport, local, remote = fields["flow"]
        fields["flow"] = Flow(str(transport), (local[0], int(local[1])), (remote[0], int(remote[1])))
        fields["route_set"] = tuple(fields["route_set"])
        return cls(**fields)
