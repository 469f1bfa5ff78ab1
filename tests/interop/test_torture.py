"""The messages of RFC 4475 and RFC 5118, byte for byte, on the live sockets.

The outcome of each is what the method rules of this switch make of it: a number nobody knows gets 480, a request
for a dialog that is not there 481, a method it does not serve 405 or 501. After each the switch answers OPTIONS.
"""

import contextlib
import re
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.ground import SIP_PORT, Ground
from tests.interop.listener import Listener, render_request
from tests.interop.wire import SIPText, not_allowed

DATA = Path(__file__).parent.parent / "data"
# An answer goes to the address a request came from and the port its Via names (RFC 3261 section 18.2.2).
VIA_PORTS = (SIP_PORT, 5050, 6050, 5070, 19_823)
SILENCE = 0
ANSWER_TIMEOUT_S = 3.0
HEALTH_TIMEOUT_S = 2.0

RFC4475 = {
    "wsinv": {481},  # its To has a tag
    "intmeth": {405, 501},
    "esc01": {480},
    "escnull": {405},
    "esc02": {405, 501},
    "lwsdisp": {200},
    "longreq": {480},
    "dblreq": {405},
    "semiuri": {200},
    "transports": {200},
    "mpart01": {405, 415},
    "unreason": {SILENCE},
    "noreason": {SILENCE},
    "badinv01": {400},
    "clerr": {400, SILENCE},
    "ncl": {400, SILENCE},
    "scalar02": {400},
    "scalarlg": {SILENCE},
    "quotbal": {400},
    "ltgtruri": {400},
    "lwsruri": {400},
    "lwsstart": {400},
    "trws": {400},
    "escruri": {400},
    "baddate": {400, 480},
    "regbadct": {400},
    "badaspec": {400},
    "baddn": {400, SILENCE},
    "badvers": {505},
    "mismatch01": {400},
    "mismatch02": {400, 501},
    "bigcode": {SILENCE},
    "badbranch": {200},
    "insuf": {400},
    "unkscm": {416},
    "novelsc": {416},
    "unksm2": {405},
    "bext01": {420},
    "invut": {415},
    "regaut01": {401, 403, 405},
    "multi01": {400},
    "mcl01": {400},
    "bcast": {SILENCE},
    "zeromf": {200, 483},
    "cparam01": {405},
    "cparam02": {405},
    "regescrt": {405},
    "sdp01": {406, 480},
    "inv2543": {400, 480},
    "test": {400, SILENCE},
}
RFC5118 = {
    "ipv6-good": {405},
    "ipv6-bad": {400},
    "port-ambiguous": {405},
    "port-unambiguous": {405},
    "via-received-param-no-delim": {200},
    "via-received-param-with-delim": {481},
    "ipv6-in-sdp": {400},  # its Content-Length is longer than its body
    "mult-ip-in-header": {481},
    "mult-ip-in-sdp": {480},
    "ipv4-mapped-ipv6": {480},
    "ipv6-bug-abnf-3-colons": {200},
    "ipv6-correct-abnf-2-colons": {200},
}
EXTRA = {"bext01": "Unsupported", "invut": "Accept"}  # what an answer must also say
CASES = [(DATA / "rfc4475" / f"{name}.dat", statuses) for name, statuses in RFC4475.items()]
CASES += [(DATA / "rfc5118" / name, statuses) for name, statuses in RFC5118.items()]
IDS = [path.stem for path, _ in CASES]
CALL_ID = re.compile(rb"^((?:Call-ID|i)[ \t]*:\s*)", re.MULTILINE | re.IGNORECASE)
VIA = re.compile(rb"^(?:Via|v)\s*:(.*(?:\r\n[ \t].*)*)", re.MULTILINE | re.IGNORECASE)


def read(path: Path, *, is_on_stream: bool = False) -> bytes:
    """A message as the RFC has it.

    Only where its topmost Via is that of a message before it, its branch is made its own: within the same half
    minute it would be, by RFC 3261 section 17.2.3, that message sent again. What goes by a stream has a Call-ID of
    its own too: after its datagram it would be merged (section 8.2.2.2).
    """
    data = path.read_bytes()
    if is_on_stream:
        data = CALL_ID.sub(rb"\1s", data)
    via = VIA.search(data)
    earlier = [
        other for other, _ in CASES[: IDS.index(path.stem)] if _top_via(other.read_bytes()) == _top_via(data)
    ]
    if via is None or not (earlier or is_on_stream):
        return data
    mark = b"%d%s" % (len(earlier), b"s" if is_on_stream else b"")
    branched = via[0].replace(b"branch=z9hG4bK", b"branch=z9hG4bK" + mark)
    return data[: via.start()] + branched + data[via.end() :]


def _top_via(data: bytes) -> bytes | None:
    via = VIA.search(data)
    return None if via is None else via[1].strip()


class Sender:
    """A host with a socket on every port an answer may go to."""

    def __init__(self, stack: ExitStack, host: str, ground: Ground) -> None:
        self.ground = ground
        self.host = host
        self.sockets = [
            stack.enter_context(Listener.open((host, port), ground.address)) for port in VIA_PORTS
        ]

    def send(self, data: bytes) -> None:
        """Send one datagram from the port of SIP."""
        self.sockets[0].send(data)

    def received(self) -> list[bytes]:
        """Everything that arrived on any port."""
        return [data for listener in self.sockets for data in listener.received()]

    def wait(self, timeout_s: float) -> bool:
        """Wait until something arrives."""
        return bool(select.select([listener.sock for listener in self.sockets], [], [], timeout_s)[0])

    def is_served(self) -> bool:
        """Whether the switch answers a health check."""
        request = render_request("OPTIONS", self.sockets[0].address, self.ground.address)
        call_id = next(line for line in request.split(b"\r\n") if line.startswith(b"Call-ID"))
        self.send(request)
        while not any(call_id in data and data.startswith(b"SIP/2.0 200 ") for data in self.received()):
            if not self.wait(HEALTH_TIMEOUT_S):
                return False
        return True


@pytest.fixture(scope="module")
def trusted_hosts(ground: Ground) -> Iterator[str]:
    """Addresses of one carrier, a fresh one for each message."""
    carrier = next(ground.carriers["plain"])
    return (carrier.host(last) for last in range(2, 255))


@pytest.fixture
def sender(ground: Ground, trusted_hosts: Iterator[str]) -> Iterator[Sender]:
    """A host the switch trusts."""
    with ExitStack() as stack:
        yield Sender(stack, next(trusted_hosts), ground)


def final_answers(sender: Sender) -> list[SIPText]:
    """The final answers among what arrived; health checks are not counted, as they come from `tester`."""
    texts = [SIPText(data) for data in sender.received()]
    return [text for text in texts if text.status >= 200 and b"sip:tester@" not in text.raw]


@pytest.mark.parametrize(("path", "statuses"), CASES, ids=IDS)
def test_datagram_has_its_outcome(sender: Sender, path: Path, statuses: set[int]) -> None:
    """A torture message in a datagram is answered as it deserves, or not at all, and the switch lives on."""
    sender.send(read(path))
    if SILENCE not in statuses:
        while not final_answers(sender):
            assert sender.wait(ANSWER_TIMEOUT_S), "no final answer"
    assert sender.is_served()
    answers = final_answers(sender)
    assert ({text.status for text in answers} or {SILENCE}) <= statuses
    assert len({text.raw for text in answers}) <= 1
    assert not_allowed(answers) == []
    if path.stem in EXTRA:
        assert answers[0].has(EXTRA[path.stem])


@pytest.mark.parametrize(("path", "statuses"), CASES, ids=IDS)
def test_stream_has_an_outcome(ground: Ground, sender: Sender, path: Path, statuses: set[int]) -> None:
    """On a connection of its own the same message gets the same answer, a 400, or an end; never anything better."""
    received = exchange(ground.address, sender.host, read(path, is_on_stream=True))
    assert sender.is_served()
    lines = [line for line in received.split(b"\r\n") if line.startswith(b"SIP/2.0 ")]
    found = {int(line.split()[1]) for line in lines} - {100}
    second_of_two = (
        {480, 481} if path.stem == "dblreq" else set[int]()
    )  # on a stream its second message counts
    assert found <= statuses | {400} | second_of_two


def exchange(target: tuple[str, int], host: str, data: bytes) -> bytes:
    """Send `data` on a connection of its own and return what comes back until the peer has no more to say."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
        stream.bind((host, 0))
        stream.settimeout(ANSWER_TIMEOUT_S)
        received = b""
        with contextlib.suppress(OSError):  # cut off at any moment, or silent until the time is over
            stream.connect(target)
            stream.sendall(data)
            stream.shutdown(socket.SHUT_WR)  # what is incomplete will never be completed
            while piece := stream.recv(65_536):
                received += piece
        return received


def test_stranger_hears_nothing(ground: Ground, sender: Sender) -> None:
    """From an address no trunk accepts not one of the messages gets one byte back, whatever the transport."""
    with ExitStack() as stack:
        stranger = Sender(stack, f"{ground.block}.254.7", ground)
        for path, _ in CASES:
            stranger.send(path.read_bytes())
        assert exchange(ground.address, stranger.host, (DATA / "rfc4475" / "lwsdisp.dat").read_bytes()) == b""
        assert sender.is_served()
        assert sender.is_served()
        assert stranger.received() == []
