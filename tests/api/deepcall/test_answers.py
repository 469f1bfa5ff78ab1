"""Bodies, ETags and freshness as Express makes them."""

import json

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from maskline.api.deepcall import answers
from maskline.api.deepcall.answers import compute_etag, is_fresh, render_body, reply

PUBLISHED = b'{"status":"error","message":"Masking No not available","code":1505}'
PUBLISHED_ETAG = 'W/"43-mzoeydze28BTypY0Jr7Dvj4QQAM"'


def make_request(method: str = "GET", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "headers": raw, "path": "/", "query_string": b""})


def test_published_example_byte_for_byte() -> None:
    """The vendor's printed ETag is that of this body, and of no other order or spacing."""
    value = {"status": "error", "message": "Masking No not available", "code": 1505}
    assert render_body(value) == PUBLISHED
    assert compute_etag(PUBLISHED) == PUBLISHED_ETAG
    assert reply(make_request("POST"), 200, value).headers["etag"] == PUBLISHED_ETAG


def test_etag_of_nothing_is_the_one_known_of_express() -> None:
    """The constant in Express's own library."""
    assert compute_etag(b"") == 'W/"0-2jmj7l5rSw0yVb/vlWAYkK/YBwk"'


def test_lengths_in_etags_count_bytes() -> None:
    """Letters beyond ASCII stand as they are, and count for what they weigh."""
    body = render_body({"message": "मास्क"})
    assert "मास्क".encode() in body
    assert compute_etag(body).startswith(f'W/"{len(body):x}-')


@given(st.dictionaries(st.text(max_size=5), st.text(st.characters(exclude_categories=["Cs"]), max_size=9)))
def test_bodies_are_read_back_as_they_were(value: dict[str, str]) -> None:
    """Compact JSON, in order."""
    value = {key.encode(errors="replace").decode(): text for key, text in value.items()}
    assert list(json.loads(render_body(value)).items()) == list(value.items())


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (PUBLISHED_ETAG, True),
        (PUBLISHED_ETAG.removeprefix("W/"), True),
        (f'"other", {PUBLISHED_ETAG}', True),
        ("*", True),
        ('W/"43-other"', False),
        ("", False),
    ],
)
def test_a_copy_is_fresh_by_its_etag(known: str, expected: bool) -> None:
    """Weakly compared, in lists too."""
    assert is_fresh(make_request("GET", if_none_match=known), PUBLISHED_ETAG) is expected
    assert is_fresh(make_request("HEAD", if_none_match=known), PUBLISHED_ETAG) is expected
    assert not is_fresh(make_request("POST", if_none_match=known), PUBLISHED_ETAG)
    asking_anew = make_request("GET", if_none_match=known, cache_control="No-Cache")
    assert not is_fresh(asking_anew, PUBLISHED_ETAG)


def test_fresh_copies_are_not_sent_again() -> None:
    """304 without body or type; errors with a status of their own are always sent."""
    request = make_request("GET", if_none_match="*")
    unchanged = reply(request, 200, {"status": "success"})
    assert (unchanged.status_code, unchanged.body, "content-type" in unchanged.headers) == (304, b"", False)
    assert unchanged.headers["etag"]
    assert reply(request, 404, {"status": "error"}).status_code == 404


def test_every_answer_is_open_to_pages_of_any_origin() -> None:
    """The headers of the published example."""
    for answer in (reply(make_request(), 200, {}), answers.preflight()):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-allow-methods"] == "POST, GET, OPTIONS, PATCH, DELETE"
        assert answer.headers["access-control-allow-headers"] == "X-Requested-With, content-type"
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["vary"] == "Origin"
        assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert reply(make_request(), 200, {}).headers["content-type"] == "application/json; charset=utf-8"
