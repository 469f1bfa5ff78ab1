"""Idempotency keys over HTTP: which request a key stands for, and how an answer is kept and given again.

Source: draft-ietf-httpapi-idempotency-key-header-07; the contract is Stripe's.
"""

import json
import re
from collections.abc import Mapping
from typing import Final, assert_never

from starlette.responses import Response

from maskline.api.native.auth import owner_of
from maskline.api.native.errors import FieldError, NativeError
from maskline.api.native.routes import Asked
from maskline.workflows.idempotency import AnotherRequest, Answered, IdempotencyClaim, StillRunning

HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotent-Replayed"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_NOT_KEPT: Final = frozenset({"content-length"})  # made anew from the body


def claim_of(asked: Asked) -> IdempotencyClaim | None:
    """The claim of a request that has a key. Raises NativeError when it is none."""
    keys = asked.request.headers.getlist(HEADER)
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        detail = "1 to 255 printable characters without blanks, once."
        raise NativeError("invalid", errors=(FieldError("/Idempotency-Key", "header", detail),))
    url = asked.request.url
    # With what the sender may: an answer can hold a secret that whoever may less did not get.
    may = " ".join(sorted(asked.caller.permissions))
    head = f"{asked.request.method}\n{url.path}\n{url.query}\n{may}\n"
    return IdempotencyClaim(
        owner=asked.caller.owner,
        acting_for="" if asked.caller.account is None else owner_of(asked.caller.account),
        key=keys[0],
        request=head.encode(errors="surrogatepass") + asked.body,
    )


def pack(response: Response) -> str:
    """An answer as it is kept."""
    headers = {name: value for name, value in response.headers.items() if name not in _NOT_KEPT}
    return json.dumps([response.status_code, headers, bytes(response.body).decode()])


def unpack(outcome: Answered | AnotherRequest | StillRunning) -> Response:
    """The answer to a request with a key. Raises NativeError."""
    match outcome:
        case AnotherRequest():
            raise NativeError("idempotency-mismatch")
        case StillRunning():
            raise NativeError("idempotency-running", headers={"Retry-After": "1"})
        case Answered(answer=answer, is_replayed=is_replayed):
            status, headers, body = json.loads(answer)
            told: Mapping[str, str] = headers | ({REPLAYED_HEADER: "true"} if is_replayed else {})
            return Response(body, status, dict(told))
        case _:
            assert_never(outcome)
