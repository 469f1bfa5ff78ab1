from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sip.strategies import addresses, tagged, texts, vias

from maskline.sip import headers
from maskline.sip.errors import LocalProtocolError, RemoteProtocolError
from maskline.sip.headers import (
    CSeq,
    NameAddr,
    Via,
    parse_cseq,
    parse_delta_seconds,
    parse_name_addr,
    parse_number,
    parse_params,
    parse_privacy,
    parse_token_list,
    parse_via,
    quote_string,
    render_name_addr,
    render_params,
    render_via,
    split_list,
    unquote_string,
)
from maskline.sip.uri import SIPURI, OpaqueURI


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "SIP/2.0/UDP h:5060;branch=z9hG4bKx;rport",
            Via(transport="UDP", host="h", port=5060, params=(("branch", "z9hG4bKx"), ("rport", None))),
        ),
        ("sip / 2.0 /\ttcp  [2001:DB8::1] : 5070", Via(transport="TCP", host="2001:db8::1", port=5070)),
        ('SIP/2.0/X h ; A = "b;c" ;d', Via(transport="X", host="h", params=(("a", "b;c"), ("d", None)))),
    ],
)
def test_via_is_read(text: str, expected: Via) -> None:
    """A Via is read with white space wherever the grammar has it."""
    assert parse_via(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDPh",
        "SIP/3.0/UDP h",
        "SIP/2.0/UDP h;",
        "SIP/2.0/UDP h;;a",
        "SIP/2.0/UDP h;a=",
        'SIP/2.0/UDP h;a="b',
        "SIP/2.0/UDP h:0",
        "SIP/2.0/UDP h:99999",
        "SIP/2.0/UDP h:",
        "SIP/2.0/UDP h;branch=1;branch=2",
        "SIP/2.0/UDP h, SIP/2.0/UDP i",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP [::g]",
    ],
)
def test_malformed_via_is_refused(text: str) -> None:
    """What is not exactly one Via is refused."""
    with pytest.raises(RemoteProtocolError):
        parse_via(text)


def test_via_facts() -> None:
    """Branch, received and rport are read from the parameters; a bare rport is a wish, not a port."""
    asked = parse_via("SIP/2.0/UDP h;rport;branch=b")
    told = parse_via("SIP/2.0/UDP h;rport=5062;received=[::1]")
    assert (asked.branch, asked.rport, asked.is_rport_requested, asked.received) == ("b", None, True, None)
    assert (told.branch, told.rport, told.is_rport_requested, told.received) == (None, 5062, False, "::1")


def test_via_params_are_replaced_in_place() -> None:
    """Setting a parameter keeps its place; a new one comes last."""
    via = parse_via("SIP/2.0/UDP h;rport;branch=b").with_params(rport="9", received="1.2.3.4")
    assert str(via) == "SIP/2.0/UDP h;rport=9;branch=b;received=1.2.3.4"


@pytest.mark.parametrize(
    ("text", "display", "user", "params"),
    [
        ("sip:a@h", "", "a", ()),
        ("sip:a@h;tag=1", "", "a", (("tag", "1"),)),
        ("<sip:a;x@h;y=1>;tag=1", "", "a;x", (("tag", "1"),)),
        ("A. Bell <sip:a@h>", "A. Bell", "a", ()),
        ("caller<sip:a@h>", "caller", "a", ()),
        ("Zoë <sip:a@h>", "Zoë", "a", ()),
        ('"Bell, \\"A\\" <b>;tag=9"<sip:a@h> ; Tag = 2', 'Bell, "A" <b>;tag=9', "a", (("tag", "2"),)),
        ('"" <sip:a@h>', "", "a", ()),
    ],
)
def test_address_is_read(
    text: str, display: str, user: str, params: tuple[tuple[str, str | None], ...]
) -> None:
    """Display name, URI and header parameters are told apart."""
    found = parse_name_addr(text)
    assert (found.display, found.uri.user, found.params) == (display, user, params)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<>",
        "<sip:a@h",
        "sip:a@h>",
        "< sip:a@h>",
        "<sip:a@h >",
        '"A <sip:a@h>',
        "A, B <sip:a@h>",
        "A; <sip:a@h>",
        "<sip:a@h><sip:b@h>",
        '"A" <sip:a@h>, "B" <sip:b@h>',
        "<sip:a@h>;",
        "<sip:a@h>x",
        "<sip:a@h>;tag=1;tag=2",
        "<sip:a@h>;tag=1;TAG=2",
        "sip:a@h?x=y",
        "sip:a@h, sip:b@h",
        "*",
        '"A" "B" <sip:a@h>',
        '"A" B <sip:a@h>',
    ],
)
def test_ambiguous_address_is_refused(text: str) -> None:
    """What two readers could read as two addresses is refused."""
    with pytest.raises(RemoteProtocolError) as caught:
        parse_name_addr(text)
    assert caught.value.status_hint == 400


def test_address_keeps_unknown_schemes() -> None:
    """A scheme we do not speak is no error in an address."""
    assert parse_name_addr("isbn:2983").uri == OpaqueURI(scheme="isbn", rest="2983")


def test_tag_is_set_once() -> None:
    """A tag can be added to an address that has none; replacing one is our bug."""
    address = NameAddr(uri=SIPURI(user="a", host="h"))
    tagged_once = address.with_tag("t")
    assert (address.tag, tagged_once.tag, str(tagged_once)) == (None, "t", "<sip:a@h>;tag=t")
    with pytest.raises(LocalProtocolError):
        tagged_once.with_tag("u")


def test_representation_shows_no_name() -> None:
    """A stray log line of an address shows neither name nor user."""
    assert "9812345678" not in repr(parse_name_addr('"+919812345678" <sip:+919812345678@h>'))


def test_cseq_is_read() -> None:
    """Leading zeros and white space are allowed, the method is kept as written."""
    assert parse_cseq("0009 \t INVITE") == CSeq(9, "INVITE")
    assert str(parse_cseq("2147483647 foo")) == "2147483647 foo"
    assert parse_cseq("000 X") == (0, "X")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "INVITE",
        " 1 INVITE",
        "1INVITE",
        "-1 INVITE",
        "2147483648 X",
        "1" * 30 + " X",
        "1 A B",
        "1 A,B",
        "٣ X",
    ],
)
def test_malformed_cseq_is_refused(text: str) -> None:
    """Numbers of 2**31 and more, signs and second methods are refused."""
    with pytest.raises(RemoteProtocolError):
        parse_cseq(text)


def test_numbers_have_bounds() -> None:
    """Decimal digits up to the maximum are read, all else is refused."""
    assert [parse_number(text, 255) for text in ("0", "000", "0255")] == [0, 0, 255]
    for text in ("", "256", "-1", "+1", "1 ", "0x1", "1" * 5000, "٣"):
        with pytest.raises(RemoteProtocolError):
            parse_number(text, 255)


def test_delta_seconds_may_be_followed() -> None:
    """Retry-After may carry a comment and parameters, which do not change its seconds."""
    assert [parse_delta_seconds(text) for text in ("5", "120 (busy)", "18000;duration=3600")] == [
        5,
        120,
        18_000,
    ]
    for text in ("", "soon", str(2**32)):
        with pytest.raises(RemoteProtocolError):
            parse_delta_seconds(text)


def test_list_is_split_outside_quotes_and_brackets() -> None:
    """Commas in quoted names and bracketed URIs part nothing."""
    text = '"Bell, \\", A" <sip:a,b@h>;x=1 ,\t<sip:c@h>, sip:d@h'
    assert split_list(text) == ('"Bell, \\", A" <sip:a,b@h>;x=1', "<sip:c@h>", "sip:d@h")
    assert (split_list(""), split_list("a")) == ((), ("a",))


@pytest.mark.parametrize("text", [",", "a,", ",a", "a,,b", 'a,"b', "a,<b", 'a,"b\\"', "a,<b<c>"])
def test_doubtful_list_is_refused(text: str) -> None:
    """Empty elements and unbalanced quotes or brackets are refused."""
    with pytest.raises(RemoteProtocolError):
        split_list(text)


def test_token_list_holds_tokens() -> None:
    """Option tags and methods are tokens."""
    assert parse_token_list(["timer", "100rel"]) == ("timer", "100rel")
    with pytest.raises(RemoteProtocolError):
        parse_token_list(["timer", "a b"])


def test_privacy_gathers_all_fields() -> None:
    """Every wish in every Privacy field counts, however they are separated."""
    assert parse_privacy(["ID; header", "user,critical", ""]) == {"id", "header", "user", "critical"}


def test_params_are_read_and_rendered() -> None:
    """Quoted values lose their quotes and get them back where they are needed."""
    params = parse_params(' ; a="x y";b = [::1];c')
    assert params == (("a", "x y"), ("b", "[::1]"), ("c", None))
    assert render_params(params) == ';a="x y";b=[::1];c'


def test_line_breaks_cannot_be_quoted() -> None:
    """A quoted string of ours never begins a new line."""
    for text in ("a\rb", "a\nb"):
        with pytest.raises(LocalProtocolError):
            quote_string(text)


@given(texts)
def test_unquoting_undoes_quoting(text: str) -> None:
    """Every text without line breaks survives quoting."""
    assert unquote_string(quote_string(text)) == text


@given(vias)
def test_parsing_undoes_rendering_of_via(via: Via) -> None:
    """Every Via we can hold survives the wire."""
    assert parse_via(render_via(via)) == via


@given(addresses | tagged)
def test_parsing_undoes_rendering_of_address(address: NameAddr) -> None:
    """Every address we can hold survives the wire."""
    assert parse_name_addr(render_name_addr(address)) == address


@given(
    st.from_regex(headers._PLAIN_VIA, fullmatch=True)
    | st.text("SIP/2.0UDP h:5;branch=z9;rport,", max_size=40).map("SIP/2.0/UDP h:5;branch=x".__add__)
)
def test_plain_via_is_what_any_via_is(text: str) -> None:
    """The short way of reading a Via gives or refuses what the general one does."""
    assert outcome(headers._parse_via, text) == outcome(headers._parse_any_via, text)


@given(
    st.from_regex(headers._PLAIN_NAME_ADDR, fullmatch=True)
    | st.text("<sip:@h.0>;tag=%[],?", max_size=20).map("<sip:bob@h:5>;tag=x".__add__)
)
def test_plain_address_is_what_any_address_is(text: str) -> None:
    """The short way of reading an address gives or refuses what the general one does."""
    assert outcome(headers._parse_name_addr, text) == outcome(headers._parse_any_name_addr, text)


def outcome(parse: Callable[[str], Via | NameAddr], text: str) -> Via | NameAddr | int:
    """What a parser makes of a text: the value, or the status of its refusal."""
    try:
        return parse(text)
    except RemoteProtocolError as error:
        return error.status_hint


@given(st.lists(addresses.map(str), max_size=4))
def test_splitting_undoes_joining(values: list[str]) -> None:
    """Rendered addresses joined by commas are found again."""
    assert list(split_list(", ".join(values))) == values


@given(st.text(max_size=40) | st.text('<>";,=\\ :@sipa1[]', max_size=40))
def test_any_text_parses_or_is_refused(text: str) -> None:
    """No text makes a value parser raise anything but the peer's error."""
    for parse in (parse_via, parse_name_addr, parse_cseq, split_list, parse_params, parse_delta_seconds):
        with suppress(RemoteProtocolError):
            parse(text)
