"""Whole calls over TLS: with an independent phone, and with a caller written by hand on Python's own ssl."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskline.sip import events as on
from tests.certificates import Certificate, make_authority, make_certificate
from tests.interop.agent import Agent, agent
from tests.interop.baresip import Baresip, baresip

PHONE_NAME = "phone.example"
TIMEOUT_S = 5.0


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


CALL = """\
{method} sip:us@{host} SIP/2.0
Via: SIP/2.0/TLS {local}:{port};branch=z9hG4bK{branch};rport
From: <sip:hand@{local}>;tag=hand
To: <sip:us@{host}>{to_tag}
Call-ID: by-hand
CSeq: {seq} {method}
Contact: <sip:hand@{local}:{port};transport=tls>
Max-Forwards: 70
Content-Length: 0

"""


class Hand:
    """A caller written by hand: it says what it is told to and reads one message at a time."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection
        self._buffer = b""
        self.tag = ""

    def say(self, method: str, seq: int, branch: str) -> None:
        """Send a request."""
        local, port = self._connection.getsockname()
        text = CALL.format(
            method=method,
            host=self._connection.getpeername()[0],
            local=local,
            port=port,
            branch=branch,
            to_tag=f";tag={self.tag}" if self.tag else "",
            seq=seq,
        )
        self._connection.sendall(text.replace("\n", "\r\n").encode())

    def hear(self) -> bytes:
        """Read a message."""
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        (length,) = (
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length")
        )
        while len(rest) < length:
            self._read()
            rest = self._buffer.partition(b"\r\n\r\n")[2]
        self._buffer = rest[length:]
        return head

    def _read(self) -> None:
        data = self._connection.recv(65_536)
        assert data, "the connection stays"
        self._buffer += data


def test_a_call_by_hand(ours: Agent, authority: Certificate) -> None:
    """Via and Contact of our answers name TLS; the call goes from INVITE to BYE."""
    context = ssl.create_default_context(cafile=authority.cert_path)
    host = ours.address[0]
    with (
        socket.create_connection((host, 5061), timeout=TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        assert connection.version() == "TLSv1.3"
        hand = Hand(connection)
        hand.say("INVITE", 1, "one")
        assert hand.hear().startswith(b"SIP/2.0 180 ")
        answer = hand.hear().decode()
        assert answer.startswith("SIP/2.0 200 ")
        assert f"Contact: <sip:{host}:5061;transport=tls>" in answer
        assert "Via: SIP/2.0/TLS " in answer
        hand.tag = next(line for line in answer.split("\r\n") if line.startswith("To:")).partition("tag=")[2]
        hand.say("ACK", 1, "two")
        ours.event(on.Acknowledged)
        hand.say("BYE", 2, "three")
        assert hand.hear().startswith(b"SIP/2.0 200 ")
    ours.event(on.Released)
