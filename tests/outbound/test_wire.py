import asyncio

import pytest

from maskline.outbound.wire import BUFFER_BYTES_MAX, Wire
from tests.outbound.rig import AnsweringTransport


def _wire(answer: bytes = b"") -> tuple[Wire, AnsweringTransport]:
    wire = Wire()
    transport = AnsweringTransport(wire, answer)
    wire.connection_made(transport)
    return wire, transport


async def test_what_has_come_is_read_at_once() -> None:
    """Bytes that came before, between and after are read in order, each once."""
    wire, _ = _wire()
    wire.data_received(b"ab")
    wire.data_received(b"c")
    assert await wire.read(1) == b"abc"
    reading = asyncio.ensure_future(wire.read(1))  # noqa: TID251
    await asyncio.sleep(0)
    wire.data_received(b"d")
    wire.data_received(b"e")
    assert await reading == b"de"


async def test_silence_is_bounded() -> None:
    """A peer that says nothing costs the time given, and what comes later is not lost."""
    wire, _ = _wire()
    with pytest.raises(TimeoutError):
        await wire.read(0.01)
    wire.data_received(b"late")
    assert await wire.read(1) == b"late"


async def test_end_is_read_after_all_that_came() -> None:
    """The end is nothing, again and again; what came before it is read first."""
    for end in ("eof", "lost", "abort"):
        wire, transport = _wire()
        wire.data_received(b"last")
        if end == "eof":
            assert wire.eof_received() is False
        elif end == "lost":
            wire.connection_lost(ConnectionResetError())
        else:
            wire.abort()
            assert transport.is_aborted
        assert await wire.read(1) == b"last"
        assert await wire.read(1) == await wire.read(1) == b""
        wire.write(b"into the void")
        assert transport.written == b""


async def test_who_waits_hears_of_the_end() -> None:
    """A reader does not sleep through the end of the connection."""
    wire, _ = _wire()
    reading = asyncio.ensure_future(wire.read(5))  # noqa: TID251
    await asyncio.sleep(0)
    wire.connection_lost(None)
    wire.eof_received()
    assert await reading == b""


async def test_peer_waits_while_nobody_reads() -> None:
    """What is kept is bounded: beyond 64 kB the peer is not listened to until somebody reads."""
    wire, transport = _wire()
    wire.data_received(bytes(BUFFER_BYTES_MAX))
    assert not transport.is_reading_paused
    wire.data_received(b"x")
    assert transport.is_reading_paused
    assert len(await wire.read(1)) == BUFFER_BYTES_MAX + 1
    assert not transport.is_reading_paused


async def test_quiet_is_standing_and_silent() -> None:
    """A connection is fit for another request while it stands and nothing unasked has come."""
    wire, _ = _wire()
    assert wire.is_quiet
    wire.data_received(b"unasked")
    assert not wire.is_quiet
    await wire.read(1)
    assert wire.is_quiet
    wire.eof_received()
    assert not wire.is_quiet


async def test_wire_that_was_never_connected_is_harmless() -> None:
    """Nothing is sent or aborted where there is no transport."""
    wire = Wire()
    wire.write(b"x")
    wire.abort()
    assert await wire.read(1) == b""
