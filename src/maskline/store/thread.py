"""Workflows for asynchronous callers: one writing thread with group commit, and reading threads.

While the writer waits for the disk, requests gather; it then runs all of them in one transaction, a
savepoint each, and answers after that one commit. One hop to a thread and one back per group.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, TypeVar

from maskline.errors import AppError

from .engine import RetryableError, Store, StoreUnavailableError, Tx, close_tx
from .statement import Database

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


class StoreOverloadedError(AppError):
    """More requests wait for the database than it can serve in time."""

    code = "store.overloaded"
    is_retryable = True


class _Job(NamedTuple):
    future: "asyncio.Future[Any]"
    work: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


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
        self._writes: SimpleQueue[_Job | None] = SimpleQueue()
        self._waiting_count = 0
        self._is_closed = False
        self._inline_tx: Tx | None = None
        self._threads = [
            threading.Thread(target=self._read_forever, name=f"store-read-{index}", daemon=True)
            for index in range(READER_COUNT)
        ]
        self._threads.append(threading.Thread(target=self._write_forever, name="store-write", daemon=True))
        for thread in self._threads:
            thread.start()

    @property
    def waiting_count(self) -> int:
        """Requests not answered yet."""
        return self._waiting_count

    async def read(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a workflow that only reads on a reading thread."""
        result: T = await self._enqueue(self._reads, work, args, kwargs)
        return result

    async def write(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a workflow on the writing thread; its result is durable when this returns.

        Cancelling the caller does not undo the workflow. Raises StoreOverloadedError,
        StoreConflictError, StoreUnavailableError and what the workflow raises.
        """
        result: T = await self._enqueue(self._writes, work, args, kwargs)
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
        if self._inline_tx is None:
            self._inline_tx = self._store.connect()
        return work(self._inline_tx, *args, **kwargs)

    def _enqueue(
        self,
        queue: SimpleQueue[_Job | None],
        work: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> "asyncio.Future[Any]":
        if self._is_closed:
            raise StoreUnavailableError("the store is closed")
        if self._waiting_count >= WAITING_COUNT_MAX:
            raise StoreOverloadedError
        self._waiting_count += 1
        future = self._loop.create_future()
        queue.put(_Job(future, work, args, kwargs))
        return future

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

    def _hand_over(self, done: list[_Done]) -> None:
        self._loop.call_soon_threadsafe(self._deliver, done)

    async def close(self) -> None:
        """Finish what waits, then stop the threads."""
        if self._is_closed:
            return
        self._is_closed = True
        self._writes.put(None)
        for _ in range(READER_COUNT):
            self._reads.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        await asyncio.sleep(0)  # let the last answers out
        if self._inline_tx is not None:
            close_tx(self._inline_tx)

    # --- in the threads -----------------------------------------------------------------------------------

    def _read_forever(self) -> None:
        while (job := self._reads.get()) is not None:
            self._hand_over([_run_alone(job, self._store.read)])

    def _write_forever(self) -> None:
        is_open = True
        while is_open:
            group, is_open = _next_group(self._writes)
            if group:
                self._hand_over(self._commit(group))

    def _commit(self, group: list[_Job]) -> list[_Done]:
        """Run a group in one transaction; one by one when that fails, so that a bad one fails alone."""
        if len(group) == 1:
            return [_run_alone(group[0], self._store.run)]
        try:
            with self._store.transaction() as tx:
                if self._store.database is Database.POSTGRESQL:
                    tx.command(f"SET LOCAL lock_timeout = {GROUP_LOCK_TIMEOUT_MS}")
                done = [_run_in_group(tx, job) for job in group]
        except (RetryableError, AppError):
            return [_run_alone(job, self._store.run) for job in group]
        except Exception as error:  # noqa: BLE001 - the commit failed in a way we do not know: all callers hear of it
            return [_Done(job.future, None, error) for job in group]
        return done


def _next_group(queue: SimpleQueue[_Job | None]) -> tuple[list[_Job], bool]:
    """Wait for a job and take all that wait with it; False when the queue is closed."""
    group: list[_Job] = []
    job = queue.get()
    while job is not None:
        group.append(job)
        if len(group) == GROUP_SIZE_MAX:
            return group, True
        try:
            job = queue.get_nowait()
        except Empty:
            return group, True
    return group, False


def _run_in_group(tx: Tx, job: _Job) -> _Done:
    try:
        with tx.savepoint():
            return _Done(job.future, job.work(tx, *job.args, **job.kwargs), None)
    except (RetryableError, StoreUnavailableError):
        raise
    except Exception as error:  # noqa: BLE001 - handed to the caller
        return _Done(job.future, None, error)


def _run_alone(job: _Job, runner: Callable[..., Any]) -> _Done:
    try:
        return _Done(job.future, runner(job.work, *job.args, **job.kwargs), None)
    except Exception as error:  # noqa: BLE001 - handed to the caller
        return _Done(job.future, None, error)
