"""Workflows for asynchronous callers: one writing thread with group commit, and reading threads.

While the writer waits for the disk, or until the most impatient request is due, requests gather; it then
runs all of them in one transaction and answers after that one commit. A commit costs some 0.2 ms of CPU and
a switch to the thread and back as much again, a workflow in it 0.05 ms: so whoever can wait some
milliseconds should. The loop plans the groups, so that the writer is woken once for each.
On SQLite one thread more empties the log that the writer fills, so that no commit has to wait for it.
"""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, TypeVar

import structlog

from maskline.errors import AppError

from .engine import RetryableError, Store, StoreUnavailableError, Tx
from .statement import Database

_log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

GROUP_SIZE_MAX: Final = 256
"""Workflows in one commit; bounds how long the first waits for the last, some 50 ms."""
WAITING_COUNT_MAX: Final = 8192
"""Requests waiting; above, the process is overloaded and says so rather than answer late."""
READER_COUNT: Final = 2
"""Reading threads; a slow page of a list does not hold up a look-up."""
GROUP_LOCK_TIMEOUT_MS: Final = 200
"""How long a group on PostgreSQL waits for a row before its workflows run one by one: locks that one
workflow of a group holds must not deadlock with another group's for long."""

CHECKPOINT_WRITE_COUNT: Final = 64
"""Workflows written before the log is emptied: about as much log, 4 MB, as SQLite by itself lets gather."""
CHECKPOINT_PAUSE_S: Final = 0.1
"""At least so long from one to the next: pages that are written again and again are moved once."""


class StoreOverloadedError(AppError):
    """More requests wait for the database than it can serve in time."""

    code = "store.overloaded"
    is_retryable = True


class _Job(NamedTuple):
    future: "asyncio.Future[Any]"
    work: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    due_mono_s: float


class _Done(NamedTuple):
    future: "asyncio.Future[Any]"
    result: Any
    error: BaseException | None


class StoreThreads:
    """The store as an event loop uses it. Made in the loop's thread; `close` it there."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._reads: SimpleQueue[_Job | None] = SimpleQueue()
        self._groups: SimpleQueue[list[_Job] | None] = SimpleQueue()  # one at a time
        self._writes: deque[_Job] = deque()  # not in a group yet
        self._timer: tuple[float, asyncio.TimerHandle] | None = None  # when the next group begins
        self._began_mono_s = -math.inf  # when the last one did
        self._is_writing = False
        self._logged_count = 0  # workflows in the log since it was last emptied
        self._should_checkpoint = threading.Event()
        self._is_ending = threading.Event()
        self._idle = asyncio.Event()  # nothing is written or waits for it
        self._idle.set()
        self._waiting_count = 0
        self._is_closed = False
        self.on_commit: Callable[[], None] = _nothing
        """Called in the loop's thread after each group of writes, before its callers hear of it."""
        self._threads = [
            threading.Thread(target=self._read_forever, name=f"store-read-{index}", daemon=True)
            for index in range(READER_COUNT)
        ]
        self._threads.append(threading.Thread(target=self._write_forever, name="store-write", daemon=True))
        if store.database is Database.SQLITE:
            self._threads.append(
                threading.Thread(target=self._checkpoint_forever, name="store-checkpoint", daemon=True)
            )
        for thread in self._threads:
            thread.start()

    @property
    def waiting_count(self) -> int:
        """Requests not answered yet."""
        return self._waiting_count

    async def read(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a workflow that only reads on a reading thread."""
        job = self._admit(work, args, kwargs, 0.0)
        self._reads.put(job)
        result: T = await job.future
        return result

    async def write(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a workflow on the writing thread; its result is durable when this returns.

        Cancelling the caller does not undo the workflow. Raises StoreOverloadedError,
        StoreConflictError, StoreUnavailableError and what the workflow raises.
        """
        return await self.write_within(0.0, work, *args, **kwargs)

    async def write_within(
        self, patience_s: float, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do as `write` does, but begin no sooner than `patience_s` after the last group, unless another one does.

        So what comes after a pause begins at once, and what comes in numbers shares commits.
        """
        job = self._admit(work, args, kwargs, self._began_mono_s + patience_s)
        self._writes.append(job)
        self._idle.clear()
        self._plan(job.due_mono_s)
        result: T = await job.future
        return result

    async def look_up(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a look-up of one indexed statement, the quickest way there is.

        On SQLite that is in the loop's own thread: some 30 us, a third of what two thread switches cost.
        On PostgreSQL it is a reading thread.
        """
        if self._store.database is not Database.SQLITE:
            return await self.read(work, *args, **kwargs)
        if self._is_closed:
            raise StoreUnavailableError("the store is closed")
        return self._store.read(work, *args, **kwargs)

    def _admit(
        self, work: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], due_mono_s: float
    ) -> _Job:
        if self._is_closed:
            raise StoreUnavailableError("the store is closed")
        if self._waiting_count >= WAITING_COUNT_MAX:
            raise StoreOverloadedError
        self._waiting_count += 1
        return _Job(self._loop.create_future(), work, args, kwargs, due_mono_s)

    def _plan(self, due_mono_s: float) -> None:
        """See that a group begins by then; while one is being written, the next is planned afterwards."""
        if self._is_writing:
            return
        if self._is_closed or len(self._writes) >= GROUP_SIZE_MAX:
            due_mono_s = -math.inf
        if self._timer is not None:
            if self._timer[0] <= due_mono_s:
                return
            self._timer[1].cancel()
        wait_s = max(
            0.0, due_mono_s - time.monotonic()
        )  # at 0 still after this turn of the loop: for company
        self._timer = (due_mono_s, self._loop.call_later(wait_s, self._begin_group))

    def _begin_group(self) -> None:
        """Give all that wait to the writing thread: it wakes once a group."""
        self._timer = None
        self._is_writing = True
        self._began_mono_s = time.monotonic()
        count = min(len(self._writes), GROUP_SIZE_MAX)
        self._groups.put([self._writes.popleft() for _ in range(count)])

    def _group_done(self, done: list[_Done]) -> None:
        self._is_writing = False
        if self._writes:
            self._plan(min(job.due_mono_s for job in self._writes))
        else:
            self._idle.set()
        self.on_commit()
        self._deliver(done)

    def _deliver(self, done: list[_Done]) -> None:
        """In the loop's thread: answer the callers who still wait."""
        self._waiting_count -= len(done)
        for future, result, error in done:
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    async def close(self) -> None:
        """Finish what waits, then stop the threads."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._writes:
            self._plan(-math.inf)
        await self._idle.wait()
        self._groups.put(None)
        self._is_ending.set()
        self._should_checkpoint.set()
        for _ in range(READER_COUNT):
            self._reads.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        await asyncio.sleep(0)  # let the last answers out

    # --- in the threads -----------------------------------------------------------------------------------

    def _read_forever(self) -> None:
        while (job := self._reads.get()) is not None:
            done = [_run_alone(job, self._store.read)]
            self._loop.call_soon_threadsafe(self._deliver, done)

    def _write_forever(self) -> None:
        while (group := self._groups.get()) is not None:
            self._loop.call_soon_threadsafe(self._group_done, self._commit(group))
            self._logged_count += len(group)
            if self._logged_count >= CHECKPOINT_WRITE_COUNT:
                self._logged_count = 0
                self._should_checkpoint.set()

    def _checkpoint_forever(self) -> None:
        while self._should_checkpoint.wait() and not self._is_ending.is_set():
            self._should_checkpoint.clear()
            try:
                self._store.checkpoint()
            except AppError:
                # Nothing is lost: what is in the log is durable, and a later one, or a writer, moves it.
                _log.exception("store.checkpoint_failed")
            self._is_ending.wait(CHECKPOINT_PAUSE_S)

    def _commit(self, group: list[_Job]) -> list[_Done]:
        """Run a group in one transaction; when one of it fails, undo all and run them one by one.

        Workflows answer what is to be expected with values, so that a group is undone for bugs and conflicts only.
        """
        if len(group) == 1:
            return [_run_alone(group[0], self._store.run)]
        is_committing = False
        try:
            with self._store.transaction() as tx:
                if self._store.database is Database.POSTGRESQL:
                    tx.command(f"SET LOCAL lock_timeout = {GROUP_LOCK_TIMEOUT_MS}")
                done = [_Done(job.future, job.work(tx, *job.args, **job.kwargs), None) for job in group]
                is_committing = True
        except Exception as error:  # noqa: BLE001 - each caller hears of its own
            if is_committing and not isinstance(error, RetryableError):
                # Whether the commit was done is not known: all hear of it.
                return [_Done(job.future, None, error) for job in group]
            return [_run_alone(job, self._store.run) for job in group]
        return done


def _nothing() -> None:
    return


def _run_alone(job: _Job, runner: Callable[..., Any]) -> _Done:
    try:
        return _Done(job.future, runner(job.work, *job.args, **job.kwargs), None)
    except Exception as error:  # noqa: BLE001 - handed to the caller
        return _Done(job.future, None, error)
