import json
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

from plivo.utils import validate_signature, validate_v3_signature
from tests.webhooks.builders import CALLEE, CALLER, NOW, SECRET, TOKEN, a_delivery, an_event, some_facts
from tests.webhooks.test_deepcall import a_report

from maskline.core.delivery import Dialect, LeasedDelivery
from maskline.core.events import EventKind
from maskline.core.masking import CallbackMethod
from maskline.core.secret import Secret
from maskline.webhooks.requests import WebhookRequest, build_request
from maskline.webhooks.signatures import sign_standard

SUB_TOKEN = "tok_of_the_subaccount"


def _build(delivery: LeasedDelivery) -> WebhookRequest:
    return build_request(delivery, public_url="https://maskline.example", random=bytes(range(16)), now=NOW)


def test_post_carries_a_form() -> None:
    """A callback by POST has its fields in the body, and the URL as it was configured but for the fragment."""
    request = _build(a_delivery(url="https://app.example.com/cb?x=1#rt=3000"))
    assert (request.method, request.url) == ("POST", "https://app.example.com/cb?x=1")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.body is not None
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    assert fields["EventName"] == "SessionFirstPartyAnswer"
    assert fields["From"] == CALLER.removeprefix("+")
    assert len(fields) == 14
    assert request.target.read_s == 3.0


def test_get_carries_a_query() -> None:
    """A callback by GET has its fields behind the URL's own, and no body."""
    request = _build(a_delivery(url="https://app.example.com/cb?x=1", method=CallbackMethod.GET))
    assert (request.method, request.body) == ("GET", None)
    pairs = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    assert pairs[0] == ("x", "1")
    assert len(pairs) == 15


def test_both_tokens_sign_both_schemes() -> None:
    """Who has the sub-account's token can check, and who has the account's can check the other headers."""
    facts = some_facts(owner_token=Secret(SUB_TOKEN))
    for method in CallbackMethod:
        request = _build(a_delivery(facts=facts, method=method))
        headers = request.headers
        params = dict(parse_qsl((request.body or b"").decode(), keep_blank_values=True))
        for name, token in (("Signature", SUB_TOKEN), ("Signature-Ma", TOKEN)):
            assert validate_v3_signature(
                method.value,
                request.url,
                headers["X-Plivo-Signature-V3-Nonce"],
                token,
                headers[f"X-Plivo-{name}-V3"],
                dict(params),
            )
            assert validate_signature(
                "https://app.example.com/cb",
                headers["X-Plivo-Signature-V2-Nonce"],
                headers[f"X-Plivo-{name}-V2"],
                token,
            )


def test_native_is_json_signed_by_the_standard() -> None:
    """An endpoint's request has the three headers of the standard, and the attempt's own time."""
    request = _build(a_delivery(dialect=Dialect.NATIVE, url="https://hooks.example.com/x"))
    assert request.method == "POST"
    assert request.body is not None
    assert request.headers == {
        "webhook-id": "0c3ff0a5-4c6e-4f0e-9d0e-2b1f6a7c8d9e",
        "webhook-timestamp": str(NOW // 1_000_000),
        "webhook-signature": sign_standard(
            Secret(SECRET), "0c3ff0a5-4c6e-4f0e-9d0e-2b1f6a7c8d9e", NOW // 1_000_000, request.body.decode()
        ),
        "Content-Type": "application/json",
    }


def test_a_later_attempt_says_the_same_under_the_same_id() -> None:
    """Body and id stay, so that a receiver knows what it has seen."""
    delivery = a_delivery(dialect=Dialect.NATIVE)
    first, second = _build(delivery), _build(replace(delivery, attempt_count=5))
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_printing_a_request_tells_nothing() -> None:
    """Its body and URL hold people's numbers."""
    text = repr(_build(a_delivery(method=CallbackMethod.GET)))
    assert CALLER.removeprefix("+") not in text
    assert CALLEE.removeprefix("+") not in text


def test_report_is_signed_as_webhooks_are() -> None:
    """Its body is the dialect's, its headers the standard's; who knows nothing of them passes over them."""
    facts = some_facts(report=a_report(), endpoint_secret=Secret(SECRET))
    request = _build(
        a_delivery(
            dialect=Dialect.DEEPCALL,
            url="https://panel.example.com/push?key=1",
            event=an_event(EventKind.CALL_FINISHED),
            facts=facts,
        )
    )
    assert (request.method, request.url) == ("POST", "https://panel.example.com/push?key=1")
    assert request.headers["Content-Type"] == "application/json"
    assert request.body is not None
    body = request.body.decode()
    assert json.loads(body)["cType"] == "MASK"
    message_id, at_s = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
    assert request.headers["webhook-signature"] == sign_standard(Secret(SECRET), message_id, at_s, body)
