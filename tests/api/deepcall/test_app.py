"""Routing as Express does it, and what every answer carries."""

import pytest
from tests.api.deepcall.conftest import M1, M2, DeepCallTenant, Services

from maskline.api.deepcall.app import fold_path

HEADERS = {
    "content-type": "application/json; charset=utf-8",
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, GET, OPTIONS, PATCH, DELETE",
    "access-control-allow-headers": "X-Requested-With, content-type",
    "access-control-allow-credentials": "true",
    "vary": "Origin",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
}
NO_ROUTE = {"status": "error", "message": "There is nothing at this path and method", "code": 1000}


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/Masking/set",
        "/deepcall/api/v2/Masking/set",
        "/deepcall/api/v2/Masking/set/",
        "/api/v2/masking/SET",
        "/API/V2/MASKING/SET/",
        "//api//v2//Masking//set//",
    ],
)
def test_letter_case_and_slashes_do_not_matter(deepcall: DeepCallTenant, path: str) -> None:
    """And nothing is redirected: clients would repeat the POST as a GET."""
    body = f'{{"ssid": "{deepcall.ssid}", "m1": {M1}, "m2": {M2}}}'.encode()
    answer = deepcall.service.request("POST", path, body)
    assert (answer.status, answer.body["status"]) == (200, "success")


@pytest.mark.parametrize("name", ["callreport/masklist", "CallReport/MaskList/", "callReport//masklist"])
def test_lists_are_found_however_they_are_written(deepcall: DeepCallTenant, name: str) -> None:
    """The vendor's pages mix spellings themselves."""
    assert deepcall.call(name).body["data"]["total"] == 0


def test_every_answer_carries_the_headers_of_the_published_one(services: Services) -> None:
    """Successes, refusals and unknown paths alike."""
    deepcall = services.tenant()
    for answer in (
        deepcall.call("Masking/set", m1=M1, m2=M2),
        deepcall.call("Masking/set", m1=M1, m2=M2),
        deepcall.send("Masking/set"),
        deepcall.call("nothing"),
    ):
        assert HEADERS.items() <= answer.headers.items()
        assert answer.headers["etag"].startswith(f'W/"{len(answer.text):x}-')
        assert "set-cookie" not in answer.headers
        assert "server" not in answer.headers


def test_pool_exhausted_byte_for_byte(services: Services) -> None:
    """The published answer: body, length and ETag."""
    deepcall = services.tenant()
    for index in range(len(deepcall.tenant.numbers)):
        deepcall.set(m2=int(M2) + index)
    answer = deepcall.call("Masking/set", m1=M1, m2=int(M2) + 99)
    assert answer.text == b'{"status":"error","message":"Masking No not available","code":1505}'
    assert answer.headers["content-length"] == "67"
    assert answer.headers["etag"] == 'W/"43-mzoeydze28BTypY0Jr7Dvj4QQAM"'
    assert answer.status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_other_methods_have_no_route(deepcall: DeepCallTenant, method: str) -> None:
    """Express has no 405: to it they are paths it does not know."""
    answer = deepcall.send("Masking/set", method=method)
    assert answer.status == 404
    assert answer.text == b"" if method == "HEAD" else answer.body == NO_ROUTE


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2",
        "/api/v2/",
        "/api/v2/Masking",
        "/api/v2/Masking/set/more",
        "/deepcall/api/v2/x",
        "/api/v2/%0a",
    ],
)
def test_unknown_paths_are_answered_in_the_dialect(deepcall: DeepCallTenant, path: str) -> None:
    """Below its prefixes; others are none of its business."""
    answer = deepcall.service.request("POST", path, b"{}")
    assert (answer.status, answer.body) == (404, NO_ROUTE)


def test_paths_of_others_are_left_alone(deepcall: DeepCallTenant) -> None:
    """Plivo's errors stay Plivo's, and the rest is nobody's."""
    assert "api_id" in deepcall.service.request("POST", "/v1/Account/x/", b"{}").body
    assert deepcall.service.request("POST", "/api/v20/Masking/set", b"{}").status == 404
    assert deepcall.service.request("POST", "/api/v20/Masking/set", b"{}").text == b"Not Found"


@pytest.mark.parametrize("path", ["Masking/set", "callreport/masklist", "nothing"])
def test_browsers_may_ask_first(deepcall: DeepCallTenant, path: str) -> None:
    """The preflight needs no credentials and has no body."""
    asking = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    answer = deepcall.send(path, method="OPTIONS", **asking)
    assert (answer.status, answer.text) == (204, b"")
    assert answer.headers.items() >= {k: v for k, v in HEADERS.items() if k != "content-type"}.items()


def test_a_copy_of_a_post_is_never_fresh(deepcall: DeepCallTenant) -> None:
    """As in Express, If-None-Match is for GET and HEAD."""
    first = deepcall.call("callreport/masklist")
    again = deepcall.send(
        "callreport/masklist", {"ssid": deepcall.ssid}, **{"If-None-Match": first.headers["etag"]}
    )
    assert (again.status, again.text) == (200, first.text)


@pytest.mark.parametrize(
    ("path", "folded"), [("", "/"), ("/", "/"), ("//A//b/", "/a/b"), ("/deepcall/API", "/deepcall/api")]
)
def test_paths_are_folded(path: str, folded: str) -> None:
    """Small letters, single slashes."""
    assert fold_path(path) == folded
