"""The demonstration's phones send one tone and can tell whose they hear."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from maskline.demo.audio import Audio
from maskline.media.g711 import Law

HEARD_COUNT = 25  # half a second
WAIT_S, POLL_S = 10.0, 0.02


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Audio, Audio, list[bytes]]]:
    """Two phones' audio on loopback, and every datagram the second was sent."""
    kept: list[bytes] = []
    one, other = Audio("127.0.0.1", 440, lambda _data: None), Audio("127.0.0.1", 1000, kept.append)
    await one.open()
    await other.open()
    yield one, other, kept
    one.close()
    other.close()


async def _until_heard(audio: Audio) -> None:
    async with asyncio.timeout(WAIT_S):
        while len(audio.heard) < HEARD_COUNT:  # noqa: ASYNC110  # real sockets; bounded above
            await asyncio.sleep(POLL_S)


@pytest.mark.parametrize("law", list(Law))
async def test_each_hears_the_other_only(pair: tuple[Audio, Audio, list[bytes]], law: Law) -> None:
    """Either phone hears the far tone and not its own, in both laws of G.711."""
    one, other, kept = pair
    one.start(("127.0.0.1", other.port), law)
    other.start(("127.0.0.1", one.port), law)
    await _until_heard(one)
    await _until_heard(other)
    assert one.hears_only(1000)
    assert other.hears_only(440)
    assert not one.hears_only(440)
    assert not other.hears_only(1000)
    assert len(kept) >= HEARD_COUNT


async def test_an_own_echo_is_no_other_party(pair: tuple[Audio, Audio, list[bytes]]) -> None:
    """A phone whose own tone comes back hears nobody else."""
    one, _, _ = pair
    one.start(("127.0.0.1", one.port), Law.MU)
    await _until_heard(one)
    assert not one.hears_only(1000)


async def test_a_new_call_forgets_the_last(pair: tuple[Audio, Audio, list[bytes]]) -> None:
    """What was heard in one call is no evidence for the next."""
    one, other, _ = pair
    other.start(("127.0.0.1", one.port), Law.MU)
    await _until_heard(one)
    other.stop()
    await asyncio.sleep(0)
    one.start(("127.0.0.1", other.port), Law.MU)
    assert one.heard == []
