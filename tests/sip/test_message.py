from __future__ import annotations

import pytest

from maskline.sip.errors import RemoteProtocolError
from maskline.sip.headers import CSeq, Via
from maskline.sip.message import Headers, Request, Response

FULL = Headers(
    [
        ("v", "SIP/2.0/UDP a;branch=1, SIP/2.0/TCP b"),
        ("Via", "SIP/2.0/UDP c"),
        ("from", "<sip:a@h>;tag=1"),
        ("TO", "<sip:b@h>"),
        ("i", "id@h"),
        ("CSeq", "7 INVITE"),
        ("Contact", "<sip:x@h>, <sip:y@h>"),
        ("Max-Forwards", "070"),
        ("Subject", "one, two"),
    ]
)


def test_names_are_canonical() -> None:
    """Headers built by hand have canonical names, in their order."""
    assert [name for name, _ in FULL.items][:5] == ["Via", "Via", "From", "To", "Call-ID"]


def test_values_are_looked_up() -> None:
    """`get` gives the first raw value, `fields` each line, `all` each element of a list."""
    assert FULL.get("Via") == "SIP/2.0/UDP a;branch=1, SIP/2.0/TCP b"
    assert FULL.fields("Via") == ("SIP/2.0/UDP a;branch=1, SIP/2.0/TCP b", "SIP/2.0/UDP c")
    assert FULL.all("Via") == ("SIP/2.0/UDP a;branch=1", "SIP/2.0/TCP b", "SIP/2.0/UDP c")
    assert FULL.all("Subject") == ("one, two",)
    assert (FULL.get("Allow"), FULL.all("Allow"), "Allow" in FULL, "To" in FULL) == (None, (), False, True)
    assert len(FULL) == 9


def test_request_properties() -> None:
    """A request gives its parsed values."""
    request = Request("INVITE", "sip:b@h;user=phone", FULL)
    assert (request.via.host, request.from_.tag, request.to.tag) == ("a", "1", None)
    assert (request.call_id, request.cseq, request.max_forwards) == ("id@h", CSeq(7, "INVITE"), 70)
    assert request.target.user == "b"
    assert request.target is request.target
    assert request.contact is not None
    assert request.contact.uri.user == "x"
    assert [address.uri.user for address in FULL.addresses("Contact")] == ["x", "y"]


def test_absent_values_are_the_peers_fault() -> None:
    """Reading what is not there is a 400, except where it may be absent."""
    message = Response(200, "OK", Headers())
    for name in ("via", "from_", "to", "call_id", "cseq"):
        with pytest.raises(RemoteProtocolError) as caught:
            getattr(message, name)
        assert caught.value.status_hint == 400
    assert message.contact is None
    assert Response(200, "OK", Headers([("m", "*")])).contact is None
    assert Request("BYE", "sip:h", Headers()).max_forwards is None


def test_target_of_another_scheme() -> None:
    """A Request-URI of another scheme is a 416 when it is read."""
    with pytest.raises(RemoteProtocolError) as caught:
        _ = Request("INVITE", "http://h", FULL).target
    assert caught.value.status_hint == 416


def test_topmost_via_is_replaced() -> None:
    """Replacing the topmost Via leaves all others, and the old headers, as they were."""
    before = FULL.items
    changed = FULL.with_top_via(Via(transport="UDP", host="z"))
    assert changed.all("Via") == ("SIP/2.0/UDP z", "SIP/2.0/TCP b", "SIP/2.0/UDP c")
    assert changed == Headers([("Via", "SIP/2.0/UDP z, SIP/2.0/TCP b"), *FULL.items[1:]])
    assert (changed.via.host, changed.from_, changed.to, changed.cseq) == (
        "z",
        FULL.from_,
        FULL.to,
        FULL.cseq,
    )
    assert changed.addresses("Contact") == FULL.addresses("Contact")
    assert (FULL.items, FULL.via.host) == (before, "a")
    with pytest.raises(RemoteProtocolError):
        Headers().with_top_via(changed.via)


def test_top_element_is_replaced() -> None:
    """The first element of any field can be replaced; of a field that is no list, the whole of it."""
    assert FULL.with_top("Contact", "<sip:z@h>").all("Contact") == ("<sip:z@h>", "<sip:y@h>")
    assert FULL.with_top("Subject", "three").get("Subject") == "three"
    with pytest.raises(KeyError):
        FULL.with_top("Allow", "X")


def test_other_headers_leave_the_request() -> None:
    """A request with other fields keeps method, Request-URI and body."""
    request = Request("BYE", "sip:b@h", FULL, b"x")
    assert request.target.user == "b"
    changed = request.with_headers(Headers())
    assert changed == Request("BYE", "sip:b@h", Headers(), b"x")
    assert changed.target is request.target


def test_messages_are_values() -> None:
    """Equal content is equal and hashes alike; what was read before makes no difference."""
    one, other = Request("INVITE", "sip:b@h", FULL), Request("INVITE", "sip:b@h", Headers(FULL.items))
    assert one.target.host == "h"
    assert one == other
    assert hash(one) == hash(other)
    assert one != Request("INVITE", "sip:b@h", FULL, b"x")
    assert FULL != "headers"


def test_representation_shows_no_values() -> None:
    """A stray log line of a message shows no number."""
    headers = Headers([("From", "<sip:+919812345678@h>")])
    assert "98123" not in repr(Request("INVITE", "sip:+919812345678@h", headers, b"+919812345678"))
    assert "98123" not in repr(Response(200, "+919812345678", headers, b"+919812345678"))
