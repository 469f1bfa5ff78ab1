"""One connection's bytes, under asyncio: what has come, what is asked to go out, and whether it still stands."""

import asyncio
from typing import Final, cast

BUFFER_BYTES_MAX: Final = 64 * 1024  # beyond, the peer waits until somebody reads


class Wire(asyncio.Protocol):
    """A connection for one reader at a time. Nothing written is waited for: requests are small and whole."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._is_ended = False
        self._is_paused = False
        self._reader: asyncio.Future[None] | None = None

    @property
    def is_quiet(self) -> bool:
        """Whether the connection stands and nothing has come that nobody asked for."""
        return not self._is_ended and not self._received

    async def read(self, time_limit_s: float) -> bytes:
        """Return what has come, waiting for something; nothing at the end. Raises TimeoutError."""
        if not self._received and not self._is_ended:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(time_limit_s):
                    await self._reader
            finally:
                self._reader = None
        data = bytes(self._received)
        self._received.clear()
        if self._is_paused and self._transport is not None and not self._is_ended:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    def write(self, data: bytes) -> None:
        """Send; into the void if the connection has ended, which the next read tells."""
        if self._transport is not None and not self._is_ended:
            self._transport.write(data)

    def abort(self) -> None:
        """End the connection at once, without a goodbye."""
        if self._transport is not None:
            self._transport.abort()
        self._end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport (asyncio)."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's have the methods and not the class

    def data_received(self, data: bytes) -> None:
        """Keep what has come (asyncio)."""
        self._received += data
        if len(self._received) > BUFFER_BYTES_MAX and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """Take the peer's end for the end of all (asyncio)."""
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end (asyncio)."""
        del exc  # an answer that is cut short tells enough
        self._end()

    def _end(self) -> None:
        self._is_ended = True
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
