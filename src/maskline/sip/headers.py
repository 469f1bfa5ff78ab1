"""Values of single header fields: Via, name-addr, CSeq, lists and parameters.

sipmessage's own value parsers are not used: its quoted string runs to the last quote of the line (so that
`"a" <sip:x@h>, "b" <sip:y@h>` reads as one address, y), it merges repeated parameters and fails with
TypeError on a parameter named `self`. Its character classes are used.

Source: RFC 3261 section 20 and 25.1, RFC 3581 section 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, NamedTuple

from sipmessage import grammar

from maskline.sip.errors import LocalProtocolError, RemoteProtocolError
from maskline.sip.uri import (
    SIPURI,
    URI,
    Params,
    find_param,
    parse_any_uri,
    parse_host,
    parse_port,
    render_host,
    render_uri,
    unique_params,
)

# RFC 3261 section 8.1.1.5: the sequence number is below 2**31.
CSEQ_MAX: Final = 2**31 - 1
CACHE_SIZE: Final = 8192  # values remembered, about a kilobyte each: those of the last second at 500 calls/s
CACHED_LENGTH_MAX: Final = 512  # longer values are rare, and would let a peer fill the memory
MAX_FORWARDS_MAX: Final = 255
PLAIN_DIGITS_MAX: Final = 9  # numbers of so many digits need no look at leading zeros
DELTA_SECONDS_MAX: Final = 2**32 - 1
MAGIC_COOKIE: Final = "z9hG4bK"

_TOKEN = f"{grammar.cset(grammar.C_TOKEN)}++"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
# A host as a parameter value may be an IPv6 address with or without brackets (RFC 5118 section 4.5).
_VALUE = f"(?:{grammar.cset(grammar.C_TOKEN + '[]:')}++|{_QUOTED})"
_PARAM = re.compile(rf"[ \t]*+;[ \t]*+({_TOKEN})(?:[ \t]*+=[ \t]*+({_VALUE}))?", re.DOTALL)
_VIA = re.compile(
    rf"[sS][iI][pP][ \t]*+/[ \t]*+2\.0[ \t]*+/[ \t]*+({_TOKEN})[ \t]++"
    rf"([A-Za-z0-9_.-]++|\[[0-9A-Fa-f:.]++\])(?:[ \t]*+:[ \t]*+([0-9]{{1,5}}))?"
)
_NAME_ADDR = re.compile(
    rf'(?:({_QUOTED})[ \t]*+|({grammar.cset(grammar.C_TOKEN)[:-1]} \t\x80-\U0010ffff]*+))<([^<>" \t]++)>',
    re.DOTALL,
)
# What nearly every peer writes is read by one expression each; both say no more than the general ones.
_PLAIN_VIA = re.compile(
    rf"SIP/2\.0/(UDP|TCP) ([A-Za-z0-9_.-]++)(?::([0-9]{{1,5}}))?;branch=({_TOKEN})(;rport)?"
)
_PLAIN_NAME_ADDR = re.compile(
    rf"<sip:(?:({grammar.cset(grammar.C_USER_SAFE)}++)@)?([A-Za-z0-9_.-]++)(?::([0-9]{{1,5}}))?>(?:;tag=({_TOKEN}))?"
)
# Without angle brackets a semicolon, comma or question mark ends the URI (RFC 3261 section 20.10).
_ADDR_SPEC = re.compile(r'([^<>" \t;,?]++)')
_CSEQ = re.compile(rf"0*+([0-9]{{0,10}})[ \t]++({_TOKEN})")
_LEADING_NUMBER = re.compile(r"[0-9]++")
_NUMBER = re.compile(r"0*+([0-9]{0,10})")
_TOKEN_ONLY = re.compile(_TOKEN)
_PLAIN_VALUE = re.compile(f"{grammar.cset(grammar.C_TOKEN + '[]:')}++")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_TO_QUOTE = re.compile(r'(["\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f])')
_LIST_PART = re.compile(rf'[^",<]++|<[^<>]*+>|{_QUOTED}', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Via:
    """One Via value. `transport` is upper case, `host` as in `SIPURI`, parameter names lower case."""

    transport: str
    host: str
    port: int | None = None
    params: Params = ()

    @property
    def branch(self) -> str | None:
        """The branch parameter, or None as in RFC 2543."""
        return find_param(self.params, "branch")

    @property
    def received(self) -> str | None:
        """The address the message was seen from, as its receiver noted it; brackets of IPv6 are taken off."""
        value = find_param(self.params, "received")
        return None if value is None else value.strip("[]")

    @property
    def rport(self) -> int | None:
        """The port the message was seen from; None also when it is only asked for."""
        value = find_param(self.params, "rport")
        return None if value is None else parse_number(value, 65_535)

    @property
    def is_rport_requested(self) -> bool:
        """Tell whether an rport parameter without a value is there (RFC 3581 section 3)."""
        return ("rport", None) in self.params

    @property
    def has_rport(self) -> bool:
        """Tell whether answers are to go to the port the request came from (RFC 3581 section 4)."""
        for name, _ in self.params:  # noqa: SIM110 - once or twice a request, and `any` costs three times as much
            if name == "rport":
                return True
        return False

    def with_params(self, **values: str) -> Via:
        """Return the same Via with these parameters set, each in its old place or at the end."""
        params = [(name, values.pop(name, value)) for name, value in self.params]
        params += values.items()
        return Via(transport=self.transport, host=self.host, port=self.port, params=tuple(params))

    def __str__(self) -> str:
        return render_via(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class NameAddr:
    """An address with an optional display name and header parameters. The representation shows no name."""

    uri: URI
    display: str = field(default="", repr=False)
    params: Params = ()

    @property
    def tag(self) -> str | None:
        """The tag parameter of From and To."""
        return find_param(self.params, "tag")

    def with_tag(self, tag: str) -> NameAddr:
        """Return the same address with this tag added."""
        if self.tag is not None:
            raise LocalProtocolError("the address has a tag already")
        return replace(self, params=(*self.params, ("tag", tag)))

    def __str__(self) -> str:
        return render_name_addr(self)


class CSeq(NamedTuple):
    """Sequence number, below 2**31, and method."""

    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def parse_via(text: str) -> Via:
    """Parse one Via value. Raises RemoteProtocolError (400)."""
    return _cached_via(text) if len(text) <= CACHED_LENGTH_MAX else _parse_via(text)


def _parse_via(text: str) -> Via:
    plain = _PLAIN_VIA.fullmatch(text)
    if plain is None:
        return _parse_any_via(text)
    transport, host, port, branch, rport = plain.groups()
    return Via(
        transport=transport,
        host=parse_host(host),
        port=parse_port(port) if port else None,
        params=(("branch", branch), ("rport", None)) if rport else (("branch", branch),),
    )


def _parse_any_via(text: str) -> Via:
    match = _VIA.match(text)
    if match is None:
        raise RemoteProtocolError("malformed Via")
    transport, host, port = match.groups()
    return Via(
        transport=transport.upper(),
        host=parse_host(host),
        port=parse_port(port) if port else None,
        params=parse_params(text, match.end()),
    )


def parse_name_addr(text: str) -> NameAddr:
    """Parse one address of From, To, Contact, Route or P-Asserted-Identity. Raises RemoteProtocolError (400).

    Accepts URIs of any scheme. Unquoted display names are tokens; text outside ASCII is let through there.
    """
    return _cached_name_addr(text) if len(text) <= CACHED_LENGTH_MAX else _parse_name_addr(text)


def _parse_name_addr(text: str) -> NameAddr:
    plain = _PLAIN_NAME_ADDR.fullmatch(text)
    if plain is None:
        return _parse_any_name_addr(text)
    user, host, port, tag = plain.groups()
    uri = SIPURI(user=user, host=parse_host(host), port=parse_port(port) if port else None)
    return NameAddr(uri=uri, params=() if tag is None else (("tag", tag),))


def _parse_any_name_addr(text: str) -> NameAddr:
    match = _NAME_ADDR.match(text)
    if match is not None:
        quoted, plain, uri = match.groups()
        display = unquote_string(quoted) if quoted else plain.strip(" \t")
        end = match.end()
        params = parse_params(text, end) if end < len(text) else ()
        return NameAddr(uri=parse_any_uri(uri), display=display, params=params)
    match = _ADDR_SPEC.match(text)
    if match is None:
        raise RemoteProtocolError("malformed address")
    return NameAddr(uri=parse_any_uri(match[1]), params=parse_params(text, match.end()))


# The messages of a dialog repeat their addresses to the letter, and answers repeat the Via of what they answer.
_cached_via = lru_cache(CACHE_SIZE)(_parse_via)
_cached_name_addr = lru_cache(CACHE_SIZE)(_parse_name_addr)


def parse_cseq(text: str) -> CSeq:
    """Parse a CSeq value. Raises RemoteProtocolError (400), also for numbers of 2**31 and more."""
    match = _CSEQ.fullmatch(text)
    if match is None or (not match[1] and text[0] != "0"):
        raise RemoteProtocolError("malformed CSeq")
    number = int(match[1] or 0)
    if number > CSEQ_MAX:
        raise RemoteProtocolError("CSeq number out of range")
    return CSeq(number, match[2])


def parse_number(text: str, maximum: int) -> int:
    """Parse a decimal number between 0 and `maximum`, leading zeros allowed. Raises RemoteProtocolError."""
    if (
        len(text) <= PLAIN_DIGITS_MAX
        and text.isascii()
        and text.isdigit()
        and (plain := int(text)) <= maximum
    ):
        return plain
    match = _NUMBER.fullmatch(text)
    if match is None or not text:
        raise RemoteProtocolError("malformed number")
    number = int(match[1] or 0)
    if number > maximum:
        raise RemoteProtocolError("number out of range")
    return number


def parse_delta_seconds(text: str) -> int:
    """Parse seconds, as in Expires and Retry-After; what follows (parameters, a comment) is not looked at."""
    match = _LEADING_NUMBER.match(text)
    return parse_number(match[0] if match else "", DELTA_SECONDS_MAX)


def parse_params(text: str, start: int = 0) -> Params:
    """Parse `;name=value` parameters from `start` to the end of the text; quoted values lose their quotes."""
    params: list[tuple[str, str | None]] = []
    end = len(text)
    while start < end:
        match = _PARAM.match(text, start)
        if match is None:
            raise RemoteProtocolError("malformed parameters")
        name, value = match.groups()
        if value is not None and value[0] == '"':
            value = unquote_string(value)
        params.append((name.lower(), value))
        start = match.end()
    return unique_params(params) if len(params) > 1 else tuple(params)


def parse_token_list(values: Iterable[str]) -> tuple[str, ...]:
    """Check that list values (of `Headers.all`) are tokens, as in Require, Supported and Allow."""
    tokens = tuple(values)
    if not all(map(_TOKEN_ONLY.fullmatch, tokens)):
        raise RemoteProtocolError("malformed token list")
    return tokens


def parse_privacy(values: Iterable[str]) -> frozenset[str]:
    """Parse all Privacy fields together into lower-case values. Source: RFC 3323 section 4.2.

    Commas separate too: some devices write them, and missing a wish for privacy is the worse error.
    """
    parts = (part.strip(" \t").lower() for value in values for part in re.split("[;,]", value))
    return frozenset(filter(None, parts))


def split_list(text: str) -> tuple[str, ...]:
    """Split a list value at the commas outside quotes and angle brackets; an empty text gives no element.

    Raises RemoteProtocolError (400) for empty elements and unbalanced quotes or brackets.
    """
    if "," not in text:
        return (text,) if text else ()
    parts: list[str] = []
    start = position = 0
    end = len(text)
    while position < end:
        if text[position] == ",":
            parts.append(text[start:position].strip(" \t"))
            position = start = position + 1
            continue
        match = _LIST_PART.match(text, position)
        if match is None:
            raise RemoteProtocolError("unbalanced quotes or brackets")
        position = match.end()
    parts.append(text[start:].strip(" \t"))
    if not all(parts):
        raise RemoteProtocolError("empty list element")
    return tuple(parts)


def render_via(via: Via) -> str:
    """Render a Via value."""
    port = "" if via.port is None else f":{via.port}"
    return f"SIP/2.0/{via.transport} {render_host(via.host)}{port}{render_params(via.params)}"


def render_name_addr(address: NameAddr) -> str:
    """Render an address, always with angle brackets, the display name quoted."""
    display = quote_string(address.display) + " " if address.display else ""
    return f"{display}<{render_uri(address.uri)}>{render_params(address.params)}"


def render_params(params: Params) -> str:
    """Render header parameters; values that are no token or host are quoted."""
    text = ""
    for name, value in params:
        text += ";" + name
        if value is not None:
            text += "=" + (value if _PLAIN_VALUE.fullmatch(value) else quote_string(value))
    return text


def quote_string(text: str) -> str:
    """Return a quoted string. Raises LocalProtocolError for line breaks, which no quoting can carry."""
    if "\r" in text or "\n" in text:
        raise LocalProtocolError("line break in a quoted string")
    return '"' + _TO_QUOTE.sub(r"\\\1", text) + '"'


def unquote_string(text: str) -> str:
    """Return the content of a quoted string given with its quotes."""
    inner = text[1:-1]
    return _QUOTED_PAIR.sub(r"\1", inner) if "\\" in inner else inner
