"""What arrives: trust, matching, screening, order, TCP, and bytes that are no SIP."""

import pytest
from tests.sip.rig import ANSWER, OFFER, Party, Wire, calling, pair, wired

from maskline.sip import events as on
from maskline.sip.user_agent import Flow, UserAgentSettings
from maskline.testing.network import Impairment, VirtualNetwork


def guarded(
    *, trusted: frozenset[str] = frozenset({"192.0.2.7"})
) -> tuple[VirtualNetwork, Wire, Wire, Party]:
    """A trusted peer, a stranger, and a party that knows the difference."""
    network = VirtualNetwork()
    return (
        network,
        Wire(network, "192.0.2.7"),
        Wire(network, "203.0.113.66"),
        Party(network, "192.0.2.1", trusted=trusted),
    )


METHODS = ["INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "MESSAGE", "WHATEVER", "UPDATE", "INFO", "PRACK"]


@pytest.mark.parametrize("method", METHODS)
def test_strangers_get_no_answer(method: str) -> None:
    """No request of an address that is not trusted is answered or reported."""
    network, _, stranger, party = guarded()
    stranger.request(method, party)
    stranger.request(method, party, to_tag="x", branch="z9hG4bKtwo")
    stranger.send("garbage", party)
    network.run(until=40)
    assert stranger.received == []
    assert party.take_all() == []
    assert party.agent.transaction_count == 0


def test_trusted_hosts_of_another_peer_are_not_heard_in_a_dialog() -> None:
    """Whoever is trusted for other calls gets 481 in this one, however well the dialog is known there."""
    network, wire, other, party = guarded(trusted=frozenset({"192.0.2.7", "203.0.113.66"}))
    party.agent._core.are_peers = lambda host, hosts: host in hosts
    wire.invite(party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.answer(leg, ANSWER, network.now)
    network.run(until=0)
    tag = wire.last_response().to.tag or ""
    other.request("ACK", party, to_tag=tag, branch="z9hG4bKa")
    other.request("BYE", party, seq=2, to_tag=tag, branch="z9hG4bKbye")
    network.run(until=0)
    assert other.lines() == ["481 BYE"]
    assert party.take_all() == []
    wire.request("BYE", party, seq=3, to_tag=tag, branch="z9hG4bKown")
    network.run(until=0)
    assert wire.lines()[-1] == "200 BYE"


@pytest.mark.parametrize("is_trusted", [True, False])
def test_only_the_peer_of_an_invite_cancels_it(*, is_trusted: bool) -> None:
    """A CANCEL that guessed the branch ends nothing from another address, and does not spoil the caller's own."""
    trusted = {"192.0.2.7", "203.0.113.66"} if is_trusted else {"192.0.2.7"}
    network, wire, other, party = guarded(trusted=frozenset(trusted))
    party.agent._core.are_peers = lambda host, hosts: host in hosts
    wire.invite(party)
    network.run(until=0)
    party.agent.ring(party.take(on.IncomingInvite).leg, 0)
    via = "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKone;rport"
    other.request("CANCEL", party, via=via)
    network.run(until=0)
    assert other.lines() == (["481 CANCEL"] if is_trusted else [])
    assert party.take_all() == []
    wire.request("CANCEL", party)
    network.run(until=0)
    assert wire.lines() == ["180 INVITE", "200 CANCEL", "487 INVITE"]


def test_another_address_of_the_same_peer_may_cancel() -> None:
    """A carrier that signals from several addresses may send the CANCEL from another one than the INVITE."""
    network, wire, other, party = guarded(trusted=frozenset({"192.0.2.7", "203.0.113.66"}))
    party.agent._core.are_peers = lambda _host, hosts: hosts == {"192.0.2.7"}
    wire.invite(party)
    network.run(until=0)
    other.request("CANCEL", party, via="SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKone;rport")
    network.run(until=0)
    assert other.lines() == ["200 CANCEL"]
    assert wire.lines() == ["487 INVITE"]


def test_strangers_in_a_route_of_the_dialog_are_heard() -> None:
    """The target of a dialog may end it although it is not trusted; it may begin nothing, and others may not."""
    network, wire, stranger, party = guarded()
    wire.invite(party, contact="<sip:x@203.0.113.66>")
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.answer(leg, ANSWER, network.now)
    network.run(until=0)
    tag = wire.last_response().to.tag or ""
    stranger.invite(party, call_id="new", branch="z9hG4bKnew")
    stranger.request("OPTIONS", party, call_id="new", branch="z9hG4bKo")
    stranger.request("BYE", party, call_id="other", to_tag=tag, branch="z9hG4bKb")
    network.run(until=0)
    assert stranger.received == []
    stranger.request("ACK", party, to_tag=tag, branch="z9hG4bKa")
    stranger.request("BYE", party, seq=2, to_tag=tag, branch="z9hG4bKbye")
    network.run(until=0)
    assert stranger.lines() == ["200 BYE"]
    stranger.request("BYE", party, seq=2, to_tag=tag, branch="z9hG4bKbye")
    network.run(until=1)
    assert stranger.lines() == ["200 BYE"] * 2
    network.run(until=100)
    stranger.request("BYE", party, seq=2, to_tag=tag, branch="z9hG4bKbye")
    network.run(until=100)
    assert len(stranger.lines()) == 2


REFUSALS = {
    "REGISTER": (405, "Allow"),
    "MESSAGE": (405, "Allow"),
    "SUBSCRIBE": (405, "Allow"),
    "NOTIFY": (405, "Allow"),
    "PUBLISH": (405, "Allow"),
    "REFER": (603, None),
    "PRACK": (481, None),
    "BYE": (481, None),
    "UPDATE": (481, None),
    "INFO": (481, None),
    "!interesting-Method0123456789_*+`.%indeed'~": (501, "Allow"),
}


@pytest.mark.parametrize("method", REFUSALS)
def test_methods_without_a_leg(method: str) -> None:
    """Each method we do not serve, or serve only in a dialog, has its answer, and no event."""
    status, header = REFUSALS[method]
    network, wire, party = wired()
    wire.request(method, party)
    network.run(until=0)
    assert wire.last_status() == status
    assert header is None or wire.last_response().headers.get(header)
    assert wire.last_response().to.tag
    assert party.take_all() == []


def test_options_is_answered_the_same_always() -> None:
    """OPTIONS gets 200 with Allow, Accept and Supported, and nothing about calls or load."""
    network, wire, party = wired()
    wire.request("OPTIONS", party)
    network.run(until=0)
    wire.invite(party, branch="z9hG4bKi", call_id="c2")
    wire.request("OPTIONS", party, branch="z9hG4bKtwo", seq=2)
    network.run(until=0)
    one, two = (each.headers.items for each in wire.received)
    names = [name for name, _ in one]
    assert {"Allow", "Accept", "Supported"} < set(names)
    assert [item for item in one if item[0] not in {"Via", "To", "CSeq"}] == [
        item for item in two if item[0] not in {"Via", "To", "CSeq"}
    ]


SCREENED = {
    "unknown extension": ({"extra": "Require: nothingSupportsThis, 100rel\n"}, 420, "Unsupported"),
    "unknown proxy extension": ({"extra": "Proxy-Require: nothing\n"}, 420, "Unsupported"),
    "unknown body": ({"extra": "Content-Type: application/unknown\n", "body": "x"}, 415, "Accept"),
    "body without type": ({"body": "x"}, 415, "Accept"),
    "encoded body": (
        {"extra": "Content-Type: application/sdp\nContent-Encoding: gzip\n", "body": "x"},
        415,
        "Accept-Encoding",
    ),
    "no hop left": ({"max_forwards": 0}, 483, None),
    "unknown scheme": ({"uri": "nobodyKnowsThisScheme:totallyopaquecontent"}, 416, None),
    "no contact": ({}, 400, None),
    "two contacts": ({"extra": "Contact: <sip:a@h>, <sip:b@h>\n"}, 400, None),
    "unknown dialog": ({"to_tag": "nowhere"}, 481, None),
}


@pytest.mark.parametrize("case", SCREENED)
def test_screened_invites(case: str) -> None:
    """An INVITE we cannot serve is refused with the status of RFC 3261 section 8.2 and no event."""
    fields, status, header = SCREENED[case]
    network, wire, party = wired()
    wire.request("INVITE", party, **fields)  # type: ignore[arg-type]
    network.run(until=0)
    assert wire.last_status() == status
    assert header is None or wire.last_response().headers.get(header)
    assert party.take_all() == []
    assert party.agent.leg_count == 0


def test_merged_request() -> None:
    """The same INVITE on two paths makes one leg; the second copy gets 482 (8.2.2.2)."""
    network, wire, party = wired()
    wire.invite(party)
    wire.invite(party, branch="z9hG4bKtwo")
    network.run(until=0)
    assert wire.lines() == ["482 INVITE"]
    assert len(party.take_all()) == 1


def test_own_invite_coming_back() -> None:
    """Our own INVITE, sent back to us, is a loop."""
    network, wire, party, _, invite = calling()
    wire.invite(party, call_id=invite.call_id, from_tag=invite.from_.tag)
    network.run(until=0)
    assert wire.last_status() == 482


def test_retransmissions_are_absorbed() -> None:
    """A repeated INVITE repeats our last answer and makes no second leg; a repeated BYE repeats its 200."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    wire.invite(party)
    network.run(until=0)
    assert wire.lines() == []
    party.agent.ring(leg, network.now)
    wire.invite(party)
    network.run(until=0)
    assert wire.lines() == ["180 INVITE"] * 2
    assert party.take_all() == []


def test_requests_out_of_order() -> None:
    """Within a dialog a number not above the last gets 500 (12.2.2)."""
    network, wire, party = wired()
    wire.invite(party, seq=10)
    network.run(until=0)
    party.agent.answer(party.take(on.IncomingInvite).leg, ANSWER, network.now)
    network.run(until=0)
    tag = wire.last_response().to.tag or ""
    for seq, status in ((12, 200), (11, 500), (12, 500), (13, 200)):
        wire.request("OPTIONS", party, seq=seq, to_tag=tag, branch=f"z9hG4bK{seq}{status}")
        network.run(until=0)
        assert wire.last_status() == status


def test_info() -> None:
    """DTMF in INFO is reported and answered; other types get 415, and an empty one is just answered."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.answer(leg, ANSWER, network.now)
    network.run(until=0)
    tag = wire.last_response().to.tag or ""
    bodies = [("application/dtmf-relay", "Signal=5", 200), ("text/plain", "hello", 415), ("", "", 200)]
    for seq, (kind, body, status) in enumerate(bodies, 2):
        extra = f"Content-Type: {kind}\n" if kind else ""
        wire.request("INFO", party, seq=seq, to_tag=tag, branch=f"z9hG4bK{seq}", extra=extra, body=body)
        network.run(until=0)
        assert wire.last_status() == status
    expected = on.InfoReceived(leg=leg, content_type="application/dtmf-relay", body=b"Signal=5")
    assert party.take_all() == [expected]


def test_requests_for_a_dialog_that_ends() -> None:
    """While our BYE is under way the peer's BYE gets 200, a re-INVITE 481."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 200, invite, body="v=0")
    network.run(until=0)
    party.agent.hang_up(leg, network.now)
    tag = invite.from_.tag or ""
    wire.invite(party, seq=4, branch="z9hG4bKre", to_tag=tag, call_id=invite.call_id)
    wire.request("BYE", party, seq=5, branch="z9hG4bKbye", to_tag=tag, call_id=invite.call_id)
    network.run(until=0)
    assert {"481 INVITE", "200 BYE"} <= set(wire.lines())
    party.take(on.Answered)
    assert party.take_all() == []


def test_another_fork_is_no_part_of_the_dialog() -> None:
    """Once a branch has won, requests with another branch's tag belong to no dialog."""
    network, wire, party, _, invite = calling()
    wire.answer(party, 200, invite, tag="one", body="v=0")
    network.run(until=0)
    wire.request("BYE", party, to_tag=invite.from_.tag or "", from_tag="two", call_id=invite.call_id)
    network.run(until=0)
    assert wire.last_status() == 481


def test_limits_answer_503() -> None:
    """Above the configured legs an INVITE gets 503 with Retry-After, above the transactions any request."""
    network = VirtualNetwork()
    settings_ = UserAgentSettings(
        advertised=("192.0.2.1", 5060), leg_count_max=1, transaction_count_max=3, retry_after_s=9
    )
    wire, party = Wire(network, "192.0.2.7"), Party(network, "192.0.2.1", settings=settings_)
    for number in range(5):
        wire.invite(party, call_id=f"c{number}", branch=f"z9hG4bK{number}")
    network.run(until=0)
    assert [type(event) for event in party.take_all()] == [on.IncomingInvite]
    assert wire.lines() == ["503 INVITE"] * 4
    assert wire.last_response().headers.get("Retry-After") == "9"
    assert party.agent.transaction_count == 3


@pytest.mark.parametrize(
    ("via", "port"),
    [
        ("SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKv;rport", 5060),
        ("SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKv", 5070),
        ("SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKv", 5060),
        ("SIP/2.0/UDP evil.example:5060;branch=z9hG4bKv;maddr=203.0.113.1;received=203.0.113.1", 5060),
    ],
)
def test_answers_go_to_the_source_address(via: str, port: int) -> None:
    """With rport to the source port, else to the Via's port, never to another address (18.2.2, RFC 3581)."""
    network, wire, party = wired()
    wire.request("OPTIONS", party, via=via)
    network.run(until=0)
    assert network.transcript[-1].flow == Flow("udp", party.address, ("192.0.2.7", port))
    assert b"received=192.0.2.7" in network.transcript[-1].data or "192.0.2.7" in via


def test_rfc_2543_transaction() -> None:
    """A peer without branches is matched by the rest: one leg, CANCEL and ACK find it."""
    network, wire, party = wired()
    via = "SIP/2.0/UDP 192.0.2.7;rport"
    wire.invite(party, via=via)
    wire.invite(party, via=via)
    network.run(until=0)
    assert len(party.take_all()) == 1
    wire.request("CANCEL", party, via=via)
    network.run(until=0)
    assert wire.lines() == ["200 CANCEL", "487 INVITE"]
    wire.request("ACK", party, via=via, to_tag=wire.last_response().to.tag or "")
    network.run(until=10)
    assert wire.lines() == ["200 CANCEL", "487 INVITE"]


def test_ack_with_the_branch_of_its_invite() -> None:
    """An ACK of our 2xx that reuses the branch counts all the same (RFC 6026)."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.answer(leg, ANSWER, network.now)
    network.run(until=0)
    wire.request("ACK", party, to_tag=wire.last_response().to.tag or "")
    network.run(until=1)
    assert party.take_all() == [on.Acknowledged(leg=leg, sdp=None)]
    assert wire.lines() == ["200 INVITE"]


def test_malformed_request_of_a_trusted_peer() -> None:
    """It gets the status the parser found, without state; a malformed ACK or response gets nothing."""
    network, wire, party = wired()
    wire.send(
        "OPTIONS sip:x@192.0.2.1 SIP/7.0\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa;rport\nFrom: <sip:a@h>;tag=1\n"
        "To: <sip:b@h>\nCall-ID: c\nCSeq: 1 OPTIONS\n\n",
        party,
    )
    wire.request("ACK", party, via="nonsense")
    wire.send("SIP/2.0 200 OK\n\n", party)
    wire.send("\r\n\r\n", party)
    wire.send(b"\x00\x00", party)
    network.run(until=1)
    statuses = [b"505" in packet.data for packet in network.transcript if packet.flow.local == party.address]
    assert statuses == [True]
    assert party.agent.transaction_count == 0


# --- TCP ------------------------------------------------------------------------------------------------------


def test_call_over_tcp_in_pieces() -> None:
    """A call works over a stream cut anywhere; answers and requests use the connection that is there."""
    network, alice, bob = pair(impairment=Impairment(piece_bytes_max=7, delay_s_max=0.001))
    call = alice.invite(bob, transport="tcp")
    network.run(until=1)
    leg = bob.take(on.IncomingInvite).leg
    bob.agent.ring(leg, network.now)
    bob.agent.answer(leg, ANSWER, network.now)
    network.run(until=2)
    bob.agent.send_offer(leg, OFFER, network.now)
    network.run(until=3)
    alice.agent.answer_offer(call, ANSWER, network.now)
    network.run(until=4)
    bob.agent.hang_up(leg, network.now)
    network.run(until=5)
    assert isinstance(alice.take_all()[-1], on.Released)
    assert isinstance(bob.take_all()[-1], on.Released)
    flows = {packet.flow for packet in network.transcript}
    assert len(flows) == 2
    assert all(packet.fate == "sent" for packet in network.transcript)
    assert b"transport=tcp" in network.transcript[0].data
    # No message is repeated over a reliable transport; only the INVITE transactions wait for late 2xx.
    assert len(network.transcript) == 9
    assert alice.agent.transaction_count == bob.agent.transaction_count == 1 + 1


def test_lost_connection_fails_an_unanswered_invite() -> None:
    """Either side learns that the INVITE's connection is gone: Failed with 503 here, Cancelled there."""
    network, alice, bob = pair()
    call = alice.invite(bob, transport="tcp")
    network.run(until=0)
    leg = bob.take(on.IncomingInvite).leg
    network.close(alice.flow(bob, "tcp"))
    assert alice.take_all() == [
        on.Failed(leg=call, status=503, retry_after_s=None, q850=None, is_local=True),
        on.Released(leg=call),
    ]
    assert bob.take_all() == [on.Cancelled(leg=leg), on.Released(leg=leg)]


def test_refused_connection_fails_the_invite() -> None:
    """When nobody listens the INVITE fails with 503."""
    network = VirtualNetwork()
    party = Party(network, "192.0.2.1")
    other = Party(VirtualNetwork(), "192.0.2.9")
    party.invite(other, transport="tcp")
    network.run(until=1)
    assert party.take(on.Failed).status == 503


def test_call_survives_its_connection() -> None:
    """An established call goes on without its connection: the BYE makes a new one to the Contact."""
    network, alice, bob = pair()
    call = alice.invite(bob, transport="tcp")
    network.run(until=0)
    leg = bob.take(on.IncomingInvite).leg
    bob.agent.answer(leg, ANSWER, network.now)
    network.run(until=1)
    network.close(alice.flow(bob, "tcp"))
    bob.agent.hang_up(leg, network.now)
    network.run(until=2)
    assert network.transcript[-2].flow.remote == alice.address
    assert bob.take_all()[-1] == on.Released(leg=leg)
    assert alice.take_all()[-1] == on.Released(leg=call)


def test_broken_stream_is_closed() -> None:
    """When nobody can tell where the next message begins the driver is told to close the connection."""
    party = Party(VirtualNetwork(), "192.0.2.1")
    flow = Flow("tcp", party.address, ("192.0.2.7", 40_000))
    party.agent.receive(
        b"OPTIONS sip:x@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\n"
        b"To: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n",
        flow,
        0.0,
    )
    assert [data.split(b"\r\n")[0] for _, data in party.agent.outgoing()] == [b"SIP/2.0 400 Bad Request"]
    assert party.agent.closing() == [flow]
    assert party.agent.closing() == []


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit of streams a new one is closed, and one that closed makes room."""
    monkeypatch.setattr("maskline.sip.user_agent_receiver.STREAM_COUNT_MAX", 1)
    party = Party(VirtualNetwork(), "192.0.2.1")
    one, two = (Flow("tcp", party.address, ("192.0.2.7", port)) for port in (40_000, 40_001))
    party.agent.receive(b"\r\n", one, 0.0)
    party.agent.receive(b"\r\n", two, 0.0)
    assert party.agent.closing() == [two]
    party.agent.flow_closed(one, 0.0)
    party.agent.receive(b"\r\n", two, 0.0)
    assert party.agent.closing() == []
