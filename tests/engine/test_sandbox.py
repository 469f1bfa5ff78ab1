"""The sandbox carrier on a real socket."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop

from maskline.engine.sandbox import SandboxSocket, open_sandbox_socket
from maskline.engine.sandbox_carrier import Address, SandboxCarrier

DEADLINE_S = 5.0
NUMBER, VIRTUAL = "+919812300001", "+912249370001"

pytestmark = pytest.mark.parametrize("loop_kind", ["asyncio", "uvloop"])


@pytest.fixture
def peers() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A phone's socket and the switch's."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as switch,
    ):
        for peer in (phone, switch):
            peer.bind(("127.0.0.1", 0))
            peer.setblocking(False)
        yield phone, switch


def _run(loop_kind: str, scenario: Callable[[], Any]) -> None:
    factory = uvloop.new_event_loop if loop_kind == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(scenario())


def _message(method: str, uri: str, source: Address, *extra: str) -> bytes:
    to = NUMBER if method == "REGISTER" else VIRTUAL
    lines = (
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {source[0]}:{source[1]};branch=z9hG4bK1",
        f"From: <sip:{NUMBER}@127.0.0.1>;tag=1",
        f"To: <sip:{to}@127.0.0.1>",
        "Call-ID: c1",
        f"CSeq: 1 {method}",
        *extra,
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


async def _hear(peer: socket.socket) -> bytes:
    return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 65_535), DEADLINE_S)


async def _open(switch: socket.socket) -> SandboxSocket:
    sandbox = await open_sandbox_socket("127.0.0.1", 0)
    sandbox.carrier = SandboxCarrier(address=sandbox.address, switch=switch.getsockname(), country="IN")
    return sandbox


def test_a_phone_registers_and_its_call_reaches_the_switch(
    loop_kind: str, peers: tuple[socket.socket, socket.socket]
) -> None:
    """Datagrams go through the real socket both ways."""
    phone, switch = peers

    async def scenario() -> None:
        sandbox = await _open(switch)
        host, port = phone.getsockname()
        contact = f"Contact: <sip:{NUMBER}@{host}:{port}>"
        phone.sendto(_message("REGISTER", "sip:127.0.0.1", (host, port), contact), sandbox.address)
        assert (await _hear(phone)).startswith(b"SIP/2.0 200 OK")
        phone.sendto(_message("INVITE", f"sip:{VIRTUAL}@127.0.0.1", (host, port)), sandbox.address)
        invite = await _hear(switch)
        assert invite.startswith(f"INVITE sip:{VIRTUAL}@127.0.0.1 SIP/2.0\r\n".encode())
        assert f"P-Asserted-Identity: <sip:{NUMBER}@127.0.0.1>".encode() in invite
        sandbox.close()

    _run(loop_kind, scenario)


def test_it_answers_only_once_it_is_told_what_it_carries(
    loop_kind: str, peers: tuple[socket.socket, socket.socket]
) -> None:
    """What comes before is dropped, and the phone tries again."""
    phone, switch = peers

    async def scenario() -> None:
        sandbox = await open_sandbox_socket("127.0.0.1", 0)
        register = _message("REGISTER", "sip:127.0.0.1", phone.getsockname())
        sandbox.datagram_received(register, phone.getsockname())
        sandbox.carrier = SandboxCarrier(address=sandbox.address, switch=switch.getsockname(), country="IN")
        phone.sendto(_message("OPTIONS", "sip:127.0.0.1", phone.getsockname()), sandbox.address)
        assert (await _hear(phone)).startswith(b"SIP/2.0 403 ")
        sandbox.close()

    _run(loop_kind, scenario)


def test_noise_and_unreachable_phones_do_not_stop_it(
    loop_kind: str, peers: tuple[socket.socket, socket.socket]
) -> None:
    """Garbage, and a phone whose port is closed by now, are survived."""
    phone, switch = peers

    async def scenario() -> None:
        sandbox = await _open(switch)
        assert sandbox.carrier is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            name = gone.getsockname()
            contact = f"Contact: <sip:{NUMBER}@{name[0]}:{name[1]}>"
            gone.sendto(_message("REGISTER", "sip:127.0.0.1", name, contact), sandbox.address)
            gone.setblocking(False)
            await _hear(gone)
        uri = f"sip:{NUMBER}@{sandbox.address[0]}:{sandbox.address[1]}"
        for data in (b"", b"\x00\xff", _message("INVITE", uri, switch.getsockname())):
            switch.sendto(data, sandbox.address)
        phone.sendto(_message("OPTIONS", "sip:127.0.0.1", phone.getsockname()), sandbox.address)
        assert (await _hear(phone)).startswith(b"SIP/2.0 403 ")
        sandbox.close()

    _run(loop_kind, scenario)


def test_a_taken_port_is_an_error(loop_kind: str, peers: tuple[socket.socket, socket.socket]) -> None:
    """The service says so at start instead of running without its carrier."""
    phone, _ = peers

    async def scenario() -> None:
        with pytest.raises(OSError, match="in use"):
            await open_sandbox_socket(*phone.getsockname())

    _run(loop_kind, scenario)
