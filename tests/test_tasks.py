"""Background tasks are kept until they end and never fail in silence."""

import asyncio
import gc
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from maskline.tasks import spawn

WAIT_S = 5.0


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    """What is logged meanwhile."""
    with capture_logs() as entries:
        yield entries


async def test_task_lives_without_a_reference() -> None:
    """A task nobody holds runs to its end, garbage collection or not."""
    started, may_end, has_ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        await may_end.wait()
        has_ended.set()

    spawn(work(), name="work")
    async with asyncio.timeout(WAIT_S):
        await started.wait()
        gc.collect()
        may_end.set()
        await has_ended.wait()


async def test_failure_is_logged_under_the_task_s_name(logged: list[EventDict]) -> None:
    """A task that fails leaves one line of error that names it and carries its exception."""

    async def work() -> None:
        raise ValueError("what went wrong")

    task = spawn(work(), name="some.work")
    await asyncio.wait([task], timeout=WAIT_S)
    await asyncio.sleep(0)  # callbacks of the task run after it
    assert [(entry["event"], entry["task"], entry["log_level"]) for entry in logged] == [
        ("task.failed", "some.work", "error")
    ]
    assert isinstance(logged[0]["exc_info"], ValueError)


async def test_cancellation_is_no_failure(logged: list[EventDict]) -> None:
    """A task that is cancelled ends without a line."""
    task = spawn(asyncio.sleep(WAIT_S), name="some.work")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=WAIT_S)
    await asyncio.sleep(0)
    assert task.cancelled()
    assert logged == []
