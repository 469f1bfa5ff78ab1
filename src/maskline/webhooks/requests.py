"""From a leased delivery to the request that is made: payload, signatures, limits.

Pure: nonce and time are arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from maskline.core.delivery import Dialect, LeasedDelivery
from maskline.core.masking import MICROSECONDS, CallbackMethod

from . import deepcall, native, plivo
from .signatures import render_nonce, sign_plivo_v2, sign_plivo_v3, sign_standard
from .target import CallbackTarget, parse_callback_target

NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """A request with people's numbers in it: made once, and never printed."""

    target: CallbackTarget
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None

    def __repr__(self) -> str:
        return "WebhookRequest(hidden)"


def build_request(delivery: LeasedDelivery, *, public_url: str, random: bytes, now: int) -> WebhookRequest:
    """Build the request of one attempt at `now` (µs UTC); `random` makes the nonce (16 bytes)."""
    match delivery.dialect:
        case Dialect.PLIVO:
            return _build_plivo(delivery, public_url, random)
        case Dialect.NATIVE:
            return _build_for_endpoint(delivery, native.build_body(delivery.event, delivery.facts), now)
        case Dialect.DEEPCALL:
            report = deepcall.build_body(delivery.event, delivery.facts, public_url=public_url)
            return _build_for_endpoint(delivery, report, now)


def _build_plivo(delivery: LeasedDelivery, public_url: str, random: bytes) -> WebhookRequest:
    target = parse_callback_target(delivery.url)
    facts, method, nonce = delivery.facts, delivery.method, render_nonce(random)
    fields = plivo.build_fields(delivery.event, facts, public_url=public_url)
    headers = {
        "X-Plivo-Signature-V3": sign_plivo_v3(facts.owner_token, method, target.url, fields, nonce),
        "X-Plivo-Signature-Ma-V3": sign_plivo_v3(facts.account_token, method, target.url, fields, nonce),
        "X-Plivo-Signature-V3-Nonce": nonce,
        "X-Plivo-Signature-V2": sign_plivo_v2(facts.owner_token, target.url, nonce),
        "X-Plivo-Signature-Ma-V2": sign_plivo_v2(facts.account_token, target.url, nonce),
        "X-Plivo-Signature-V2-Nonce": nonce,
    }
    if method is CallbackMethod.GET:
        url = plivo.add_query(target.url, fields)
        return WebhookRequest(target=target, method="GET", url=url, headers=headers, body=None)
    return WebhookRequest(
        target=target,
        method="POST",
        url=target.url,
        headers={**headers, "Content-Type": "application/x-www-form-urlencoded"},
        body=urlencode(fields).encode(),
    )


def _build_for_endpoint(delivery: LeasedDelivery, body: str, now: int) -> WebhookRequest:
    """Sign as the standard has it, in whatever words the body is: who does not look for signatures ignores them."""
    # What follows a # in an endpoint's URL is nothing of ours: only callbacks say something there.
    target = CallbackTarget(url=delivery.url.partition("#")[0])
    at_s = now // MICROSECONDS
    secret = delivery.facts.endpoint_secret
    assert secret is not None, "an endpoint without a secret leases nothing"
    return WebhookRequest(
        target=target,
        method="POST",
        url=target.url,
        headers={
            "webhook-id": delivery.message_id,
            "webhook-timestamp": str(at_s),
            "webhook-signature": sign_standard(secret, delivery.message_id, at_s, body),
            "Content-Type": "application/json",
        },
        body=body.encode(),
    )
