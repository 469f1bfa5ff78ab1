"""What is asked of the client for outgoing requests, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class RefusalReason(StrEnum):
    """Why a request is not made; trying again changes nothing, short of a change of the name's addresses."""

    URL = "url"  # not a URL we read: too long, malformed, with a user name, a number where a host should be
    SCHEME = "scheme"  # neither http nor https
    PORT = "port"  # one that is never HTTP
    ADDRESS_NOT_PUBLIC = "address-not-public"


class FailureReason(StrEnum):
    """Why a request that was made has no answer; it may be tried again."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    TOO_LARGE = "too-large"
    PROTOCOL = "protocol"  # not HTTP/1.1, or the peer went away


class OutboundError(Exception):
    """Parent of what a request may raise; says nothing of the URL, which may hold a secret."""


class OutboundRefused(OutboundError):  # noqa: N818
    """We do not make this request."""

    def __init__(self, reason: RefusalReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class OutboundFailed(OutboundError):  # noqa: N818
    """The request was tried and has no answer."""

    def __init__(self, reason: FailureReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundLimits:
    """What one request may cost.

    `total_s` bounds everything from the wait for a free connection to the last byte, `connect_s` name, connection
    and TLS together, `read_s` each silence. A body beyond `response_bytes_max` is a failure, or is cut there if
    `cuts_body`: for those who care about the status.
    """

    total_s: float
    connect_s: float
    read_s: float
    response_bytes_max: int
    cuts_body: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundResponse:
    """An answer of any status, redirects included: they are not followed.

    Names in `headers` are lower case; a name that came several times has its values joined by commas.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
