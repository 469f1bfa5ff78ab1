import pytest

from maskline.media.codecs import PROFILES, Codec, default_codec, identify, is_payload_type_usable


@pytest.mark.parametrize(
    ("payload_type", "name", "rate", "channels", "codec"),
    [
        (0, None, 0, 1, Codec("PCMU", 0, 8000)),
        (18, None, 0, 1, Codec("G729", 18, 8000)),
        (3, None, 0, 1, None),
        (97, None, 0, 1, None),
        (0, "pcmu", 8000, 1, Codec("PCMU", 0, 8000)),
        (0, "PCMA", 8000, 1, None),  # a static number redefined
        (97, "PCMA", 8000, 1, Codec("PCMA", 97, 8000)),
        (9, "G722", 16000, 1, None),  # RFC 3551: its clock is 8000 for historical reasons
        (111, "opus", 48000, 2, Codec("opus", 111, 48000, 2)),
        (111, "opus", 48000, 1, None),  # RFC 7587: always two channels
        (72, "opus", 48000, 2, None),  # would look like RTCP
        (96, "speex", 8000, 1, None),
        (101, "Telephone-Event", 8000, 1, Codec("telephone-event", 101, 8000)),
        (101, "telephone-event", 16000, 1, None),
        (10, "telephone-event", 8000, 1, None),
    ],
)
def test_identify(payload_type: int, name: str | None, rate: int, channels: int, codec: Codec | None) -> None:
    """A format is one of ours exactly when number, name, clock and channels all fit."""
    assert identify(payload_type, name, rate, channels) == codec


def test_payload_types_that_look_like_rtcp() -> None:
    """Numbers 64 to 95 are never used."""
    unusable = {number for number in range(128) if not is_payload_type_usable(number)}
    assert unusable == set(range(64, 96))


def test_defaults() -> None:
    """Every codec has a number of ours; other names have none."""
    assert [default_codec(profile.name.upper()) for profile in PROFILES] == [
        Codec(p.name, p.payload_type, p.clock_rate_hz, p.channels) for p in PROFILES
    ]
    assert default_codec("speex") is None
