"""Everything that leaves is on the list."""

from random import Random

import pytest
from tests.sip.rig import Party, Wire, describe, pair
from tests.sip.test_user_agent_chaos import ACTIONS, act

from maskline.sip.errors import LocalProtocolError
from maskline.sip.events import Flow
from maskline.sip.headers import parse_via
from maskline.sip.message import Headers, Request
from maskline.sip.parser import parse_datagram
from maskline.sip.uri import SIPURI
from maskline.sip.user_agent import UserAgentSettings
from maskline.sip.user_agent_messages import ALLOWED_HEADERS, Writer, branch_from, checked, reply_head
from maskline.testing.network import VirtualNetwork

UDP = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.7", 5060))
TLS = Flow("tls", ("192.0.2.1", 5061), ("192.0.2.7", 40_000))
V6 = Flow("udp", ("2001:db8::1", 5062), ("2001:db8::7", 5060))

# What no leg may ever carry: each of these has named somebody in somebody's network.
NEVER = frozenset(
    [
        "P-Preferred-Identity",
        "Remote-Party-ID",
        "Privacy",
        "Diversion",
        "History-Info",
        "Subject",
        "Organization",
        "Priority",
        "Date",
        "User-To-User",
        "Call-Info",
        "Alert-Info",
        "Error-Info",
        "Reply-To",
        "In-Reply-To",
        "Referred-By",
        "Refer-To",
        "Replaces",
        "Join",
        "Identity",
        "Geolocation",
        "P-Access-Network-Info",
        "P-Charging-Vector",
        "P-Charging-Function-Addresses",
        "P-Visited-Network-ID",
        "P-Called-Party-ID",
        "P-Associated-URI",
        "P-Charge-Info",
        "Session-ID",
        "Warning",
        "X-Maskline-Source",
        "Path",
        "Service-Route",
    ]
)


def test_the_table_is_frozen() -> None:
    """Nobody can add to the allow-list at run time, and nothing of the leak catalogue is on it."""
    with pytest.raises(TypeError):
        ALLOWED_HEADERS["INVITE"] = frozenset()  # type: ignore[index]
    assert not NEVER & frozenset.union(*ALLOWED_HEADERS.values())


@pytest.mark.parametrize("kind", ALLOWED_HEADERS)
@pytest.mark.parametrize("name", ["Subject", "Diversion", "P-Access-Network-Id", "via", "X-Any"])
def test_other_names_are_refused(kind: str, name: str) -> None:
    """A header outside the table cannot be sent, whoever tries."""
    with pytest.raises(LocalProtocolError):
        checked(kind, ((name, "x"),))


@pytest.mark.parametrize("seed", range(20))
def test_all_traffic_is_on_the_list(seed: int) -> None:
    """Whatever two user agents do, each message they send has only listed headers, once each but lists."""
    dice = Random(seed)
    network, alice, bob = pair(seed=seed, intervals_s=(20, 20))
    for step in range(60):
        party, peer = dice.choice([(alice, bob), (bob, alice)])
        act(party, peer, dice.choice(ACTIONS), dice)
        network.run(until=step * 0.3)
    network.run(until=100)
    kinds = set()
    for packet in network.transcript:
        message = parse_datagram(packet.data)
        kind = message.method if isinstance(message, Request) else "response"
        kinds.add(describe(message))
        names = {name for name, _ in message.headers.items}
        if kind == "INVITE":
            names -= {"Require"}  # what these phones add to try us
        assert names <= ALLOWED_HEADERS[kind]
    assert "INVITE" in kinds


HOSTILE = """Subject: secret-1
Diversion: <sip:secret-2@h>
P-Asserted-Identity: <sip:secret-3@h>
Identity: secret-4
User-Agent: secret-5
Call-Info: <http://secret-6>
X-Any: secret-7
Date: secret-8
Reason: Q.850;cause=16;text="secret-9"
Supported: secret-10
"""


def test_nothing_of_a_request_comes_back_but_what_must() -> None:
    """Answers copy Via, From, To, Call-ID, CSeq and Record-Route; nothing else of the INVITE is in any of them."""
    network = VirtualNetwork()
    wire, party = Wire(network, "192.0.2.7"), Party(network, "192.0.2.1")
    wire.invite(party, extra=HOSTILE)
    network.run(until=0)
    leg = party.events[0].leg  # type: ignore[union-attr]
    party.agent.trying(leg, 0)
    party.agent.ring(leg, 0)
    party.agent.answer(leg, b"v=0\r\n", 0)
    network.run(until=40)
    sent = [packet.data for packet in network.transcript if packet.flow.local == party.address]
    assert len(sent) > 3
    assert not any(b"secret" in data for data in sent)


def test_timestamp_goes_into_100_only() -> None:
    """RFC 3261, 8.2.6.1."""
    network = VirtualNetwork()
    wire, party = Wire(network, "192.0.2.7"), Party(network, "192.0.2.1")
    wire.invite(party, extra="Timestamp: 54\n")
    network.run(until=0)
    leg = party.events[0].leg  # type: ignore[union-attr]
    party.agent.trying(leg, 0)
    party.agent.ring(leg, 0)
    network.run(until=0)
    assert [message.headers.get("Timestamp") for message in wire.received] == ["54", None]


@pytest.mark.parametrize(
    ("settings", "flow", "expected"),
    [
        (UserAgentSettings(advertised=("203.0.113.1", 5070)), UDP, "<sip:u@203.0.113.1:5070>"),
        (
            UserAgentSettings(advertised=("203.0.113.1", 5070)),
            UDP._replace(transport="tcp"),
            "<sip:u@203.0.113.1:5070;transport=tcp>",
        ),
        (UserAgentSettings(advertised=("203.0.113.1", 5070)), TLS, "<sip:u@203.0.113.1:5061;transport=tls>"),
        (
            UserAgentSettings(advertised=("203.0.113.1", 5070), advertised_tls=("sip.example", 5071)),
            TLS,
            "<sip:u@sip.example:5071;transport=tls>",
        ),
        (UserAgentSettings(advertised=("203.0.113.1", 5070)), V6, "<sip:u@[2001:db8::1]:5062>"),
        (
            UserAgentSettings(advertised=("203.0.113.1", 5070), advertised_v6=("2001:db8::5", 5071)),
            V6,
            "<sip:u@[2001:db8::5]:5071>",
        ),
        (UserAgentSettings(advertised=("2001:db8::5", 5070)), V6, "<sip:u@[2001:db8::5]:5070>"),
    ],
)
def test_our_address(settings: UserAgentSettings, flow: Flow, expected: str) -> None:
    """Contact and Via name what is advertised for the flow's IP family."""
    assert Writer(settings).contact(flow, "u") == expected
    via = parse_via(Writer(settings).via(flow, branch_from(b"x")))
    assert f"{via.host}:{via.port}" in expected.replace("[", "").replace("]", "")
    assert via.is_rport_requested
    assert via.transport == flow.transport.upper()


def test_product_is_named_only_when_set() -> None:
    """User-Agent and Server carry the configured constant, or are not there."""
    for product, expected in (("", None), ("Maskline", "Maskline")):
        network = VirtualNetwork()
        settings = UserAgentSettings(advertised=("192.0.2.1", 5060), product=product)
        wire, party = Wire(network, "192.0.2.7"), Party(network, "192.0.2.1", settings=settings)
        party.invite(wire, asserted=SIPURI(user="+1", host="h"))
        wire.request("OPTIONS", party)
        network.run(until=0)
        assert wire.last("INVITE").headers.get("User-Agent") == expected
        assert wire.last_response().headers.get("Server") == expected
        assert wire.last("INVITE").headers.get("P-Asserted-Identity") == "<sip:+1@h>"


def test_source_is_noted_in_the_topmost_via_only() -> None:
    """Further Vias go back untouched, whether in one field or several."""
    items = [
        ("Via", "SIP/2.0/UDP proxy.example;branch=z9hG4bK1;rport, SIP/2.0/UDP two"),
        ("Via", "SIP/2.0/UDP three"),
        ("From", "<sip:a@h>;tag=1"),
        ("To", "<sip:b@h>"),
        ("Call-ID", "c"),
        ("CSeq", "1 OPTIONS"),
    ]
    head = reply_head(Request("OPTIONS", "sip:b@h", Headers(items)), UDP)
    vias = [value for name, value in head.before_to if name == "Via"]
    assert vias == [
        "SIP/2.0/UDP proxy.example;branch=z9hG4bK1;rport=5060;received=192.0.2.7, SIP/2.0/UDP two",
        "SIP/2.0/UDP three",
    ]
