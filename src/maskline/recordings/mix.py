"""Joins both directions into one stream of samples, a few seconds at a time."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maskline.media.g711 import SAMPLE_RATE_HZ
from maskline.recordings.decode import Samples

HELD_S: Final = 10
"""How long audio may still be placed: beyond, packets came too late for anybody to have heard them."""
_WINDOW: Final = (HELD_S + 5) * SAMPLE_RATE_HZ
_BLOCK: Final = SAMPLE_RATE_HZ  # samples written at once

Write = Callable[[NDArray[np.int16]], None]
"""Takes samples: one row each, as many columns as there are channels."""


class Mixer:
    """Two tracks on one time line. `length` samples at most are written; what nobody said is silence."""

    def __init__(self, length: int, write: Write, *, is_mono: bool) -> None:
        self._length = length
        self._write = write
        self._is_mono = is_mono
        self._start = 0  # of the window, in samples
        self._tracks: NDArray[Any] = np.zeros((2, _WINDOW), dtype=np.int16)
        self._ends = [0, 0]  # up to where each track has been spoken on

    @property
    def written_count(self) -> int:
        """Samples written so far."""
        return min(self._start, self._length)

    def place(self, track: int, position: int, samples: Samples) -> None:
        """Put samples of a track (0 left, 1 right) where they belong; what was said there before stays."""
        first = max(position, self._ends[track], self._start)
        last = min(position + len(samples), self._start + _WINDOW)
        if first >= last:
            return
        self._tracks[track, first - self._start : last - self._start] = samples[
            first - position : last - position
        ]
        self._ends[track] = last

    def advance(self, position: int) -> None:
        """Write whole seconds of what lies before `position`."""
        self._write_until(position - position % _BLOCK)

    def _write_until(self, position: int) -> None:
        target = min(position, self._length)
        while self._start < target:
            count = min(_BLOCK, target - self._start)
            self._write_block(self._tracks[:, :count])
            self._tracks[:, :-count] = self._tracks[:, count:]
            self._tracks[:, -count:] = 0
            self._start += count

    def finish(self, length: int) -> None:
        """Write the rest, `length` samples in all, and not more than was said at the beginning."""
        self._length = min(self._length, max(length, self._start))
        self._write_until(self._length)

    def _write_block(self, block: NDArray[np.int16]) -> None:
        if self._is_mono:
            both = block.astype(np.int32).sum(axis=0, keepdims=True)
            block = np.clip(both, -32_768, 32_767).astype(np.int16)
        self._write(np.ascontiguousarray(block.T))
