"""Digest authentication: answer challenges as a client, check answers as a server.

Pure: nonce and cnonce are arguments. `MD5-sess` and `auth-int` are not spoken; a challenge that asks for
nothing else is passed over.

Source: RFC 3261 section 22, RFC 7616 section 3, RFC 8760, RFC 2617 (challenges without qop).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sipmessage import grammar

from maskline.sip.errors import LocalProtocolError, RemoteProtocolError
from maskline.sip.headers import quote_string, unquote_string
from maskline.sip.message import Response

NONCE_COUNT_MAX: Final = 0xFFFF_FFFF

_TOKEN = f"{grammar.cset(grammar.C_TOKEN)}++"
_SCHEME = re.compile(rf"({_TOKEN})[ \t]++")
_PARAM = re.compile(rf'({_TOKEN})[ \t]*+=[ \t]*+({_TOKEN}|"(?:[^"\\]|\\.)*+")[ \t]*+(,[ \t]*+|\Z)', re.DOTALL)
_NONCE_COUNT = re.compile(r"[0-9a-fA-F]{8}")


class Algorithm(StrEnum):
    """Hash algorithms, weakest first."""

    MD5 = "MD5"
    SHA_256 = "SHA-256"
    SHA_512_256 = "SHA-512-256"


_STRENGTH: Final = tuple(Algorithm)
_BY_NAME: Final = {algorithm.lower(): algorithm for algorithm in Algorithm}
_HASHLIB_NAMES: Final = {
    Algorithm.MD5: "md5",
    Algorithm.SHA_256: "sha256",
    Algorithm.SHA_512_256: "sha512_256",
}


@dataclass(slots=True)
class RealmPin:
    """The first realm that credentials were given to, kept for all requests that share them."""

    realm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A user name and password; with a realm they are given to no other, with a pin to no second one."""

    username: str = field(repr=False)
    password: str = field(repr=False)
    realm: str | None = None
    pin: RealmPin | None = field(default=None, repr=False, compare=False)

    def may_answer(self, realm: str) -> bool:
        """Tell whether these credentials are for this realm, as far as it is known."""
        known = self.realm if self.realm is not None or self.pin is None else self.pin.realm
        return known in {None, realm}


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A digest challenge. `is_proxy` tells a 407 from a 401; without qop the answer is that of RFC 2069."""

    realm: str
    nonce: str
    algorithm: Algorithm = Algorithm.MD5
    opaque: str | None = None
    has_qop: bool = True
    is_stale: bool = False
    is_proxy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """A client's answer. `nonce_count` and `cnonce` are None without qop."""

    username: str = field(repr=False)
    realm: str
    nonce: str
    uri: str = field(repr=False)
    response: str
    algorithm: Algorithm = Algorithm.MD5
    opaque: str | None = None
    cnonce: str | None = None
    nonce_count: int | None = None


def parse_challenge(text: str, *, is_proxy: bool = False) -> Challenge | None:
    """Parse a WWW-Authenticate or Proxy-Authenticate value; None for what we do not speak.

    Raises RemoteProtocolError when a Digest challenge is malformed.
    """
    params = _parse_digest(text)
    if params is None:
        return None
    algorithm = _BY_NAME.get(params.get("algorithm", "MD5").lower())
    qop = params.get("qop")
    if algorithm is None or (qop is not None and "auth" not in _split_qop(qop)):
        return None
    return Challenge(
        realm=_need(params, "realm"),
        nonce=_need(params, "nonce"),
        algorithm=algorithm,
        opaque=params.get("opaque"),
        has_qop=qop is not None,
        is_stale=params.get("stale", "").lower() == "true",
        is_proxy=is_proxy,
    )


def choose_challenge(response: Response, credentials: Credentials) -> Challenge | None:
    """Return the strongest challenge of a 401 or 407 that these credentials may answer, or None.

    Malformed challenges are passed over. Among equals the first wins.
    """
    is_proxy = response.status == 407
    found: list[Challenge] = []
    for text in response.headers.fields("Proxy-Authenticate" if is_proxy else "WWW-Authenticate"):
        try:
            challenge = parse_challenge(text, is_proxy=is_proxy)
        except RemoteProtocolError:
            # One broken challenge must not hide a good one beside it.
            continue
        if challenge is not None and credentials.may_answer(challenge.realm):
            found.append(challenge)
    return max(found, key=lambda challenge: _STRENGTH.index(challenge.algorithm), default=None)


def answer_challenge(
    challenge: Challenge,
    credentials: Credentials,
    *,
    method: str,
    uri: str,
    cnonce: str,
    nonce_count: int = 1,
) -> tuple[str, str]:
    """Return the header field, name and value, that answers the challenge for a request.

    `uri` is the Request-URI as sent; `nonce_count` counts the requests sent with this nonce, from 1.
    Raises LocalProtocolError for credentials bound to another realm and for a count out of range.
    """
    if not credentials.may_answer(challenge.realm):
        raise LocalProtocolError("credentials belong to another realm")
    if not 1 <= nonce_count <= NONCE_COUNT_MAX:
        raise LocalProtocolError("nonce count out of range")
    answer = Authorization(
        username=credentials.username,
        realm=challenge.realm,
        nonce=challenge.nonce,
        uri=uri,
        response="",
        algorithm=challenge.algorithm,
        opaque=challenge.opaque,
        cnonce=cnonce if challenge.has_qop else None,
        nonce_count=nonce_count if challenge.has_qop else None,
    )
    response = _compute_response(answer, method, credentials.password)
    name = "Proxy-Authorization" if challenge.is_proxy else "Authorization"
    return name, _render_authorization(answer, response)


def render_challenge(challenge: Challenge) -> tuple[str, str]:
    """Return the header field, name and value, that challenges a client."""
    parts = [f"realm={quote_string(challenge.realm)}", f"nonce={quote_string(challenge.nonce)}"]
    if challenge.opaque is not None:
        parts.append(f"opaque={quote_string(challenge.opaque)}")
    if challenge.is_stale:
        parts.append("stale=true")
    parts.append(f"algorithm={challenge.algorithm}")
    if challenge.has_qop:
        parts.append('qop="auth"')
    name = "Proxy-Authenticate" if challenge.is_proxy else "WWW-Authenticate"
    return name, "Digest " + ", ".join(parts)


def parse_authorization(text: str) -> Authorization | None:
    """Parse an Authorization or Proxy-Authorization value; None for other schemes, algorithms and qops.

    Raises RemoteProtocolError (400) when Digest credentials are malformed.
    """
    params = _parse_digest(text)
    if params is None:
        return None
    algorithm = _BY_NAME.get(params.get("algorithm", "MD5").lower())
    qop = params.get("qop")
    if algorithm is None or (qop is not None and qop.lower() != "auth"):
        return None
    count = _need(params, "nc") if qop else None
    if count is not None and not _NONCE_COUNT.fullmatch(count):
        raise RemoteProtocolError("malformed nonce count")
    return Authorization(
        username=_need(params, "username"),
        realm=_need(params, "realm"),
        nonce=_need(params, "nonce"),
        uri=_need(params, "uri"),
        response=_need(params, "response"),
        algorithm=algorithm,
        opaque=params.get("opaque"),
        cnonce=_need(params, "cnonce") if qop else None,
        nonce_count=int(count, 16) if count else None,
    )


def verify_authorization(
    answer: Authorization, challenge: Challenge, credentials: Credentials, *, method: str
) -> bool:
    """Tell whether the answer is right for the challenge we sent, in constant time.

    An answer in a weaker algorithm or without the qop we asked for is refused. Whether the nonce is fresh and
    its count unused, and whether `answer.uri` fits the request, is for the caller to know.
    """
    if answer.algorithm != challenge.algorithm or (answer.cnonce is not None) != challenge.has_qop:
        return False
    expected = _compute_response(answer, method, credentials.password)
    checks = (
        _is_same(answer.username, credentials.username),
        _is_same(answer.realm, challenge.realm),
        _is_same(answer.nonce, challenge.nonce),
        _is_same(answer.response.lower(), expected),
    )
    return all(checks)


def _compute_response(answer: Authorization, method: str, password: str) -> str:
    name = _HASHLIB_NAMES[answer.algorithm]

    def digest(text: str) -> str:
        # MD5 is what most trunks still offer; the protocol names it, we do not choose it.
        data = text.encode(errors="surrogateescape")
        return hashlib.new(name, data, usedforsecurity=False).hexdigest()

    secret = digest(f"{answer.username}:{answer.realm}:{password}")
    request = digest(f"{method}:{answer.uri}")
    if answer.cnonce is None or answer.nonce_count is None:
        return digest(f"{secret}:{answer.nonce}:{request}")
    return digest(f"{secret}:{answer.nonce}:{answer.nonce_count:08x}:{answer.cnonce}:auth:{request}")


def _render_authorization(answer: Authorization, response: str) -> str:
    parts = [
        f"username={quote_string(answer.username)}",
        f"realm={quote_string(answer.realm)}",
        f"nonce={quote_string(answer.nonce)}",
        f"uri={quote_string(answer.uri)}",
        f'response="{response}"',
        f"algorithm={answer.algorithm}",
    ]
    if answer.cnonce is not None:
        parts += [f"cnonce={quote_string(answer.cnonce)}", "qop=auth", f"nc={answer.nonce_count:08x}"]
    if answer.opaque is not None:
        parts.append(f"opaque={quote_string(answer.opaque)}")
    return "Digest " + ", ".join(parts)


def _parse_digest(text: str) -> dict[str, str] | None:
    """Parse the parameters of a Digest value, names in lower case; None for another scheme."""
    scheme = _SCHEME.match(text)
    if scheme is None or scheme[1].lower() != "digest":
        return None
    params: dict[str, str] = {}
    position = scheme.end()
    separator = ","
    while separator:
        match = _PARAM.match(text, position)
        if match is None:
            raise RemoteProtocolError("malformed digest parameters")
        name, value, separator = match.groups()
        if name.lower() in params:
            raise RemoteProtocolError("repeated digest parameter")
        params[name.lower()] = unquote_string(value) if value[0] == '"' else value
        position = match.end()
    return params


def _split_qop(text: str) -> list[str]:
    return [part.strip(" \t").lower() for part in text.split(",")]


def _need(params: dict[str, str], name: str) -> str:
    value = params.get(name)
    if value is None:
        raise RemoteProtocolError("digest parameter is missing")
    return value


def _is_same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(errors="surrogateescape"), right.encode(errors="surrogateescape"))
