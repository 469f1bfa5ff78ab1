"""SIP, SIPS and tel URIs, and others kept as they are.

The character classes are those of `sipmessage.grammar`; the composition is ours, because its URI parser
takes host names such as `proxy1` for errors, drops the headers part, merges repeated parameters and maps
every undecodable escape to one character (two users would become one). All quantifiers over the peer's text
are possessive or over disjoint classes, so that matching takes linear time.

Source: RFC 3261 section 19.1 and 25.1, RFC 3966 section 3, RFC 5954 section 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Final
from urllib.parse import quote, unquote

from sipmessage import grammar

from maskline.sip.errors import LocalProtocolError, RemoteProtocolError

Params = tuple[tuple[str, str | None], ...]

UNSUPPORTED_SCHEME: Final = 416
PORT_MAX: Final = 65_535
# A longer host cannot be resolved (RFC 1035 section 2.3.4).
HOST_LENGTH_MAX: Final = 255
# Calls come from a handful of hosts; strangers' floods only push entries out.
HOST_CACHE_SIZE: Final = 1024

_USER = grammar.cset(grammar.C_USER_SAFE + "%")
_PASSWORD = grammar.cset(grammar.C_PASSWORD_SAFE + "%")
_PARAM = grammar.cset(grammar.C_URI_PARAM_SAFE + "%")
_HEADER = grammar.cset(grammar.C_UNRESERVED + "[]/?:+$%")
_HOST = r"[A-Za-z0-9_.-]++|\[[0-9A-Fa-f:.]++\]"

_SIP_URI = re.compile(
    rf"([sS][iI][pP][sS]?):(?:({_USER}++)(?::({_PASSWORD}*+))?@)?({_HOST})(?::([0-9]{{1,5}}))?"
    rf"((?:;{_PARAM}++(?:={_PARAM}++)?)*+)(?:\?([^?].*))?",
    re.ASCII,
)
_TEL_URI = re.compile(rf"[tT][eE][lL]:(\+?[0-9A-Fa-f*#().-]++)((?:;{_PARAM}++(?:={_PARAM}++)?)*+)", re.ASCII)
_URI_HEADERS = re.compile(rf"{_HEADER}++={_HEADER}*+(?:&{_HEADER}++={_HEADER}*+)*+")
_OTHER_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*+):([!#-;=?-~]++)")
_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_NUMERIC_LABEL = re.compile(r"(?:^|\.)(?:[0-9]++|0[xX][0-9A-Fa-f]*+)\.?\Z")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_USER_PLAIN = re.compile(rf"{grammar.cset(grammar.C_USER_SAFE)}*+")
_PARAM_PLAIN = re.compile(rf"{grammar.cset(grammar.C_URI_PARAM_SAFE)}*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SIPURI:
    """A `sip:`, `sips:` or `tel:` URI.

    `scheme` is lower case. `user` and `password` are unescaped once (bytes that are no UTF-8 as lone
    surrogates, so that different users stay different); a `;` in the user part belongs to `user`. `host` is
    lower case, an IPv6 address without brackets in its shortest form; it is empty in `tel:` URIs, whose
    number is `user`. Parameter names are lower case; values are unescaped. The representation shows no user.
    """

    host: str
    scheme: str = "sip"
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    port: int | None = None
    params: Params = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def param(self, name: str) -> str | None:
        """Return the value of a parameter; None when it is absent or has none."""
        return find_param(self.params, name)

    def has_param(self, name: str) -> bool:
        """Tell whether the parameter is there, with or without a value."""
        return any(key == name for key, _ in self.params)

    def __str__(self) -> str:
        return render_uri(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaqueURI:
    """A URI of any other scheme, as it may stand in From, To and Contact: nothing of it is understood."""

    scheme: str
    rest: str = field(repr=False)

    @property
    def user(self) -> str | None:
        """Always None: no user is known."""
        return None

    @property
    def host(self) -> str:
        """Always empty: no host is known."""
        return ""

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}"


URI = SIPURI | OpaqueURI


def find_param(params: Params, name: str) -> str | None:
    """Return the value of the first parameter of that (lower-case) name."""
    for key, value in params:
        if key == name:
            return value
    return None


def parse_uri(text: str) -> SIPURI:
    """Parse a `sip:`, `sips:` or `tel:` URI.

    Raises RemoteProtocolError with status_hint 400, or 416 when it is a URI of another scheme.
    """
    match = _SIP_URI.fullmatch(text)
    if match is None:
        return _parse_tel_uri(text)
    scheme, user, password, host, port, params, headers = match.groups()
    return SIPURI(
        scheme=scheme.lower(),
        user=_unescape(user) if user else None,
        password=_unescape(password) if password is not None else None,
        host=parse_host(host),
        port=parse_port(port) if port else None,
        params=_parse_params(params) if params else (),
        headers=_parse_headers(headers) if headers else (),
    )


def parse_any_uri(text: str) -> URI:
    """Parse a URI of any scheme, as name-addr headers allow. Raises RemoteProtocolError (400)."""
    try:
        return parse_uri(text)
    except RemoteProtocolError as error:
        match = _OTHER_URI.fullmatch(text)
        if match is None or error.status_hint != UNSUPPORTED_SCHEME:
            raise RemoteProtocolError("malformed URI") from error
        return OpaqueURI(scheme=match[1].lower(), rest=match[2])


def _parse_tel_uri(text: str) -> SIPURI:
    match = _TEL_URI.fullmatch(text)
    if match is not None:
        params = _parse_params(match[2]) if match[2] else ()
        return SIPURI(scheme="tel", user=match[1], host="", params=params)
    scheme = text.partition(":")[0].lower()
    if scheme not in {"sip", "sips", "tel"} and _HAS_SCHEME.match(text):
        raise RemoteProtocolError("URI scheme not supported", status_hint=UNSUPPORTED_SCHEME)
    raise RemoteProtocolError("malformed URI")


@lru_cache(HOST_CACHE_SIZE)
def parse_host(text: str) -> str:
    """Parse a host name, an IPv4 address or a bracketed IPv6 address; see `SIPURI.host` for the form.

    The form with three colons that the erroneous grammar of RFC 3261 asks for is read as two
    (RFC 5118 section 4.10).
    """
    if text[0] == "[":
        try:
            return str(IPv6Address(text[1:-1].replace(":::", "::")))
        except AddressValueError as error:
            raise RemoteProtocolError("malformed IPv6 address") from error
    if len(text) > HOST_LENGTH_MAX or ".." in text or text[0] in ".-":
        raise RemoteProtocolError("malformed host")
    # A name whose last label is a number would be an address to some resolvers: 127.1, 0x7f.1.
    if _NUMERIC_LABEL.search(text) and not _IPV4.fullmatch(text):
        raise RemoteProtocolError("malformed IPv4 address")
    return text.lower()


def parse_port(text: str) -> int:
    """Parse a port of 1 to 65535 in decimal digits."""
    port = int(text)
    if not 1 <= port <= PORT_MAX:
        raise RemoteProtocolError("port out of range")
    return port


def render_host(host: str) -> str:
    """Render a host as it stands in URIs and Via: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def render_uri(uri: URI) -> str:
    """Render a URI; the inverse of `parse_uri` and `parse_any_uri`."""
    if isinstance(uri, OpaqueURI):
        return str(uri)
    text = uri.scheme + ":"
    if uri.user is not None:
        text += _escape(uri.user, grammar.C_USER_SAFE, _USER_PLAIN)
        if uri.scheme != "tel":
            if uri.password is not None:
                text += ":" + _escape(uri.password, grammar.C_PASSWORD_SAFE, None)
            text += "@"
    if uri.host:
        text += render_host(uri.host)
    if uri.port is not None:
        text += f":{uri.port}"
    if uri.params:
        text += _render_params(uri.params)
    if uri.headers:
        text += "?" + "&".join(f"{_quote(name)}={_quote(value)}" for name, value in uri.headers)
    return text


def _parse_params(text: str) -> Params:
    params: list[tuple[str, str | None]] = []
    for part in text[1:].split(";"):
        name, has_value, value = part.partition("=")
        params.append((_unescape(name).lower(), _unescape(value) if has_value else None))
    return unique_params(params)


def unique_params(params: Iterable[tuple[str, str | None]]) -> Params:
    """Return the parameters, refusing a name that is there twice: readers would differ on which counts."""
    result = tuple(params)
    if len(result) > 1 and len(dict(result)) != len(result):
        raise RemoteProtocolError("repeated parameter")
    return result


def _parse_headers(text: str) -> tuple[tuple[str, str], ...]:
    if not _URI_HEADERS.fullmatch(text):
        raise RemoteProtocolError("malformed URI headers")
    pairs = (part.partition("=") for part in text.split("&"))
    return tuple((_unescape(name), _unescape(value)) for name, _, value in pairs)


def _render_params(params: Params) -> str:
    text = ""
    for name, value in params:
        text += ";" + _escape(name, grammar.C_URI_PARAM_SAFE, _PARAM_PLAIN)
        if value is not None:
            if not value:
                raise LocalProtocolError("a URI parameter value is empty")
            text += "=" + _escape(value, grammar.C_URI_PARAM_SAFE, _PARAM_PLAIN)
    return text


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    if _BAD_ESCAPE.search(text):
        raise RemoteProtocolError("malformed escape in a URI")
    return unquote(text, errors="surrogateescape")


def _escape(text: str, safe: str, plain: re.Pattern[str] | None) -> str:
    if plain is not None and plain.fullmatch(text):
        return text
    return quote(text, safe=safe, errors="surrogateescape")


def _quote(text: str) -> str:
    return quote(text, safe=grammar.C_UNRESERVED + "[]/?:+$", errors="surrogateescape")
