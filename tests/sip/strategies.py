"""Hypothesis strategies and raw messages for the tests of the message layer."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from maskline.sip.headers import CSeq, NameAddr, Via
from maskline.sip.message import Headers, Request, Response
from maskline.sip.uri import SIPURI, Params

TOKEN_CHARS = string.ascii_letters + string.digits + "-.!%*_+`'~"

tokens = st.text(TOKEN_CHARS, min_size=1, max_size=12)
lower_tokens = tokens.map(str.lower)
# Any text a quoted string can carry: all but line breaks, and characters UTF-8 has no bytes for.
texts = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
hosts = st.one_of(
    st.from_regex(r"([a-z0-9][a-z0-9-]{0,10}\.){0,2}[a-z][a-z0-9-]{0,10}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: address.compressed),
)
ports = st.none() | st.integers(1, 65_535)


def params(names: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[Params]:
    pairs = st.tuples(names, st.none() | values)
    return st.lists(pairs, max_size=3, unique_by=lambda pair: pair[0]).map(tuple)


names = st.text(string.ascii_lowercase + "-", min_size=1, max_size=8)
uri_values = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
uris = st.builds(
    SIPURI,
    scheme=st.sampled_from(["sip", "sips"]),
    user=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    host=hosts,
    port=ports,
    params=params(names, uri_values),
)
addresses = st.builds(
    NameAddr, display=texts, uri=uris, params=params(names.filter(lambda name: name != "tag"), texts)
)
tagged = st.builds(NameAddr.with_tag, addresses, tokens)
vias = st.builds(
    Via,
    transport=st.sampled_from(["UDP", "TCP", "TLS"]),
    host=hosts,
    port=ports,
    params=params(names.filter(lambda name: name not in {"received", "rport"}), tokens),
)
call_ids = st.text(string.ascii_letters + string.digits + "-.@", min_size=1, max_size=20)
bodies = st.binary(max_size=60)
methods = st.sampled_from(["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "UPDATE", "INFO"])


@st.composite
def headers(draw: st.DrawFn, method: str) -> Headers:
    items = [("Via", str(via)) for via in draw(st.lists(vias, min_size=1, max_size=3))]
    items += [
        ("From", str(draw(tagged))),
        ("To", str(draw(addresses | tagged))),
        ("Call-ID", draw(call_ids)),
        ("CSeq", str(CSeq(draw(st.integers(0, 2**31 - 1)), method))),
        ("Max-Forwards", str(draw(st.integers(0, 255)))),
    ]
    items += [("Contact", str(contact)) for contact in draw(st.lists(addresses, max_size=2))]
    items += [("Supported", ", ".join(draw(st.lists(lower_tokens, max_size=3))))]
    return Headers(items)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    method = draw(methods)
    return Request(method, str(draw(uris)), draw(headers(method)), draw(bodies))


@st.composite
def responses(draw: st.DrawFn) -> Response:
    reason = draw(texts.filter(lambda text: not any(ord(char) < 32 or ord(char) == 127 for char in text)))
    return Response(draw(st.integers(100, 699)), reason, draw(headers(draw(methods))), draw(bodies))


INVITE_LINES = (
    "INVITE sip:+14155550100@192.0.2.1:5060 SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-1-0;rport",
    'From: "Alice" <sip:+919812345678@192.0.2.10>;tag=a1',
    "To: <sip:+14155550100@192.0.2.1>",
    "Call-ID: 1-77@192.0.2.10",
    "CSeq: 1 INVITE",
    "Contact: <sip:+919812345678@192.0.2.10:5060>",
    "Max-Forwards: 70",
    "Content-Length: 4",
)
RESPONSE_LINES = (
    "SIP/2.0 200 OK",
    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-2",
    "From: <sip:+14155550100@192.0.2.1>;tag=b1",
    "To: <sip:+919876543210@192.0.2.20>;tag=b2",
    "Call-ID: 2-77@192.0.2.1",
    "CSeq: 1 INVITE",
    "Content-Length: 4",
)


def raw(lines: tuple[str, ...] = INVITE_LINES, body: bytes = b"v=0\n", **changes: str | None) -> bytes:
    """Return a message of these lines; a keyword (`Max_Forwards`) replaces that field's line, None removes it."""
    result = []
    for line in lines:
        key = line.partition(":")[0].replace("-", "_")
        new = changes.pop(key, line)
        if new is not None:
            result.append(new)
    result.extend(line for line in changes.values() if line is not None)
    return "\r\n".join(result).encode(errors="surrogateescape") + b"\r\n\r\n" + body
