from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.recordings.audio import Audio, level, part, read_audio, rms

from maskline.core.call_record import Side
from maskline.core.masking import RecordFormat
from maskline.core.recording import CapturedCodec, CapturedLeg, NotedLegs
from maskline.media.rtp import RTPPacket
from maskline.recordings.capture import CapturedPacket, CaptureUnreadableError
from maskline.recordings.conversion import ConversionJob, ConvertedAudio
from maskline.recordings.convert import Meanings, convert
from maskline.testing.captures import (
    AMPLITUDE,
    G722,
    G729,
    KEYS,
    OPUS,
    PCMA,
    PCMU,
    PORT,
    SentPacket,
    Speaker,
    encode_samples,
    encode_tone,
    note,
    render_capture,
    write_capture,
)

AT = 1_790_000_000_000_000
SECOND = 1_000_000
LEFT_HZ, RIGHT_HZ = 440, 1_000
CODECS = [PCMU, PCMA, G722, OPUS]
PRESENT, ABSENT = AMPLITUDE * 0.9, AMPLITUDE / 200


def a_job(directory: Path, **given: Any) -> ConversionJob:
    job = ConversionJob(
        capture=directory / "capture.pcap",
        target=directory / "audio",
        format=RecordFormat.WAV,
        is_mono=False,
        started_at=AT,
        ended_at=AT + 5 * SECOND,
        is_interrupted=False,
        notes=(note(AT, PCMU, PCMA, G722, G729, OPUS, KEYS),),
    )
    return replace(job, **given)


def make(directory: Path, packets: Iterable[SentPacket], **given: Any) -> tuple[ConvertedAudio, Audio]:
    """Convert a capture of these packets; return what is said of it and what is heard."""
    job = a_job(directory, **given)
    write_capture(job.capture, packets)
    job.target.unlink(missing_ok=True)
    made = convert(job)
    assert job.target.stat().st_size == made.size_bytes
    return made, read_audio(job.target)


def speak(
    side: Side, codec: CapturedCodec, frequency_hz: float, duration_s: float, **given: Any
) -> list[SentPacket]:
    given.setdefault("started_at", AT)
    return list(Speaker(side=side, codec=codec, **given).send(encode_tone(codec, frequency_hz, duration_s)))


def both(codec: CapturedCodec = PCMU, **given: Any) -> list[SentPacket]:
    """A speaks 440 Hz for 5 s, B answers 1 s later with 1000 Hz."""
    late = {**given, "started_at": AT + SECOND, "source": 99}
    return [*speak(Side.A, codec, LEFT_HZ, 5.0, **given), *speak(Side.B, codec, RIGHT_HZ, 4.0, **late)]


def assert_tones(audio: Audio, from_s: float = 1.5, to_s: float = 4.5) -> None:
    """The caller is left and the callee right, and neither is on the other side."""
    left, right = (part(channel, from_s, to_s) for channel in audio)
    assert level(left, LEFT_HZ) > PRESENT
    assert level(right, RIGHT_HZ) > PRESENT
    assert level(left, RIGHT_HZ) < ABSENT
    assert level(right, LEFT_HZ) < ABSENT


@pytest.mark.parametrize("format_", RecordFormat)
@pytest.mark.parametrize("codec", CODECS, ids=lambda it: it.name)
def test_each_codec_in_each_format(tmp_path: Path, codec: CapturedCodec, format_: RecordFormat) -> None:
    """Tones lie on their sides for their time, and the file is as long as the call."""
    made, audio = make(tmp_path, both(codec), format=format_)
    assert audio.shape == (2, 40_000)
    assert (made.duration_ms, made.ended_at, made.packet_count) == (5_000, AT + 5 * SECOND, 450)
    assert_tones(audio)
    assert rms(part(audio[1], 0.0, 0.9)) < 2
    if format_ is RecordFormat.WAV:
        assert rms(part(audio[1], 0.0, 0.99)) < 2


def test_g729_has_its_place_and_length(tmp_path: Path) -> None:
    """Packets of G.729 are heard while they last."""
    speech = [bytes.fromhex("78525f3c0a9dfa4ec0da" * 2)] * 100
    packets = Speaker(side=Side.B, codec=G729, started_at=AT + SECOND).send(speech)
    _, audio = make(tmp_path, packets)
    assert rms(audio[0]) == 0
    assert rms(part(audio[1], 0.0, 0.99)) == 0
    assert rms(part(audio[1], 1.2, 2.9)) > 0
    assert rms(part(audio[1], 3.1, 5.0)) == 0


def test_loss_is_silence_of_its_length(tmp_path: Path) -> None:
    """Half a second of lost packets leaves half a second of silence, and moves nothing after it."""
    lost = frozenset(range(100, 125))
    _, audio = make(tmp_path, both(lost=lost, sequence=65_450, timestamp=2**32 - 10_000))
    assert rms(part(audio[0], 2.02, 2.52)) == 0
    assert level(part(audio[0], 1.0, 2.0), LEFT_HZ) > PRESENT
    assert level(part(audio[0], 2.52, 5.0), LEFT_HZ) > PRESENT
    assert rms(part(audio[1], 3.02, 3.52)) == 0


@pytest.mark.parametrize("codec", CODECS, ids=lambda it: it.name)
def test_speech_is_where_it_was_spoken(tmp_path: Path, codec: CapturedCodec) -> None:
    """Noise correlates with itself at its own place: within 10 ms, codec delay and all."""
    rate_hz = {"PCMU": 8_000, "PCMA": 8_000, "G722": 16_000, "opus": 48_000}[codec.name]
    rng = np.random.default_rng(7)
    at_8_khz = rng.normal(size=8_000)
    at_8_khz = np.convolve(at_8_khz, np.ones(8) / 8, mode="same") * 9_000  # below 1 kHz: every codec keeps it
    spoken = np.interp(np.arange(rate_hz) / rate_hz, np.arange(8_000) / 8_000, at_8_khz).astype(np.int16)
    packets = Speaker(side=Side.A, codec=codec, started_at=AT + 2 * SECOND).send(
        encode_samples(codec, spoken)
    )
    _, audio = make(tmp_path, packets)
    correlation = np.correlate(audio[0], at_8_khz, mode="valid")
    # A packet arrives when its last sample was spoken: 20 ms after its first.
    assert abs(correlation.argmax() / 8_000 - 2.02) < 0.010


def test_ipv6_and_ipv4_in_one_call(tmp_path: Path) -> None:
    """Each side has its own IP version; ports tell them apart."""
    packets = [*speak(Side.A, PCMU, LEFT_HZ, 5.0, is_v6=True), *speak(Side.B, PCMU, RIGHT_HZ, 5.0)]
    _, audio = make(tmp_path, packets)
    assert_tones(audio)


def test_codec_changed_in_the_call(tmp_path: Path) -> None:
    """A payload type means what was noted last: after a re-INVITE number 111 is another codec."""
    renumbered = CapturedCodec(111, "G722", 8_000)
    notes = (note(AT, OPUS), note(AT + 2 * SECOND, renumbered))
    talker = Speaker(side=Side.A, codec=OPUS, started_at=AT)
    packets = [*talker.send(encode_tone(OPUS, LEFT_HZ, 2.0))]
    talker.codec = renumbered
    packets += talker.send(encode_tone(G722, RIGHT_HZ, 3.0))
    _, audio = make(tmp_path, packets, notes=notes)
    assert level(part(audio[0], 0.2, 1.9), LEFT_HZ) > PRESENT
    assert level(part(audio[0], 2.2, 4.9), RIGHT_HZ) > PRESENT


def test_port_changed_in_the_call(tmp_path: Path) -> None:
    """The note of a re-INVITE may name another port of ours."""
    moved = NotedLegs(
        noted_at=AT + 2 * SECOND,
        legs=(
            CapturedLeg(side=Side.A, port=30_000, codecs=(PCMU,)),
            CapturedLeg(side=Side.B, port=PORT[Side.B], codecs=(PCMU,)),
        ),
    )
    packets = [
        *speak(Side.A, PCMU, LEFT_HZ, 2.0),
        *(
            replace(it, port=30_000)
            for it in speak(Side.A, PCMU, RIGHT_HZ, 3.0, started_at=AT + 2 * SECOND, source=5)
        ),
    ]
    _, audio = make(tmp_path, packets, notes=(note(AT, PCMU), moved))
    assert level(part(audio[0], 0.2, 1.9), LEFT_HZ) > PRESENT
    assert level(part(audio[0], 2.2, 4.9), RIGHT_HZ) > PRESENT


def test_keys_are_never_heard(tmp_path: Path) -> None:
    """Telephone-events lie in the capture and leave nothing in the audio."""
    keys = [
        SentPacket(
            AT + SECOND + index * 20_000,
            Side.A,
            RTPPacket(payload_type=101, sequence=5_000 + index, timestamp=9_000, source=3, payload=payload),
        )
        for index, payload in enumerate([bytes([5, 10, 0, 160])] * 20)
    ]
    made, audio = make(tmp_path, keys)
    assert made.packet_count == 0
    assert rms(audio[0]) == rms(audio[1]) == 0


def test_payload_types_nobody_announced_are_passed_over(tmp_path: Path) -> None:
    """Comfort noise and strangers' numbers make no sound."""
    unknown = CapturedCodec(13, "PCMU", 8_000)
    made, audio = make(tmp_path, speak(Side.A, unknown, LEFT_HZ, 2.0))
    assert made.packet_count == 0
    assert rms(audio[0]) == 0


def test_mono_has_both_voices(tmp_path: Path) -> None:
    """One channel, both tones."""
    _, audio = make(tmp_path, both(), is_mono=True)
    assert audio.shape == (1, 40_000)
    for frequency_hz in (LEFT_HZ, RIGHT_HZ):
        assert level(part(audio[0], 1.5, 4.5), frequency_hz) > PRESENT


def test_silent_call_is_silence_of_its_length(tmp_path: Path) -> None:
    """Nobody said anything, and for so long."""
    made, audio = make(tmp_path, [], ended_at=AT + 3 * SECOND)
    assert made.duration_ms == 3_000
    assert audio.shape == (2, 24_000)
    assert not audio.any()


CALLS = {codec: both(codec) for codec in (PCMU, G722)}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start_us=st.integers(-2_000_000, 2_000_000),
    length_us=st.integers(0, 8_000_000),
    format_=st.sampled_from(RecordFormat),
    codec=st.sampled_from([PCMU, G722]),
)
def test_length_is_that_of_the_bridge(
    tmp_path: Path, start_us: int, length_us: int, format_: RecordFormat, codec: CapturedCodec
) -> None:
    """Whenever the bridge began and ended beside the packets, the file is as long, within 50 ms."""
    started_at, ended_at = AT + start_us, AT + start_us + length_us
    made, audio = make(tmp_path, CALLS[codec], started_at=started_at, ended_at=ended_at, format=format_)
    assert abs(made.duration_ms - length_us / 1_000) <= 1
    assert abs(audio.shape[1] / 8_000 - length_us / SECOND) < 0.05
    assert abs(made.ended_at - ended_at) < 1_000


def test_interrupted_call_ends_with_its_last_packet(tmp_path: Path) -> None:
    """Nobody saw the end, found hours later: the audio is as long as there was any."""
    made, audio = make(tmp_path, both(), ended_at=AT + 7_200 * SECOND, is_interrupted=True)
    assert made.ended_at == pytest.approx(AT + 5 * SECOND, abs=50_000)
    assert audio.shape[1] / 8_000 == pytest.approx(5.0, abs=0.05)
    assert_tones(audio)


def test_interrupted_call_without_packets_has_no_length(tmp_path: Path) -> None:
    """Nothing tells how long it was."""
    with pytest.raises(CaptureUnreadableError):
        make(tmp_path, [], is_interrupted=True)


def test_packets_after_the_end_do_not_lengthen(tmp_path: Path) -> None:
    """The bridge's end is the file's end."""
    made, audio = make(tmp_path, both(), ended_at=AT + 2 * SECOND, is_interrupted=True)
    assert made.duration_ms == 2_000
    assert audio.shape == (2, 16_000)


def test_capture_cut_anywhere_still_converts(tmp_path: Path) -> None:
    """A crash of the relay costs the end of the audio, not the recording."""
    data = render_capture(both())
    for size in (0, 10, 24, 30, 1_000, len(data) // 2, len(data) - 1):
        job = a_job(tmp_path)
        job.capture.write_bytes(data[:size])
        job.target.unlink(missing_ok=True)
        assert convert(job).duration_ms == 5_000
    assert_tones(read_audio(job.target), 1.5, 4.0)


def test_what_is_no_capture_is_refused(tmp_path: Path) -> None:
    """And a target that is there is not written over."""
    job = a_job(tmp_path)
    job.capture.write_bytes(b"no capture at all, but some text")
    with pytest.raises(CaptureUnreadableError):
        convert(job)
    with pytest.raises(FileExistsError):
        convert(job)


def test_hour_long_hold_needs_no_packets(tmp_path: Path) -> None:
    """A call that is silent for most of an hour is written in pieces."""
    packets = [*both(), *speak(Side.A, PCMU, LEFT_HZ, 2.0, started_at=AT + 3_590 * SECOND, source=4)]
    _, audio = make(tmp_path, packets, ended_at=AT + 3_600 * SECOND, is_mono=True)
    assert audio.shape[1] == 3_600 * 8_000
    assert level(part(audio[0], 3_590.2, 3_591.8), LEFT_HZ) > PRESENT
    assert rms(part(audio[0], 10.0, 3_589.0)) == 0


def test_jobs_survive_their_journey() -> None:
    """What one process writes another reads."""
    job = a_job(Path("/tmp/x"), is_mono=True, notes=(note(AT, PCMU), note(AT + 1, OPUS, KEYS)))
    assert "\n" not in job.to_json()
    assert ConversionJob.from_json(job.to_json()) == job


def test_a_codec_is_known_a_little_before_its_note() -> None:
    """Packets of a re-INVITE's codec overtake the note of it; packets of the old one are late."""
    meanings = Meanings((note(AT, PCMU), note(AT + SECOND, OPUS), note(AT + 2 * SECOND, KEYS)))
    sent = speak(Side.A, OPUS, LEFT_HZ, 0.02)[0]
    early = meanings.find(_captured(sent, AT + 10))
    late = meanings.find(_captured(sent, AT + 3 * SECOND))
    assert early == late == (Side.A, OPUS)
    assert meanings.find(_captured(speak(Side.B, PCMU, LEFT_HZ, 0.02)[0], AT + 3 * SECOND)) == (Side.B, PCMU)


def _captured(sent: SentPacket, arrived_at: int) -> CapturedPacket:
    return CapturedPacket(arrived_at, PORT[sent.side], sent.packet)
