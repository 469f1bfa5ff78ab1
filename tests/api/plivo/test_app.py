"""Requests as other clients send them, byte by byte, and everything that can be wrong with one."""

import json
import re
import socket
import uuid

import pytest
from tests.api.service import PAIR, WAIT_S, Answer, Service, Tenant, basic

from maskline.api.body import DRAIN_BYTES_MAX
from maskline.api.plivo.fields import BODY_BYTES_MAX

UNKNOWN = "8dd7b81f-1cdc-4e5c-9999-123456789012"
SESSION_KEYS = 40


def assert_refused(answer: Answer, status: int, text: str | None = None) -> None:
    """The dialect's error body and nothing else."""
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.body) == ["api_id", "error"]
    assert str(uuid.UUID(answer.body["api_id"])) == answer.body["api_id"]
    assert text is None or answer.body["error"] == text


def exchange(service: Service, request: bytes) -> bytes:
    """Raw bytes out, raw bytes in until the server closes, as the request asks."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=WAIT_S) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def test_seed_page_example_on_the_legacy_path(service: Service, tenant: Tenant) -> None:
    """The beta Go client: POST .../Session, session_expiry 0, a newline after the body, no Accept."""
    body = b'{"first_party":"+912025550000","second_party":"+912025551111","session_expiry":0}\n'
    head = (
        f"POST {tenant.path}/Session/ HTTP/1.1\r\nHost: api.plivo.com\r\nUser-Agent: plivo-go/7 (Go: 1.20)\r\n"
        f"Content-Length: {len(body)}\r\nAuthorization: {tenant.authorization['Authorization']}\r\n"
        "Content-Type: application/json\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    )
    answer = exchange(service, head.encode() + body)
    head_bytes, _, text = answer.partition(b"\r\n\r\n")
    assert head_bytes.startswith(b"HTTP/1.1 201 ")
    session = json.loads(text)
    assert list(session) == ["api_id", "session_uuid", "virtual_number", "message"]
    assert session["message"] == "Session Created"
    assert session["virtual_number"] == tenant.numbers[0]
    deleted = tenant.request("DELETE", f"/Session/{session['session_uuid']}")
    assert (deleted.status, deleted.body["message"]) == (200, "Session Deleted")


def test_curl_without_content_type(tenant: Tenant) -> None:
    """`curl -d` sends JSON under the type of forms; the body decides."""
    for content_type in (
        "application/x-www-form-urlencoded",
        "text/plain",
        "application/json; charset=utf-8",
        "",
    ):
        answer = tenant.request("POST", "/Masking/Session", PAIR, **{"Content-Type": content_type})
        assert answer.status == 201


def test_create_answers_five_keys_in_order(tenant: Tenant) -> None:
    """PHP warns when one is missing."""
    created = tenant.create()
    assert list(created) == ["api_id", "session_uuid", "virtual_number", "message", "session"]
    assert uuid.UUID(created["session_uuid"]).version == 4
    session = created["session"]
    assert created["virtual_number"] == "+" + session["virtual_number"]
    assert created["session_uuid"] == session["session_uuid"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC", session["created_time"])
    assert (session["duration"], session["call_time_limit"], session["ring_timeout"]) == (1800, 14400, 45)


def test_java_shaped_create(tenant: Tenant) -> None:
    """Zeros and falses always there, a blank for the party not given, an extra PIN key."""
    created = tenant.create(
        second_party="",
        create_session_with_single_party=True,
        session_expiry=0,
        call_time_limit=0,
        ring_timeout=0,
        virtual_number_cooloff_period=0,
        record=False,
        initiate_call_to_first_party=False,
        pin_authentication_required=False,
        is_pin_authentication_required=False,
        generate_pin=False,
        force_pin_authentication=False,
        geomatch=True,
        callback_url=None,
    )
    session = created["session"]
    assert (session["duration"], session["call_time_limit"], session["ring_timeout"]) == (1800, 14400, 45)
    assert session["second_party"] == ""


def test_every_spelling_of_a_path_is_served_directly(service: Service, tenant: Tenant) -> None:
    """With and without final slash, and .NET's doubled one; a redirect would lose the body."""
    session_uuid = tenant.create()["session_uuid"]
    for path in (
        f"/Masking/Session/{session_uuid}",
        f"/Masking/Session/{session_uuid}/",
        f"/Masking/Session//{session_uuid}/",
        f"/Masking/Session/{session_uuid.upper()}/",
    ):
        assert tenant.request("GET", path).status == 200
    for path in ("/Masking/Session", "/Masking/Session/", "/Masking/Session/?", "/Masking/Session?limit=1"):
        assert tenant.request("GET", path).status == 200
    for path in ("/Masking/Session", "/Masking/Session/", "/Session", "/Session/", "//Masking//Session//"):
        assert tenant.request("POST", path, PAIR).status == 201


def test_deletes_of_five_clients(tenant: Tenant) -> None:
    """No slash and `{}` (Node), a body (Python), `{}` (PHP), doubled slash (.NET), nothing (Go)."""
    for path, body in (
        ("/Masking/Session/{}", b"{}"),
        ("/Masking/Session/{}/", b'{"session_uuid": "x"}'),
        ("/Masking/Session/{}/", b"{}"),
        ("/Masking/Session//{}/", b"{}"),
        ("/Masking/Session/{}/", None),
        ("/Masking/Session/{}/", b"not read at all"),
    ):
        session_uuid = tenant.create()["session_uuid"]
        answer = tenant.request("DELETE", path.format(session_uuid), body)
        assert (answer.status, answer.body["message"]) == (200, "Session expired")
        again = tenant.request("DELETE", path.format(session_uuid))
        assert_refused(again, 400, "Session already expired")


def test_delete_cuts_the_session(tenant: Tenant) -> None:
    """Expiry and modification are now, the duration what has passed."""
    session_uuid = tenant.create()["session_uuid"]
    tenant.service.manual_clock.advance(s=61.5)
    tenant.request("DELETE", f"/Masking/Session/{session_uuid}/")
    got = tenant.request("GET", f"/Masking/Session/{session_uuid}/").body
    assert list(got) == ["api_id", "response"]
    session = got["response"]
    assert (session["status"], session["duration"]) == ("expired", 61)
    assert session["expiry_time"] == session["modified_time"] != session["created_time"]


def test_expiry_is_by_the_clock(tenant: Tenant) -> None:
    """A session that ran out is expired without anybody's doing and keeps its modification time."""
    session_uuid = tenant.create(session_expiry=60)["session_uuid"]
    tenant.service.manual_clock.advance(s=60)
    session = tenant.request("GET", f"/Masking/Session/{session_uuid}/").body["response"]
    assert session["status"] == "expired"
    assert session["modified_time"] == session["created_time"]
    assert_refused(
        tenant.request("DELETE", f"/Masking/Session/{session_uuid}/"), 400, "Session already expired"
    )


def test_pairs_are_ordered(tenant: Tenant) -> None:
    """B and A is another session with another number."""
    one = tenant.create()
    other = tenant.create(first_party=PAIR["second_party"], second_party=PAIR["first_party"])
    assert one["session_uuid"] != other["session_uuid"]
    assert one["virtual_number"] != other["virtual_number"]


def test_geomatch_binds_the_current_path_only(service: Service) -> None:
    """No number of the country: refused, unless switched off or on the legacy path."""
    tenant = service.new_account(country_code="1")
    refused = tenant.request("POST", "/Masking/Session/", PAIR)
    assert_refused(refused, 400, "Number pool exhausted or not available.")
    assert tenant.create(geomatch=False)["virtual_number"] == tenant.numbers[0]
    assert tenant.request("POST", "/Session/", PAIR).status == 201


def test_a_party_must_not_be_a_virtual_number(tenant: Tenant) -> None:
    """Nor both parties the same person."""
    body = PAIR | {"second_party": tenant.numbers[1]}
    text = "Invalid parameter. second_party is not a valid phone number."
    assert_refused(tenant.request("POST", "/Masking/Session/", body), 400, text)
    body = PAIR | {"second_party": PAIR["first_party"]}
    assert_refused(tenant.request("POST", "/Masking/Session/", body), 400, text)


def test_lists_page_newest_first(tenant: Tenant) -> None:
    """Links are followed until there is none; objects are alphabetical with their address."""
    made = []
    for last in range(5):
        made.append(tenant.create(second_party=f"+91202555200{last}")["session_uuid"])
        tenant.service.manual_clock.advance(s=1)
    path = "/Masking/Session/?limit=2"
    seen = []
    while path:
        response = tenant.request("GET", path).body["response"]
        assert list(response) == ["meta", "objects"]
        seen += [it["session_uuid"] for it in response["objects"]]
        assert all(list(it) == sorted(it) and len(it) == SESSION_KEYS + 1 for it in response["objects"])
        path = (response["meta"]["next"] or "").removeprefix(tenant.path)
    assert seen == made[::-1]
    assert response["meta"] == {
        "limit": 2,
        "next": None,
        "offset": 4,
        "previous": f"{tenant.path}/Masking/Session/?limit=2&offset=2",
        "total_count": 5,
    }
    assert response["objects"][0]["resource_uri"] == f"{tenant.path}/Masking/Session/{made[0]}/"


def test_lists_filter(tenant: Tenant) -> None:
    """Parties, number, status, one underscore or two, plurals."""
    one = tenant.create()
    two = tenant.create(second_party="+912025552222", session_expiry=600)
    tenant.request("DELETE", f"/Masking/Session/{one['session_uuid']}/")

    def listed(query: str) -> list[str]:
        response = tenant.request("GET", f"/Masking/Session/?{query}").body["response"]
        return [it["session_uuid"] for it in response["objects"]]

    both, first, second = (
        [two["session_uuid"], one["session_uuid"]],
        [one["session_uuid"]],
        [two["session_uuid"]],
    )
    created = two["session"]["created_time"].replace(" ", "%20").replace("+", "%2B")
    assert sorted(listed("")) == sorted(listed("status=all")) == sorted(both)
    assert listed("status=active") == second
    assert listed("status=expired") == first
    assert listed("status=in-progress") == []
    assert listed("second_party=912025552222") == second
    assert listed(f"virtual_number={tenant.numbers[0].removeprefix('+')}&status=expired") == first
    assert listed("duration_gte=600") == listed("durations=600") == second
    assert listed(f"created_times={created}&second_party=%2B912025551111") == first
    assert listed(f"created_time_lt={created}") == []


def test_lists_cover_seven_days_unless_told_otherwise(tenant: Tenant) -> None:
    """Older sessions appear when a bound asks for them."""
    session_uuid = tenant.create()["session_uuid"]
    day = tenant.create()["session"]["created_time"][:10]
    tenant.service.manual_clock.advance(s=7 * 86_400 + 1)
    assert tenant.count_sessions() == 0
    answer = tenant.request("GET", f"/Masking/Session/?created_time__gte={day}")
    assert [it["session_uuid"] for it in answer.body["response"]["objects"]] == [session_uuid]
    refused = tenant.request("GET", "/Masking/Session/?created_time__gte=2020-01-01")
    assert_refused(refused, 400, "Invalid parameter. created_time range should be within 30 days.")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("HEAD", "/Masking/Session/", "GET, POST"),
        ("PUT", "/Masking/Session/", "GET, POST"),
        ("PATCH", f"/Masking/Session/{UNKNOWN}", "DELETE, GET, POST"),
        ("OPTIONS", "/Session/", "POST"),
        ("GET", "/Session/", "POST"),
        ("GET", f"/Session/{UNKNOWN}/", "DELETE, POST"),
        ("PROPFIND", "/Masking/Session/", "GET, POST"),
    ],
)
def test_other_methods_are_refused(tenant: Tenant, method: str, path: str, allowed: str) -> None:
    """405 in the dialect's form, saying what is allowed."""
    answer = tenant.request(method, path)
    assert answer.headers["allow"] == allowed
    if method == "HEAD":
        assert (answer.status, answer.text) == (405, b"")
    else:
        assert_refused(answer, 405, "Method not allowed.")


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/Account",
        "/v1/Account/x/Message/",
        "/v1/account/x/Masking/Session/",
        "/v1/openapi.json",
        "/v1/docs",
        "/v1/%00",
        "/v1/%0A",
        "/v1/%ff",
    ],
)
def test_unknown_paths_are_refused(service: Service, path: str) -> None:
    """404 in the dialect's form."""
    assert_refused(service.request("GET", path), 404, "not found")


@pytest.mark.parametrize(
    "session_id", [UNKNOWN, "x", "%00", "%ff", "..", UNKNOWN + "0", "{" + UNKNOWN + "}", "1" * 5000]
)
def test_unknown_sessions_are_refused(tenant: Tenant, session_id: str) -> None:
    """Whatever stands for the id."""
    for method in ("GET", "DELETE"):
        assert_refused(tenant.request(method, f"/Masking/Session/{session_id}/"), 404, "not found")


def test_another_accounts_session_is_unknown(service: Service, tenant: Tenant) -> None:
    """It answers exactly as one that never was."""
    other = service.new_account()
    session_uuid = other.create()["session_uuid"]
    for method in ("GET", "DELETE"):
        assert_refused(tenant.request(method, f"/Masking/Session/{session_uuid}/"), 404, "not found")
    assert other.request("GET", f"/Masking/Session/{session_uuid}/").body["response"]["status"] == "active"


def test_bad_credentials_are_answered_alike(service: Service, tenant: Tenant) -> None:
    """Unknown account, wrong token, another's path, broken and missing headers: one answer but for api_id."""
    other = service.new_account()
    attempts: list[tuple[str, dict[str, str]]] = [
        (tenant.path, basic(tenant.auth_id, "wrong")),
        (tenant.path, basic(tenant.auth_id, "")),
        (tenant.path, basic(tenant.auth_id, "\u20ac\x00")),
        ("/v1/Account/MAAAAAAAAAAAAAAAAAAA", basic("MAAAAAAAAAAAAAAAAAAA", "wrong")),
        ("/v1/Account/SAAAAAAAAAAAAAAAAAAA", basic("SAAAAAAAAAAAAAAAAAAA", "wrong")),
        (tenant.path, basic("x\x00y", "wrong")),
        (tenant.path, basic("x" * 600, "wrong")),
        (other.path, tenant.authorization),
        (tenant.path, {}),
        (tenant.path, {"Authorization": "Basic !!!"}),
        (tenant.path, {"Authorization": "Basic"}),
        (tenant.path, {"Authorization": "Basic " + "//8="}),
        (tenant.path, {"Authorization": "Bearer x"}),
    ]
    bodies = set()
    for path, headers in attempts:
        for method, rest in (("POST", "/Masking/Session/"), ("GET", f"/Masking/Session/{UNKNOWN}/")):
            answer = service.request(method, path + rest, b"{" if method == "POST" else None, headers)
            assert_refused(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Basic ")
            bodies.add((answer.body["error"], frozenset(answer.headers) - {"date"}))
    assert len(bodies) == 1
    assert tenant.count_sessions() == other.count_sessions() == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"null",
        b"\x00",
        b"\xff",
        b"[" * 50_000,
        b'{"first_party":' * 4_000,
        b'{"first_party": ' + b"9" * 6_000 + b"}",
        b'{"first_party": "\\ud800", "second_party": "+912025551111"}',
        b'{"first_party": "+9120\\u000025550000", "second_party": "+912025551111"}',
        b'{"first_party": NaN}',
        b'{"first_party": ["+912025550000"], "second_party": {"a": 1}}',
        json.dumps(PAIR | {"callback_url": "http://a/\x00"}).encode(),
        json.dumps(PAIR | {"callback_url": "http://a/" + "x" * 1_000}).encode(),
        json.dumps(PAIR | {"session_expiry": 10**400}).encode(),
        json.dumps(PAIR | {"record": "maybe"}).encode(),
        json.dumps(PAIR | {"subaccount": "SA" + "0" * 18}).encode(),
        json.dumps(PAIR | {"subaccount": "SA\x00"}).encode(),
    ],
)
@pytest.mark.parametrize("path", ["/Masking/Session/", "/Session/"])
def test_bad_bodies_are_refused_and_nothing_is_stored(tenant: Tenant, path: str, body: bytes) -> None:
    """400 in the dialect's form."""
    assert_refused(tenant.request("POST", path, body), 400)
    assert tenant.count_sessions() == 0


@pytest.mark.parametrize("size", [BODY_BYTES_MAX + 1, DRAIN_BYTES_MAX // 2, DRAIN_BYTES_MAX * 3])
def test_large_bodies_are_refused(service: Service, tenant: Tenant, size: int) -> None:
    """The largest allowed is read, larger ones are answered without being kept."""
    padding = json.dumps(PAIR).encode().ljust(size, b" ")
    head = (
        f"POST {tenant.path}/Masking/Session/ HTTP/1.1\r\nHost: m\r\n"
        f"Authorization: {tenant.authorization['Authorization']}\r\n"
    ).encode()
    for request in (
        head + b"Content-Length: %d\r\n\r\n" % size + padding,
        head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size + padding + b"\r\n0\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", service.port), timeout=WAIT_S) as connection:
            answer = b""
            try:
                connection.sendall(request)
                while chunk := connection.recv(65_536):
                    answer += chunk
            except (BrokenPipeError, ConnectionResetError):
                assert size > DRAIN_BYTES_MAX  # more than is worth reading: the connection is cut
                continue
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"The body is too large." in answer
    assert tenant.count_sessions() == 0


def test_the_largest_body_is_read(tenant: Tenant) -> None:
    """Exactly the limit."""
    body = json.dumps(PAIR).encode().ljust(BODY_BYTES_MAX, b" ")
    assert tenant.request("POST", "/Masking/Session/", body).status == 201


def test_every_answer_has_an_id_of_its_own(tenant: Tenant) -> None:
    """Success and refusal alike."""
    answers = [
        tenant.request("GET", path).body for path in ["/Masking/Session/", "/x", f"/Session/{UNKNOWN}"] * 3
    ]
    assert len({answer["api_id"] for answer in answers}) == 9


def test_connections_are_kept_alive(service: Service, tenant: Tenant) -> None:
    """Two requests on one connection, the second pipelined behind a refused one."""
    one = f"GET {tenant.path}/nothing HTTP/1.1\r\nHost: m\r\n\r\n".encode()
    two = (
        f"GET {tenant.path}/Masking/Session/ HTTP/1.1\r\nHost: m\r\nConnection: close\r\n"
        f"Authorization: {tenant.authorization['Authorization']}\r\n\r\n"
    ).encode()
    answers = exchange(service, one + two)
    assert answers.count(b"HTTP/1.1 404 ") == answers.count(b"HTTP/1.1 200 ") == 1


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        pytest.param(
            {"record": None, "callback_url": None, "call_time_limit": 1440, "geo_match": True},
            {"Content-Type": "application/json", "Accept": "application/json, text/plain, */*"},
            id="node",
        ),
        pytest.param(
            {"callTimeLimit": "1440", "recordFileFormat": "mp3", "callback_url": ""},
            {"Content-Type": "application/json", "Accept-Encoding": "*"},
            id="php",
        ),
        pytest.param(
            {"call_time_limit": 1440, "virtual_number_cooloff_period": 0},
            {"Content-Type": "application/json; charset=utf-8", "Expect": "100-continue"},
            id="dotnet",
        ),
        pytest.param({"call_time_limit": "1440", "session_expiry": "1800"}, {}, id="ruby"),
        pytest.param({"call_time_limit": 1440, "mode": "voice", "virtual_number": ""}, {}, id="plivo-cli"),
    ],
)
def test_creates_of_other_clients(tenant: Tenant, fields: dict[str, object], headers: dict[str, str]) -> None:
    """Their bodies and headers; answered in plain JSON, never compressed."""
    answer = tenant.request("POST", "/Masking/Session/", PAIR | fields, **headers)
    assert answer.status == 201
    assert "content-encoding" not in answer.headers
    session = answer.body["session"]
    assert (session["duration"], session["call_time_limit"]) == (1800, 1440)
    assert (session["record"], session["record_file_format"], session["callback_url"]) == (False, "mp3", "")
