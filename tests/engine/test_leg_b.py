"""Leg B's INVITE comes from an allow-list."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.inventory import NumberFormat, Registration, Target, Transport, Trunk
from maskline.core.numbers import DID, E164
from maskline.core.secret import Secret
from maskline.core.targets import address_of
from maskline.engine.leg_b import MAX_FORWARDS, build_leg_b
from maskline.engine.trunk_table import TrunkTable
from maskline.sip.events import Flow
from maskline.sip.message import Request
from maskline.sip.parser import StreamReader, parse_datagram
from maskline.sip.user_agent import UserAgent
from maskline.sip.user_agent_types import OutgoingInvite, UserAgentSettings

TRUNK = Trunk(id=1, created_at=0, name="one", targets=(Target(host="192.0.2.1", port=5080),))
NAMED = Target(host="sip.carrier.example", transport=Transport.TCP)
NUMBER, CALLEE = DID("+912249370001"), E164("+919812300002")
ADVERTISED = ("203.0.113.1", 5060)
SDP = b"v=0\r\n"

# What the INVITE of leg B may carry.
ALLOWED = frozenset(
    {
        "Via",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Contact",
        "Max-Forwards",
        "Allow",
        "Supported",
        "Session-Expires",
        "Content-Type",
        "Content-Length",
    }
)
OPTIONAL = frozenset({"P-Asserted-Identity"})


def _invite(
    trunk: Trunk = TRUNK, *, hops_left: int = 70, sdp: bytes = SDP, local: str = "10.0.0.1"
) -> OutgoingInvite:
    table = TrunkTable()
    table.replace((trunk,), {NAMED: (address_of(NAMED, "192.0.2.7", 5061),)})
    (target,) = table.route(trunk.id, dice=0, now=0.0)
    return build_leg_b(
        trunk=trunk,
        target=target,
        credentials=table.credentials(trunk.id),
        flow=Flow(target.transport, (local, 5060), (target.host, target.port)),
        advertised_host=ADVERTISED[0],
        number=NUMBER,
        callee=CALLEE,
        hops_left=hops_left,
        sdp=sdp,
    )


def _sent(invite: OutgoingInvite, *, seed: int = 1) -> tuple[Flow, Request]:
    """What leaves the user agent for this INVITE."""
    agent = UserAgent(
        UserAgentSettings(advertised=ADVERTISED),
        random_bytes=Random(seed).randbytes,
        is_trusted=lambda _host: True,
    )
    agent.originate(invite, 0.0)
    ((flow, data),) = agent.outgoing()
    if flow.transport == "tcp":
        (message,) = StreamReader().feed(data)
    else:
        message = parse_datagram(data)
    assert isinstance(message, Request)
    return flow, message


def test_the_callee_is_dialled_from_the_virtual_number() -> None:
    """Request-URI and To name the callee at the trunk, From and Contact us with the virtual number or nobody."""
    flow, request = _sent(_invite())
    assert flow.remote == ("192.0.2.1", 5080)
    assert (request.method, request.uri) == ("INVITE", "sip:+919812300002@192.0.2.1:5080")
    headers = request.headers
    assert headers.get("To") == "<sip:+919812300002@192.0.2.1>"
    assert (headers.get("From") or "").startswith("<sip:+912249370001@203.0.113.1>;tag=")
    assert headers.get("Contact") == "<sip:203.0.113.1:5060>"
    assert request.via.host == ADVERTISED[0]
    assert request.body == SDP


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
@pytest.mark.parametrize("sends_asserted", [True, False])
def test_every_header_is_on_the_list_once(transport: Transport, sends_asserted: bool) -> None:
    """Nothing else leaves, whatever the trunk asks for."""
    targets = (replace(TRUNK.targets[0], transport=transport),)
    _, request = _sent(_invite(replace(TRUNK, targets=targets, sends_asserted=sends_asserted)))
    names = [name for name, _ in request.headers.items]
    assert len(set(names)) == len(names)
    expected = ALLOWED | (OPTIONAL if sends_asserted else frozenset())
    assert {*names, "Content-Length"} == expected


def test_constant_values_are_constant_and_random_ones_random() -> None:
    """Two calls differ in branch, tag and Call-ID alone; these tell nothing."""
    one, two = (_sent(_invite(), seed=seed)[1] for seed in (1, 2))
    differing = {name for name, value in one.headers.items if two.headers.get(name) != value}
    assert differing == {"Via", "From", "Call-ID"}
    for request in (one, two):
        for text in (request.call_id, request.from_.tag or "", request.via.branch or ""):
            assert "203.0.113.1" not in text
            assert "98123" not in text


def test_the_asserted_identity_is_the_virtual_number() -> None:
    """I7 holds for what the network sees as well as for what the phone shows."""
    _, request = _sent(_invite(replace(TRUNK, sends_asserted=True)))
    assert request.headers.get("P-Asserted-Identity") == "<sip:+912249370001@203.0.113.1>"


def test_ipv6_peers_stand_in_brackets() -> None:
    """A trunk on IPv6 is dialled as any other."""
    trunk = replace(TRUNK, targets=(Target(host="2001:db8::1", port=5060),))
    flow, request = _sent(_invite(trunk, local="2001:db8::9"))
    assert flow.remote == ("2001:db8::1", 5060)
    assert request.uri == "sip:+919812300002@[2001:db8::1]:5060"


def test_a_name_is_named_and_its_address_dialled() -> None:
    """Request-URI and To say what the operator wrote, which carriers know their customers by; bytes go elsewhere."""
    flow, request = _sent(_invite(replace(TRUNK, targets=(NAMED,))))
    assert flow.remote == ("192.0.2.7", 5061)
    assert request.uri == "sip:+919812300002@sip.carrier.example"
    assert request.headers.get("To") == "<sip:+919812300002@sip.carrier.example>"


@pytest.mark.parametrize(
    ("changed", "dialled", "shown"),
    [
        ({"number_format": NumberFormat.DIGITS}, "919812300002", "912249370001"),
        ({"number_format": NumberFormat.ZEROS, "dial_prefix": "77"}, "7700919812300002", "00912249370001"),
        ({"number_format": NumberFormat.NATIONAL}, "09812300002", "02249370001"),
        ({"number_format": NumberFormat.NATIONAL, "country": "US"}, "011919812300002", "011912249370001"),
        ({"caller_format": NumberFormat.DIGITS}, "+919812300002", "912249370001"),
    ],
)
def test_numbers_are_written_as_the_trunk_wants_them(
    changed: dict[str, Any], dialled: str, shown: str
) -> None:
    """The callee in Request-URI and To, the virtual number in From and P-Asserted-Identity, each in its format."""
    _, request = _sent(_invite(replace(TRUNK, sends_asserted=True, **changed)))
    assert request.uri == f"sip:{dialled}@192.0.2.1:5080"
    assert request.headers.get("To") == f"<sip:{dialled}@192.0.2.1>"
    assert (request.headers.get("From") or "").startswith(f"<sip:{shown}@203.0.113.1>;tag=")
    assert request.headers.get("P-Asserted-Identity") == f"<sip:{shown}@203.0.113.1>"


def test_a_carrier_that_wants_it_hears_that_users_are_numbers() -> None:
    """user=phone is on every number or on none."""
    _, request = _sent(_invite(replace(TRUNK, sends_asserted=True, sends_user_phone=True)))
    assert request.uri == "sip:+919812300002@192.0.2.1:5080;user=phone"
    for name in ("From", "To", "P-Asserted-Identity"):
        assert ";user=phone>" in (request.headers.get(name) or "")


@pytest.mark.parametrize(
    ("changed", "host"),
    [
        ({"from_host": "us.example"}, "us.example"),
        ({"registration": Registration()}, "192.0.2.1"),
        ({"registration": Registration(registrar=Target(host="reg.example"))}, "reg.example"),
        ({"registration": Registration(), "from_host": "us.example"}, "us.example"),
    ],
)
def test_a_carrier_may_know_us_by_another_name(changed: dict[str, Any], host: str) -> None:
    """Who registers is known by the registrar's name; a name of its own goes before it."""
    _, request = _sent(_invite(replace(TRUNK, sends_asserted=True, **changed)))
    assert (request.headers.get("From") or "").startswith(f"<sip:+912249370001@{host}>")
    assert request.headers.get("P-Asserted-Identity") == f"<sip:+912249370001@{host}>"
    assert "203.0.113.1" in (request.headers.get("Contact") or "")


@given(hops_left=st.integers(1, 255))
def test_each_leg_costs_a_hop(hops_left: int) -> None:
    """A loop through two switches ends, and no leg gets more than the usual 70."""
    _, request = _sent(_invite(hops_left=hops_left))
    assert request.max_forwards == min(MAX_FORWARDS, hops_left - 1)


@pytest.mark.parametrize(
    ("username", "password", "is_given"),
    [("us", Secret("pass"), True), (None, Secret("pass"), False), ("us", None, False), (None, None, False)],
)
def test_credentials_are_the_trunks_own(
    username: str | None, password: Secret | None, is_given: bool
) -> None:
    """Half a pair is none, and neither is sent before it is asked for."""
    invite = _invite(replace(TRUNK, username=username, password=password))
    assert (invite.credentials is not None) is is_given
    if invite.credentials is not None:
        assert (invite.credentials.username, invite.credentials.password) == ("us", "pass")
    _, request = _sent(invite)
    assert "Authorization" not in request.headers
    assert "Proxy-Authorization" not in request.headers
