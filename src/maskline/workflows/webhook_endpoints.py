"""An account's webhook endpoints."""

import base64
import uuid
from typing import Final

from maskline.core.delivery import (
    Dialect,
    EndpointCreated,
    EndpointURLRefused,
    NewEndpoint,
    TooManyEndpoints,
    WebhookEndpoint,
)
from maskline.core.secret import Secret
from maskline.outbound.policy import parse_target
from maskline.outbound.types import RefusalReason
from maskline.store import webhook_endpoints as rows
from maskline.store.engine import Tx

URL_LENGTH_MAX: Final = 1000  # what the table holds, as for callbacks
SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # what the standard lets secrets begin with
_SECRET_LENGTH: Final = 32  # bytes; the standard recommends 24 to 64


def create_endpoint(
    tx: Tx, account_id: int, new: NewEndpoint, now: int
) -> EndpointCreated | EndpointURLRefused | TooManyEndpoints:
    """Make an endpoint with a secret of its own.

    Only the form of its URL is judged here; where its name leads is judged anew with each attempt.
    """
    if (reason := judge_url(new.url)) is not None:
        return EndpointURLRefused(reason=reason)
    endpoint = WebhookEndpoint(
        id=str(uuid.UUID(bytes=tx.random_bytes(16), version=4)),
        account_id=account_id,
        url=new.url,
        kinds=new.kinds,
        sends_numbers=new.sends_numbers or new.dialect is Dialect.DEEPCALL,
        created_at=now,
        disabled_at=None,
        dialect=new.dialect,
    )
    secret = Secret(SECRET_PREFIX + base64.b64encode(tx.random_bytes(_SECRET_LENGTH)).decode())
    if not rows.insert_endpoint(tx, endpoint, secret):
        return TooManyEndpoints()
    rows.update_flag(tx, account_id)
    return EndpointCreated(endpoint=endpoint, secret=secret)


def judge_url(url: str) -> str | None:
    """Say in a kebab-case word why nothing would ever be sent to a URL; None for one that can be tried."""
    if len(url) > URL_LENGTH_MAX:
        return "length"
    if "#" in url:
        return "fragment"  # it would never be sent, and callbacks mean something by it
    target = parse_target(url)
    return target.value if isinstance(target, RefusalReason) else None


def list_endpoints(tx: Tx, account_id: int) -> tuple[WebhookEndpoint, ...]:
    """List an account's endpoints, disabled ones included, oldest first."""
    return rows.load_endpoints(tx, account_id)


def remove_endpoint(tx: Tx, account_id: int, endpoint_id: str, now: int) -> bool:
    """Remove an endpoint; what was still to be sent there is cancelled when its turn comes. False: no such one."""
    if not rows.remove(tx, account_id, endpoint_id, now):
        return False
    rows.update_flag(tx, account_id)
    return True
