"""Create sessions and finish calls without end, telling each on stdout once it is durable; for tests that kill it.

Arguments: database URL, key file, first person's index / 100,000.
"""

import asyncio
import json
import sys
from itertools import count
from pathlib import Path

from maskline.core.call_record import CallClaimed
from maskline.core.masking import NewMaskingSession, SessionCreated
from maskline.store.engine import Store
from maskline.store.setup import open_store
from maskline.store.thread import StoreThreads
from maskline.workflows.accounts import load_account
from maskline.workflows.claim_call import claim_call
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.finish_call import finish_call
from tests.world import NOW, World, person

CLIENT_COUNT = 8  # so that commits are shared


async def _write(store: Store, first: int) -> None:
    threads = StoreThreads(store)
    account = await threads.read(lambda tx: load_account(tx, name="Acme"))
    assert account is not None
    world = World.__new__(World)  # no new rows: the world is there
    world.store, world.account, world.now = store, account, NOW
    serial = count(first)

    async def client() -> None:
        while True:
            index = next(serial)
            new = NewMaskingSession(first=person(index), second=person(index + 50_000))
            created = await threads.write(create_masking_session, account, new, NOW)
            assert isinstance(created, SessionCreated)
            _tell(created.session.id, "")
            call_id = f"call-{index}"
            claimed = await threads.write(claim_call, world.new_call(created.session, call_id), NOW)
            assert isinstance(claimed, CallClaimed)
            await threads.write_within(0.002, finish_call, world.record(created.session, call_id), NOW)
            _tell(created.session.id, call_id)

    await asyncio.gather(*(client() for _ in range(CLIENT_COUNT)))


def _tell(session_id: str, call_id: str) -> None:
    sys.stdout.write(json.dumps({"session": session_id, "call": call_id}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_write(open_store(sys.argv[1], Path(sys.argv[2])), int(sys.argv[3]) * 100_000))
