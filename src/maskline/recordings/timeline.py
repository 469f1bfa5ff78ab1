"""When the packets of one direction were meant to be heard.

A packet's place follows from its RTP timestamp, which tells exactly how far packets lie apart, and from arrival
times, which tell when the stream as a whole was heard. Packets wait here for about a second: so they can be put
into order, and so the least delayed of them says where the stream lies, whatever held up the others.

Source: RFC 3550 sections 5.1 and 6.4.1 (interarrival times).
"""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from operator import itemgetter
from typing import Final, NamedTuple

from maskline.core.recording import CapturedCodec
from maskline.media.rtp import RTPPacket, sequence_distance
from maskline.recordings.decode import measure_payload

US_PER_S: Final = 1_000_000
LOOK_AHEAD_US: Final = 500_000
"""Packets from which a stream's place is told; more than any jitter that calls survive."""
WAITING_US_MAX: Final = 2 * LOOK_AHEAD_US
WAITING_COUNT_MAX: Final = 1024
"""Packets kept of one direction: a second of any codec's shortest packets, and a bound for a flood."""
LATE_US_MAX: Final = 400_000
"""All packets later than this: the sender stopped its clock for a while, as some do on hold."""
EARLY_US_MAX: Final = 100_000
"""Earlier than they can be: the sender's clock runs fast."""
GAP_LATE_US_MAX: Final = 60_000
"""At a pause the place is set right sooner, since nobody hears it."""
SEQUENCE_JUMP_MAX: Final = 3_000
"""RFC 3550 appendix A.1 MAX_DROPOUT: further ahead or back it is another stream under the same name."""
RUN_US_MAX: Final = 500_000  # audio decoded at once


class Run(NamedTuple):
    """Payloads that follow one another without a gap, from `place_us` after the recording's start on.

    `is_joined`: they continue the run before, so that filters go on. `is_new`: another stream or codec begins.
    """

    place_us: float
    codec: CapturedCodec
    payloads: list[bytes]
    is_joined: bool
    is_new: bool


class _Waiting(NamedTuple):
    sequence: int  # counted on over the wrap
    timestamp: int  # likewise
    arrived_us: int  # after the recording's start
    codec: CapturedCodec
    payload: bytes
    duration: int  # in units of the codec's clock


@dataclass(slots=True)
class _Anchor:
    """Where a stream's timestamps lie on the recording's time."""

    codec: CapturedCodec
    timestamp: int
    place_us: float

    def place(self, timestamp: int) -> float:
        return self.place_us + (timestamp - self.timestamp) * US_PER_S / self.codec.clock_rate_hz


class Timeline:
    """One direction of a call. Feed packets as they arrived; runs come out in the order of their places."""

    def __init__(self, started_at: int) -> None:
        self._started_at = started_at
        self._waiting: list[_Waiting] = []
        self._source: int | None = None
        self._newest_us = 0
        self._last_sequence = 0  # the last that arrived, counted on
        self._last_timestamp = 0
        self._given_sequence: int | None = None  # the last that left
        self._anchor: _Anchor | None = None
        self._expected: int | None = None  # timestamp that would continue the last run

    def add(self, arrived_at: int, codec: CapturedCodec, packet: RTPPacket) -> Iterator[Run]:
        """Take a packet of audio; yield what it pushes out."""
        duration = measure_payload(codec.name, packet.payload)
        if duration == 0:
            return
        if self._is_other_stream(packet):
            yield from self._give(len(self._waiting))
            self._begin(packet)
        self._last_sequence += sequence_distance(self._last_sequence & 0xFFFF, packet.sequence)
        self._last_timestamp += _timestamp_distance(self._last_timestamp, packet.timestamp)
        arrived_us = arrived_at - self._started_at
        self._newest_us = max(self._newest_us, arrived_us) if self._waiting else arrived_us
        waiting = _Waiting(
            self._last_sequence, self._last_timestamp, arrived_us, codec, packet.payload, duration
        )
        insort(self._waiting, waiting, key=itemgetter(0))
        yield from self.advance(arrived_at)

    def advance(self, now: int) -> Iterator[Run]:
        """Yield what has waited long enough at `now` (µs UTC)."""
        if not self._waiting:
            return
        now_us = now - self._started_at
        if now_us - self._newest_us >= WAITING_US_MAX:
            yield from self.flush()
        elif len(self._waiting) >= WAITING_COUNT_MAX:
            yield from self._give(WAITING_COUNT_MAX // 2)
        elif now_us - self._waiting[0].arrived_us >= WAITING_US_MAX:
            limit_us = now_us - LOOK_AHEAD_US
            count = next(
                (index for index, it in enumerate(self._waiting) if it.arrived_us > limit_us),
                len(self._waiting),
            )
            yield from self._give(max(count, 1))

    def flush(self) -> Iterator[Run]:
        """Yield all that waits."""
        yield from self._give(len(self._waiting))

    def _is_other_stream(self, packet: RTPPacket) -> bool:
        if packet.source != self._source:
            return True
        distance = sequence_distance(self._last_sequence & 0xFFFF, packet.sequence)
        return abs(distance) > SEQUENCE_JUMP_MAX

    def _begin(self, packet: RTPPacket) -> None:
        self._source = packet.source
        self._last_sequence = packet.sequence
        self._last_timestamp = packet.timestamp
        self._given_sequence = None
        self._anchor = None
        self._expected = None

    def _give(self, count: int) -> Iterator[Run]:
        """Yield the runs of the first `count` packets; the others help to place them."""
        waiting = self._waiting
        self._waiting = waiting[count:]
        lateness = self._measure(waiting)
        run: Run | None = None
        run_end = 0  # timestamp where the run is long enough
        for index in range(count):
            it = waiting[index]
            if self._given_sequence is not None and it.sequence <= self._given_sequence:
                continue  # came twice, or after its turn
            self._given_sequence = it.sequence
            is_new = self._anchor is None or self._anchor.codec != it.codec
            if is_new:
                self._anchor = _Anchor(it.codec, it.timestamp, it.arrived_us)
                lateness = [0.0] * index + self._measure(waiting[index:])
            is_joined = not is_new and it.timestamp == self._expected
            is_moved = self._move(lateness, index, is_new=is_new, is_gap=not is_joined)
            self._expected = it.timestamp + it.duration
            if run is None or not is_joined or is_moved or it.timestamp >= run_end:
                if run is not None:
                    yield run
                assert self._anchor is not None, "made for the first packet"
                place_us = self._anchor.place(it.timestamp)
                run = Run(place_us, it.codec, [], is_joined and not is_moved, is_new)
                run_end = it.timestamp + it.codec.clock_rate_hz * RUN_US_MAX // US_PER_S
            run.payloads.append(it.payload)
        if run is not None:
            yield run

    def _measure(self, packets: list[_Waiting]) -> list[float]:
        """Say of each packet how much later than its place the least delayed one from there on came."""
        anchor = self._anchor
        least = inf
        found = [least] * len(packets)
        for index in range(len(packets) - 1, -1, -1):
            it = packets[index]
            if anchor is not None and it.codec == anchor.codec:
                least = min(least, it.arrived_us - anchor.place(it.timestamp))
            found[index] = least
        return found

    def _move(self, lateness: list[float], index: int, *, is_new: bool, is_gap: bool) -> bool:
        """Move the anchor to where the packets from `index` on say, if it is new or they came too late or early."""
        assert self._anchor is not None, "made for the first packet"
        late_us = lateness[index]
        is_fitting = -EARLY_US_MAX <= late_us <= (GAP_LATE_US_MAX if is_gap else LATE_US_MAX)
        if is_fitting and not is_new:
            return False
        self._anchor.place_us += late_us
        lateness[index:] = [it - late_us for it in lateness[index:]]
        return True


def _timestamp_distance(earlier: int, later: int) -> int:
    return ((later - earlier + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
