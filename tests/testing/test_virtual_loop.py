import asyncio
import time

import pytest

from maskline.testing.virtual_loop import VIRTUAL_EPOCH, StalledError, VirtualTimeLoop, run_virtually


def test_days_pass_at_once() -> None:
    """Waiting costs nothing, and both ways of asking for the time agree on how long it was."""
    loop = VirtualTimeLoop()

    async def wait() -> tuple[float, int]:
        await asyncio.sleep(3 * 86_400)
        return loop.time(), loop.now()

    before = time.monotonic()
    assert run_virtually(wait(), loop) == (259_200.0, VIRTUAL_EPOCH + 259_200_000_000)
    assert time.monotonic() - before < 1


def test_timers_fire_in_their_order() -> None:
    """What is due earlier happens earlier, however it was begun."""
    seen: list[int] = []

    async def wait(seconds: int) -> None:
        await asyncio.sleep(seconds)
        seen.append(seconds)

    async def main() -> None:
        await asyncio.gather(*(wait(seconds) for seconds in (30, 10, 20)))

    run_virtually(main())
    assert seen == [10, 20, 30]


def test_time_stands_still_while_there_is_work() -> None:
    """Turns of the loop without waiting take no time."""

    async def main() -> float:
        for _ in range(100):
            await asyncio.sleep(0)
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == 0.0


def test_waiting_for_nothing_is_an_error() -> None:
    """A test that would hang fails instead."""
    with pytest.raises(StalledError):
        run_virtually(asyncio.Event().wait())
