import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from tests.store.test_engine import COUNT, INSERT
from tests.world import peek

from maskline.store import thread as module
from maskline.store.engine import RetryableError, Store, StoreUnavailableError, Tx
from maskline.store.statement import Database
from maskline.store.thread import StoreOverloadedError, StoreThreads

TIMEOUT_S = 20  # of waits for other threads; a loaded machine may take seconds


@pytest_asyncio.fixture
async def threads(store: Store) -> AsyncIterator[StoreThreads]:
    opened = StoreThreads(store)
    yield opened
    await opened.close()


def _insert(tx: Tx, name: str) -> str:
    tx.run(INSERT, name=name, value="v")
    return name


def _fail(tx: Tx, name: str) -> NoReturn:
    _insert(tx, name)
    raise LookupError(name)


def _names(store: Store) -> set[str]:
    return {name for (name,) in peek(store, "SELECT name FROM meta WHERE value = 'v'")}


class _Gate:
    """A workflow that keeps the writer busy until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, tx: Tx) -> None:
        self.entered.set()
        assert self.opened.wait(TIMEOUT_S)


async def _hold(threads: StoreThreads) -> tuple[_Gate, asyncio.Future[None]]:
    gate = _Gate()
    held = asyncio.ensure_future(threads.write(gate))  # noqa: TID251 - a test holds its own task
    assert await asyncio.to_thread(gate.entered.wait, TIMEOUT_S)
    return gate, held


def _count_groups(threads: StoreThreads, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the groups from now on."""
    groups: list[int] = []
    commit = threads._commit

    def count_and_commit(group: Any) -> Any:
        groups.append(len(group))
        return commit(group)

    monkeypatch.setattr(threads, "_commit", count_and_commit)
    return groups


async def test_write_is_durable_when_it_returns(threads: StoreThreads, store: Store) -> None:
    """The result comes after the commit."""
    assert await threads.write(_insert, "a") == "a"
    assert _names(store) == {"a"}


async def test_reads_run_beside_writes(threads: StoreThreads) -> None:
    """A reader is not held up by a workflow that is writing."""
    gate, held = await _hold(threads)
    assert await asyncio.wait_for(threads.read(lambda tx: tx.row(COUNT)), TIMEOUT_S) == (0,)
    assert await asyncio.wait_for(threads.look_up(lambda tx: tx.row(COUNT)), TIMEOUT_S) == (0,)
    gate.opened.set()
    await held


async def test_those_who_wait_share_one_commit(
    threads: StoreThreads, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workflows that come while the writer is busy are committed together, each answered with its own result."""
    gate, held = await _hold(threads)
    groups = _count_groups(threads, monkeypatch)
    waiting = [threads.write(_insert, f"{index}") for index in range(50)]
    gathered = asyncio.gather(*waiting)
    await asyncio.sleep(0)  # let them queue
    gate.opened.set()
    assert await gathered == [f"{index}" for index in range(50)]
    await held
    assert groups == [50]
    assert len(_names(store)) == 50


async def test_failure_in_a_group_is_one_workflows_own(threads: StoreThreads, store: Store) -> None:
    """A workflow that raises is undone and told; those beside it are committed."""
    gate, held = await _hold(threads)
    gathered = asyncio.gather(
        threads.write(_insert, "a"),
        threads.write(_fail, "b"),
        threads.write(_insert, "a"),  # violates a constraint
        threads.write(_insert, "c"),
        return_exceptions=True,
    )
    await asyncio.sleep(0)
    gate.opened.set()
    first, failed, violated, last = await gathered
    await held
    assert (first, last) == ("a", "c")
    assert isinstance(failed, LookupError)
    assert isinstance(violated, Exception)
    assert _names(store) == {"a", "c"}


async def test_lost_group_runs_one_by_one(threads: StoreThreads, store: Store) -> None:
    """When a group loses to another transaction each workflow is tried for itself."""
    gate, held = await _hold(threads)
    tries: list[str] = []

    def lose_once(tx: Tx) -> str:
        tries.append("x")
        _insert(tx, f"try {len(tries)}")
        if len(tries) == 1:
            raise RetryableError
        return "won"

    gathered = asyncio.gather(
        threads.write(_insert, "a"), threads.write(lose_once), threads.write(_insert, "b")
    )
    await asyncio.sleep(0)
    gate.opened.set()
    assert list(await gathered) == ["a", "won", "b"]
    await held
    assert _names(store) == {"a", "try 2", "b"}


async def test_patient_write_goes_with_an_impatient_one(
    threads: StoreThreads, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can wait shares the commit of what cannot, and does not wait longer than that."""
    await threads.write(_insert, "c")
    groups = _count_groups(threads, monkeypatch)
    patient = asyncio.gather(threads.write_within(TIMEOUT_S * 10, _insert, "a"))
    await asyncio.sleep(0)
    assert await asyncio.wait_for(threads.write(_insert, "b"), TIMEOUT_S) == "b"
    assert list(await asyncio.wait_for(patient, TIMEOUT_S)) == ["a"]
    assert groups == [2]


async def test_after_a_pause_nobody_waits(threads: StoreThreads) -> None:
    """A patient write that follows no other is done at once."""
    assert await asyncio.wait_for(threads.write_within(TIMEOUT_S * 10, _insert, "a"), TIMEOUT_S) == "a"


async def test_patience_ends(threads: StoreThreads) -> None:
    """Alone, a patient write is done when its patience after the write before it ends."""
    assert await threads.write(_insert, "a") == "a"
    assert await asyncio.wait_for(threads.write_within(0.01, _insert, "b"), TIMEOUT_S) == "b"


async def test_full_group_does_not_wait(
    threads: StoreThreads, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many patient writes as a group holds begin before their patience ends."""
    monkeypatch.setattr(module, "GROUP_SIZE_MAX", 3)
    await threads.write(_insert, "first")
    patient = asyncio.gather(*(threads.write_within(TIMEOUT_S * 10, _insert, name) for name in "abc"))
    assert await asyncio.wait_for(patient, TIMEOUT_S) == ["a", "b", "c"]
    assert _names(store) == {"first", "a", "b", "c"}


async def test_cancelled_caller_does_not_disturb_the_others(threads: StoreThreads, store: Store) -> None:
    """Giving up on an answer neither undoes the workflow nor harms the group."""
    gate, held = await _hold(threads)
    given_up = asyncio.ensure_future(threads.write(_insert, "a"))  # noqa: TID251 - a test holds its own task
    other = asyncio.ensure_future(threads.write(_insert, "b"))  # noqa: TID251
    await asyncio.sleep(0)
    given_up.cancel()
    gate.opened.set()
    assert await other == "b"
    await held
    assert _names(store) == {"a", "b"}
    assert threads.waiting_count == 0


async def test_queue_is_bounded(threads: StoreThreads, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit a request is refused at once, and there is room again after an answer."""
    monkeypatch.setattr(module, "WAITING_COUNT_MAX", 1)
    gate, held = await _hold(threads)
    with pytest.raises(StoreOverloadedError):
        await threads.write(_insert, "a")
    with pytest.raises(StoreOverloadedError):
        await threads.read(lambda tx: tx.row(COUNT))
    gate.opened.set()
    await held
    assert await threads.write(_insert, "b") == "b"


async def test_big_queues_are_split_into_groups(
    threads: StoreThreads, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No group is larger than its limit."""
    monkeypatch.setattr(module, "GROUP_SIZE_MAX", 4)
    names = [f"{index}" for index in range(30)]
    assert await asyncio.gather(*(threads.write(_insert, name) for name in names)) == names
    assert _names(store) == set(names)


async def test_close_finishes_what_waits(store: Store) -> None:
    """Everything asked for before `close` is done and answered; afterwards requests are refused."""
    threads = StoreThreads(store)
    await threads.write(_insert, "0")
    gathered = asyncio.gather(
        *(threads.write_within(TIMEOUT_S * 10, _insert, f"{index}") for index in range(1, 5)),
        threads.read(lambda tx: str(tx.row(COUNT))),
    )
    await asyncio.sleep(0)
    await threads.close()
    assert len(await asyncio.wait_for(gathered, TIMEOUT_S)) == 5
    assert len(_names(store)) == 5
    for refused in (threads.write, threads.read, threads.look_up):
        with pytest.raises(StoreUnavailableError):
            await refused(_insert, "x")
    await threads.close()


async def test_look_up_of_sqlite_stays_in_its_thread(threads: StoreThreads, store: Store) -> None:
    """On SQLite a look-up is done where it is asked for; on PostgreSQL, where waiting is long, elsewhere."""
    ident = await threads.look_up(lambda tx: threading.get_ident())
    assert (ident == threading.get_ident()) is (store.database is Database.SQLITE)


async def test_the_log_is_emptied_beside_the_writer(
    store: Store, threads: StoreThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many writes SQLite's log is moved into the file by another thread, and again after as many more."""
    if store.database is not Database.SQLITE:
        pytest.skip("PostgreSQL's server does this")
    moved = threading.Semaphore(0)
    names = set[str]()

    def checkpoint() -> None:
        names.add(threading.current_thread().name)
        [(is_busy, logged, done)] = store.read(
            lambda tx: tx._raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        )
        assert (is_busy, logged) == (0, done)
        moved.release()

    monkeypatch.setattr(store, "checkpoint", checkpoint)
    for turn in range(2):
        for index in range(module.CHECKPOINT_WRITE_COUNT):
            await threads.write(_insert, f"{turn} {index}")
        assert await asyncio.to_thread(moved.acquire, timeout=TIMEOUT_S)
    assert names == {"store-checkpoint"}


async def test_a_failed_checkpoint_is_told_and_tried_again(
    store: Store, threads: StoreThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that cannot be written for a moment ends no thread."""
    if store.database is not Database.SQLITE:
        pytest.skip("PostgreSQL's server does this")
    tried = threading.Semaphore(0)

    def fail() -> None:
        tried.release()
        raise StoreUnavailableError("no room")

    monkeypatch.setattr(store, "checkpoint", fail)
    with capture_logs() as logs:
        for turn in range(2):
            for index in range(module.CHECKPOINT_WRITE_COUNT):
                await threads.write(_insert, f"{turn} {index}")
            assert await asyncio.to_thread(tried.acquire, timeout=TIMEOUT_S)
        await threads.close()
    assert [it["event"] for it in logs] == ["store.checkpoint_failed"] * 2
