"""Whatever is sent, the answer is a JSON object with an api_id and no 5xx."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.service import PAIR, WAIT_S, Service, Tenant

from maskline.api.plivo import wire

UNKNOWN = "8dd7b81f-1cdc-4e5c-9999-123456789012"
TEXTS = st.text(max_size=20) | st.sampled_from(
    [
        "+912025550000",
        "912025551111",
        "true",
        "wav",
        "POST",
        "http://a.b/c",
        "1234",
        "0",
        "-1",
        "\x00",
        "\ud800",
        "9" * 40,
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(0, 90_000) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
BODIES = (
    st.dictionaries(st.sampled_from(wire.FIELDS) | TEXTS, VALUES, max_size=6).map(
        lambda fields: json.dumps(PAIR | fields).encode()
    )
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=100)
)
KEYS = TEXTS | st.sampled_from(
    [
        "first_party",
        "virtual_number",
        "status",
        "created_time__gte",
        "expiry_time_lt",
        "duration",
        "limit",
        "offset",
        "from_number",
        "end_time__gt",
        "bill_duration_lte",
        "hangup_source",
        "parent_call_uuid",
        "add_time",
        "recording_storage_duration",
    ]
)
QUERIES = st.lists(st.tuples(KEYS, TEXTS | st.datetimes().map(str) | st.integers().map(str)), max_size=4)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def connection(service: Service) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=WAIT_S)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def owner(service: Service) -> Tenant:
    return service.new_account(number_count=20)


def check(
    connection: http.client.HTTPConnection, owner: Tenant, method: str, target: str, body: bytes | None = None
) -> int:
    connection.request(method, owner.path + target, body, owner.authorization)
    response = connection.getresponse()
    answer = json.loads(response.read())
    assert response.status in (200, 201, 400, 404, 405), answer
    assert answer["api_id"]
    assert ("error" in answer) == (response.status >= 400)
    return response.status


@FUZZ
@given(body=BODIES, path=st.sampled_from(["/Masking/Session/", "/Session"]))
def test_any_body(connection: http.client.HTTPConnection, owner: Tenant, body: bytes, path: str) -> None:
    """A create is made or refused; a refused one leaves nothing."""
    status = check(connection, owner, "POST", path, body)
    assert status in (201, 400)


@FUZZ
@given(
    path=st.sampled_from(["/Masking/Session/", "/Call", "/Recording/"]),
    pairs=QUERIES,
    tail=st.binary(max_size=8),
)
def test_any_query(
    connection: http.client.HTTPConnection,
    owner: Tenant,
    path: str,
    pairs: list[tuple[str, str]],
    tail: bytes,
) -> None:
    """A list answers or is refused."""
    query = "&".join(
        f"{quote(key, errors='replace')}={quote(value, errors='replace')}" for key, value in pairs
    )
    assert check(connection, owner, "GET", f"{path}?{query}&{quote(tail)}") in (200, 400)


@FUZZ
@given(
    rest=st.text(max_size=20)
    | st.sampled_from(
        [f"Masking/Session/{UNKNOWN}", "Masking/Session", "Session", "Call", f"Call/{UNKNOWN}", "Recording"]
    ),
    method=st.sampled_from(["GET", "DELETE", "PUT", "PATCH"]),
)
def test_any_path(connection: http.client.HTTPConnection, owner: Tenant, rest: str, method: str) -> None:
    """Every path and method has an answer."""
    check(connection, owner, method, "/" + quote(rest, errors="replace"), b"{}")
