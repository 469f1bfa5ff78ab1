"""The IPv6 torture messages of RFC 5118 at the parser."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.sip.errors import RemoteProtocolError
from maskline.sip.message import Request
from maskline.sip.parser import parse_datagram
from maskline.sip.render import render

DATA = Path(__file__).parent.parent / "data" / "rfc5118"
NAMES = sorted(path.name for path in DATA.iterdir() if path.suffix != ".md")


def parse_request(name: str, data: bytes | None = None) -> Request:
    message = parse_datagram(data or (DATA / name).read_bytes())
    assert isinstance(message, Request)
    return message


def test_there_are_twelve() -> None:
    """The whole set is here."""
    assert len(NAMES) == 12


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"ipv6-bad", "ipv6-in-sdp"}))
def test_valid_message_is_read_and_written_again(name: str) -> None:
    """Every message but two is read as it stands, and its rendering reads as the same."""
    message = parse_request(name)
    assert parse_datagram(render(message)) == message


def test_address_without_brackets_is_refused() -> None:
    """Section 4.2: an IPv6 reference without its brackets is no Request-URI."""
    with pytest.raises(RemoteProtocolError) as caught:
        parse_request("ipv6-bad")
    assert caught.value.status_hint == 400
    assert caught.value.reply_to is not None


def test_brackets_end_the_address() -> None:
    """Sections 4.1, 4.3 and 4.4: what stands in the brackets is the address, what follows them the port."""
    assert (parse_request("ipv6-good").target.host, parse_request("ipv6-good").target.port) == (
        "2001:db8::10",
        None,
    )
    inside, outside = parse_request("port-ambiguous").target, parse_request("port-unambiguous").target
    assert (inside.host, inside.port) == ("2001:db8::10:5070", None)
    assert (outside.host, outside.port) == ("2001:db8::10", 5070)


def test_received_may_have_brackets_or_not() -> None:
    """Section 4.5: both spellings of the received parameter are read."""
    assert parse_request("via-received-param-with-delim").via.received == "2001:db8::9:255"
    assert parse_request("via-received-param-no-delim").via.received == "2001:db8::9:255"


def test_length_of_ipv6_in_sdp() -> None:
    """Section 4.6: the printed length exceeds the body and is refused; with the true one it is read."""
    data = (DATA / "ipv6-in-sdp").read_bytes()
    with pytest.raises(RemoteProtocolError, match="shorter than Content-Length"):
        parse_datagram(data)
    message = parse_request("ipv6-in-sdp", data.replace(b"Content-Length: 268", b"Content-Length: 251"))
    assert message.via.host == "2001:db8::20"
    assert b"c=IN IP6 2001:db8::20\r\n" in message.body


def test_addresses_of_both_families_in_one_message() -> None:
    """Section 4.7: Via fields of both families are read side by side."""
    message = parse_request("mult-ip-in-header")
    assert (message.via.host, message.via.port) == ("2001:db8::9:1", 6050)
    assert len(message.headers.all("Via")) == 3


def test_mapped_address_is_an_ipv6_address() -> None:
    """Section 4.9: an IPv4-mapped address is read as the IPv6 address it is."""
    assert parse_request("ipv4-mapped-ipv6").via.host == "::ffff:c000:20a"


def test_three_colons_name_the_same_address() -> None:
    """Section 4.10: the form of the erroneous grammar names the address of the right one."""
    wrong, right = parse_request("ipv6-bug-abnf-3-colons"), parse_request("ipv6-correct-abnf-2-colons")
    assert wrong.target == right.target
    assert wrong.to.uri == right.to.uri
