"""Add virtual numbers from standard input, one a line, as the operator.

MASKLINE_SERVER and MASKLINE_API_KEY say where; the arguments are the trunk and the account's auth id.
"""

import os
import sys

from maskline.client import DID, Client, ConflictError

AT_ONCE = 200  # as many as the service takes in one request


def main() -> None:
    """Add them by the batch; a batch with numbers that somebody has is added without those."""
    trunk, account = sys.argv[1], sys.argv[2]
    numbers = [DID(line.strip()) for line in sys.stdin if line.strip()]
    count = 0
    with Client(os.environ["MASKLINE_SERVER"], api_key=os.environ["MASKLINE_API_KEY"]) as client:
        for first in range(0, len(numbers), AT_ONCE):
            batch = numbers[first : first + AT_ONCE]
            try:
                added = client.numbers.add(numbers=batch, trunk=trunk, account=account)
            except ConflictError as error:
                taken = {int(it.pointer.rpartition("/")[2]) for it in error.errors}
                for place in sorted(taken):
                    print(f"taken: {batch[place]}")
                rest = [it for place, it in enumerate(batch) if place not in taken]
                if not rest:
                    continue
                added = client.numbers.add(numbers=rest, trunk=trunk, account=account)
            count += len(added.data)
    print(f"added: {count}")


if __name__ == "__main__":
    main()
