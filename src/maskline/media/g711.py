"""G.711: 16-bit linear samples to and from the two laws, by tables.

Source: ITU-T G.711 (1988), tables 1a to 2b.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

SAMPLE_RATE_HZ: Final = 8000
_MU_BIAS: Final = 0x84
_MU_CLIP: Final = 32_635


class Law(IntEnum):
    """A G.711 law by its RTP payload type (RFC 3551)."""

    MU = 0
    A = 8


SILENCE: Final = {Law.MU: 0xFF, Law.A: 0xD5}


def _encode_mu(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _MU_CLIP) + _MU_BIAS
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~(sign | exponent << 4 | mantissa) & 0xFF


def _decode_mu(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + _MU_BIAS << (code >> 4 & 7)) - _MU_BIAS
    return -magnitude if code & 0x80 else magnitude


def _encode_a(sample: int) -> int:
    sign = 0x80 if sample >= 0 else 0
    magnitude = (sample if sample >= 0 else ~sample) >> 3  # 12 bits, as the standard counts
    if magnitude < 32:
        code = magnitude >> 1
    else:
        exponent = magnitude.bit_length() - 5
        code = exponent << 4 | (magnitude >> exponent & 0x0F)
    return (sign | code) ^ 0x55


def _decode_a(code: int) -> int:
    code ^= 0x55
    exponent, mantissa = code >> 4 & 7, code & 0x0F
    magnitude = (mantissa << 4) + 8 if exponent == 0 else (mantissa << 4) + 0x108 << exponent - 1
    return magnitude if code & 0x80 else -magnitude


_ENCODE: Final = {
    law: bytes(encode(value - 0x10000 if value >= 0x8000 else value) for value in range(0, 0x10000, 4))
    for law, encode in ((Law.MU, _encode_mu), (Law.A, _encode_a))
}
_DECODE: Final = {
    law: tuple(decode(code) for code in range(256))
    for law, decode in ((Law.MU, _decode_mu), (Law.A, _decode_a))
}


def encode_g711(samples: Iterable[int], law: Law) -> bytes:
    """Encode samples of -32768..32767."""
    table = _ENCODE[law]
    return bytes([table[(sample & 0xFFFF) >> 2] for sample in samples])


def decode_g711(payload: bytes, law: Law) -> list[int]:
    """Decode to samples of -32768..32767."""
    table = _DECODE[law]
    return [table[code] for code in payload]
