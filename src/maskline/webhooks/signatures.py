"""Signatures by which receivers know that a request is ours. Pure; the nonce is an argument.

The signed URL is the configured one as it was written, without its fragment; a path's `;parameters` are
dropped by some of the vendor's validators and kept by others, so that such URLs verify with the latter only.

Source: Plivo, signature validation (2026), and the validators of its Python and Node clients; Standard
Webhooks 1.0, Signature scheme.
"""

import base64
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from standardwebhooks import Webhook

from maskline.core.masking import CallbackMethod
from maskline.core.secret import Secret

Fields = Sequence[tuple[str, str]]

NONCE_LENGTH: Final = 20  # decimal digits, as the vendor's


def render_nonce(random: bytes) -> str:
    """Write a nonce of 20 digits; 16 random bytes leave no bias worth naming."""
    return str(int.from_bytes(random) % 10**NONCE_LENGTH).zfill(NONCE_LENGTH)


def sign_plivo_v3(token: Secret, method: CallbackMethod, url: str, fields: Fields, nonce: str) -> str:
    """Sign a callback by the vendor's third scheme.

    `url` is without the fields. Some clients leave the port out of what they check: a URL that names one
    gets a second signature without it, after a comma and no blank, which all clients take.
    """
    full, portless = _bases(url)
    bases = (full,) if full == portless else (full, portless)
    suffix = _v3_suffix(method, url, fields)
    return ",".join(_sign(token, f"{base}{suffix}.{nonce}") for base in bases)


def sign_plivo_v2(token: Secret, url: str, nonce: str) -> str:
    """Sign a callback by the vendor's second scheme: address and nonce alone."""
    return _sign(token, _bases(url)[0] + nonce)


def sign_standard(secret: Secret, message_id: str, at_s: int, body: str) -> str:
    """Sign a native webhook; `at_s` is the attempt's time in whole seconds since 1970."""
    # The library takes a time and cuts off its fraction.
    return Webhook(secret.reveal()).sign(message_id, datetime.fromtimestamp(at_s, UTC), body)


def _v3_suffix(method: CallbackMethod, url: str, fields: Fields) -> str:
    query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    match method:
        case CallbackMethod.GET:
            pairs = _join_query([*query, *fields])
            return f"?{pairs}" if pairs else ""
        case CallbackMethod.POST:
            glued = "".join(f"{key}{value}" for key, value in sorted(fields))
            pairs = _join_query(query)
            if not fields:
                return f"?{pairs}" if pairs else ""
            return f"?{pairs}.{glued}" if pairs else f"?{glued}"


def _join_query(pairs: Fields) -> str:
    return "&".join(f"{key}={value}" for key, value in sorted(pairs))


def _bases(url: str) -> tuple[str, str]:
    """Cut a URL off after its path; once with its port and once without."""
    parts = urlsplit(url)
    host, _, port = parts.netloc.rpartition(":")
    bare = (
        host if port.isdecimal() else parts.netloc
    )  # the colons of an IPv6 address are followed by a bracket
    return f"{parts.scheme}://{parts.netloc}{parts.path}", f"{parts.scheme}://{bare}{parts.path}"


def _sign(token: Secret, message: str) -> str:
    digest = hmac.digest(token.reveal().encode(), message.encode(), "sha256")
    return base64.b64encode(digest).decode()
