"""Sees that every captured call becomes a stored recording, or is told as failed.

Nothing is kept in this process: which captures wait is in the database, the packets are on the disk, and a
recording is settled only when its audio is stored. So it may be killed at any moment; what it did in part is done
again, under the same key. Captures are removed after the commit, and by the tidying round when that was missed.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

import structlog

from maskline.clock import Clock
from maskline.core.masking import MICROSECONDS
from maskline.core.recording import ConvertedRecording, Recording, RecordingFailure, RecordingState
from maskline.errors import AppError
from maskline.recordings.conversion import ConversionJob, ConvertedAudio
from maskline.recordings.converter import ConversionFailure, Converter
from maskline.recordings.spool import Spool, SpooledFile
from maskline.recordings.storage import RecordingStorage, StorageError
from maskline.store.engine import Tx
from maskline.tasks import spawn
from maskline.workflows import recordings as work

LEASE_S: Final = 60
RENEW_S: Final = 20.0  # three times within a lease
POLL_S: Final = 1.0  # how soon the end of a call is seen when nobody wakes us
TIDY_S: Final = 30.0
ATTEMPT_COUNT_MAX: Final = 4
"""Tries of a capture that makes the converter fail every time."""
RETRY_S: Final = 15
ROOM_RETRY_S_MIN: Final = 15
ROOM_RETRY_S_MAX: Final = 1_800
STORE_PATIENCE_S: Final = 72 * 3600
"""How long a full disk or a storage that is away is waited for, as long as webhooks are repeated."""
MOVE_WAIT_S: Final = 60
"""How long after its call's end a capture may still be missing: the relay ends it within a second, or restarts."""
LIVE_WAIT_S: Final = 600
"""How long a capture may still be written after its call's end; then it is read as it is."""
LAPSE_GRACE_S: Final = 120
"""How long after its lease a call counts as gone: the guard ends relays of a switch that is away for 60 s."""
STRANGE_FILE_S: Final = 86_400
"""How long a finished capture that nobody knows is kept for somebody to look at."""

P = ParamSpec("P")
T = TypeVar("T")

_log = structlog.get_logger(__name__)

_FAILURES: Final = {
    ConversionFailure.UNREADABLE: RecordingFailure.CAPTURE_UNREADABLE,
    ConversionFailure.MEMORY: RecordingFailure.CONVERTER_OVERRAN,
    ConversionFailure.OVERRAN: RecordingFailure.CONVERTER_OVERRAN,
    ConversionFailure.CRASHED: RecordingFailure.CONVERTER_FAILED,
    ConversionFailure.SYSTEM: RecordingFailure.CONVERTER_FAILED,
}


class StoreThreads(Protocol):
    """Runs workflows; both raise AppError when the database cannot."""

    async def read(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a workflow that only reads."""
        ...

    async def write(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a workflow; its result is durable when this returns."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """`switch_id`: whose captures lie in the spool."""

    switch_id: str
    is_mono: bool = False


class RecordingWorker:
    """Runs beside the switch, on the machine whose relay writes the spool."""

    def __init__(
        self,
        *,
        store: StoreThreads,
        clock: Clock,
        storage: RecordingStorage,
        spool: Spool,
        converter: Converter,
        settings: WorkerSettings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._storage = storage
        self._spool = spool
        self._converter = converter
        self._settings = settings
        self._woken = asyncio.Event()

    def has_room(self) -> bool:
        """Say whether another call may be recorded."""
        return self._spool.has_room()

    def wake(self) -> None:
        """Look at once: a recorded call has ended."""
        self._woken.set()

    async def run(self) -> None:
        """Convert, expire and tidy until cancelled; what fails is tried again in the next round."""
        await asyncio.to_thread(self._spool.prepare)
        tidying = spawn(self._tidy_forever(), name="recordings.tidy")
        try:
            while True:
                self._woken.clear()  # before looking: who wakes us meanwhile is not missed
                if not await self._try("convert", self.convert_next):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(POLL_S):
                            await self._woken.wait()
        finally:
            tidying.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await tidying

    async def _tidy_forever(self) -> None:
        while True:
            await self._try("tidy", self.tidy)
            await asyncio.sleep(TIDY_S)

    async def _try(self, what: str, step: Callable[[], Awaitable[bool]]) -> bool:
        """Do a step; a failure is logged and counts as nothing done."""
        try:
            return await step()
        except AppError as error:
            _log.warning("recordings.failed", work=what, code=error.code, reason=str(error))
        except Exception:  # noqa: BLE001  # the boundary of the task: the next round tries again
            _log.exception("recordings.failed", work=what)
        return False

    # --- conversion ---------------------------------------------------------------------------------------

    async def convert_next(self) -> bool:
        """Settle the recording that is due first, or say when to try it again; False when none is due."""
        now = self._clock.now()
        lease_until = now + LEASE_S * MICROSECONDS
        taken = await self._store.write(
            work.take_captured_recording, self._settings.switch_id, now, lease_until
        )
        if taken is None:
            return False
        renewing = spawn(self._keep(taken.id), name="recordings.lease")
        try:
            await self._settle(taken)
        except asyncio.CancelledError:
            # Who takes over need not wait for the lease to lapse.
            await self._try("put back", partial(self._put_back, taken, 0, is_counted=False))
            raise
        finally:
            renewing.cancel()
        return True

    async def _keep(self, recording_id: str) -> None:
        """Renew the lease while the conversion runs."""
        while True:
            await asyncio.sleep(RENEW_S)
            await self._try("lease", partial(self._renew, recording_id))

    async def _renew(self, recording_id: str) -> bool:
        until = self._clock.now() + LEASE_S * MICROSECONDS
        return await self._store.write(work.keep_recording, recording_id, until)

    async def _settle(self, taken: Recording) -> None:
        capture = await asyncio.to_thread(self._find_capture, taken)
        if capture is None:
            await self._wait_for_capture(taken)
            return
        target = await asyncio.to_thread(self._spool.make_target, f"{taken.id}.{taken.format.value}")
        try:
            made = await self._converter.convert(self._job(taken, capture, target))
            if isinstance(made, ConversionFailure):
                await self._conversion_failed(taken, made)
                return
            try:
                await self._storage.put(taken.storage_key, target)
            except StorageError as error:
                _log.warning("recording.not_stored", recording_id=taken.id, reason=str(error))
                await self._wait_for_room(taken)
                return
        finally:
            await asyncio.to_thread(target.unlink, missing_ok=True)
        await self._complete(taken, made)

    def _find_capture(self, taken: Recording) -> Path | None:
        """Find the finished capture; an unfinished one when it should have been finished long ago."""
        done = self._spool.find_done(taken.id)
        if done is not None or self._age_s(taken) < LIVE_WAIT_S:
            return done
        return self._spool.find_live(taken.id)

    async def _wait_for_capture(self, taken: Recording) -> None:
        is_live = await asyncio.to_thread(self._spool.find_live, taken.id) is not None
        if self._age_s(taken) < (LIVE_WAIT_S if is_live else MOVE_WAIT_S):
            await self._put_back(taken, 1, is_counted=False)
        else:
            await self._fail(taken, RecordingFailure.CAPTURE_MISSING)

    async def _conversion_failed(self, taken: Recording, failure: ConversionFailure) -> None:
        _log.warning("recording.not_converted", recording_id=taken.id, reason=failure.value)
        if failure is ConversionFailure.NO_ROOM:
            await self._wait_for_room(taken)
        elif failure is ConversionFailure.UNREADABLE or taken.attempt_count + 1 >= ATTEMPT_COUNT_MAX:
            await self._fail(taken, _FAILURES[failure])
        else:
            await self._put_back(taken, RETRY_S * (taken.attempt_count + 1), is_counted=True)

    async def _wait_for_room(self, taken: Recording) -> None:
        """Try again after a quarter of the time the call is over already."""
        age_s = self._age_s(taken)
        if age_s < STORE_PATIENCE_S:
            wait_s = min(max(age_s // 4, ROOM_RETRY_S_MIN), ROOM_RETRY_S_MAX)
            await self._put_back(taken, wait_s, is_counted=False)
        else:
            await self._fail(taken, RecordingFailure.STORAGE_FAILED)

    async def _put_back(self, taken: Recording, wait_s: int, *, is_counted: bool) -> bool:
        due_at = self._clock.now() + wait_s * MICROSECONDS
        return await self._store.write(work.put_back_recording, taken.id, due_at, is_counted=is_counted)

    async def _complete(self, taken: Recording, made: ConvertedAudio) -> None:
        converted = ConvertedRecording(
            recording_id=taken.id,
            ended_at=made.ended_at,
            duration_ms=made.duration_ms,
            size_bytes=made.size_bytes,
        )
        now = self._clock.now()
        if await self._store.write(work.complete_recording, converted, now):
            _log.info(
                "recording.completed",
                recording_id=taken.id,
                call_id=taken.call_id,
                account_id=taken.account_id,
                duration_ms=made.duration_ms,
                size_bytes=made.size_bytes,
                packet_count=made.packet_count,
                wait_ms=(now - made.ended_at) // 1000,
            )
        await asyncio.to_thread(self._spool.remove, taken.id)

    async def _fail(self, taken: Recording, failure: RecordingFailure) -> None:
        if await self._store.write(work.fail_recording, taken.id, failure, self._clock.now()):
            _log.error(
                "recording.failed",
                recording_id=taken.id,
                call_id=taken.call_id,
                account_id=taken.account_id,
                failure=failure.value,
            )
        await self._storage.delete(
            taken.storage_key
        )  # stored perhaps, and this process killed before it said so
        await asyncio.to_thread(self._spool.remove, taken.id)

    def _age_s(self, taken: Recording) -> int:
        assert taken.ended_at is not None, "the table checks it of what is captured"
        return (self._clock.now() - taken.ended_at) // MICROSECONDS

    def _job(self, taken: Recording, capture: Path, target: Path) -> ConversionJob:
        assert taken.ended_at is not None, "the table checks it of what is captured"
        return ConversionJob(
            capture=capture,
            target=target,
            format=taken.format,
            is_mono=self._settings.is_mono,
            started_at=taken.started_at,
            ended_at=taken.ended_at,
            is_interrupted=taken.is_interrupted,
            notes=taken.notes,
        )

    # --- tidying ------------------------------------------------------------------------------------------

    async def tidy(self) -> bool:
        """Take up what was left behind, delete what is too old, and remove files nobody needs."""
        now = self._clock.now()
        lapsed_before = now - LAPSE_GRACE_S * MICROSECONDS
        lost_count = await self._store.write(
            work.take_up_lost_recordings, self._settings.switch_id, lapsed_before, now
        )
        if lost_count:
            _log.warning("recordings.taken_up", recording_count=lost_count)
            self.wake()
        expired_count = await self._store.write(work.expire_recordings, now)
        if expired_count:
            _log.info("recordings.expired", recording_count=expired_count)
        await self._erase()
        await self._remove_strays(now)
        return True

    async def _erase(self) -> None:
        """Remove the audio of deleted recordings from the storage."""
        for recording_id, key in await self._store.read(work.load_erasable_recordings):
            try:
                await self._storage.delete(key)
            except StorageError as error:
                _log.warning("recording.not_erased", recording_id=recording_id, reason=str(error))
                continue  # the others may go, and this one in the next round
            await self._store.write(work.mark_recording_erased, recording_id, self._clock.now())
            _log.info("recording.erased", recording_id=recording_id)

    async def _remove_strays(self, now: int) -> None:
        """Remove captures of settled recordings, and after a day those of unknown ones."""
        files = await asyncio.to_thread(self._spool.list_done)
        ids = tuple(it.recording_id for it in files if it.recording_id is not None)
        states = await self._store.read(work.load_recording_states, ids) if ids else {}
        strays = [it for it in files if self._is_stray(it, states, now)]
        for stray in strays:
            await asyncio.to_thread(stray.path.unlink, missing_ok=True)
            is_known = stray.recording_id in states
            _log.warning("recording.capture_removed", recording_id=stray.recording_id, is_known=is_known)

    def _is_stray(self, file: SpooledFile, states: dict[str, RecordingState], now: int) -> bool:
        state = None if file.recording_id is None else states.get(file.recording_id)
        if state is None:
            return now / MICROSECONDS - file.written_s > STRANGE_FILE_S
        return state in (RecordingState.COMPLETED, RecordingState.FAILED)
