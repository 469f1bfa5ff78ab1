"""Dialogs: route sets, targets, and where a request goes."""

import pytest

from maskline.sip.dialog import ROUTE_COUNT_MAX, Dialog, contact_of, hop_to, is_ip_address
from maskline.sip.errors import RemoteProtocolError
from maskline.sip.events import Flow
from maskline.sip.message import Headers, Request, Response
from maskline.sip.uri import parse_uri

UDP = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.7", 5060))
TCP = Flow("tcp", ("192.0.2.1", 5060), ("192.0.2.7", 40_000))
TLS = Flow("tls", ("192.0.2.1", 5061), ("192.0.2.7", 40_000))
V6 = Flow("udp", ("2001:db8::1", 5060), ("2001:db8::7", 5060))


def invite(*extra: tuple[str, str], contact: str = "<sip:far@192.0.2.7:5080>") -> Request:
    items = [
        ("Via", "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKx"),
        ("From", "<sip:far@192.0.2.7>;tag=far"),
        ("To", "<sip:us@192.0.2.1>"),
        ("Call-ID", "c"),
        ("CSeq", "7 INVITE"),
        ("Contact", contact),
        *extra,
    ]
    return Request("INVITE", "sip:us@192.0.2.1", Headers(items))


def answer(*extra: tuple[str, str]) -> Response:
    items = [*invite().headers.items[:5], *extra]
    items[2] = ("To", "<sip:us@192.0.2.1>;tag=other")
    return Response(200, "OK", Headers(items))


def incoming(*extra: tuple[str, str], contact: str = "<sip:far@192.0.2.7:5080>", flow: Flow = UDP) -> Dialog:
    return Dialog.from_invite(invite(*extra, contact=contact), local_tag="us", contact="<sip:us>", flow=flow)


def outgoing(*extra: tuple[str, str]) -> Dialog:
    return Dialog.from_response(invite(), answer(*extra), local_tag="far", contact="", flow=UDP)


def test_dialog_of_an_invite() -> None:
    """The caller's From is remote, our To with our tag local, the numbers begin where they should (12.1.1)."""
    dialog = incoming()
    assert dialog.addresses == (
        ("From", "<sip:us@192.0.2.1>;tag=us"),
        ("To", "<sip:far@192.0.2.7>;tag=far"),
        ("Call-ID", "c"),
    )
    assert (dialog.remote_seq, dialog.next_seq(), dialog.next_seq()) == (7, 1, 2)
    assert dialog.request_uri == "sip:far@192.0.2.7:5080"
    assert dialog.routes == ()
    assert dialog.next_hop.remote == ("192.0.2.7", 5080)


def test_route_set_is_taken_in_order_or_reversed() -> None:
    """The callee keeps the order of Record-Route, the caller reverses it (12.1)."""
    routes = ("Record-Route", "<sip:192.0.2.8;lr>, <sip:192.0.2.9;lr>")
    assert incoming(routes).routes == ("<sip:192.0.2.8;lr>", "<sip:192.0.2.9;lr>")
    assert outgoing(routes).routes == ("<sip:192.0.2.9;lr>", "<sip:192.0.2.8;lr>")


def test_loose_router() -> None:
    """With a loose router first the target stays in the Request-URI and the next hop is the router."""
    dialog = incoming(("Record-Route", "<sip:192.0.2.8:5070;lr>"))
    assert dialog.request_uri == "sip:far@192.0.2.7:5080"
    assert dialog.next_hop.remote == ("192.0.2.8", 5070)


def test_strict_router() -> None:
    """A strict router becomes the Request-URI and the target the last route (12.2.1.1)."""
    dialog = incoming(("Record-Route", "<sip:192.0.2.8>, <sip:192.0.2.9;lr>"))
    assert dialog.request_uri == "sip:192.0.2.8"
    assert dialog.routes == ("<sip:192.0.2.9;lr>", "<sip:far@192.0.2.7:5080>")
    assert dialog.next_hop.remote == ("192.0.2.8", 5060)


@pytest.mark.parametrize(
    ("uri", "flow", "expected"),
    [
        ("sip:x@192.0.2.9", UDP, ("udp", ("192.0.2.9", 5060))),
        ("sip:x@192.0.2.9:5080;transport=UDP", UDP, ("udp", ("192.0.2.9", 5080))),
        ("sip:x@192.0.2.9;transport=Tcp", UDP, ("tcp", ("192.0.2.9", 5060))),
        ("sip:x@192.0.2.7:5080", TCP, ("tcp", ("192.0.2.7", 40_000))),
        ("sip:x@192.0.2.7:5080;transport=udp", TCP, ("udp", ("192.0.2.7", 5080))),
        ("sip:x@192.0.2.9:5080", TCP, ("tcp", ("192.0.2.9", 5080))),
        ("sip:x@phone.example", UDP, ("udp", ("192.0.2.7", 5060))),
        ("sip:x@192.0.2.9;transport=sctp", UDP, ("udp", ("192.0.2.7", 5060))),
        ("sips:x@192.0.2.9;transport=tls", UDP, ("udp", ("192.0.2.7", 5060))),
        ("sip:x@192.0.2.9;transport=tls", TCP, ("tcp", ("192.0.2.7", 40_000))),
        ("sip:x@192.0.2.7:5080", TLS, ("tls", ("192.0.2.7", 40_000))),
        ("sip:x@192.0.2.7:5080;transport=udp", TLS, ("tls", ("192.0.2.7", 40_000))),
        ("sip:x@192.0.2.9;transport=tcp", TLS, ("tls", ("192.0.2.9", 5061))),
        ("sips:x@192.0.2.9:5081", TLS, ("tls", ("192.0.2.9", 5081))),
        ("sip:x@[2001:DB8::9]:5080", V6, ("udp", ("2001:db8::9", 5080))),
        ("sip:x@[2001:db8::9]", UDP, ("udp", ("192.0.2.7", 5060))),
        ("sip:x@192.0.2.9", V6, ("udp", ("2001:db8::7", 5060))),
        ("sip:x@192.0.2.9;maddr=203.0.113.1", UDP, ("udp", ("192.0.2.9", 5060))),
    ],
)
def test_next_hop(uri: str, flow: Flow, expected: tuple[str, tuple[str, int]]) -> None:
    """Addresses are followed with their port and transport in any case; what we cannot reach keeps the flow.

    What began encrypted never leaves it.
    """
    hop = hop_to(parse_uri(uri), flow)
    assert (hop.transport, hop.remote) == expected


def test_target_refresh() -> None:
    """A new Contact is the target of later requests; none, or the same, changes nothing."""
    dialog = incoming()
    dialog.refresh_target(invite(contact="<sip:new@192.0.2.9>"))
    assert dialog.request_uri == "sip:new@192.0.2.9"
    assert dialog.next_hop.remote == ("192.0.2.9", 5060)
    dialog.refresh_target(answer())
    assert dialog.request_uri == "sip:new@192.0.2.9"


def test_useless_contact() -> None:
    """It is the peer's fault in a request, and ignored in an answer, which must be acknowledged anyway."""
    dialog = incoming()
    with pytest.raises(RemoteProtocolError):
        dialog.refresh_target(invite(contact="<tel:+14155550100>"))
    dialog.refresh_target(answer(("Contact", "<tel:+14155550100>")))
    assert dialog.request_uri == "sip:far@192.0.2.7:5080"


@pytest.mark.parametrize("contact", ["*", "<tel:+1>", "<http://x>", "<sip:a@h>, <sip:b@h>"])
def test_contact_must_be_one_sip_uri(contact: str) -> None:
    """Anything else is no target."""
    with pytest.raises(RemoteProtocolError):
        contact_of(invite(contact=contact))


def test_headers_in_a_contact_are_never_honoured() -> None:
    """Embedded headers are cut off (RFC 4475, 3.3.14)."""
    assert incoming(contact="<sip:x@192.0.2.9?Route=%3Csip:evil%3E>").request_uri == "sip:x@192.0.2.9"


def test_endless_route_sets() -> None:
    """An INVITE with too many routes, or one that is no SIP URI, is refused; such an answer loses its routes."""
    many = tuple(("Record-Route", f"<sip:192.0.2.{each};lr>") for each in range(ROUTE_COUNT_MAX + 1))
    odd = (("Record-Route", "<urn:x:y>"),)
    for routes in (many, odd):
        with pytest.raises(RemoteProtocolError):
            incoming(*routes)
        assert outgoing(*routes).routes == ()


def test_answer_without_contact() -> None:
    """The INVITE's own target serves then."""
    assert outgoing().request_uri == "sip:us@192.0.2.1"


def test_hosts() -> None:
    """A dialog's peer may speak from its flow, its target and its routes, as far as they are addresses."""
    dialog = incoming(
        ("Record-Route", "<sip:192.0.2.8;lr>, <sip:p.example;lr>"), contact="<sip:x@198.51.100.4>"
    )
    assert dialog.hosts == {"192.0.2.7", "192.0.2.8", "198.51.100.4"}


def test_leaving_a_lost_connection() -> None:
    """Requests go to where the next hop listens; a name keeps the flow."""
    dialog = incoming(flow=TCP)
    assert dialog.next_hop == TCP
    dialog.leave_flow()
    assert dialog.next_hop == Flow("tcp", TCP.local, ("192.0.2.7", 5080))
    encrypted = incoming(contact="<sip:far@192.0.2.7;transport=tls>", flow=TLS)
    encrypted.leave_flow()
    assert encrypted.next_hop == Flow("tls", TLS.local, ("192.0.2.7", 5061))
    named = incoming(contact="<sip:x@phone.example>", flow=TCP)
    named.leave_flow()
    assert named.next_hop == TCP


def test_early_dialog_confirmed_unchanged() -> None:
    """A 2xx that repeats the Contact confirms the early dialog; another Contact or a route makes a new one."""
    same, other = ("Contact", "<sip:far@192.0.2.7>"), ("Contact", "<sip:else@192.0.2.7>")
    dialog = outgoing(same)
    assert dialog.is_confirmed_by(answer(same))
    assert not dialog.is_confirmed_by(answer(other))
    assert not dialog.is_confirmed_by(answer(same, ("Record-Route", "<sip:192.0.2.8;lr>")))
    assert not dialog.is_confirmed_by(answer())


def test_snapshot_round_trip() -> None:
    """A dialog restored from its snapshot sends the same."""
    dialog = incoming(("Record-Route", "<sip:192.0.2.8;lr>"))
    again = Dialog.restore(dialog.snapshot())
    assert again.snapshot() == dialog.snapshot()
    assert (again.request_uri, again.routes, again.next_hop) == (
        dialog.request_uri,
        dialog.routes,
        dialog.next_hop,
    )


@pytest.mark.parametrize(
    ("host", "expected"), [("192.0.2.1", True), ("2001:db8::1", True), ("1x", False), ("", False)]
)
def test_address_or_name(host: str, *, expected: bool) -> None:
    """Addresses are told from names."""
    assert is_ip_address(host) is expected
