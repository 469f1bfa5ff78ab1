from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskline.recordings.mix import _BLOCK, _WINDOW, Mixer


def mixer(length: int = 1_000, *, is_mono: bool = False) -> tuple[Mixer, list[NDArray[np.int16]]]:
    written: list[NDArray[np.int16]] = []
    return Mixer(length, written.append, is_mono=is_mono), written


def joined(written: list[NDArray[np.int16]]) -> NDArray[Any]:
    return np.concatenate(written) if written else np.zeros((0, 2))


def ones(count: int, value: int = 1) -> NDArray[np.int16]:
    return np.full(count, value, dtype=np.int16)


def test_each_track_lies_in_its_column() -> None:
    """The first track is left, the second right; what nobody said is silence."""
    mix, written = mixer(10)
    mix.place(0, 2, ones(3, 7))
    mix.place(1, 4, ones(3, 9))
    mix.finish(10)
    assert joined(written).T.tolist() == [[0, 0, 7, 7, 7, 0, 0, 0, 0, 0], [0, 0, 0, 0, 9, 9, 9, 0, 0, 0]]


def test_mono_is_both_at_once_without_wrapping() -> None:
    """Loud voices together are cut at full scale."""
    mix, written = mixer(3, is_mono=True)
    mix.place(0, 0, np.array([1, 30_000, -30_000], dtype=np.int16))
    mix.place(1, 0, np.array([2, 30_000, -30_000], dtype=np.int16))
    mix.finish(3)
    assert joined(written).tolist() == [[3], [32_767], [-32_768]]


def test_what_was_said_first_stays() -> None:
    """Audio that overlaps what its own track said is cut, whatever the other track does."""
    mix, written = mixer(6)
    mix.place(0, 0, ones(4, 1))
    mix.place(0, 2, ones(4, 2))
    mix.place(1, 1, ones(1, 5))
    mix.finish(6)
    assert joined(written).T.tolist() == [[1, 1, 1, 1, 2, 2], [0, 5, 0, 0, 0, 0]]


def test_audio_outside_the_recording_is_cut() -> None:
    """Before the bridge, after the end, and too late to be written."""
    end = _BLOCK + 3
    mix, written = mixer(end)
    mix.place(0, -5, ones(7, 1))
    mix.place(0, end - 2, ones(7, 3))
    mix.advance(_BLOCK + 1)
    mix.place(1, _BLOCK - 3, ones(4, 4))
    mix.finish(end)
    left, right = joined(written).T.tolist()
    assert left == [1, 1, *[0] * (_BLOCK - 1), 3, 3]
    assert right == [*[0] * _BLOCK, 4, 0, 0]


def test_whole_seconds_are_written() -> None:
    """Encoders are not called for every packet."""
    mix, written = mixer(3 * _BLOCK)
    for position in range(0, 2 * _BLOCK + 100, 160):
        mix.advance(position)
    assert [len(block) for block in written] == [_BLOCK, _BLOCK]


def test_audio_far_ahead_is_cut_at_the_window() -> None:
    """A place beyond what is held is not remembered."""
    mix, written = mixer(_WINDOW * 2)
    mix.place(0, _WINDOW - 1, ones(5))
    mix.place(1, _WINDOW + 5, ones(5))
    mix.finish(_WINDOW * 2)
    assert joined(written).sum(axis=0).tolist() == [1, 0]


def test_a_recording_may_end_sooner() -> None:
    """Its length is what the end says, if that is not written yet, and never more than was foreseen."""
    for wanted, length in ((4, _BLOCK), (_BLOCK + 8, _BLOCK + 8), (9 * _BLOCK, 2 * _BLOCK)):
        mix, written = mixer(2 * _BLOCK)
        mix.advance(_BLOCK)
        mix.finish(wanted)
        assert mix.written_count == len(joined(written)) == length


@given(
    length=st.integers(0, 60_000),
    steps=st.lists(st.tuples(st.integers(-100, 70_000), st.integers(0, 400), st.booleans()), max_size=30),
    is_mono=st.booleans(),
)
def test_the_length_is_exact_whatever_is_placed(
    length: int, steps: list[tuple[int, int, bool]], is_mono: bool
) -> None:
    """Every sample is written once, no more and no fewer."""
    mix, written = mixer(length, is_mono=is_mono)
    for position, count, is_advance in steps:
        if is_advance:
            mix.advance(position)
        else:
            mix.place(count % 2, position, ones(count))
    mix.finish(length)
    assert sum(len(block) for block in written) == length
