from pathlib import Path

import pytest

from maskline.media.tone import hears_only, measure_levels_db
from maskline.outbound.client import OutboundClient
from maskline.prompts.format import PromptCodec
from maskline.prompts.library import PromptLibrary
from maskline.prompts.types import BuiltIn, PromptUnavailable
from maskline.testing.outbound import FakeOutbound
from tests.outbound.rig import LOOPBACK, serve
from tests.prompts.audio import as_samples, hear, likeness, make_wav, read_payload, sweep, tone


async def test_everything_together(tmp_path: Path) -> None:
    """A file on a server is heard by a phone, through the real client and the real decoder; junk is not."""
    sent = sweep(1.5, 16_000)
    content = make_wav(sent, rate_hz=16_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
    async with (
        serve(head % len(content) + content) as good,
        serve(head % 6 + b"<html>") as bad,
        serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5000001\r\n\r\n") as large,
        OutboundClient(allowed_networks=LOOPBACK) as client,
    ):
        library = PromptLibrary(tmp_path / "prompts", client)
        for codec in PromptCodec:
            file = await library.fetch(f"http://127.0.0.1:{good.port}/hello.mp3", codec)
            heard, rate_hz = hear(codec, read_payload(file))
            assert file.duration_s == 1.5
            assert likeness(heard, sweep(1.5, rate_hz)) > 0.95
        for peer, failure in ((bad, "not-audio"), (large, "too-large")):
            with pytest.raises(PromptUnavailable, match=failure):
                await library.fetch(f"http://127.0.0.1:{peer.port}/hello.wav", "PCMU")
        await library.close()
    assert len(good.requests) == 1


async def test_ringback_sounds_through_the_whole_chain(tmp_path: Path) -> None:
    """The file that is played has the country's frequencies and cadence."""
    library = PromptLibrary(tmp_path / "prompts", FakeOutbound())
    file = await library.built_in(BuiltIn.RINGBACK, "PCMA", country="FR")
    await library.close()
    assert file.duration_s == 5.0
    heard, _ = hear(PromptCodec.PCMA, read_payload(file))
    levels = measure_levels_db(as_samples(heard[:12_000]), (350, 440, 620, 1_000))
    assert hears_only(levels, 440)
    assert max(abs(heard[12_100:])) < 0.001
    assert likeness(heard[:12_000], tone(440, 1.5)) > 0.95
