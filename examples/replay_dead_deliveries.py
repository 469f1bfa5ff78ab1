"""Send again what receivers did not take while they were down.

MASKLINE_SERVER and MASKLINE_API_KEY say where; the key is the account's.
"""

import os

from maskline.client import Client, ConflictError, DeliveryState


def main() -> None:
    """Replay every dead delivery whose webhook is still there."""
    replayed = left = 0
    with Client(os.environ["MASKLINE_SERVER"], api_key=os.environ["MASKLINE_API_KEY"]) as client:
        for delivery in client.deliveries.list(state=DeliveryState.DEAD):
            try:
                client.deliveries.replay(delivery.id)
                replayed += 1
            except ConflictError:
                left += 1
    print(f"replayed: {replayed}, left: {left}")


if __name__ == "__main__":
    main()
