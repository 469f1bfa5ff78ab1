"""Reading SIP messages in tests, apart from the product's own parser, and what may stand in them.

The lists are those of docs/adr/0009: what is not named there never leaves the switch.
"""

from collections.abc import Iterable
from dataclasses import dataclass

# Towards either side: built by us from constants, fresh randomness and this leg's own dialog.
_DIALOG = {
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Allow",
    "Supported",
    "Content-Type",
    "Content-Length",
}
_TO_OWN_LEG = {
    "Route",
    "Record-Route",
    "RAck",
    "RSeq",
    "Require",
    "Unsupported",
    "Accept",
    "Retry-After",
    "Reason",
}
REQUEST_HEADERS = frozenset(
    _DIALOG
    | _TO_OWN_LEG
    | {
        "Max-Forwards",
        "P-Asserted-Identity",
        "Session-Expires",
        "Min-SE",
        "Authorization",
        "Proxy-Authorization",
    }
)
RESPONSE_HEADERS = frozenset(
    _DIALOG
    | _TO_OWN_LEG
    | {"Session-Expires", "Min-SE", "WWW-Authenticate", "Proxy-Authenticate", "Timestamp"}
)
SDP_LINES = (
    "v=0",
    "o=- ",
    "s=-",
    "c=IN IP4 ",
    "c=IN IP6 ",
    "t=0 0",
    "m=",
    "a=rtpmap:",
    "a=fmtp:",
    "a=ptime:",
    "a=maxptime:",
    "a=sendrecv",
    "a=sendonly",
    "a=recvonly",
    "a=inactive",
)


@dataclass(frozen=True, slots=True)
class SIPText:
    """One message as it was on the wire; header names are kept as they were written."""

    raw: bytes

    @property
    def start_line(self) -> str:
        """The first line."""
        return self._head[0]

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Names and values in order; folded lines would come out as a name nobody allows."""
        split = (line.partition(":") for line in self._head[1:])
        return tuple((name, value.strip()) for name, _, value in split)

    @property
    def body(self) -> bytes:
        """What follows the blank line."""
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def is_request(self) -> bool:
        """Whether it is a request."""
        return not self.start_line.startswith("SIP/2.0 ")

    @property
    def method(self) -> str:
        """The request's method, or that of the request a response answers."""
        return self.header("CSeq").split()[-1]

    @property
    def status(self) -> int:
        """The response's status, 0 for a request."""
        return 0 if self.is_request else int(self.start_line.split()[1])

    @property
    def sdp(self) -> tuple[str, ...]:
        """The lines of the session description."""
        return tuple(self.body.decode("ascii").splitlines())

    def header(self, name: str) -> str:
        """The first value of a header; the test fails where there is none."""
        for found, value in self.headers:
            if found == name:
                return value
        message = f"no {name} in {self.start_line}"
        raise AssertionError(message)

    def has(self, name: str) -> bool:
        """Whether a header is there."""
        return any(found == name for found, _ in self.headers)

    @property
    def dialog_words(self) -> frozenset[str]:
        """The words by which this message could be matched with one of another leg."""
        words = {self.header("Call-ID"), *self.header("Call-ID").split("@")}
        for name in ("From", "To", "Via"):
            for part in self.header(name).split(";"):
                key, _, value = part.partition("=")
                if key.strip() in {"tag", "branch"} and value:
                    words.add(value.strip())
        return frozenset(words)

    @property
    def _head(self) -> list[str]:
        return self.raw.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape").split("\r\n")


def not_allowed(messages: Iterable[SIPText]) -> list[str]:
    """What stands in these messages of ours although it is on no list."""
    found = []
    for message in messages:
        allowed = REQUEST_HEADERS if message.is_request else RESPONSE_HEADERS
        found += [f"{message.start_line}: {name}" for name, _ in message.headers if name not in allowed]
        if message.body:
            if message.header("Content-Type") != "application/sdp":
                found.append(f"{message.start_line}: {message.header('Content-Type')}")
            found += [
                f"{message.start_line}: {line}" for line in message.sdp if not line.startswith(SDP_LINES)
            ]
            open_ = [line for line in message.sdp if line.startswith("m=") and line.split()[1] != "0"]
            found += [f"{message.start_line}: {line}" for line in open_ if not line.startswith("m=audio ")]
    return found
