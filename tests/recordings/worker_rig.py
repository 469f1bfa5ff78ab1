"""A worker over a real database and a real disk; time and converter are the test's."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.world import World, peek

from maskline.core.call_record import Side
from maskline.core.masking import RecordFormat
from maskline.core.recording import NewRecording, Recording
from maskline.recordings.conversion import ConversionJob, ConvertedAudio
from maskline.recordings.converter import ConversionFailure
from maskline.recordings.spool import Spool
from maskline.recordings.storage import StorageError, StorageMissingError
from maskline.recordings.worker import RecordingWorker, WorkerSettings
from maskline.store import recordings as rows
from maskline.store.thread import StoreThreads
from maskline.testing.captures import PCMU, encode_tone, note, render_capture
from maskline.testing.captures import Speaker as CaptureSpeaker
from maskline.testing.clock import ManualClock
from maskline.workflows import recordings as work


@dataclass
class FakeStorage:
    """Keeps files in memory; `failures` is how many of the next puts and deletions fail."""

    files: dict[str, bytes] = field(default_factory=dict)
    failures: int = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    async def put(self, key: str, source: Path) -> None:
        self._fail_perhaps()
        self.files[key] = source.read_bytes()  # noqa: ASYNC240  # some bytes of a test

    async def read(self, key: str, first: int, byte_count: int) -> AsyncGenerator[bytes]:
        if key not in self.files:
            raise StorageMissingError
        yield self.files[key][first : first + byte_count]

    async def delete(self, key: str) -> None:
        self._fail_perhaps()
        self.files.pop(key, None)

    def _fail_perhaps(self) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageError("No space left on device")


@dataclass
class FakeConverter:
    """Makes ten seconds of nothing, or what the test says."""

    outcomes: list[ConversionFailure] = field(default_factory=list)
    jobs: list[ConversionJob] = field(default_factory=list)

    async def convert(self, job: ConversionJob) -> ConvertedAudio | ConversionFailure:
        self.jobs.append(job)
        job.target.write_bytes(b"audio")
        if self.outcomes:
            return self.outcomes.pop(0)
        duration_ms = (job.ended_at - job.started_at) // 1000
        return ConvertedAudio(ended_at=job.ended_at, duration_ms=duration_ms, size_bytes=5, packet_count=500)


class Rig:
    """Everything a worker needs; made inside the loop of a test."""

    def __init__(
        self, world: World, directory: Path, *, converter: Any = None, is_mono: bool = False
    ) -> None:
        self.world = world
        self.clock = ManualClock(world.now)
        self.threads = StoreThreads(world.store)
        self.storage = FakeStorage()
        self.converter = converter or FakeConverter()
        self.spool_directory = directory / "spool"
        spool = Spool(self.spool_directory, free_bytes_min=1)
        spool.prepare()
        self.worker = RecordingWorker(
            store=self.threads,
            clock=self.clock,
            storage=self.storage,
            spool=spool,
            converter=self.converter,
            settings=WorkerSettings(switch_id="switch-1", is_mono=is_mono),
        )
        self._serial = 0

    def start(self, *, format_: RecordFormat = RecordFormat.MP3) -> str:
        """A call that is bridged now and recorded; return the recording's id."""
        self._serial += 1
        session = self.world.create(2 * self._serial, 2 * self._serial + 1)
        call_id, id_ = f"call-{self._serial}", f"{self._serial:032x}"
        self.world.now = self.clock.now()
        self.world.claim(session, call_id)
        new = NewRecording(
            id=id_,
            account_id=self.world.account.id,
            session_id=session.id,
            call_id=call_id,
            format=format_,
            legs=note(0, PCMU).legs,
            started_at=self.clock.now(),
        )
        assert self.world.store.run(work.start_recording, new, self.clock.now())
        return id_

    def end(self, id_: str, seconds: int = 10) -> None:
        """The call ends after so many seconds."""
        self.clock.advance(s=seconds)
        assert self.world.store.run(rows.mark_captured, id_, self.clock.now())

    def capture(self, id_: str, directory: str = "done", *, duration_s: float = 0.1) -> Path:
        """What the relay wrote of it."""
        path = self.spool_directory / directory / f"{id_}.pcap"
        speaker = CaptureSpeaker(side=Side.A, codec=PCMU, started_at=self.load(id_).started_at)
        path.write_bytes(render_capture(speaker.send(encode_tone(PCMU, 440, duration_s))))
        return path

    def captured(self) -> str:
        """A call that is over, its capture finished."""
        id_ = self.start()
        self.end(id_)
        self.capture(id_)
        return id_

    def load(self, id_: str) -> Recording:
        found = self.world.store.read(rows.load_recording, id_)
        assert found is not None
        return found

    def events(self) -> list[str]:
        """What was told of recordings, in order."""
        kinds = [row[0] for row in peek(self.world.store, "SELECT kind FROM outbox ORDER BY id")]
        return [kind.removeprefix("recording.") for kind in kinds if kind.startswith("recording.")]

    def files(self, directory: str) -> list[str]:
        return sorted(path.name for path in (self.spool_directory / directory).iterdir())

    async def close(self) -> None:
        await self.threads.close()
