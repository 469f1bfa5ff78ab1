import asyncio

from tests.store.test_engine import INSERT
from tests.world import peek

from maskline.store.engine import Store, Tx
from maskline.store.thread import StoreThreads


def _insert(tx: Tx, name: str) -> None:
    tx.run(INSERT, name=name, value="v")


async def test_somebody_is_told_of_each_commit(store: Store) -> None:
    """Once a group, when it can be read, and before its callers go on."""
    threads = StoreThreads(store)
    seen: list[int] = []
    threads.on_commit = lambda: seen.append(
        len(peek(store, "SELECT name FROM meta WHERE value = 'v'")),
    )
    await threads.write(_insert, "a")
    assert seen == [1]
    await asyncio.gather(*(threads.write(_insert, name) for name in "bcd"))
    assert seen == [1, 4]
    await threads.close()
