"""Create a session between two people and wait until their call is over.

MASKLINE_SERVER and MASKLINE_API_KEY say where; the arguments are the two numbers.
"""

import os
import sys

from maskline.client import E164, Client, EventKind


def main() -> None:
    """Create, wait, tell."""
    first, second = E164(sys.argv[1]), E164(sys.argv[2])
    with (
        Client(os.environ["MASKLINE_SERVER"], api_key=os.environ["MASKLINE_API_KEY"]) as client,
        client.events.stream(kinds=[EventKind.CALL_FINISHED]) as events,
    ):
        session = client.sessions.create(first=first, second=second, expires_in_s=3_600)
        print(f"dial {session.virtual_number}", flush=True)
        for event in events:
            if event.data["session_id"] == session.id:
                call = client.calls.get(str(event.data["call_id"]))
                print(f"talked for {call.duration_s} s")
                return


if __name__ == "__main__":
    main()
