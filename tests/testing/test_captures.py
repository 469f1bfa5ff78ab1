import io

import numpy as np
import pytest
from tests.recordings.test_capture import PORTS

from maskline.core.call_record import Side
from maskline.core.recording import CapturedCodec
from maskline.media.g711 import Law, decode_g711
from maskline.recordings.capture import read_capture
from maskline.testing.captures import (
    G722,
    OPUS,
    PCMU,
    PORT,
    Speaker,
    encode_samples,
    make_sine,
    render_capture,
)

AT = 1_790_000_000_000_000


def test_captures_are_read_as_they_were_made() -> None:
    """Order of arrival, ports and packets, whatever order they were made in."""
    sent = [
        *Speaker(side=Side.A, codec=PCMU, started_at=AT).send([b"a", b"b"]),
        *Speaker(side=Side.B, codec=PCMU, started_at=AT - 5, is_v6=True).send([b"c"]),
    ]
    found = list(read_capture(io.BytesIO(render_capture(sent)), PORTS))
    assert [(it.port, it.packet.payload) for it in found] == [
        (PORT[Side.B], b"c"), (PORT[Side.A], b"a"), (PORT[Side.A], b"b"),
    ]  # fmt: skip


def test_speaker_goes_on_where_it_was() -> None:
    """Sequence, timestamp and time advance with every payload, lost ones included, and with pauses."""
    speaker = Speaker(
        side=Side.A, codec=PCMU, started_at=AT, sequence=65_535, timestamp=2**32 - 160, lost=frozenset({1})
    )
    first, third = speaker.send([b"x"] * 3)
    speaker.pause(2)
    [last] = speaker.send([b"y"])
    assert [it.packet.sequence for it in (first, third, last)] == [65_535, 1, 2]
    assert [it.packet.timestamp for it in (first, third, last)] == [2**32 - 160, 160, 640]
    assert [it.arrived_at - AT for it in (first, third, last)] == [20_000, 60_000, 120_000]


@pytest.mark.parametrize(("codec", "rate_hz"), [(PCMU, 8_000), (G722, 16_000), (OPUS, 48_000)])
def test_payloads_are_twenty_milliseconds(codec: CapturedCodec, rate_hz: int) -> None:
    """As many as there are whole ones in the samples."""
    assert len(encode_samples(codec, make_sine(400, 0.51, rate_hz))) == 25


def test_companded_tone_is_the_tone() -> None:
    """G.711 is within its own steps."""
    tone = make_sine(500, 0.1, 8_000)
    heard = np.array(decode_g711(b"".join(encode_samples(PCMU, tone)), Law.MU))
    assert np.abs(heard - tone).max() < 300
