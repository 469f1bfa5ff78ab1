"""What a prompt on disk is made of, and how long it may be."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from maskline.media.codecs import PROFILE_OF

DURATION_S_MAX: Final = 120  # nobody listens longer before a call
CONTENT_BYTES_MAX: Final = 5_000_000  # two minutes of MP3 at 320 kbit/s, or of WAV at 16 kHz
FRAME_MS: Final = 20  # prompts are whole frames: what is left of one at the end is not sent
PAYLOAD_BYTES_PER_S: Final = 8_000  # of all three codecs: 64 kbit/s
FRAME_BYTES: Final = PAYLOAD_BYTES_PER_S * FRAME_MS // 1000
FRAMES_MAX: Final = DURATION_S_MAX * 1000 // FRAME_MS


class PromptCodec(StrEnum):
    """A codec in which prompts are kept: those that the media engine can play."""

    PCMU = "PCMU"
    PCMA = "PCMA"
    G722 = "G722"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecFormat:
    """How a prompt of one codec is made: the rate of its samples and the encoder's name."""

    payload_type: int
    sample_rate_hz: int
    encoder: str


def _format(codec: PromptCodec, sample_rate_hz: int, encoder: str) -> CodecFormat:
    profile = PROFILE_OF[codec.value.lower()]
    return CodecFormat(payload_type=profile.payload_type, sample_rate_hz=sample_rate_hz, encoder=encoder)


CODECS: Final = {
    PromptCodec.PCMU: _format(PromptCodec.PCMU, 8_000, "pcm_mulaw"),
    PromptCodec.PCMA: _format(PromptCodec.PCMA, 8_000, "pcm_alaw"),
    PromptCodec.G722: _format(PromptCodec.G722, 16_000, "g722"),
}
HEADER_BYTES_MAX: Final = 100  # of what the decoding process answers, before the payloads
OUTPUT_BYTES_MAX: Final = HEADER_BYTES_MAX + len(CODECS) * FRAMES_MAX * FRAME_BYTES


def duration_s(payload_bytes: int) -> float:
    """Return how long payloads of so many bytes play."""
    return payload_bytes / PAYLOAD_BYTES_PER_S
