"""Rows of `docs/api/plivo-conformance.md` that no other test holds."""

import ast
import json
import socket

import pytest
from tests.api.service import PAIR, WAIT_S, Tenant
from tests.tidy.tree import SOURCE, modules, parse

from maskline.api import body
from maskline.api.plivo import errors


def test_empty_and_unknown_filters_are_ignored(tenant: Tenant) -> None:
    """As is a bare question mark, which one client sends."""
    tenant.create()
    for query in ("?", "?status=&limit=&created_time=%20", "?colour=red&is_voice_request=true", "?&&="):
        answer = tenant.request("GET", f"/Masking/Session/{query}")
        assert (answer.status, answer.body["response"]["meta"]["total_count"]) == (200, 1)


def test_forced_pin_without_pin_means_nothing(tenant: Tenant) -> None:
    """The session has no PIN, and shows none."""
    session = tenant.create(force_pin_authentication=True, first_party_pin="1234", pin_retry=3)["session"]
    assert session["is_pin_authentication_required"] is False
    assert session["force_pin_authentication"] is False
    assert (session["first_party_pin"], session["pin_retry"]) == (None, None)


def test_slow_body_is_refused(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 400, since clients repeat what is answered by 408 or 5xx, and the connection is closed."""
    monkeypatch.setattr(body, "BODY_READ_TIMEOUT_S", 0.05)
    head = (
        f"POST {tenant.path}/Masking/Session/ HTTP/1.1\r\nHost: m\r\nContent-Length: 100\r\n"
        f"Authorization: {tenant.authorization['Authorization']}\r\n\r\n"
    )
    received = b""
    with socket.create_connection(("127.0.0.1", tenant.service.port), WAIT_S) as connection:
        connection.sendall(head.encode() + b'{"first_party"')
        while chunk := connection.recv(65_536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 400 ")
    assert errors.BODY_TOO_SLOW.encode() in received


def test_only_known_statuses_are_used() -> None:
    """The dialect refuses with statuses whose text the clients show, with 429 when busy and 500 for its own faults."""
    statuses = [
        call.args[0].value
        for path in modules(SOURCE / "api" / "plivo")
        for call in ast.walk(parse(path))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func).removeprefix("errors.") == "PlivoError"
        and isinstance(call.args[0], ast.Constant)
    ]
    assert len(statuses) > 10
    assert set(statuses) == {400, 401, 404, 405, 429, 500}


def test_a_client_that_waits_to_be_told_to_go_on(tenant: Tenant) -> None:
    """.NET sends `Expect: 100-continue` and its body only after the answer to it."""
    content = json.dumps(PAIR).encode()
    head = (
        f"POST {tenant.path}/Masking/Session/ HTTP/1.1\r\nHost: m\r\nContent-Length: {len(content)}\r\n"
        f"Authorization: {tenant.authorization['Authorization']}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", tenant.service.port), WAIT_S) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(content)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 201 ")


def test_a_body_in_chunks(tenant: Tenant) -> None:
    """Some clients do not tell its length."""
    content = json.dumps(PAIR).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(it), it) for it in (content[:7], content[7:]))
    answer = tenant.request(
        "POST", "/Masking/Session/", chunks + b"0\r\n\r\n", **{"Transfer-Encoding": "chunked"}
    )
    assert answer.status == 201


def test_too_many_query_parameters_are_refused(tenant: Tenant) -> None:
    """A hundred are three times all there are."""
    for count, status in ((100, 200), (101, 400)):
        answer = tenant.request("GET", "/Masking/Session/?" + "&".join(["status=all"] * count))
        assert answer.status == status
    assert answer.body["error"] == "Malformed request. There are too many query parameters."
