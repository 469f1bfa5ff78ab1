from __future__ import annotations

import pytest
from hypothesis import given
from tests.sip.strategies import raw, requests, responses

from maskline.sip.errors import LocalProtocolError
from maskline.sip.message import Headers, Request, Response
from maskline.sip.parser import parse_datagram
from maskline.sip.render import REASONS, build_response, note_source, render


def parse_request(data: bytes) -> Request:
    message = parse_datagram(data)
    assert isinstance(message, Request)
    return message


@given(requests())
def test_parsing_undoes_rendering_of_requests(request: Request) -> None:
    """Every request we can hold survives the wire."""
    assert parse_datagram(render(request)) == request


@given(responses())
def test_parsing_undoes_rendering_of_responses(response: Response) -> None:
    """Every response we can hold survives the wire."""
    assert parse_datagram(render(response)) == response


def test_length_is_counted() -> None:
    """Content-Length is what the body has, whatever stood there."""
    data = render(Response(200, "OK", Headers([("Content-Length", "99"), ("l", "7")]), b"abc"))
    assert data == b"SIP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"


@pytest.mark.parametrize(
    "message",
    [
        Request("BYE", "sip:h", Headers([("Subject", "a\r\nX-Evil: 1")])),
        Request("BYE", "sip:h", Headers([("Sub\nject", "a")])),
        Request("BYE", "sip:h\r\n", Headers()),
        Response(200, "OK\rEvil: 1", Headers()),
    ],
)
def test_line_breaks_are_never_written(message: Request | Response) -> None:
    """A value with a line break is refused: it would begin a field of its own."""
    with pytest.raises(LocalProtocolError):
        render(message)


def test_response_copies_five_fields_only() -> None:
    """A response holds what RFC 3261 section 8.2.6.2 lists, ours and nothing else of the request."""
    request = parse_request(
        raw(Timestamp="Timestamp: 54", Subject="Subject: secret", Via2="v: SIP/2.0/TCP p")
    )
    response = build_response(request, 486, to_tag="t9", extra=[("Retry-After", "5")], body=b"x")
    names = [name for name, _ in response.headers.items]
    assert names == ["Via", "From", "To", "Call-ID", "CSeq", "Via", "Retry-After"]
    assert response.headers.all("Via") == request.headers.all("Via")
    assert (response.status, response.reason, response.body) == (486, "Busy Here", b"x")
    assert response.to.tag == "t9"
    assert response.from_ == request.from_


def test_trying_echoes_the_timestamp() -> None:
    """A 100 carries the request's Timestamp (RFC 3261 section 8.2.6.1)."""
    request = parse_request(raw(Timestamp="Timestamp: 54"))
    assert build_response(request, 100).headers.get("Timestamp") == "54"
    assert build_response(request, 180).headers.get("Timestamp") is None


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("<sip:b@h>;tag=old", "<sip:b@h>;tag=old"),
        ("sip:b@h", "sip:b@h;tag=new"),
        ('"unbalanced <sip:b@h>', '"unbalanced <sip:b@h>'),
    ],
)
def test_to_tag_is_added_where_it_can_be(to: str, expected: str) -> None:
    """A tag that is there stays, and a To that cannot be read is copied untouched."""
    request = Request("BYE", "sip:h", Headers([("To", to)]))
    assert build_response(request, 481, to_tag="new").headers.get("To") == expected


def test_reasons_are_ours() -> None:
    """Every phrase is plain ASCII, and an unlisted status has one too."""
    assert all(phrase.isascii() and phrase for phrase in REASONS.values())
    assert build_response(parse_request(raw()), 499).reason == "Unknown"


@pytest.mark.parametrize(
    ("via", "expected"),
    [
        ("h;branch=b", "h;branch=b;received=192.0.2.7"),
        ("192.0.2.7;branch=b", "192.0.2.7;branch=b"),
        ("192.0.2.7;rport;branch=b", "192.0.2.7;rport=4321;branch=b;received=192.0.2.7"),
        ("h;received=6.6.6.6;rport=99", "h;received=192.0.2.7;rport=4321"),
        ("192.0.2.7;received=6.6.6.6", "192.0.2.7;received=192.0.2.7"),
    ],
)
def test_source_is_noted_in_the_topmost_via(via: str, expected: str) -> None:
    """What the packet says wins over what the peer wrote (RFC 3581 section 4)."""
    request = parse_request(raw(Via=f"Via: SIP/2.0/UDP {via}, SIP/2.0/UDP p"))
    noted = note_source(request, "192.0.2.7", 4321)
    assert noted.headers.all("Via") == (f"SIP/2.0/UDP {expected}", "SIP/2.0/UDP p")
    assert str(noted.via) == f"SIP/2.0/UDP {expected}"
    assert (noted.method, noted.uri, noted.body) == (request.method, request.uri, request.body)
