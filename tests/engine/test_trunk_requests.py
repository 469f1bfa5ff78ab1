"""What is sent to targets outside calls."""

from dataclasses import replace

import pytest

from maskline.core.inventory import Registration, Target, Transport, Trunk
from maskline.core.targets import address_of
from maskline.engine.trunk_requests import TrunkRequests
from maskline.sip.digest import Credentials
from maskline.sip.events import Flow

NAMED = Target(host="carrier.example", transport=Transport.TCP)
WITH_PORT = Target(host="carrier.example", port=5080)
TRUNK = Trunk(id=1, created_at=0, name="one", targets=(NAMED,), registration=Registration())
CREDENTIALS = Credentials(username="us", password="secret")
REQUESTS = TrunkRequests(
    local={("tcp", False): ("10.0.0.1", 5060), ("udp", False): ("10.0.0.1", 5061)},
    host_towards=lambda address: "203.0.113.1" if address == "192.0.2.1" else "elsewhere",
)


def test_options_names_nobody() -> None:
    """From host to host: no number, no user."""
    request = REQUESTS.options(address_of(NAMED, "192.0.2.1", 5070))
    assert request is not None
    assert request.flow == Flow("tcp", ("10.0.0.1", 5060), ("192.0.2.1", 5070))
    assert (str(request.request_uri), str(request.to_uri)) == ("sip:carrier.example", "sip:carrier.example")
    assert str(request.from_uri) == "sip:203.0.113.1"
    assert request.credentials is None


def test_a_port_that_was_given_is_named() -> None:
    """One that SRV found is not."""
    request = REQUESTS.options(address_of(WITH_PORT, "192.0.2.1", 5080))
    assert request is not None
    assert str(request.request_uri) == "sip:carrier.example:5080"


def test_no_way_there() -> None:
    """A family or transport without a socket of ours gets nothing."""
    assert REQUESTS.options(address_of(NAMED, "2001:db8::1", 5060)) is None
    address = address_of(replace(NAMED, transport=Transport.TLS), "192.0.2.1", 5061)
    assert REQUESTS.options(address) is None
    assert REQUESTS.register(TRUNK, NAMED, address, CREDENTIALS, call_id="c", seq=1, expires_s=60) is None


@pytest.mark.parametrize(
    ("trunk", "registrar", "uri", "of_record"),
    [
        (TRUNK, NAMED, "sip:carrier.example", "sip:us@carrier.example"),
        (TRUNK, WITH_PORT, "sip:carrier.example:5080", "sip:us@carrier.example"),
        (
            replace(TRUNK, registration=Registration(registrar=Target(host="reg.example"))),
            Target(host="reg.example"),
            "sip:reg.example",
            "sip:us@reg.example",
        ),
        (
            replace(TRUNK, from_host="domain.example"),
            WITH_PORT,
            "sip:domain.example",
            "sip:us@domain.example",
        ),
    ],
)
def test_a_trunk_registers_its_user_with_a_domain(
    trunk: Trunk, registrar: Target, uri: str, of_record: str
) -> None:
    """The registrar's, or the one the carrier knows us by; our Contact bears the user name, so calls can name it."""
    address = address_of(registrar, "192.0.2.1", 5070)
    request = REQUESTS.register(trunk, registrar, address, CREDENTIALS, call_id="c", seq=7, expires_s=60)
    assert request is not None
    assert (str(request.request_uri), str(request.from_uri), str(request.to_uri)) == (
        uri,
        of_record,
        of_record,
    )
    assert (request.method, request.contact_user, request.expires_s) == ("REGISTER", "us", 60)
    assert (request.call_id, request.seq, request.credentials) == ("c", 7, CREDENTIALS)
    assert request.flow.remote == ("192.0.2.1", 5070)
