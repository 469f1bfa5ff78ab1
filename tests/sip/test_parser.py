from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sip.strategies import INVITE_LINES, RESPONSE_LINES, raw, requests, responses

from maskline.sip.errors import RemoteProtocolError
from maskline.sip.message import Message, Request, Response
from maskline.sip.parser import (
    HEAD_BYTES_MAX,
    HEADER_LINES_MAX,
    MESSAGE_BYTES_MAX,
    StreamReader,
    parse_datagram,
)
from maskline.sip.render import build_response, render

# A quadratic reader needs many seconds for 64 KB; a linear one a few milliseconds.
HOSTILE_CPU_S_MAX = 1.0


def refuse(data: bytes) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_datagram(data)
    return caught.value


def test_request_is_read() -> None:
    """A plain INVITE gives its parts; Content-Length is used up."""
    message = parse_datagram(raw())
    assert isinstance(message, Request)
    assert (message.method, message.uri, message.body) == (
        "INVITE",
        "sip:+14155550100@192.0.2.1:5060",
        b"v=0\n",
    )
    assert message.from_.display == "Alice"
    assert message.headers.get("Content-Length") is None


def test_response_is_read() -> None:
    """A plain 200 gives its status and phrase."""
    message = parse_datagram(raw(RESPONSE_LINES))
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.body) == (200, "OK", b"v=0\n")


def test_datagram_without_length_runs_to_its_end() -> None:
    """On UDP a missing Content-Length means the rest of the datagram; with one, the rest is ignored."""
    assert parse_datagram(raw(body=b"12345", Content_Length=None)).body == b"12345"
    assert parse_datagram(raw(body=b"12345")).body == b"1234"


def test_line_ends_before_the_start_line_are_skipped() -> None:
    """Keep-alive line ends in front of a message mean nothing (RFC 3261 section 7.5)."""
    assert parse_datagram(b"\r\n\r\n" + raw()) == parse_datagram(raw())


@pytest.mark.parametrize("version", ["sip/2.0", "Sip/2.0"])
def test_version_in_other_case(version: str) -> None:
    """The version is compared without regard to case."""
    start = INVITE_LINES[0].replace("SIP/2.0", version)
    assert parse_datagram(raw((start, *INVITE_LINES[1:]))) == parse_datagram(raw())


def test_unknown_method_is_read() -> None:
    """Whether a method is served is not the reader's business."""
    message = parse_datagram(raw(("BREW sip:pot SIP/2.0", *INVITE_LINES[1:]), CSeq="CSeq: 1 BREW"))
    assert isinstance(message, Request)
    assert message.method == "BREW"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("Subject: a", "a"),
        ("Subject \t:\t a \t", "a"),
        ("s:a", "a"),
        ("SUBJECT:", ""),
        ("Subject: a\r\n b\r\n\t c", "a b c"),
        ("Subject:\r\n a", "a"),
        ("Subject: a:b", "a:b"),
        ("Subject: ਸਤ", "ਸਤ"),
        ('Subject: "\\\x00"', '"\\\x00"'),
    ],
)
def test_field_forms_the_grammar_allows(line: str, value: str) -> None:
    """Folding, blanks round the colon, compact names, UTF-8 and quoted pairs are read."""
    assert parse_datagram(raw(Subject=line)).headers.get("Subject") == value


@pytest.mark.parametrize(
    "line",
    [
        "Subject: a\rb",
        "Subject: a\nb",
        "Subject: a\n\rb",
        "Subject: a\r\rb",
        "Subject: a\x00b",
        "Subject: a\x0bb",
        "Subject: a\x7fb",
        'Subject: "a\x00"',
        'Subject: "\\\\\x00"',
        "Subject: \\\x00",
        'Subject: "a" \x01',
        "Sub ject: a",
        "Subj\x00ect: a",
        "Subjéct: a",
        "Subject\xa0: a",
        ": a",
        " : a",
        "Subject",
        "Subject a",
        "",
        "Subject: a\udcff",
        "Subject: a\r\nsubject: a",
        "Subject: a\r\ns: a",
        "f: <sip:x@h>;tag=1",
        "call-id: other",
        "l: 4",
        "Content-Length : 4",
        "Max-Forwards: 70\r\nMAX-FORWARDS: 70",
    ],
)
def test_ambiguous_fields_are_refused(line: str) -> None:
    """What two readers could take for two things is a 400 that reaches the sender."""
    error = refuse(raw(INVITE_LINES, Subject=line) if line else raw().replace(b"To:", b"\r\n To:"))
    assert error.status_hint == 400


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Via": None}, 400),
        ({"From": None}, 400),
        ({"To": None}, 400),
        ({"Call_ID": None}, 400),
        ({"CSeq": None}, 400),
        ({"Via": "Via:"}, 400),
        ({"Via": "Via: SIP/2.0/UDP h, ,SIP/2.0/UDP i"}, 400),
        ({"Via": "Via: SIP/2.0/UDP h\r\nVia: ;;,"}, 400),
        ({"Via": "Via: SIP/2.0/UDP h;rport=65536"}, 400),
        ({"Via": "Via: SIP/2.0/UDP h;rport=x"}, 400),
        ({"From": "From:"}, 400),
        ({"To": "To: <sip:a@h>, <sip:b@h>"}, 400),
        ({"Call_ID": "Call-ID: a b"}, 400),
        ({"Call_ID": "Call-ID:"}, 400),
        ({"CSeq": "CSeq: 1 BYE"}, 400),
        ({"CSeq": "CSeq: 4294967296 INVITE"}, 400),
        ({"Contact": 'Contact: "a <sip:b@h>'}, 400),
        ({"Contact": "Contact: *, <sip:a@h>"}, 400),
        ({"Route": "Route: <sip:a@h"}, 400),
        ({"Record": "Record-Route: x"}, 400),
        ({"PAI": "P-Asserted-Identity: <sip:a@h>, <sip:a@h"}, 400),
        ({"Max_Forwards": "Max-Forwards: 256"}, 400),
        ({"Max_Forwards": "Max-Forwards: x"}, 400),
        ({"Expires": "Expires: 99999999999"}, 400),
        ({"Content_Length": "Content-Length: 5"}, 400),
        ({"Content_Length": "Content-Length: -1"}, 400),
        ({"Content_Length": "Content-Length: +4"}, 400),
        ({"Content_Length": "Content-Length: 4, 4"}, 400),
        ({"Content_Length": "Content-Length: 99999999999999999999"}, 400),
        ({"Content_Length": "Content-Length:"}, 400),
    ],
)
def test_malformed_values_are_refused(changes: dict[str, str | None], status: int) -> None:
    """Mandatory fields, and every value that the layers above read, are checked."""
    error = refuse(raw(INVITE_LINES, b"v=0\n", **changes))
    assert error.status_hint == status
    assert (error.reply_to is None) == (changes.get("Via", "") is None)


@pytest.mark.parametrize(
    ("start", "status"),
    [
        ("INVITE sip:a@h SIP/3.0", 505),
        ("INVITE sip:a@h SIP/2.00", 505),
        ("INVITE http://h SIP/2.0", 416),
        ("INVITE  sip:a@h SIP/2.0", 400),
        ("INVITE sip:a@h SIP/2.0 ", 400),
        ("INVITE sip:a @h SIP/2.0", 400),
        ("INVITE sip:a@h?Route=x SIP/2.0", 400),
        ("INVITE <sip:a@h> SIP/2.0", 400),
        ("INVITE sip:a@h SIP/2", 400),
    ],
)
def test_malformed_request_lines_are_refused(start: str, status: int) -> None:
    """A request line has three parts, one blank between each, and is answered when it fails."""
    error = refuse(raw((start, *INVITE_LINES[1:])))
    assert error.status_hint == status
    assert error.reply_to is not None
    assert error.reply_to.method == "INVITE"


@pytest.mark.parametrize(
    "start", ["", "INVITE", "INVITE sip:a@h", "INV,ITE sip:a@h SIP/2.0", "GET / HTTP/1.1"]
)
def test_other_protocols_get_no_answer(start: str) -> None:
    """What does not begin like SIP is not answered in SIP."""
    assert refuse(raw((start, *INVITE_LINES[1:]))).reply_to is None


@pytest.mark.parametrize(
    "start",
    [
        "SIP/2.0 99 x",
        "SIP/2.0 700 x",
        "SIP/2.0 20 x",
        "SIP/2.0 2000 x",
        "SIP/2.0  200 x",
        "SIP/3.0 200 OK",
        "SIP/2.0",
        "sip/x 200",
    ],
)
def test_malformed_status_lines_are_dropped(start: str) -> None:
    """A malformed response has nobody to answer."""
    assert refuse(raw((start, *RESPONSE_LINES[1:]))).reply_to is None


def test_malformed_responses_and_acks_are_dropped() -> None:
    """Neither a response nor an ACK is ever answered."""
    assert refuse(raw(RESPONSE_LINES, Call_ID=None)).reply_to is None
    ack = ("ACK sip:a@h SIP/2.0", *INVITE_LINES[1:])
    assert refuse(raw(ack, CSeq="CSeq: 1 INVITE")).reply_to is None


def test_what_a_response_asserts_is_read_by_nobody() -> None:
    """A carrier's slip in a field that we never read costs no call; in a request it would name the caller."""
    slip = "P-Asserted-Identity: <tel:somebody;cpc=ordinary>"
    answer = parse_datagram(raw((*RESPONSE_LINES, slip)))
    assert isinstance(answer, Response)
    assert refuse(raw((*INVITE_LINES, slip))).status_hint == 400


@pytest.mark.parametrize(
    "data", [b"", b"\r\n\r\n", b"\x00", b"hello", b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)]
)
def test_noise_is_dropped(data: bytes) -> None:
    """Keep-alives, STUN and noise are refused without an answer."""
    assert refuse(data).reply_to is None


def test_reply_is_built_from_what_can_be_copied() -> None:
    """The answer to a malformed request carries its raw fields, each single one once, and no unsafe one."""
    error = refuse(raw(To='To: "open <sip:b@h>', More="v: SIP/2.0/TCP p\r\ni: second", Bad="Via: a\x00b"))
    assert error.reply_to is not None
    answer = render(build_response(error.reply_to, error.status_hint, to_tag="t"))
    assert answer.split(b"\r\n") == [
        b"SIP/2.0 400 Bad Request",
        b"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-1-0;rport",
        b'From: "Alice" <sip:+919812345678@192.0.2.10>;tag=a1',
        b'To: "open <sip:b@h>',
        b"Call-ID: 1-77@192.0.2.10",
        b"CSeq: 1 INVITE",
        b"Via: SIP/2.0/TCP p",
        b"Content-Length: 0",
        b"",
        b"",
    ]


def test_reply_keeps_bytes_that_are_no_text() -> None:
    """A From in another encoding is refused, and comes back in the answer as it was."""
    error = refuse(raw(From='From: "Jos\udce9" <sip:a@h>;tag=1'))
    assert error.reply_to is not None
    assert b'From: "Jos\xe9" <sip:a@h>;tag=1\r\n' in render(build_response(error.reply_to, 400))


def test_error_text_is_free_of_the_peers_values() -> None:
    """What is logged of an error shows no number."""
    for data in (raw(To="To: <sip:+919876543210@h"), raw(Call_ID="Call-ID: +91 9876543210")):
        error = refuse(data)
        assert "987654" not in f"{error!r} {error.reply_to!r}"


def test_limits_are_exact() -> None:
    """Lines, header bytes and message bytes are taken up to their limit and refused beyond it."""
    room = HEADER_LINES_MAX - len(INVITE_LINES)
    size = HEAD_BYTES_MAX - len(raw(body=b"")) + len("\r\n\r\n") - len("\r\nP-Y: ")
    space = MESSAGE_BYTES_MAX - len(raw(body=b""))
    assert len(parse_datagram(raw(Y="\r\n".join(["P-Y: 1"] * room))).headers.all("P-Y")) == room
    assert refuse(raw(Y="\r\n".join(["P-Y: 1"] * (room + 1)))).status_hint == 513
    assert parse_datagram(raw(Y="P-Y: " + "x" * size)).headers.get("P-Y") == "x" * size
    assert refuse(raw(Y="P-Y: " + "x" * (size + 1))).status_hint == 513
    assert parse_datagram(raw(body=b"x" * space)).body == b"xxxx"
    assert refuse(raw(body=b"x" * (space + 1))).status_hint == 513


HOSTILE = {
    "quotes": b'"' * 30_000,
    "odd quotes": b'"' * 29_999,
    "backslashes": b'"' + b"\\" * 30_000,
    "quoted pairs": b'"' + b'\\"' * 15_000,
    "commas": b"<sip:a@h>," * 3_000,
    "bare commas": b"," * 30_000,
    "brackets": b"<" * 30_000,
    "blanks": b"a" + b" " * 30_000 + b"b",
    "folds": b"a" + b"\r\n " * 9_000 + b"b",
    "params": b"<sip:a@h>" + b";a" * 10_000,
    "distinct params": b"<sip:a@h>" + b"".join(b";p%d=%d" % (i, i) for i in range(2_500)),
    "uri params": b"<sip:a@h" + b";a=b" * 7_000 + b">",
    "user": b"<sip:" + b"a;" * 14_000 + b">",
    "at signs": b"<sip:" + b"a@" * 14_000 + b"h>",
    "labels": b"<sip:a@" + b"a." * 14_000 + b"h>",
    "hyphens": b"<sip:a@" + b"a-" * 14_000 + b"!>",
    "colons": b"<sip:a@[" + b"1:" * 14_000 + b"]>",
    "dots": b"<sip:a@[" + b"1." * 14_000 + b"]>",
    "escapes": b"<sip:" + b"%41" * 10_000 + b"@h>",
    "digits": b"1" * 30_000,
    "words": b"a " * 15_000,
    "controls": b'"' + b'\\"\x01' * 10_000,
    "escaped controls": b'"' + b"\\\x01" * 15_000,
    "slashes": b"SIP / " * 5_000,
    "equals": b"<sip:a@h>;a" + b"=" * 30_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_values_take_linear_time(name: str) -> None:
    """No value of the largest size makes any reader's work grow with its square."""
    value = HOSTILE[name]
    started = time.process_time()
    for field in (
        b"To",
        b"Via",
        b"Contact",
        b"CSeq",
        b"Subject",
        b"Call-ID",
        b"Content-Length",
        b"P-Asserted-Identity",
    ):
        data = raw(Subject=None, Contact=None, To=None) + b""
        data = data.replace(b"Max-Forwards: 70", field + b": " + value)
        with suppress(RemoteProtocolError):
            parse_datagram(data)
    assert time.process_time() - started < HOSTILE_CPU_S_MAX


def test_hostile_request_uri_takes_linear_time() -> None:
    """A long Request-URI and a long name are as cheap to refuse as a short one."""
    started = time.process_time()
    for value in HOSTILE.values():
        text = value.strip(b"<>").decode()
        with suppress(RemoteProtocolError):
            parse_datagram(raw((f"INVITE {text} SIP/2.0", *INVITE_LINES[1:])))
        with suppress(RemoteProtocolError):
            parse_datagram(raw(Y=f"{text}: x"))
    assert time.process_time() - started < HOSTILE_CPU_S_MAX


def test_stream_cuts_messages() -> None:
    """Messages come out whole and in order, keep-alives between them vanish."""
    reader = StreamReader()
    data = b"\r\n\r\n" + raw() + b"\r\n" + raw(RESPONSE_LINES) + raw()[:20]
    found = reader.feed(data)
    assert found == [parse_datagram(raw()), parse_datagram(raw(RESPONSE_LINES))]
    assert reader.feed(raw()[20:]) == [parse_datagram(raw())]
    assert not reader.is_broken


def test_stream_goes_on_after_a_malformed_message() -> None:
    """An error inside a well-framed message costs that message only, and can be answered."""
    reader = StreamReader()
    first, second = reader.feed(raw(CSeq="CSeq: 1 BYE") + raw())
    assert isinstance(first, RemoteProtocolError)
    assert first.reply_to is not None
    assert second == parse_datagram(raw())
    assert not reader.is_broken


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (raw(Content_Length=None), 400),
        (raw(Content_Length="Content-Length: -1"), 400),
        (raw(More="l: 4"), 400),
        (raw(More="Subject: a\nb"), 400),
        (raw(More="Sub ject: a"), 400),
        (raw(More="Subject: \x00"), 400),
        (raw(Content_Length=f"Content-Length: {MESSAGE_BYTES_MAX}"), 513),
        (b"x" * (HEAD_BYTES_MAX + 1), 513),
        (b"\x16\x03\x01\r\n\r\n", 400),
    ],
)
def test_stream_breaks_when_framing_is_in_doubt(data: bytes, status: int) -> None:
    """When nobody can tell where the next message begins the reader stops for good."""
    reader = StreamReader()
    (error,) = reader.feed(data + raw())
    assert isinstance(error, RemoteProtocolError)
    assert error.status_hint == status
    assert reader.is_broken
    assert reader.feed(raw()) == []


def test_stream_breaks_on_an_endless_head() -> None:
    """A header section without end is given up as soon as it is too large."""
    reader = StreamReader()
    assert reader.feed(b"x" * HEAD_BYTES_MAX) == []
    (error,) = reader.feed(b"x")
    assert isinstance(error, RemoteProtocolError)
    assert (error.status_hint, error.reply_to, reader.is_broken) == (513, None, True)


def test_stream_takes_single_bytes_in_linear_time() -> None:
    """A large message in single bytes costs no more than a look at each."""
    reader = StreamReader()
    data = raw(Y="P-Y: " + "y" * 30_000, body=b"x" * 30_000, Content_Length="Content-Length: 30000")
    started = time.process_time()
    found = [outcome for place in range(len(data)) for outcome in reader.feed(data[place : place + 1])]
    assert time.process_time() - started < HOSTILE_CPU_S_MAX
    assert found == [parse_datagram(data)]


def outcomes(reader: StreamReader, pieces: list[bytes]) -> list[Message | str]:
    found = [outcome for piece in pieces for outcome in reader.feed(piece)]
    return [str(outcome) if isinstance(outcome, RemoteProtocolError) else outcome for outcome in found]


mutations = st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(range(256))), max_size=4)


@st.composite
def mutated_messages(draw: st.DrawFn) -> bytes:
    data = bytearray(b"".join(map(render, draw(st.lists(requests() | responses(), min_size=1, max_size=2)))))
    for place, byte in draw(mutations):
        data[place % len(data)] = byte
    return bytes(data)


@given(st.binary(max_size=200) | mutated_messages())
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    """No bytes raise anything but the peer's error, and what parses renders to an equal message."""
    try:
        message = parse_datagram(data)
    except RemoteProtocolError as error:
        if error.reply_to is not None:
            render(build_response(error.reply_to, error.status_hint, to_tag="t"))
        return
    assert parse_datagram(render(message)) == message


@given(st.binary(max_size=100) | mutated_messages())
def test_stream_sees_the_same_byte_by_byte(data: bytes) -> None:
    """However the bytes are cut, a stream yields the same outcomes."""
    whole, single = StreamReader(), StreamReader()
    assert outcomes(single, [bytes([byte]) for byte in data]) == outcomes(whole, [data])
    assert whole.is_broken == single.is_broken


@given(st.lists(requests() | responses(), max_size=4), st.data())
def test_stream_reads_what_was_rendered(messages: list[Message], data: st.DataObject) -> None:
    """A stream of our own messages, cut anywhere, gives those messages."""
    stream = b"".join(map(render, messages))
    cut = data.draw(st.integers(0, len(stream)))
    assert outcomes(StreamReader(), [stream[:cut], stream[cut:]]) == messages
