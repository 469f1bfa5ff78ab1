"""Make pools without end, each under an idempotency key, and tell it once it is durable; for a test that kills it.

Arguments: database URL, key file, account's id, first index.
"""

import sys
from itertools import count
from pathlib import Path

from maskline.core.inventory import AllocationPolicy, Pool
from maskline.store.engine import Tx
from maskline.store.setup import open_store
from maskline.workflows.idempotency import Answered, IdempotencyClaim, run_idempotently
from maskline.workflows.pools import create_pool


def _write(url: str, key_file: Path, account_id: int, first: int) -> None:
    store = open_store(url, key_file)
    for index in count(first):

        def work(tx: Tx, name: str = f"pool-{index}") -> str:
            made = create_pool(tx, account_id, name, AllocationPolicy.STICKY, 1)
            assert isinstance(made, Pool)
            return made.name

        claim = IdempotencyClaim(owner="operator", key=f"key-{index}", request=b"")
        outcome = store.run(run_idempotently, claim, work, 1)
        assert isinstance(outcome, Answered)
        sys.stdout.write(outcome.answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _write(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
