from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sip.strategies import uris

from maskline.sip.errors import LocalProtocolError, RemoteProtocolError
from maskline.sip.uri import (
    SIPURI,
    OpaqueURI,
    parse_any_uri,
    parse_host,
    parse_uri,
    render_uri,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip:example.com", SIPURI(host="example.com")),
        ("SIP:Alice@Example.COM:5070", SIPURI(user="Alice", host="example.com", port=5070)),
        ("sips:+1-415@h1", SIPURI(scheme="sips", user="+1-415", host="h1")),
        ("sip:a:b%20c@h", SIPURI(user="a", password="b c", host="h")),
        ("sip:a:@h", SIPURI(user="a", password="", host="h")),
        ("sip:a@h;LR;x=%41b", SIPURI(user="a", host="h", params=(("lr", None), ("x", "Ab")))),
        ("sip:a@h?Subject=x%20y&b=", SIPURI(user="a", host="h", headers=(("Subject", "x y"), ("b", "")))),
        ("sip:a;b=c@h", SIPURI(user="a;b=c", host="h")),
        ("sip:[2001:DB8:0::1]:5061", SIPURI(host="2001:db8::1", port=5061)),
        ("sip:a@under_score.svc.", SIPURI(user="a", host="under_score.svc.")),
        (
            "tel:+1-201-555-0123;isub=7",
            SIPURI(scheme="tel", user="+1-201-555-0123", host="", params=(("isub", "7"),)),
        ),
    ],
)
def test_parts_are_told_apart(text: str, expected: SIPURI) -> None:
    """Each part of a URI lands in its field, unescaped, in one letter case where case means nothing."""
    assert parse_uri(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip",
        "<sip:a@h>",
        " sip:a@h",
        "sip:a@h ",
        "sip:a@h\n",
        "sip:@h",
        "sip:a@",
        "sip:a@b@c",
        "sip:a@h:",
        "sip:a@h:0",
        "sip:a@h:65536",
        "sip:a@h:123456",
        "sip:a@h:٣",
        "sip:é@h",
        "sip:a@h..b",
        "sip:a@-h",
        "sip:a@.h",
        "sip:a@1.2.3.256",
        "sip:a@1.2.3.4.",
        "sip:a@1.2.3",
        "sip:a@01.2.3.4",
        "sip:a@[::1",
        "sip:a@[1::2::3]",
        "sip:a@[fe80::1%25eth0]",
        "sip:a@2001:db8::1",
        "sip:a%4@h",
        "sip:a%zz@h",
        "sip:a@h;",
        "sip:a@h;;b",
        "sip:a@h;x=",
        "sip:a@h;x=1;X=2",
        "sip:a@h;lr;lr",
        "sip:a@h?",
        "sip:a@h?x",
        "sip:a@h??x=1",
        "sip:a@" + "h" * 256,
        "tel:",
        "tel:x",
        "tel:+1;x=1;x=2",
        "1sip:a",
        ":a",
        "sip:a@127.0x1",
        "sip:a@0x7f000001",
        "sip:a@2130706433",
    ],
)
def test_malformed_uri_is_refused(text: str) -> None:
    """What the grammar does not allow, or allows two readings of, is a 400."""
    with pytest.raises(RemoteProtocolError) as caught:
        parse_uri(text)
    assert caught.value.status_hint == 400


@pytest.mark.parametrize(
    "text", ["http://example.com/", "urn:service:sos", "nobodyKnows:totallyopaque", "x:"]
)
def test_other_schemes_are_told_from_malformed(text: str) -> None:
    """A scheme we do not speak is a 416, so that the peer may try another."""
    with pytest.raises(RemoteProtocolError) as caught:
        parse_uri(text)
    assert caught.value.status_hint == 416


def test_any_uri_keeps_other_schemes() -> None:
    """In name-addr fields other schemes are kept as they are, without user or host."""
    found = parse_any_uri("HTTP://Example.com/a?b")
    assert found == OpaqueURI(scheme="http", rest="//Example.com/a?b")
    assert (found.user, found.host, render_uri(found)) == (None, "", "http://Example.com/a?b")
    assert parse_any_uri("sip:a@h") == SIPURI(user="a", host="h")


@pytest.mark.parametrize("text", ["x:", "x: y", 'x:"', "x:<", "sip:<", ""])
def test_any_uri_refuses_what_is_no_uri(text: str) -> None:
    """An opaque URI still has no blanks, quotes or brackets, and is never a second chance for sip."""
    with pytest.raises(RemoteProtocolError) as caught:
        parse_any_uri(text)
    assert caught.value.status_hint == 400


def test_undecodable_escapes_stay_distinct() -> None:
    """Users whose bytes are no UTF-8 do not fall together, and are rendered as they came."""
    one, other = parse_uri("sip:%ff@h"), parse_uri("sip:%fe@h")
    assert one != other
    assert render_uri(one) == "sip:%FF@h"


def test_three_colons_are_two() -> None:
    """The address form of RFC 3261's own grammar error names the same host."""
    assert parse_host("[2001:db8:::1]") == parse_host("[2001:db8::1]") == "2001:db8::1"


def test_params_are_looked_up_by_name() -> None:
    """A parameter without value is there and has none."""
    uri = parse_uri("sip:a@h;lr;transport=tcp")
    assert (uri.param("transport"), uri.param("lr"), uri.param("x")) == ("tcp", None, None)
    assert (uri.has_param("lr"), uri.has_param("x")) == (True, False)


def test_representation_shows_no_user() -> None:
    """A stray log line of a URI unmasks nobody."""
    uri = parse_uri("sip:+919812345678:secret@h?Subject=+919812345678")
    assert "9812345678" not in repr(uri)
    assert "secret" not in repr(uri)
    assert "9812345678" not in repr(parse_any_uri("data:+919812345678"))


def test_empty_parameter_value_cannot_be_rendered() -> None:
    """The grammar has no empty value in a URI: writing one is our bug."""
    with pytest.raises(LocalProtocolError):
        render_uri(SIPURI(host="h", params=(("x", ""),)))


def test_headers_and_password_are_rendered() -> None:
    """Parts we never send ourselves come back as they were read."""
    text = "sip:a:p%20w@[::1]:5060;x?Subject=a%20b&c="
    assert str(parse_uri(text)) == text
    assert str(parse_uri("tel:+1-2;ext=3")) == "tel:+1-2;ext=3"


@given(uris)
def test_parsing_undoes_rendering(uri: SIPURI) -> None:
    """Every URI we can hold survives the wire."""
    assert parse_uri(render_uri(uri)) == uri


@given(st.text(max_size=60) | st.text("sip:@[];=?%.:0a-", max_size=40).map("sip:".__add__))
def test_any_text_parses_or_is_refused(text: str) -> None:
    """No text raises anything but the peer's error, and what is read renders to the same value again."""
    try:
        uri = parse_any_uri(text)
    except RemoteProtocolError:
        return
    assert parse_any_uri(render_uri(uri)) == uri
