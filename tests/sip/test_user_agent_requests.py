"""OPTIONS and REGISTER."""

import pytest
from tests.sip.rig import Party, Wire, uri_of, wired

from maskline.sip import events as on
from maskline.sip.errors import LocalProtocolError
from maskline.sip.user_agent import Credentials, OutgoingRequest


def request(party: Party, wire: Wire, method: str = "OPTIONS", **more: object) -> OutgoingRequest:
    return OutgoingRequest(
        method=method,
        flow=party.flow(wire),
        request_uri=uri_of(wire, ""),
        from_uri=uri_of(party, "us"),
        to_uri=uri_of(wire, "them"),
        **more,  # type: ignore[arg-type]
    )


def test_options_and_its_answer() -> None:
    """The status of the first final answer is reported, once; 100 is not one."""
    network, wire, party = wired()
    number = party.agent.send_request(request(party, wire), 0)
    network.run(until=0)
    options = wire.last("OPTIONS")
    assert options.headers.get("Accept") == "application/sdp"
    for status in (100, 404, 200):
        wire.answer(party, status, options)
        network.run(until=0)
    assert party.take_all() == [on.RequestAnswered(request=number, status=404)]
    assert not party.agent._core.known_hosts


def test_silence_is_408() -> None:
    """A peer that does not answer is reported after 64*T1, and nothing is left."""
    network, wire, party = wired()
    number = party.agent.send_request(request(party, wire), 0)
    network.run(until=32)
    assert party.take_all() == [on.RequestAnswered(request=number, status=408)]
    assert party.agent.transaction_count == 0


def test_register_with_digest() -> None:
    """REGISTER carries Contact and Expires; a challenge is answered in the same call with the next number."""
    network, wire, party = wired()
    credentials = Credentials(username="us", password="secret")
    out = request(party, wire, "REGISTER", contact_user="us", expires_s=60, credentials=credentials)
    number = party.agent.send_request(out, 0)
    network.run(until=0)
    first = wire.last("REGISTER")
    assert first.headers.get("Contact") == "<sip:us@192.0.2.1:5060>"
    assert first.headers.get("Expires") == "60"
    wire.answer(party, 401, first, extra='WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\n')
    network.run(until=0)
    again = wire.last("REGISTER")
    assert (again.call_id, again.cseq.number) == (first.call_id, 2)
    assert again.headers.get("Authorization")
    wire.answer(party, 200, again)
    network.run(until=0)
    assert party.take_all() == [on.RequestAnswered(request=number, status=200)]


def test_challenge_without_credentials() -> None:
    """It is reported as it is."""
    network, wire, party = wired()
    party.agent.send_request(request(party, wire), 0)
    network.run(until=0)
    wire.answer(party, 401, wire.last("OPTIONS"), extra='WWW-Authenticate: Digest realm="r", nonce="n"\n')
    network.run(until=0)
    assert party.take(on.RequestAnswered).status == 401


def test_other_methods_have_no_business_here() -> None:
    """INVITE and BYE are not sent outside legs."""
    _, wire, party = wired()
    with pytest.raises(LocalProtocolError):
        party.agent.send_request(request(party, wire, "BYE"), 0)


def test_requests_under_way_are_counted() -> None:
    """The count goes back to nothing with the answers; a late answer finds nobody."""
    network, wire, party = wired()
    party.agent.send_request(request(party, wire), 0)
    assert len(party.agent._requests) == 1
    network.run(until=0)
    wire.answer(party, 200, wire.last("OPTIONS"))
    network.run(until=0)
    assert len(party.agent._requests) == 0


OURS = "<sip:us@192.0.2.1:5060>"


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("", (None, None, None)),
        ("Expires: 120\n", (120, None, None)),
        (f"Contact: {OURS};expires=90\nExpires: 120\n", (90, None, None)),
        (f"Contact: <sip:other@192.0.2.1:5060>;expires=9, {OURS};expires=90\n", (90, None, None)),
        ("Contact: <sip:a@192.0.2.1>;expires=9, <sip:b@192.0.2.1>;expires=9\n", (None, None, None)),
        ("Contact: <sip:us@203.0.113.9:1024>;expires=60\n", (60, None, None)),
        (f"Contact: {OURS}\nExpires: 120\n", (120, None, None)),
        (f"Contact: {OURS};expires=soon\nExpires: 120\n", (None, None, None)),
        ("Contact: *\nExpires: 120\n", (120, None, None)),
        ("Min-Expires: 3600\n", (None, 3600, None)),
        ("Retry-After: 30 (soon);duration=9\n", (None, None, 30)),
    ],
)
def test_what_a_registrar_says(extra: str, expected: tuple[int | None, int | None, int | None]) -> None:
    """How long our own Contact is kept, how long one has to ask for, when to come again; nonsense is nothing."""
    network, wire, party = wired()
    party.agent.send_request(request(party, wire, "REGISTER", contact_user="us", expires_s=600), 0)
    network.run(until=0)
    wire.answer(party, 200, wire.last("REGISTER"), extra=extra)
    network.run(until=0)
    answered = party.take(on.RequestAnswered)
    assert (answered.expires_s, answered.min_expires_s, answered.retry_after_s) == expected


def test_a_binding_is_renewed_in_its_own_conversation() -> None:
    """Call-ID and CSeq go on where the last REGISTER left them."""
    network, wire, party = wired()
    party.agent.send_request(request(party, wire, "REGISTER", contact_user="us", call_id="mine", seq=7), 0)
    network.run(until=0)
    assert (wire.last("REGISTER").call_id, wire.last("REGISTER").cseq.number) == ("mine", 7)


def test_a_user_name_is_escaped_in_the_contact() -> None:
    """A carrier may use an address as user name."""
    network, wire, party = wired()
    party.agent.send_request(
        request(party, wire, "REGISTER", contact_user="us@carrier.example", expires_s=60), 0
    )
    network.run(until=0)
    assert wire.last("REGISTER").headers.get("Contact") == "<sip:us%40carrier.example@192.0.2.1:5060>"
    extra = (
        "Contact: <sip:us%40carrier.example@192.0.2.1:5060>;expires=30, <sip:x@192.0.2.1:5060>;expires=9\n"
    )
    wire.answer(party, 200, wire.last("REGISTER"), extra=extra)
    network.run(until=0)
    assert party.take(on.RequestAnswered).expires_s == 30
