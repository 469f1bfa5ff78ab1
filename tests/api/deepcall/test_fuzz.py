"""Whatever is sent, the answer is one of the dialect's bodies, and no input is our fault."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.deepcall.conftest import M1, M2, DeepCallTenant, give_credentials
from tests.api.service import WAIT_S, Service

FIELDS = [
    "ssid",
    "userId",
    "user_id",
    "token",
    "m1",
    "m2",
    "mask",
    "eventId",
    "expiry_time",
    "expiry_duration",
]
FIELDS += ["status", "start_time", "end_time", "page", "limit"]
TEXTS = st.text(max_size=20) | st.sampled_from(
    [
        M1,
        M2,
        f"+91{M1}",
        "active",
        "-1",
        "1440",
        "2026-11-22 12:00:00",
        "0",
        "\x00",
        "\ud800",
        "9" * 400,
        "1e9",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-5, 90_000) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
PATHS = st.sampled_from(["Masking/set", "Masking/unset", "callreport/masklist"])
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
OURS = {1009, 1010, 1504}


@pytest.fixture(scope="module")
def connection(service: Service) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=WAIT_S)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def owner(service: Service) -> DeepCallTenant:
    return give_credentials(service.new_account(number_count=20))


def check(
    connection: http.client.HTTPConnection, path: str, data: bytes, *, method: str = "POST"
) -> dict[str, object]:
    connection.request(method, f"/api/v2/{path}", data)
    response = connection.getresponse()
    text = response.read()
    assert response.headers["access-control-allow-origin"] == "*"
    if method in {"OPTIONS", "HEAD"}:
        assert (response.status, text) == (204 if method == "OPTIONS" else 404, b"")
        return {}
    body: dict[str, object] = json.loads(text)
    assert response.headers["etag"].startswith(f'W/"{len(text):x}-')
    assert list(body)[:3] == ["status", "message", "code"]
    assert response.status == (200 if method == "POST" else 404)
    if body["status"] == "success":
        assert body["code"] == 200
    else:
        assert body["status"] == "error"
        assert list(body) == ["status", "message", "code"]
        assert body["code"] not in OURS
    return body


@FUZZ
@given(
    path=PATHS,
    fields=st.dictionaries(st.sampled_from(FIELDS) | TEXTS, VALUES, max_size=6),
    is_known=st.booleans(),
)
def test_any_fields(
    connection: http.client.HTTPConnection,
    owner: DeepCallTenant,
    path: str,
    fields: dict[str, object],
    is_known: bool,
) -> None:
    """Done or refused, as JSON."""
    whole = {"m1": M1, "m2": M2, **fields}
    if is_known:
        whole["ssid"] = owner.ssid
    check(connection, path, json.dumps(whole).encode())


@FUZZ
@given(path=PATHS, data=st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes(connection: http.client.HTTPConnection, path: str, data: bytes) -> None:
    """Nothing is done without credentials."""
    assert check(connection, path, data)["status"] == "error"


@FUZZ
@given(
    path=PATHS, pairs=st.lists(st.tuples(st.sampled_from(FIELDS), TEXTS), max_size=5), in_query=st.booleans()
)
def test_any_form(
    connection: http.client.HTTPConnection,
    owner: DeepCallTenant,
    path: str,
    pairs: list[tuple[str, str]],
    in_query: bool,
) -> None:
    """In the body or in the query."""
    text = urlencode([("ssid", owner.ssid), ("m1", M1), *pairs], errors="replace")
    check(connection, f"{path}?{text}" if in_query else path, b"" if in_query else text.encode())


@FUZZ
@given(
    rest=st.text(max_size=20) | PATHS,
    method=st.sampled_from(["GET", "HEAD", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE"]),
    tail=st.binary(max_size=8),
)
def test_any_path(connection: http.client.HTTPConnection, rest: str, method: str, tail: bytes) -> None:
    """Every path below the prefix and every method has an answer."""
    check(connection, f"{quote(rest, errors='replace')}?{quote(tail)}", b"{}", method=method)
