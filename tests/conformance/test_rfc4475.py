"""The torture messages of RFC 4475 at the parser: each is read, or refused with the status it deserves.

What the layers above answer (405, 415, 420, 483 ...) is tested on the wire, in tests/interop.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from maskline.sip.errors import RemoteProtocolError
from maskline.sip.message import Request, Response
from maskline.sip.parser import StreamReader, parse_datagram
from maskline.sip.render import build_response, render

DATA = Path(__file__).parent.parent / "data" / "rfc4475"
NAMES = sorted(path.stem for path in DATA.glob("*.dat"))

# Refused with this status to the sender.
ANSWERED = {
    "badinv01": 400,
    "clerr": 400,
    "ncl": 400,
    "scalar02": 400,
    "quotbal": 400,
    "ltgtruri": 400,
    "lwsruri": 400,
    "lwsstart": 400,
    "trws": 400,
    "escruri": 400,
    "regbadct": 400,
    "badaspec": 400,
    "baddn": 400,
    "badvers": 505,
    "mismatch01": 400,
    "mismatch02": 400,
    "insuf": 400,
    "unkscm": 416,
    "novelsc": 416,
    "multi01": 400,
    "mcl01": 400,
}
# Refused without an answer: malformed responses, and the file that is no message.
DROPPED = {"scalarlg", "bigcode", "test"}
READ = sorted(set(NAMES) - set(ANSWERED) - DROPPED)


def read(name: str) -> bytes:
    return (DATA / f"{name}.dat").read_bytes()


def parse_request(name: str) -> Request:
    message = parse_datagram(read(name))
    assert isinstance(message, Request)
    return message


def test_files_are_those_of_the_rfc() -> None:
    """The data is the RFC's archive, byte for byte."""
    whole = b"".join(read(name) for name in NAMES)
    expected = "a027170f419792e5bb50fe912c83d1e456596c7e9e0ae675f34c266d4ffc9398"
    assert hashlib.sha256(whole).hexdigest() == expected


@pytest.mark.parametrize("name", READ)
def test_valid_message_is_read_and_written_again(name: str) -> None:
    """A message to be read is read, and its rendering reads as the same message."""
    message = parse_datagram(read(name))
    assert parse_datagram(render(message)) == message


@pytest.mark.parametrize(("name", "status"), sorted(ANSWERED.items()))
def test_malformed_request_is_refused_with_a_status(name: str, status: int) -> None:
    """A malformed request gets its status, in a response that carries its Via."""
    with pytest.raises(RemoteProtocolError) as caught:
        parse_datagram(read(name))
    assert caught.value.status_hint == status
    assert caught.value.reply_to is not None
    answer = render(build_response(caught.value.reply_to, status))
    assert answer.startswith(b"SIP/2.0 %d " % status)
    assert b"\r\nVia: SIP/" in answer


@pytest.mark.parametrize("name", sorted(DROPPED))
def test_malformed_response_is_dropped(name: str) -> None:
    """What is no readable request is refused without an answer."""
    with pytest.raises(RemoteProtocolError) as caught:
        parse_datagram(read(name))
    assert caught.value.reply_to is None


@pytest.mark.parametrize("name", NAMES)
def test_stream_reads_or_refuses_each_message(name: str) -> None:
    """A stream never raises for a torture message and agrees with itself when fed byte by byte."""
    whole, single = StreamReader(), StreamReader()
    outcomes = whole.feed(read(name))
    pieces = [outcome for byte in read(name) for outcome in single.feed(bytes([byte]))]
    assert [str(outcome) for outcome in pieces] == [str(outcome) for outcome in outcomes]
    assert whole.is_broken == single.is_broken


def test_wsinv_is_understood() -> None:
    """Folding, odd case and white space everywhere leave the values alone."""
    message = parse_request("wsinv")
    assert message.to.tag == "1918181833n"
    assert message.from_.display == 'J Rosenberg \\"'
    assert message.from_.tag == "98asjd8"
    assert message.max_forwards == 68
    assert message.cseq == (9, "INVITE")
    assert (message.via.transport, message.via.host, message.via.branch) == ("UDP", "192.0.2.2", "390skdjuw")
    assert len(message.headers.all("Via")) == 3
    assert message.headers.get("Newfangledheader") == "newfangled value continued newfangled value"
    assert message.headers.get("Subject") == ""
    assert len(message.body) == 150


def test_intmeth_is_intact() -> None:
    """Every legal character survives, control characters behind a backslash included."""
    message = parse_request("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.target.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.target.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.from_.tag == "_token~1'+`*%!-."


def test_escapes_are_undone_once() -> None:
    """A user part is unescaped once, no more, and percent signs in a method mean nothing."""
    assert parse_request("esc01").target.user == "sips:user@example.com"
    assert parse_request("esc02").method == "RE%47IST%45R"


def test_escaped_null_does_not_truncate() -> None:
    """Users that differ only behind an escaped NUL stay different."""
    message = parse_request("escnull")
    users = [address.uri.user for address in message.headers.addresses("Contact")]
    assert users == ["\x00", "\x00\x00"]
    assert message.to.uri.user == "null-\x00-null"


def test_lwsdisp_needs_no_space() -> None:
    """A display name may touch its bracket."""
    assert parse_request("lwsdisp").from_.display == "caller"


def test_dblreq_is_one_request() -> None:
    """Bytes after the body of a datagram are ignored; a stream reads the second message there."""
    message = parse_request("dblreq")
    assert (message.method, message.body) == ("REGISTER", b"")
    methods = [found.method for found in StreamReader().feed(read("dblreq")) if isinstance(found, Request)]
    assert methods == ["REGISTER", "INVITE"]


def test_semiuri_keeps_the_user_whole() -> None:
    """A semicolon before the at sign belongs to the user."""
    message = parse_request("semiuri")
    assert message.target.user == "user;par=u@example.net"
    assert message.target.params == ()


def test_reason_phrases_are_kept() -> None:
    """A reason phrase may be of any language, or empty."""
    unicode, empty = parse_datagram(read("unreason")), parse_datagram(read("noreason"))
    assert isinstance(unicode, Response)
    assert unicode.reason.startswith("= 2**3 * 5**2 но сто")
    assert isinstance(empty, Response)
    assert (empty.status, empty.reason) == (100, "")


def test_badbranch_is_kept() -> None:
    """A branch of nothing but the cookie is handed on for the legacy matching."""
    assert parse_request("badbranch").via.branch == "z9hG4bK"


def test_unksm2_keeps_unknown_schemes() -> None:
    """Schemes nobody knows may stand in To, From and Contact."""
    message = parse_request("unksm2")
    contact = message.contact
    assert contact is not None
    assert [message.to.uri.scheme, message.from_.uri.scheme, contact.uri.scheme] == ["isbn", "http", "name"]


def test_parameters_stay_with_their_owner() -> None:
    """Parameters of a Contact and of the URI in it are told apart; headers in the URI are only kept."""
    of_contact = parse_request("cparam01").contact
    of_uri = parse_request("cparam02").contact
    escaped = parse_request("regescrt").contact
    assert of_contact is not None
    assert of_contact.params == (("unknownparam", None),)
    assert of_uri is not None
    assert str(of_uri.uri).endswith(";unknownparam")
    assert escaped is not None
    assert "Route=" in str(escaped.uri)


def test_unknown_transports_are_read() -> None:
    """Via transports nobody knows are names like others."""
    vias = parse_request("transports").headers.all("Via")
    assert [via.split()[0].rpartition("/")[2] for via in vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]
