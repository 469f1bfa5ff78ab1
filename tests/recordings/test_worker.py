import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.recordings.audio import level, read_audio
from tests.recordings.worker_rig import FakeConverter, Rig
from tests.world import SECOND, World, peek, poke

from maskline.core.masking import RecordFormat
from maskline.core.recording import RecordingFailure, RecordingState
from maskline.errors import AppError
from maskline.recordings import worker as worker_module
from maskline.recordings.conversion import ConversionJob, ConvertedAudio
from maskline.recordings.converter import ConversionFailure, ProcessConverter
from maskline.recordings.worker import (
    ATTEMPT_COUNT_MAX,
    LAPSE_GRACE_S,
    LIVE_WAIT_S,
    MOVE_WAIT_S,
    STORE_PATIENCE_S,
    STRANGE_FILE_S,
)
from maskline.workflows import recordings as work

WAIT_S = 20.0


@pytest.fixture
async def rig(world: World, tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(world, tmp_path)
    yield made
    await made.close()


async def settle(rig: Rig, id_: str, *, turns: int = 2_000) -> None:
    """Let time pass from one try to the next until the recording is settled."""
    for _ in range(turns):
        if rig.load(id_).state in (RecordingState.COMPLETED, RecordingState.FAILED):
            return
        if not await rig.worker.convert_next():
            [[due_at]] = peek(rig.world.store, "SELECT due_at FROM recording WHERE id = ?", id_)
            rig.clock.advance(us=max(due_at - rig.clock.now(), SECOND))
    raise AssertionError("never settled")


async def test_captured_call_becomes_a_stored_recording(rig: Rig) -> None:
    """The audio is stored under its key, told of, and nothing is left behind."""
    id_ = rig.captured()
    assert await rig.worker.convert_next()
    done = rig.load(id_)
    assert (done.state, done.duration_ms, done.size_bytes) == (RecordingState.COMPLETED, 10_000, 5)
    assert rig.storage.files == {done.storage_key: b"audio"}
    assert rig.events() == ["started", "completed"]
    assert rig.files("done") == rig.files("work") == []
    assert not await rig.worker.convert_next()


async def test_real_conversion(world: World, tmp_path: Path) -> None:
    """With the converter of the service: packets in, a tone out, mono as set."""
    rig = Rig(world, tmp_path, converter=ProcessConverter(), is_mono=True)
    id_ = rig.start(format_=RecordFormat.WAV)
    rig.end(id_, seconds=2)
    rig.capture(id_, duration_s=2.0)
    assert await rig.worker.convert_next()
    done = rig.load(id_)
    path = tmp_path / "audio.wav"
    path.write_bytes(rig.storage.files[done.storage_key])
    audio = read_audio(path)
    assert audio.shape == (1, 16_000)
    assert level(audio[0][1_000:15_000], 440) > 7_000
    await rig.close()


async def test_nothing_to_do(rig: Rig) -> None:
    """A call that still runs is left alone."""
    rig.start()
    assert not await rig.worker.convert_next()
    assert rig.converter.jobs == []


async def test_capture_that_is_still_written_is_waited_for(rig: Rig) -> None:
    """The call's end is known before the relay has put its file away."""
    id_ = rig.start()
    live = rig.capture(id_, "live")
    rig.end(id_)
    assert await rig.worker.convert_next()
    assert rig.converter.jobs == []
    live.rename(rig.spool_directory / "done" / live.name)
    assert not await rig.worker.convert_next()  # not due yet
    await settle(rig, id_)
    assert rig.load(id_).state is RecordingState.COMPLETED
    assert rig.load(id_).attempt_count == 0


async def test_capture_that_nobody_puts_away_is_read_as_it_is(rig: Rig) -> None:
    """A relay that hangs costs ten minutes, not the recording."""
    id_ = rig.start()
    rig.capture(id_, "live")
    rig.end(id_)
    ended_at = rig.clock.now()
    await settle(rig, id_)
    assert rig.load(id_).state is RecordingState.COMPLETED
    assert LIVE_WAIT_S <= (rig.clock.now() - ended_at) / SECOND < LIVE_WAIT_S + 10
    assert rig.files("live") == []


async def test_capture_that_is_nowhere_fails_the_recording(rig: Rig) -> None:
    """After a minute in which it might have come."""
    id_ = rig.start()
    rig.end(id_)
    ended_at = rig.clock.now()
    await settle(rig, id_)
    assert rig.load(id_).failure is RecordingFailure.CAPTURE_MISSING
    assert MOVE_WAIT_S <= (rig.clock.now() - ended_at) / SECOND < MOVE_WAIT_S + 10
    assert rig.events() == ["started", "failed"]


async def test_unreadable_capture_fails_at_once(rig: Rig) -> None:
    """It will not become better."""
    id_ = rig.captured()
    rig.converter.outcomes = [ConversionFailure.UNREADABLE]
    await rig.worker.convert_next()
    assert rig.load(id_).failure is RecordingFailure.CAPTURE_UNREADABLE
    assert rig.files("done") == rig.files("work") == []


@pytest.mark.parametrize(
    ("outcome", "failure"),
    [
        (ConversionFailure.CRASHED, RecordingFailure.CONVERTER_FAILED),
        (ConversionFailure.SYSTEM, RecordingFailure.CONVERTER_FAILED),
        (ConversionFailure.OVERRAN, RecordingFailure.CONVERTER_OVERRAN),
        (ConversionFailure.MEMORY, RecordingFailure.CONVERTER_OVERRAN),
    ],
)
async def test_conversion_that_always_fails_is_given_up(
    rig: Rig, outcome: ConversionFailure, failure: RecordingFailure
) -> None:
    """After a few tries with growing pauses; then it is told, and nothing is kept."""
    id_ = rig.captured()
    rig.converter.outcomes = [outcome] * 10
    await settle(rig, id_)
    assert len(rig.converter.jobs) == ATTEMPT_COUNT_MAX
    assert rig.load(id_).failure is failure
    assert rig.events() == ["started", "failed"]
    assert rig.storage.files == {}
    assert rig.files("done") == rig.files("work") == []


async def test_conversion_that_fails_once_is_tried_again(rig: Rig) -> None:
    """One crash is no verdict."""
    id_ = rig.captured()
    rig.converter.outcomes = [ConversionFailure.CRASHED]
    await settle(rig, id_)
    assert rig.load(id_).state is RecordingState.COMPLETED


async def test_one_failing_recording_does_not_hold_up_others(rig: Rig) -> None:
    """While it waits for its next try, the others are done."""
    rig.captured()
    other = rig.captured()
    rig.converter.outcomes = [ConversionFailure.CRASHED]
    assert await rig.worker.convert_next()
    assert await rig.worker.convert_next()
    assert rig.load(other).state is RecordingState.COMPLETED


@pytest.mark.parametrize("is_at_conversion", [True, False])
async def test_full_disk_is_waited_for(rig: Rig, is_at_conversion: bool) -> None:
    """Hours without room lose nothing: it is stored when there is room."""
    id_ = rig.captured()
    if is_at_conversion:
        rig.converter.outcomes = [ConversionFailure.NO_ROOM] * 60
    else:
        rig.storage.failures = 60
    await settle(rig, id_)
    assert rig.load(id_).state is RecordingState.COMPLETED
    assert rig.load(id_).attempt_count == 0
    assert len(rig.converter.jobs) == 61
    assert rig.files("work") == []


async def test_full_disk_that_stays_full_fails_the_recording(rig: Rig) -> None:
    """After three days it is told as failed."""
    id_ = rig.captured()
    ended_at = rig.clock.now()
    rig.converter.outcomes = [ConversionFailure.NO_ROOM] * 1_000
    await settle(rig, id_)
    assert rig.load(id_).failure is RecordingFailure.STORAGE_FAILED
    assert (rig.clock.now() - ended_at) / SECOND >= STORE_PATIENCE_S
    assert len(rig.converter.jobs) < 200


async def test_recording_settled_by_another_is_left_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose lease ran out finds its work done; nothing is told twice."""
    id_ = rig.captured()
    convert = rig.converter.convert

    async def overtaken(job: ConversionJob) -> ConvertedAudio | ConversionFailure:
        monkeypatch.setattr(rig.converter, "convert", convert)
        poke(rig.world.store, "UPDATE recording SET lease_until = NULL")
        await rig.worker.convert_next()
        job.target.write_bytes(b"audio")
        return ConvertedAudio(ended_at=job.ended_at, duration_ms=1, size_bytes=5, packet_count=1)

    monkeypatch.setattr(rig.converter, "convert", overtaken)
    await rig.worker.convert_next()
    assert rig.load(id_).duration_ms == 10_000
    assert rig.events() == ["started", "completed"]


async def test_lease_is_kept_during_a_long_conversion(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else takes what is being converted, however long that is."""
    monkeypatch.setattr(worker_module, "RENEW_S", 0.001)
    id_ = rig.captured()
    convert = rig.converter.convert

    def lease() -> int:
        until: int = peek(rig.world.store, "SELECT lease_until FROM recording WHERE id = ?", id_)[0][0]
        return until

    async def slow(job: ConversionJob) -> ConvertedAudio | ConversionFailure:
        rig.clock.advance(s=3_600)
        async with asyncio.timeout(WAIT_S):
            while lease() < rig.clock.now():  # noqa: ASYNC110  # another connection sees it
                await asyncio.sleep(0.001)
        return await convert(job)

    monkeypatch.setattr(rig.converter, "convert", slow)
    await rig.worker.convert_next()
    assert rig.load(id_).state is RecordingState.COMPLETED


async def test_captures_of_a_dead_switch_are_taken_up(rig: Rig) -> None:
    """Its calls' claims ran out: what was captured is converted, up to the last packet."""
    id_ = rig.start()
    rig.capture(id_)
    await rig.worker.tidy()
    assert rig.load(id_).state is RecordingState.CAPTURING
    rig.clock.advance(s=30 + LAPSE_GRACE_S)
    await rig.worker.tidy()
    await rig.worker.convert_next()
    assert rig.converter.jobs[0].is_interrupted
    assert rig.load(id_).state is RecordingState.COMPLETED


async def test_old_recordings_go_with_their_audio(rig: Rig) -> None:
    """What an account keeps no longer is deleted, and its file with it."""
    rig.world.store.run(work.set_recording_retention, rig.world.account, 1)
    id_ = rig.captured()
    await rig.worker.convert_next()
    await rig.worker.tidy()
    assert len(rig.storage.files) == 1
    rig.clock.advance(s=86_400)
    await rig.worker.tidy()
    assert rig.storage.files == {}
    assert rig.load(id_).deleted_at == rig.clock.now()


async def test_deleted_audio_is_erased_when_the_storage_can(rig: Rig) -> None:
    """A storage that fails is asked again in the next round."""
    ids = [rig.captured(), rig.captured()]
    for id_ in ids:
        await rig.worker.convert_next()
        assert rig.world.store.run(work.delete_recording, rig.world.account, id_, rig.clock.now())
    rig.storage.failures = 1
    await rig.worker.tidy()
    assert len(rig.storage.files) == 1
    await rig.worker.tidy()
    assert rig.storage.files == {}
    assert rig.world.store.read(work.load_erasable_recordings) == ()


async def test_captures_nobody_needs_are_removed(rig: Rig) -> None:
    """Those of settled recordings at once, unknown ones after a day, those that wait never."""
    settled, waiting = rig.captured(), rig.captured()
    await rig.worker.convert_next()
    rig.capture(settled)  # as if the process had been killed before it removed it
    strange = rig.spool_directory / "done" / f"{'f' * 32}.pcap"
    strange.touch()
    now_s = rig.clock.now() / SECOND
    os.utime(strange, (now_s, now_s))
    await rig.worker.tidy()
    assert rig.files("done") == sorted([f"{waiting}.pcap", strange.name])
    rig.clock.advance(s=STRANGE_FILE_S)
    await rig.worker.tidy()
    assert strange.exists()
    rig.clock.advance(s=1)
    await rig.worker.tidy()
    assert rig.files("done") == [f"{waiting}.pcap"]


async def test_another_switchs_captures_are_its_own(world: World, tmp_path: Path) -> None:
    """A worker takes only what lies on its own disk."""
    rig = Rig(world, tmp_path)
    rig.captured()
    poke(world.store, "UPDATE recording SET switch_id = 'switch-2'")
    assert not await rig.worker.convert_next()
    await rig.close()


def test_room_is_the_spools(world: World, tmp_path: Path) -> None:
    """The switch asks the worker."""

    async def ask() -> bool:
        rig = Rig(world, tmp_path)
        has_room = rig.worker.has_room()
        await rig.close()
        return has_room

    assert asyncio.run(ask())


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not is_so():  # noqa: ASYNC110  # the edge to a running worker
            await asyncio.sleep(0.005)


async def test_worker_runs_until_cancelled(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It converts what waits at its start, and at once what it is woken for."""
    monkeypatch.setattr(worker_module, "POLL_S", 3_600.0)
    first = rig.captured()
    task = asyncio.ensure_future(rig.worker.run())  # noqa: TID251
    await until(lambda: rig.load(first).state is RecordingState.COMPLETED)
    second = rig.captured()
    rig.worker.wake()
    await until(lambda: rig.load(second).state is RecordingState.COMPLETED)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_stopped_worker_gives_back_what_it_took(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next process takes it at once."""
    id_ = rig.captured()
    is_converting = asyncio.Event()

    async def hang(job: ConversionJob) -> ConvertedAudio | ConversionFailure:
        is_converting.set()
        await asyncio.Event().wait()
        raise AssertionError("never")

    monkeypatch.setattr(rig.converter, "convert", hang)
    task = asyncio.ensure_future(rig.worker.run())  # noqa: TID251
    async with asyncio.timeout(WAIT_S):
        await is_converting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()
    assert await rig.worker.convert_next()
    assert rig.load(id_).state is RecordingState.COMPLETED
    assert rig.load(id_).attempt_count == 0


async def test_worker_outlives_failures(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is away and a bug cost one round each."""
    monkeypatch.setattr(worker_module, "POLL_S", 0.001)
    id_ = rig.captured()
    errors: list[Exception] = [AppError("away"), ValueError("a bug")]
    convert = FakeConverter.convert

    async def fail_first(self: FakeConverter, job: ConversionJob) -> ConvertedAudio | ConversionFailure:
        if errors:
            poke(rig.world.store, "UPDATE recording SET lease_until = NULL")
            raise errors.pop()
        return await convert(self, job)

    monkeypatch.setattr(FakeConverter, "convert", fail_first)
    task = asyncio.ensure_future(rig.worker.run())  # noqa: TID251
    await until(lambda: rig.load(id_).state is RecordingState.COMPLETED)
    assert errors == []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
