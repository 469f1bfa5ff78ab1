"""The sandbox carrier: registrar and stateless proxy between phones and switch."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.core.numbers import E164
from maskline.engine import sandbox_carrier
from maskline.engine.sandbox_carrier import (
    EXPIRES_S_DEFAULT,
    EXPIRES_S_MAX,
    Address,
    Datagram,
    SandboxCarrier,
)
from maskline.sip.message import Headers, Message, Request, Response
from maskline.sip.parser import parse_datagram
from maskline.sip.render import render

CARRIER = ("127.0.0.1", 5070)
SWITCH = ("127.0.0.1", 5060)
PHONE = ("127.0.0.1", 40_001)
OTHER = ("127.0.0.2", 40_002)
NUMBER, OTHER_NUMBER, VIRTUAL = "+919812300001", "+919812300002", "+912249370001"
SDP = b"v=0\r\n"


def _carrier() -> SandboxCarrier:
    return SandboxCarrier(address=CARRIER, switch=SWITCH, country="IN")


def _request(
    method: str,
    uri: str = f"sip:{VIRTUAL}@127.0.0.1:5070",
    *extra: tuple[str, str],
    from_: str = f"<sip:{NUMBER}@127.0.0.1:5070>;tag=f1",
    to: str = f"<sip:{VIRTUAL}@127.0.0.1:5070>",
    branch: str = "z9hG4bKone",
    sent_by: Address = PHONE,
    body: bytes = b"",
) -> bytes:
    items = [
        ("Via", f"SIP/2.0/UDP {sent_by[0]}:{sent_by[1]};branch={branch}"),
        ("From", from_),
        ("To", to),
        ("Call-ID", "call-1"),
        ("CSeq", f"1 {method}"),
        *(() if any(name == "Max-Forwards" for name, _ in extra) else (("Max-Forwards", "70"),)),
        *extra,
    ]
    return render(Request(method, uri, Headers(items), body))


def _register(number: str, *contacts: str, expires: str | None = None, source: Address = PHONE) -> bytes:
    fields = [("Contact", contact) for contact in contacts]
    if expires is not None:
        fields.append(("Expires", expires))
    address = f"<sip:{number}@127.0.0.1:5070>"
    return _request("REGISTER", "sip:127.0.0.1:5070", *fields, from_=f"{address};tag=r", to=address)


def _contact(number: str = NUMBER, source: Address = PHONE) -> str:
    return f"<sip:{number}@{source[0]}:{source[1]};ob>"


def _with_phones(*numbers_at: tuple[str, Address]) -> SandboxCarrier:
    carrier = _carrier()
    for number, source in numbers_at or ((NUMBER, PHONE),):
        carrier.handle(_register(number, _contact(number, source)), source, 0.0)
    return carrier


def _only(datagrams: list[Datagram]) -> tuple[Message, Address]:
    ((data, target),) = datagrams
    return parse_datagram(data), target


def _status(datagrams: list[Datagram]) -> int:
    message, _ = _only(datagrams)
    assert isinstance(message, Response)
    return message.status


def _forwarded(datagrams: list[Datagram]) -> tuple[Request, Address]:
    message, target = _only(datagrams)
    assert isinstance(message, Request)
    return message, target


# --- registrar ----------------------------------------------------------------------------------------------


def test_a_phone_registers_with_its_number() -> None:
    """The answer goes where the request came from and names the contact and how long it lasts."""
    carrier = _carrier()
    answer, target = _only(carrier.handle(_register(NUMBER, _contact()), PHONE, 10.0))
    assert isinstance(answer, Response)
    assert (answer.status, target) == (200, PHONE)
    assert answer.headers.all("Contact") == (f"{_contact()};expires={EXPIRES_S_DEFAULT}",)
    assert answer.via.received == PHONE[0]
    assert answer.via.rport == PHONE[1]
    assert answer.to.tag is not None
    assert carrier.registrations[E164(NUMBER)].source == PHONE


@pytest.mark.parametrize("user", [NUMBER, "919812300001", "09812300001", "9812300001"])
def test_a_number_may_be_written_as_in_the_country(user: str) -> None:
    """What a person types into a softphone is one number."""
    carrier = _carrier()
    assert _status(carrier.handle(_register(user, _contact()), PHONE, 0.0)) == 200
    assert list(carrier.registrations) == [E164(NUMBER)]


@pytest.mark.parametrize("user", ["alice", "12", "anonymous"])
def test_a_name_that_is_no_number_cannot_register(user: str) -> None:
    """The carrier serves numbers only."""
    carrier = _carrier()
    assert _status(carrier.handle(_register(user, _contact()), PHONE, 0.0)) == 404
    assert carrier.registrations == {}


@pytest.mark.parametrize(
    ("contact", "expires", "lasts_s"),
    [
        (_contact(), None, EXPIRES_S_DEFAULT),
        (_contact(), "60", 60),
        (f"{_contact()};expires=30", "60", 30),
        (_contact(), "4294967295", EXPIRES_S_MAX),
        (_contact(), "0", 0),
        (f"{_contact()};expires=0", "60", 0),
    ],
)
def test_a_registration_lasts_as_asked(contact: str, expires: str | None, lasts_s: int) -> None:
    """The contact's own expiry goes before the field's; both are bounded; 0 ends it."""
    carrier = _with_phones()
    carrier.handle(_register(NUMBER, contact, expires=expires), PHONE, 0.0)
    call = _request("INVITE")
    if lasts_s:
        assert _forwarded(carrier.handle(call, PHONE, lasts_s - 0.001))[1] == SWITCH
    assert _status(carrier.handle(call, PHONE, float(lasts_s))) == 403


def test_a_registration_is_refreshed() -> None:
    """A repeated REGISTER counts from itself."""
    carrier = _with_phones()
    carrier.handle(_register(NUMBER, _contact(), expires="60"), PHONE, 0.0)
    carrier.handle(_register(NUMBER, _contact(), expires="60"), PHONE, 50.0)
    assert _forwarded(carrier.handle(_request("INVITE"), PHONE, 100.0))[1] == SWITCH


def test_a_query_tells_and_changes_nothing() -> None:
    """A REGISTER without Contact asks what is there (RFC 3261 section 10.2.3)."""
    carrier = _with_phones()
    answer, _ = _only(carrier.handle(_register(NUMBER), PHONE, 100.0))
    assert answer.headers.all("Contact") == (f"{_contact()};expires={EXPIRES_S_DEFAULT - 100}",)
    answer, _ = _only(carrier.handle(_register(OTHER_NUMBER), PHONE, 100.0))
    assert answer.headers.all("Contact") == ()


def test_a_star_ends_the_registration_with_expires_0_only() -> None:
    """RFC 3261 section 10.3, step 6."""
    carrier = _with_phones()
    assert _status(carrier.handle(_register(NUMBER, "*"), PHONE, 0.0)) == 400
    assert _status(carrier.handle(_register(NUMBER, "*", expires="60"), PHONE, 0.0)) == 400
    assert len(carrier.registrations) == 1
    assert _status(carrier.handle(_register(NUMBER, "*", expires="0"), PHONE, 0.0)) == 200
    assert carrier.registrations == {}


def test_a_phone_that_moved_may_remove_its_old_contact_in_one_request() -> None:
    """Softphones that change their address send the old contact with expires=0 beside the new one."""
    old, new = _contact(), _contact(NUMBER, OTHER)
    for contacts in ((f"{old};expires=0", new), (new, f"{old};expires=0")):
        carrier = _with_phones()
        assert _status(carrier.handle(_register(NUMBER, *contacts), OTHER, 0.0)) == 200
        assert carrier.registrations[E164(NUMBER)].source == OTHER


def test_removing_another_contact_leaves_this_one() -> None:
    """A late unregister of an earlier life does not end the present one."""
    carrier = _with_phones()
    carrier.handle(_register(NUMBER, f"{_contact(NUMBER, OTHER)};expires=0"), OTHER, 0.0)
    assert carrier.registrations[E164(NUMBER)].source == PHONE


@pytest.mark.parametrize("contact", ["<mailto:a@b>", "<tel:+919812300001>", "<sips:a@127.0.0.1>"])
def test_a_contact_that_cannot_be_reached_is_refused(contact: str) -> None:
    """There is only UDP here."""
    carrier = _carrier()
    assert _status(carrier.handle(_register(NUMBER, contact), PHONE, 0.0)) == 400
    assert carrier.registrations == {}


def test_registrations_are_bounded_and_ended_ones_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many gets 503, a known number never; what expired counts no more."""
    monkeypatch.setattr(sandbox_carrier, "REGISTRATION_COUNT_MAX", 2)
    carrier = _with_phones((NUMBER, PHONE), (OTHER_NUMBER, OTHER))
    third = _register("+919812300003", _contact())
    assert _status(carrier.handle(third, PHONE, 0.0)) == 503
    assert _status(carrier.handle(_register(NUMBER, _contact()), PHONE, 3000.0)) == 200
    assert _status(carrier.handle(third, PHONE, 3700.0)) == 200
    assert set(carrier.registrations) == {E164(NUMBER), E164("+919812300003")}


# --- from a phone to the switch -----------------------------------------------------------------------------


def test_a_phones_call_reaches_the_switch_with_its_number_asserted() -> None:
    """As from a carrier: asserted identity, two Vias, Record-Route, one hop less; the rest as it was."""
    carrier = _with_phones()
    lie = ("P-Asserted-Identity", "<sip:+919999999999@127.0.0.1>")
    wish = ("P-Preferred-Identity", "<sip:+918888888888@127.0.0.1>")
    data = _request("INVITE", f"sip:{VIRTUAL}@127.0.0.1:5070", lie, wish, ("X-Own", "kept"), body=SDP)
    request, target = _forwarded(carrier.handle(data, PHONE, 0.0))
    assert target == SWITCH
    assert request.uri == f"sip:{VIRTUAL}@127.0.0.1:5070"
    assert request.headers.all("P-Asserted-Identity") == (f"<sip:{NUMBER}@127.0.0.1>",)
    assert "P-Preferred-Identity" not in request.headers
    assert request.headers.all("Record-Route") == ("<sip:127.0.0.1:5070;lr>",)
    assert request.max_forwards == 69
    assert (request.headers.get("X-Own"), request.body) == ("kept", SDP)
    top, below = request.headers.all("Via")
    assert top.startswith("SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK")
    assert below == "SIP/2.0/UDP 127.0.0.1:40001;branch=z9hG4bKone;received=127.0.0.1;rport=40001"


def test_compact_and_odd_spellings_of_an_assertion_are_dropped_too() -> None:
    """A phone cannot assert by writing the name in another case."""
    data = _request("INVITE").replace(b"CSeq", b"p-asserted-IDENTITY: <sip:+919999999999@h>\r\nCSeq")
    request, _ = _forwarded(_with_phones().handle(data, PHONE, 0.0))
    assert request.headers.all("P-Asserted-Identity") == (f"<sip:{NUMBER}@127.0.0.1>",)


def test_a_softphone_with_two_accounts_calls_as_the_one_it_names() -> None:
    """Both accounts are registered from one socket; From says which of them calls."""
    carrier = _with_phones((NUMBER, PHONE), (OTHER_NUMBER, PHONE))
    for number in (NUMBER, OTHER_NUMBER):
        data = _request("INVITE", from_=f"<sip:{number}@127.0.0.1>;tag=f1")
        request, _ = _forwarded(carrier.handle(data, PHONE, 0.0))
        assert request.headers.all("P-Asserted-Identity") == (f"<sip:{number}@127.0.0.1>",)


def test_a_from_that_is_not_registered_there_counts_for_nothing() -> None:
    """A phone cannot call in another phone's name."""
    carrier = _with_phones((NUMBER, PHONE), (OTHER_NUMBER, OTHER))
    data = _request("INVITE", from_=f"<sip:{OTHER_NUMBER}@127.0.0.1>;tag=f1")
    request, _ = _forwarded(carrier.handle(data, PHONE, 0.0))
    assert request.headers.all("P-Asserted-Identity") == (f"<sip:{NUMBER}@127.0.0.1>",)


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "CANCEL"])
def test_a_stranger_is_forbidden(method: str) -> None:
    """Who is not registered calls nobody."""
    answer, target = _only(_with_phones().handle(_request(method), OTHER, 0.0))
    assert isinstance(answer, Response)
    assert (answer.status, target) == (403, OTHER)


def test_the_ack_of_our_own_refusal_ends_here() -> None:
    """The switch has nothing to do with a 403 of the carrier."""
    carrier = _carrier()
    answer, _ = _only(carrier.handle(_request("INVITE"), PHONE, 0.0))
    ack = _request("ACK", to=answer.headers.get("To") or "")
    assert carrier.handle(ack, PHONE, 0.0) == []
    assert carrier.handle(_request("ACK"), PHONE, 0.0) == []


def test_repetition_cancel_and_ack_of_a_failure_share_the_branch() -> None:
    """Without state, the branch follows from the request; another request has another one."""
    carrier = _with_phones()

    def branch(data: bytes) -> str | None:
        request, target = _forwarded(carrier.handle(data, PHONE, 0.0))
        assert target == SWITCH
        return request.via.branch

    invite = branch(_request("INVITE"))
    assert branch(_request("INVITE")) == invite
    assert branch(_request("CANCEL")) == invite
    assert branch(_request("ACK", to=f"<sip:{VIRTUAL}@127.0.0.1:5070>;tag=theirs")) == invite
    assert branch(_request("INVITE", branch="z9hG4bKtwo")) != invite


def test_hops_run_out() -> None:
    """Max-Forwards 0 gets 483, but an ACK never gets an answer; a missing field counts as 70."""
    carrier = _with_phones()
    none_left = ("Max-Forwards", "0")
    uri = f"sip:{VIRTUAL}@127.0.0.1:5070"
    assert _status(carrier.handle(_request("INVITE", uri, none_left), PHONE, 0.0)) == 483
    assert carrier.handle(_request("ACK", uri, none_left), PHONE, 0.0) == []
    data = _request("INVITE").replace(b"Max-Forwards: 70\r\n", b"")
    assert _forwarded(carrier.handle(data, PHONE, 0.0))[0].max_forwards == 69


# --- from the switch to a phone -----------------------------------------------------------------------------


def test_a_call_of_the_switch_reaches_the_phone_registered_under_the_number() -> None:
    """The Request-URI becomes the phone's contact; the datagram goes where it registered from."""
    carrier = _with_phones()
    data = _request("INVITE", f"sip:{NUMBER}@127.0.0.1:5070", sent_by=SWITCH, body=SDP)
    request, target = _forwarded(carrier.handle(data, SWITCH, 0.0))
    assert target == PHONE
    assert request.uri == f"sip:{NUMBER}@127.0.0.1:40001;ob"
    assert request.headers.all("Record-Route") == ("<sip:127.0.0.1:5070;lr>",)
    assert request.body == SDP


@pytest.mark.parametrize("uri", [f"sip:{OTHER_NUMBER}@127.0.0.1:5070", "sip:alice@127.0.0.1:5070"])
def test_a_number_nobody_registered_is_not_found(uri: str) -> None:
    """As a carrier says of an unallocated number; never for an ACK."""
    carrier = _with_phones()
    assert _status(carrier.handle(_request("INVITE", uri, sent_by=SWITCH), SWITCH, 0.0)) == 404
    assert carrier.handle(_request("ACK", uri, sent_by=SWITCH), SWITCH, 0.0) == []


def test_a_request_in_a_dialog_follows_the_contact() -> None:
    """Even one the phone took for this dialog alone; our own Route is taken off, Record-Route not added."""
    carrier = _with_phones()
    route = ("Route", "<sip:127.0.0.1:5070;lr>")
    for uri, expected in (
        (f"sip:{NUMBER}@127.0.0.1:40001;ob", PHONE),
        ("sip:x@127.0.0.9:4444", ("127.0.0.9", 4444)),
    ):
        data = _request("BYE", uri, route, to="<sip:a@b>;tag=t", sent_by=SWITCH)
        request, target = _forwarded(carrier.handle(data, SWITCH, 0.0))
        assert (request.uri, target) == (uri, expected)
        assert "Route" not in request.headers
        assert "Record-Route" not in request.headers


@pytest.mark.parametrize(
    "uri",
    [
        "sip:x@127.0.0.1:5060",
        "sip:x@127.0.0.1:5070",
        "sip:x@localhost:5070",
        "sip:x@phone.example",
        "sip:x@[::1]:9",
    ],
)
def test_no_contact_makes_the_carrier_talk_to_itself(uri: str) -> None:
    """A dialog whose other end claims to be the switch, the carrier, a name or on IPv6 leads nowhere."""
    carrier = _with_phones()
    data = _request("BYE", uri, to="<sip:a@b>;tag=t", sent_by=SWITCH)
    for reply, target in carrier.handle(data, SWITCH, 0.0):
        assert isinstance(parse_datagram(reply), Response)
        assert target == SWITCH


# --- answers ------------------------------------------------------------------------------------------------


def test_an_answer_goes_back_the_way_the_request_came() -> None:
    """The topmost Via is taken off; the next one says where to."""
    carrier = _with_phones()
    request, _ = _forwarded(carrier.handle(_request("INVITE"), PHONE, 0.0))
    items = [item for item in request.headers.items if item[0] in {"Via", "From", "To", "Call-ID", "CSeq"}]
    data = render(Response(180, "Ringing", Headers(items)))
    answer, target = _only(carrier.handle(data, SWITCH, 0.0))
    assert isinstance(answer, Response)
    assert (answer.status, target) == (180, PHONE)
    assert len(answer.headers.all("Via")) == 1


@pytest.mark.parametrize(
    "vias",
    [
        "SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa",
        "SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKa, SIP/2.0/UDP 127.0.0.1:40001;branch=z9hG4bKb",
        "SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa, SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKb",
        "SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa, SIP/2.0/UDP h;branch=z9hG4bKb;received=127.0.0.1;rport=5070",
        "SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa, SIP/2.0/UDP phone.example;branch=z9hG4bKb",
    ],
)
def test_an_answer_that_is_not_ours_to_pass_is_dropped(vias: str) -> None:
    """Of another proxy, to nobody, to ourselves, to a name."""
    items = [("Via", vias), ("From", "<sip:a@b>;tag=1"), ("To", "<sip:a@b>;tag=2")]
    data = render(Response(200, "OK", Headers([*items, ("Call-ID", "c"), ("CSeq", "1 INVITE")])))
    assert _with_phones().handle(data, SWITCH, 0.0) == []


# --- whatever comes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"hello", b"INVITE sip:x SIP/2.0\r\n\r\n", bytes(100)])
def test_malformed_datagrams_are_dropped(data: bytes) -> None:
    """Keep-alives and noise get no answer."""
    assert _with_phones().handle(data, PHONE, 0.0) == []


_SOURCES = st.sampled_from([PHONE, OTHER, SWITCH, CARRIER, ("127.0.0.3", 1)])
_URIS = st.sampled_from(
    [
        f"sip:{VIRTUAL}@127.0.0.1:5070",
        f"sip:{NUMBER}@127.0.0.1:5070",
        f"sip:{NUMBER}@127.0.0.1:40001;ob",
        "sip:127.0.0.1:5070",
        "sip:x@127.0.0.1:5060",
        "sip:x@name.example",
        "tel:+919812300001",
        "urn:x:y",
        "nonsense",
    ]
)
_ROUTES = st.lists(
    st.sampled_from(
        ["<sip:127.0.0.1:5070;lr>", "<sip:127.0.0.1:5060;lr>", "<sip:name.example>", "<urn:x:y>"]
    ),
    max_size=3,
).map(lambda routes: [("Route", route) for route in routes])


@settings(max_examples=400)
@given(
    method=st.sampled_from(["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "FOO"]),
    uri=_URIS,
    contact=_URIS,
    source=_SOURCES,
    routes=_ROUTES,
    tag=st.sampled_from(["", ";tag=t"]),
    cut=st.none() | st.integers(0, 600),
)
def test_nothing_makes_it_raise_or_talk_to_itself(
    *,
    method: str,
    uri: str,
    contact: str,
    source: Address,
    routes: list[tuple[str, str]],
    tag: str,
    cut: int | None,
) -> None:
    """Whatever comes, one datagram at most goes out: to the sender, the switch or a phone, never to itself."""
    carrier = _with_phones((NUMBER, PHONE), (OTHER_NUMBER, OTHER))
    extra = [*routes, ("Contact", f"<{contact}>")]
    data = _request(method, uri, *extra, to=f"<sip:{NUMBER}@127.0.0.1:5070>{tag}", sent_by=source)
    sent = carrier.handle(data if cut is None else data[:cut], source, 1.0)
    assert len(sent) <= 1
    for reply, target in sent:
        assert target != CARRIER
        message = parse_datagram(reply)
        if isinstance(message, Request):
            assert (target == SWITCH) is (source != SWITCH)
        else:
            assert target == source
            assert method != "ACK"


def test_it_works_on_ipv6() -> None:
    """Addresses stand in brackets where URIs and Vias want them."""
    address, switch, phone = ("::1", 5070), ("::1", 5060), ("::1", 40_001)
    carrier = SandboxCarrier(address=address, switch=switch, country="IN")
    contact = f"<sip:{NUMBER}@[::1]:40001>"
    assert _status(carrier.handle(_register(NUMBER, contact), phone, 0.0)) == 200
    request, target = _forwarded(carrier.handle(_request("INVITE"), phone, 0.0))
    assert target == switch
    assert request.headers.all("Record-Route") == ("<sip:[::1]:5070;lr>",)
    assert (request.via.host, request.via.port) == address
