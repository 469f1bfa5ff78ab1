"""Names of header fields: long forms, which are lists and which may stand once."""

from __future__ import annotations

from typing import Final

# Source: RFC 3261 section 7.3.3 and the IANA registry of SIP header fields.
_COMPACT: Final = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

# Fields whose value is a list: a comma is the same as a further line (RFC 3261 section 7.3.1).
LIST_HEADERS: Final = frozenset(
    [
        "Accept",
        "Accept-Contact",
        "Accept-Encoding",
        "Accept-Language",
        "Alert-Info",
        "Allow",
        "Allow-Events",
        "Call-Info",
        "Contact",
        "Content-Encoding",
        "Content-Language",
        "Diversion",
        "Error-Info",
        "History-Info",
        "In-Reply-To",
        "P-Asserted-Identity",
        "P-Preferred-Identity",
        "Path",
        "Proxy-Require",
        "Reason",
        "Record-Route",
        "Reject-Contact",
        "Remote-Party-ID",
        "Request-Disposition",
        "Require",
        "Route",
        "Security-Client",
        "Security-Server",
        "Security-Verify",
        "Service-Route",
        "Supported",
        "Unsupported",
        "Via",
        "Warning",
    ]
)

# Fields that may stand once only; a second one would let two readers see two messages.
SINGLE_HEADERS: Final = frozenset(
    [
        "Call-ID",
        "Content-Disposition",
        "Content-Length",
        "Content-Type",
        "CSeq",
        "Date",
        "Event",
        "Expires",
        "From",
        "Max-Forwards",
        "MIME-Version",
        "Min-Expires",
        "Min-SE",
        "Organization",
        "Priority",
        "RAck",
        "Refer-To",
        "Referred-By",
        "Replaces",
        "Reply-To",
        "Retry-After",
        "RSeq",
        "Server",
        "Session-Expires",
        "SIP-ETag",
        "SIP-If-Match",
        "Subject",
        "Subscription-State",
        "Timestamp",
        "To",
        "User-Agent",
        "X-Maskline-Source",
    ]
)

_OTHER_NAMES: Final = (
    "Authentication-Info",
    "Authorization",
    "P-Access-Network-Info",
    "P-Charging-Vector",
    "Privacy",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "WWW-Authenticate",
)

_CANONICAL: Final[dict[str, str]] = {
    **_COMPACT,
    **{name.lower(): name for name in (*LIST_HEADERS, *SINGLE_HEADERS, *_OTHER_NAMES, *_COMPACT.values())},
}
# What peers really write: spelled canonically, or compact in lower case.
AS_WRITTEN: Final[dict[str, str]] = {**_COMPACT, **{name: name for name in _CANONICAL.values()}}


def canonical_name(name: str) -> str:
    """Return the long form of a header name in its usual spelling, unknown names capitalised."""
    known = AS_WRITTEN.get(name) or _CANONICAL.get(name.lower())
    return known or "-".join(part.capitalize() for part in name.split("-"))
