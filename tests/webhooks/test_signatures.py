import random
import string
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plivo.utils import validate_signature, validate_v3_signature
from standardwebhooks import Webhook
from tests.webhooks.builders import SECRET, TOKEN
from tests.webhooks.node_sdk import check_with_node

from maskline.core.masking import CallbackMethod
from maskline.core.secret import Secret
from maskline.webhooks.plivo import add_query
from maskline.webhooks.signatures import (
    render_nonce,
    sign_plivo_v2,
    sign_plivo_v3,
    sign_standard,
)

GET, POST = CallbackMethod.GET, CallbackMethod.POST
NONCE = "05429567804466091622"
FIELDS = (("EventName", "SessionTimeout"),)

_words = st.text(string.ascii_letters + string.digits + "-_.~", min_size=1, max_size=8)
_values = st.text(string.ascii_letters + string.digits + " +/&=?:%.-", max_size=12)
_queries = st.lists(st.tuples(_words, _values), max_size=4).map(
    lambda pairs: "&".join(f"{quote(key)}={quote(value, safe='/:')}" for key, value in pairs)
)
_hosts = st.sampled_from(["app.example.com", "example.org", "a-b.example.co.uk", "192.0.2.7"])
_segments = st.text(string.ascii_letters + string.digits + "-_.~", max_size=6) | st.sampled_from(
    ["a%20b", "%2B", "x%2Fy"]
)
_paths = st.lists(_segments, max_size=3).map(lambda parts: "".join(f"/{part}" for part in parts))
_fields = st.lists(st.tuples(_words, _values), max_size=5, unique_by=lambda pair: pair[0]).map(tuple)
_nonces = st.binary(min_size=16, max_size=16).map(render_nonce)


@st.composite
def _urls(draw: st.DrawFn) -> str:
    port = draw(st.sampled_from(["", ":8080", ":443", ":1"]))
    query = draw(_queries)
    scheme = draw(st.sampled_from(["http", "https"]))
    return f"{scheme}://{draw(_hosts)}{port}{draw(_paths)}{'?' + query if query else ''}"


def _seen(method: CallbackMethod, url: str, fields: Any) -> tuple[str, dict[str, str]]:
    """What a receiver passes to its validator: the URL it was called at, and the body's parameters."""
    return (add_query(url, fields), {}) if method is GET and fields else (url, dict(fields))


@pytest.mark.parametrize(
    ("sign", "expected"),
    [
        (
            lambda: sign_plivo_v2(Secret(TOKEN), "https://app.example.com/cb", NONCE),
            "+c3ZAXglRpcz/9rEBeaK8PULUd/cKVGolK4+x+DKT4c=",
        ),
        (
            lambda: sign_plivo_v3(Secret(TOKEN), GET, "https://app.example.com/cb?b=2&a=1", FIELDS, NONCE),
            "2PBNFzPWyMKa8OqvjMz7vx6g3ky9wjfyMkstuSBT+dE=",
        ),
        (
            lambda: sign_plivo_v3(Secret(TOKEN), POST, "https://app.example.com/cb?b=2&a=1", FIELDS, NONCE),
            "U/uUNeMMSHRACnLbmVB2nC+zx1UBoHeTCLd0QrsljcU=",
        ),
    ],
    ids=["v2", "v3-get", "v3-post"],
)
def test_vectors(sign: Any, expected: str) -> None:
    """What the vendor's validators were seen to accept is what we make."""
    assert sign() == expected


@given(method=st.sampled_from([GET, POST]), url=_urls(), fields=_fields, nonce=_nonces)
@settings(max_examples=300)
def test_python_client_accepts_v3(method: CallbackMethod, url: str, fields: Any, nonce: str) -> None:
    """The vendor's Python validator accepts whatever URL and fields we sign, and no other field."""
    signature = sign_plivo_v3(Secret(TOKEN), method, url, fields, nonce)
    seen_url, params = _seen(method, url, fields)
    assert validate_v3_signature(method.value, seen_url, nonce, TOKEN, signature, dict(params))
    assert not validate_v3_signature(method.value, seen_url, nonce, TOKEN + "x", signature, dict(params))
    assert not validate_v3_signature(
        method.value, seen_url, nonce, TOKEN, signature, {**params, "Zz-forged": "1"}
    )


@given(url=_urls(), nonce=_nonces)
@settings(max_examples=200)
def test_python_client_accepts_v2(url: str, nonce: str) -> None:
    """The vendor's Python validator accepts the older signature of whatever URL we sign."""
    signature = sign_plivo_v2(Secret(TOKEN), url, nonce)
    assert validate_signature(url, nonce, signature, TOKEN)
    assert not validate_signature(url, nonce[:-1] + "x", signature, TOKEN)


def _examples(count: int) -> list[tuple[CallbackMethod, str, tuple[tuple[str, str], ...], str]]:
    """URLs and fields as above, from a fixed seed: one Node process checks them all."""
    chance = random.Random(20261122)

    def word(alphabet: str, low: int) -> str:
        return "".join(chance.choices(alphabet, k=chance.randint(low, 8)))

    letters = string.ascii_letters + string.digits
    found = []
    for _ in range(count):
        pairs = [(word(letters, 1), word(letters + " +&=%/", 0)) for _ in range(chance.randint(0, 3))]
        query = "&".join(f"{key}={quote(value, safe='')}" for key, value in pairs)
        path = "".join(
            f"/{chance.choice([word(letters, 0), 'a%20b', '%2B'])}" for _ in range(chance.randint(0, 3))
        )
        host = chance.choice(["app.example.com", "example.org", "192.0.2.7"])
        url = f"{chance.choice(['http', 'https'])}://{host}{chance.choice(['', ':8080', ':443'])}{path}"
        fields = {word(letters, 1): word(letters + " +&=%/:", 0) for _ in range(chance.randint(0, 5))}
        method = chance.choice([GET, POST])
        full = url + ("?" + query if query else "")
        found.append((method, full, tuple(fields.items()), render_nonce(chance.randbytes(16))))
    return found


def test_node_client_accepts_v3_and_v2() -> None:
    """The vendor's Node validators accept whatever URL and fields we sign, and nothing that was changed."""
    cases: list[dict[str, Any]] = []
    for method, url, fields, nonce in _examples(300):
        seen_url, params = _seen(method, url, fields)
        v3 = {
            "scheme": "v3",
            "method": method.value,
            "url": seen_url,
            "params": params,
            "nonce": nonce,
            "token": TOKEN,
            "signature": sign_plivo_v3(Secret(TOKEN), method, url, fields, nonce),
        }
        v2 = {**v3, "scheme": "v2", "signature": sign_plivo_v2(Secret(TOKEN), url, nonce)}
        cases += [v3, v2, {**v3, "params": {**params, "zz": "forged"}}, {**v2, "nonce": nonce + "1"}]
    assert check_with_node(cases) == [True, True, False, False] * 300


def test_node_library_accepts_native_webhooks() -> None:
    """The standard's own Node library verifies what we sign now, and nothing that was changed."""
    now_s = int(datetime.now(UTC).timestamp())
    body = '{"type":"call.finished","data":{}}'
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(now_s),
        "webhook-signature": sign_standard(Secret(SECRET), "msg_1", now_s, body),
    }
    case = {"scheme": "standard", "secret": SECRET, "body": body, "headers": headers}
    right, forged = check_with_node([case, {**case, "body": body + " "}])
    assert right is True
    assert "No matching signature" in forged


@given(message_id=_words, body=st.text(max_size=200), age_s=st.integers(-200, 200))
@settings(max_examples=100)
def test_python_library_accepts_native_webhooks(message_id: str, body: str, age_s: int) -> None:
    """The standard's own Python library verifies any body within its five minutes."""
    at_s = int(datetime.now(UTC).timestamp()) - age_s
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": sign_standard(Secret(SECRET), message_id, at_s, body),
    }
    Webhook(SECRET).verify(body, headers, json_parse=False)


def test_a_port_gets_a_second_signature_without_it() -> None:
    """Clients that drop the port find theirs after the comma; there is no blank, which would break Python."""
    both = sign_plivo_v3(Secret(TOKEN), POST, "https://app.example.com:8443/cb?x=1", FIELDS, NONCE)
    full, portless = both.split(",")
    assert portless == sign_plivo_v3(Secret(TOKEN), POST, "https://app.example.com/cb?x=1", FIELDS, NONCE)
    assert full != portless
    assert " " not in both


@pytest.mark.parametrize("url", ["https://[2001:db8::1]/cb", "https://app.example.com/cb"])
def test_no_port_gets_one_signature(url: str) -> None:
    """The colons of an IPv6 address are no port."""
    assert "," not in sign_plivo_v3(Secret(TOKEN), POST, url, FIELDS, NONCE)


def test_the_port_of_an_ipv6_address_is_found() -> None:
    """With a port after the bracket there are two signatures."""
    both = sign_plivo_v3(Secret(TOKEN), POST, "https://[2001:db8::1]:8443/cb", FIELDS, NONCE)
    assert both.split(",")[1] == sign_plivo_v3(Secret(TOKEN), POST, "https://[2001:db8::1]/cb", FIELDS, NONCE)


@given(st.binary(min_size=16, max_size=16))
def test_nonces_are_twenty_digits(random_bytes: bytes) -> None:
    """As the vendor's are."""
    nonce = render_nonce(random_bytes)
    assert len(nonce) == 20
    assert nonce.isdecimal()


@given(url=_urls(), fields=_fields.filter(bool))
def test_fields_join_a_urls_own_query(url: str, fields: Any) -> None:
    """A GET keeps the URL's own query as it was written and adds ours behind it."""
    assert add_query(url, fields) == url + ("&" if "?" in url else "?") + urlencode(fields)
