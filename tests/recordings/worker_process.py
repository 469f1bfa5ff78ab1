"""A worker as a process of its own, to be killed: DATABASE_URL KEY_FILE DIRECTORY."""

import asyncio
import sys
from pathlib import Path

from maskline.clock import SystemClock
from maskline.recordings.converter import ProcessConverter
from maskline.recordings.spool import Spool
from maskline.recordings.storage_local import LocalStorage
from maskline.recordings.worker import RecordingWorker, WorkerSettings
from maskline.store.setup import open_store
from maskline.store.thread import StoreThreads


async def main() -> None:
    url, key_file, directory = sys.argv[1:]
    threads = StoreThreads(open_store(url, Path(key_file)))
    async with LocalStorage(Path(directory) / "recordings") as storage:
        await RecordingWorker(
            store=threads,
            clock=SystemClock(),
            storage=storage,
            spool=Spool(Path(directory) / "spool", free_bytes_min=1),
            converter=ProcessConverter(),
            settings=WorkerSettings(switch_id="switch-1"),
        ).run()


if __name__ == "__main__":
    asyncio.run(main())
