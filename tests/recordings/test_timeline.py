from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.call_record import Side
from maskline.core.recording import CapturedCodec
from maskline.recordings.timeline import WAITING_COUNT_MAX, Run, Timeline
from maskline.testing.captures import OPUS, PCMA, PCMU, PTIME_US, SentPacket, Speaker

AT = 1_790_000_000_000_000
PAYLOAD = bytes(160)
OPUS_20_MS = bytes([0x78])  # CELT, one frame of 20 ms
LATENCY_US = PTIME_US  # a payload is sent when its last sample was spoken


def speaker(codec: CapturedCodec = PCMU, **given: Any) -> Speaker:
    return Speaker(side=Side.A, codec=codec, started_at=AT, **given)


def run_all(sent: Iterable[SentPacket], codec: CapturedCodec = PCMU) -> list[Run]:
    codecs = {it.payload_type: it for it in (PCMU, PCMA, OPUS, codec)}
    timeline = Timeline(AT)
    runs: list[Run] = []
    for it in sorted(sent, key=lambda it: it.arrived_at):
        runs += timeline.add(it.arrived_at, codecs[it.packet.payload_type], it.packet)
    return [*runs, *timeline.flush()]


def places_ms(runs: list[Run]) -> list[float]:
    """Where each payload lies, in ms after the recording's start, arrival's own delay taken off."""
    found = []
    for run in runs:
        found += [
            round((run.place_us - LATENCY_US) / 1000 + index * 20, 3) for index in range(len(run.payloads))
        ]
    return found


def test_a_steady_stream_lies_end_to_end() -> None:
    """Payloads follow one another in long runs, only the first of which begins anew."""
    runs = run_all(speaker().send([PAYLOAD] * 200))
    assert places_ms(runs) == [20 * index for index in range(200)]
    assert [run.is_joined for run in runs] == [False, *[True] * (len(runs) - 1)]
    assert [run.is_new for run in runs] == [True, *[False] * (len(runs) - 1)]
    assert len(runs) < 30


def test_numbers_and_timestamps_wrap() -> None:
    """The stream goes on over the end of both counters."""
    sent = speaker(sequence=65_500, timestamp=2**32 - 3_000).send([PAYLOAD] * 100)
    assert places_ms(run_all(sent)) == [20 * index for index in range(100)]


@given(lost=st.sets(st.integers(1, 98)), jitter_ms=st.lists(st.integers(0, 60), min_size=100, max_size=100))
def test_loss_and_jitter_move_nothing(lost: set[int], jitter_ms: list[int]) -> None:
    """What arrives lies where it was spoken, whatever is lost, late or out of order, give or take the least delay."""
    sent = [
        replace(it, arrived_at=it.arrived_at + jitter_ms[index] * 1000)
        for index, it in enumerate(speaker().send([PAYLOAD] * 100))
        if index not in lost
    ]
    places = places_ms(run_all(sent))
    expected = [20 * index for index in range(100) if index not in lost]
    shift = places[0] - expected[0]
    assert len(places) == len(expected)
    assert -1 <= shift <= 60
    # Only where a pause lets it be set right may the stream be moved, and by no more than the jitter.
    assert all(-1 <= found - wanted <= 120 for found, wanted in zip(places, expected, strict=True))


def test_reordered_packets_are_put_into_order() -> None:
    """Two packets that overtook each other are heard as they were spoken."""
    sent = list(speaker().send([bytes([index]) * 160 for index in range(60)]))
    sent[20], sent[21] = (
        replace(sent[20], arrived_at=sent[21].arrived_at + 5_000),
        replace(sent[21], arrived_at=sent[20].arrived_at),
    )
    payloads = [payload[0] for run in run_all(sent) for payload in run.payloads]
    assert payloads == list(range(60))


def test_a_packet_that_comes_twice_is_heard_once() -> None:
    """Duplicates, near and far, change nothing."""
    sent = list(speaker().send([PAYLOAD] * 150))
    again = [replace(it, arrived_at=it.arrived_at + 3_000) for it in sent[10:20]]
    late = [replace(it, arrived_at=it.arrived_at + 2_000_000) for it in sent[20:25]]
    assert places_ms(run_all([*sent, *again, *late])) == [20 * index for index in range(150)]


def test_a_late_first_packet_does_not_shift_the_stream() -> None:
    """The least delayed packets say where the stream lies."""
    first, *others = speaker().send([PAYLOAD] * 100)
    sent = [replace(first, arrived_at=first.arrived_at + 90_000), *others]
    assert places_ms(run_all(sent)) == [20 * index for index in range(100)]


def test_a_stall_of_the_network_moves_nothing() -> None:
    """Packets that were held up for seconds and come at once lie where they were spoken."""
    sent = [
        replace(it, arrived_at=max(it.arrived_at, AT + 4_000_000 + index * 10)) if 50 <= index < 200 else it
        for index, it in enumerate(speaker().send([PAYLOAD] * 300))
    ]
    assert places_ms(run_all(sent)) == [20 * index for index in range(300)]


def test_silence_with_a_running_clock_leaves_a_gap() -> None:
    """A sender that says nothing goes on where its timestamps say."""
    talker = speaker()
    sent = [*talker.send([PAYLOAD] * 50)]
    talker.pause(500)
    sent += talker.send([PAYLOAD] * 50)
    runs = run_all(sent)
    assert places_ms(runs) == [20 * index for index in (*range(50), *range(550, 600))]
    assert sum(not run.is_joined for run in runs) == 2


def test_a_sender_whose_clock_stood_still_is_placed_by_arrival() -> None:
    """After a hold without timestamps the stream lies where it is heard."""
    talker = speaker()
    sent = [*talker.send([PAYLOAD] * 100)]
    talker.started_at += 5_000_000
    sent += talker.send([PAYLOAD] * 100)
    expected = [20 * index + (5_000 if index >= 100 else 0) for index in range(200)]
    assert places_ms(run_all(sent)) == expected


@pytest.mark.parametrize("jump", [40_000, 2**31 + 5, -50_000])
def test_timestamps_that_jump_are_placed_by_arrival(jump: int) -> None:
    """A sender that restarts its timestamps, and nothing else, is still heard in its place."""
    talker = speaker()
    sent = [*talker.send([PAYLOAD] * 100)]
    talker.timestamp = (talker.timestamp + jump) & 0xFFFF_FFFF
    sent += talker.send([PAYLOAD] * 100)
    places = places_ms(run_all(sent))
    assert places[-1] == pytest.approx(20 * 199, abs=1)
    assert places[120:] == pytest.approx([20 * index for index in range(120, 200)], abs=1)


def test_another_stream_starts_anew() -> None:
    """A new source, and a jump of the sequence, are placed by their own arrival."""
    talker = speaker()
    sent = [*talker.send([PAYLOAD] * 60)]
    talker.source, talker.timestamp, talker.sequence = 77, 123_456_789, 9
    sent += talker.send([PAYLOAD] * 60)
    talker.sequence, talker.timestamp = 40_000, 5
    sent += talker.send([PAYLOAD] * 60)
    runs = run_all(sent)
    assert places_ms(runs) == [20 * index for index in range(180)]
    assert sum(run.is_new for run in runs) == 3


def test_another_codec_in_the_same_stream() -> None:
    """The payload type changes, and with it the clock of the timestamps; the place goes on."""
    talker = speaker()
    sent = [*talker.send([PAYLOAD] * 60)]
    talker.codec = OPUS
    sent += talker.send([OPUS_20_MS] * 60)
    talker.codec = PCMA
    sent += talker.send([PAYLOAD] * 60)
    runs = run_all(sent)
    assert places_ms(runs) == pytest.approx([20 * index for index in range(180)], abs=0.01)
    assert [run.codec for run in runs if run.is_new] == [PCMU, OPUS, PCMA]


def test_what_cannot_be_decoded_is_no_packet() -> None:
    """An empty payload takes no place."""
    assert run_all(speaker().send([b""] * 10)) == []


def test_a_fast_clock_is_followed() -> None:
    """A sender whose clock runs 0.1 % fast is never more than a tenth of a second early."""
    sent = [
        replace(it, arrived_at=AT + PTIME_US + round(index * PTIME_US * 0.999))
        for index, it in enumerate(speaker().send([PAYLOAD] * 20_000))
    ]
    runs = run_all(sent)
    assert sum(len(run.payloads) for run in runs) == 20_000
    assert places_ms(runs)[-1] == pytest.approx(20 * 19_999 * 0.999, abs=101)


def test_a_flood_is_bounded() -> None:
    """Packets that all come at once are not kept beyond a bound."""
    timeline = Timeline(AT)
    for it in speaker().send([PAYLOAD] * 5_000):
        list(timeline.add(AT, PCMU, it.packet))
        assert len(timeline._waiting) <= WAITING_COUNT_MAX


def test_a_side_that_falls_silent_is_given_out() -> None:
    """Time alone pushes out what waits."""
    timeline = Timeline(AT)
    for it in speaker().send([PAYLOAD] * 5):
        assert list(timeline.add(it.arrived_at, PCMU, it.packet)) == []
    assert list(timeline.advance(AT + 900_000)) == []
    [run] = timeline.advance(AT + 2_000_000)
    assert len(run.payloads) == 5
    assert list(timeline.advance(AT + 9_000_000)) == []
