"""Answers as the vendor's server forms them: Express's compact JSON, its weak ETags, and CORS for everybody.

Source: the published response of Masking/set, whose ETag proves key order, spacing and text of the body.
"""

import base64
import hashlib
import json
from collections.abc import Mapping

from fastapi import Request, Response

HEADERS: Mapping[str, str] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET, OPTIONS, PATCH, DELETE",
    "Access-Control-Allow-Headers": "X-Requested-With, content-type",
    "Access-Control-Allow-Credentials": "true",
    "Vary": "Origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
"""In every answer."""
CONTENT_TYPE = "application/json; charset=utf-8"
_ETAG_LENGTH = 27  # of a SHA-1 in base64, without its padding


def render_body(value: Mapping[str, object]) -> bytes:
    """Compact JSON in the order given, its letters as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def compute_etag(body: bytes) -> str:
    """Express's weak ETag: the length in hex and the SHA-1 of the body.

    Source: etag 1.8, entitytag and stattag; Express 4, `res.send`.
    """
    digest = base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()
    return f'W/"{len(body):x}-{digest[:_ETAG_LENGTH]}"'


def reply(
    request: Request, status: int, value: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Response:
    """An answer of the dialect; 304 where Express would find the client's copy fresh."""
    body = render_body(value)
    etag = compute_etag(body)
    all_headers = {**HEADERS, "ETag": etag, **(headers or {})}
    if status < 300 and is_fresh(request, etag):
        return Response(None, 304, all_headers)
    return Response(body, status, {**all_headers, "Content-Type": CONTENT_TYPE})


def preflight() -> Response:
    """The answer to OPTIONS, which says what every answer says."""
    return Response(None, 204, dict(HEADERS))


def is_fresh(request: Request, etag: str) -> bool:
    """Whether the client has this very answer: asked by GET or HEAD alone, and not where it wants none of its own.

    Source: fresh 0.5, as Express 4 uses it; no Last-Modified is ever sent.
    """
    if request.method not in {"GET", "HEAD"}:
        return False
    known = request.headers.get("if-none-match")
    if not known or "no-cache" in request.headers.get("cache-control", "").lower():
        return False
    bare = etag.removeprefix("W/")
    return known.strip() == "*" or any(it.strip().removeprefix("W/") == bare for it in known.split(","))
