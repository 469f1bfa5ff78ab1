"""The sandbox carrier on a real socket of the loopback interface."""

import asyncio
import socket
import time
from typing import cast

from maskline.engine.sandbox_carrier import Address, SandboxCarrier


class SandboxSocket(asyncio.DatagramProtocol):
    """Carries datagrams to the carrier and back."""

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None
        self.carrier: SandboxCarrier | None = None

    @property
    def address(self) -> Address:
        """Where it listens."""
        assert self._transport is not None
        name = self._transport.get_extra_info("sockname")
        return name[0], name[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Let the carrier decide what goes where."""
        if self.carrier is None or self._transport is None:
            return
        for reply, target in self.carrier.handle(data, (addr[0], addr[1]), time.monotonic()):
            self._transport.sendto(reply, target)

    def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()


async def open_sandbox_socket(host: str, port: int) -> SandboxSocket:
    """Bind the carrier's socket; it answers once its `carrier` is set. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(SandboxSocket, sock=bound)
    return protocol
