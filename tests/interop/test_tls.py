"""Whole calls over TLS: with an independent phone, and with a caller written by hand on Python's own ssl."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from maskline.sip import events as on
from tests.certificates import Certificate, make_authority, make_certificate
from tests.interop.agent import Agent, agent
from tests.interop.baresip import Baresip, baresip
from tests.interop.hand import connect

PHONE_NAME = "phone.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def ours(block: str, tmp_path: Path, authority: Certificate) -> Iterator[Agent]:
    """A user agent of ours that is called by its address, and expects a phone by its name."""
    host = f"{block}.251.1"
    certificate = make_certificate(tmp_path, authority, host)
    with agent(host, certificate=certificate, authority=authority.cert_path, peer_name=PHONE_NAME) as running:
        yield running


@pytest.fixture
def phone(block: str, tmp_path: Path, authority: Certificate, ours: Agent) -> Iterator[Baresip]:
    """A phone that knows the authority and answers by itself."""
    certificate = make_certificate(tmp_path, authority, PHONE_NAME)
    both = tmp_path / "phone.pem"
    both.write_bytes(certificate.key_path.read_bytes() + certificate.cert_path.read_bytes())
    host = f"{block}.251.2"
    account = f"<sip:phone@{ours.address[0]};transport=tls>;regint=0;answermode=auto;audio_codecs=PCMA/8000/1"
    with baresip(
        tmp_path / "phone",
        host=host,
        account=account,
        ports=(16_400, 16_499),
        tone_hz=400,
        more_config=f"sip_certificate {both}\nsip_cafile {authority.cert_path}\n",
    ) as running:
        yield running


def transports(ours: Agent) -> set[str]:
    """What everything came by."""
    return {flow.transport for flow in ours.flows}


@pytest.mark.baresip
def test_a_phone_calls_us(ours: Agent, phone: Baresip) -> None:
    """INVITE to BYE of an independent phone over one connection that it made."""
    phone.command("dial", f"sip:us@{ours.address[0]}:5061")
    phone.wait_for_event("CALL_ESTABLISHED")
    ours.event(on.Acknowledged)
    phone.command("hangup")
    assert ours.event(on.HungUp).cause is on.HangUpCause.BYE
    assert transports(ours) == {"tls"}
    assert len(set(ours.flows)) == 1


@pytest.mark.baresip
def test_we_call_a_phone(block: str, ours: Agent, phone: Baresip) -> None:
    """INVITE to BYE of ours over one connection that we made, its certificate verified by name."""
    ours.dial("tls", (f"{block}.251.2", 5061), "phone")
    answered = ours.event(on.Answered)
    phone.wait_for_event("CALL_ESTABLISHED")
    ours.hang_up(answered.leg)
    ours.event(on.Released)
    phone.wait_for_event("CALL_CLOSED")
    assert transports(ours) == {"tls"}


@pytest.mark.baresip
def test_a_phone_by_another_name_is_not_called(
    block: str, tmp_path: Path, authority: Certificate, phone: Baresip
) -> None:
    """Its certificate is good, but it is not whom we meant: nothing is sent, the call fails at once."""
    host = f"{block}.251.3"
    certificate = make_certificate(tmp_path, authority, host)
    with agent(
        host, certificate=certificate, authority=authority.cert_path, peer_name="other.example"
    ) as strict:
        strict.dial("tls", (f"{block}.251.2", 5061), "phone")
        failed = strict.event(on.Failed)
    assert (failed.status, failed.is_local) == (503, True)
    assert "CALL_INCOMING" not in {event["type"] for event in phone.events()}


def test_a_call_by_hand(ours: Agent, authority: Certificate) -> None:
    """Via and Contact of our answers name TLS; the call goes from INVITE to BYE."""
    host = ours.address[0]
    with connect((host, 5061), authority) as hand:
        assert hand.connection.version() == "TLSv1.3"
        dialog = hand.dial("hand", "us")
        answer = hand.hear_answer(dialog)
        assert hand.heard[0].status == 180
        assert answer.header("Contact") == f"<sip:{host}:5061;transport=tls>"
        assert answer.header("Via").startswith("SIP/2.0/TLS ")
        ours.event(on.Acknowledged)
        hand.say(dialog, "BYE", 2)
        hand.hear(method="BYE", status=200)
    ours.event(on.Released)
