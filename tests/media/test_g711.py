import pytest

from maskline.media.g711 import SILENCE, Law, decode_g711, encode_g711

# Pairs from the tables of ITU-T G.711: linear value (16-bit scale) and code as sent on the line.
KNOWN = {
    Law.MU: {0xFF: 0, 0x7F: 0, 0x80: 32124, 0x00: -32124, 0xF0: 120, 0xEF: 132, 0x8F: 16764},
    Law.A: {0xD5: 8, 0x55: -8, 0xAA: 32256, 0x2A: -32256, 0xC5: 264, 0xDA: 248},
}


@pytest.mark.parametrize("law", list(Law))
def test_codes_of_the_standard(law: Law) -> None:
    """Codes decode to the values of the recommendation's tables."""
    for code, value in KNOWN[law].items():
        assert decode_g711(bytes([code]), law) == [value]


@pytest.mark.parametrize("law", list(Law))
def test_every_code_survives(law: Law) -> None:
    """Decoding and encoding again gives the same value for every code."""
    values = decode_g711(bytes(range(256)), law)
    assert decode_g711(encode_g711(values, law), law) == values


@pytest.mark.parametrize("law", list(Law))
def test_error_is_small_beside_the_sample(law: Law) -> None:
    """The quantisation error stays below a sixteenth of the sample, or the smallest step."""
    samples = range(-32000, 32000, 7)
    decoded = decode_g711(encode_g711(samples, law), law)
    for sample, value in zip(samples, decoded, strict=True):
        assert abs(sample - value) <= max(abs(sample) / 16, 16)


@pytest.mark.parametrize("law", list(Law))
def test_silence(law: Law) -> None:
    """The silence code is the smallest value there is."""
    assert abs(decode_g711(bytes([SILENCE[law]]), law)[0]) <= 8


def test_clipping() -> None:
    """The loudest samples encode to the loudest code instead of wrapping round."""
    assert decode_g711(encode_g711([32767, -32768], Law.MU), Law.MU) == [32124, -32124]
    assert decode_g711(encode_g711([32767, -32768], Law.A), Law.A) == [32256, -32256]
