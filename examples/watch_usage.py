"""Say how an account's numbers are used, and fail when they run short: for a monitor that runs it now and then.

MASKLINE_SERVER and MASKLINE_API_KEY say where; the key is the account's.
"""

import asyncio
import os
import sys

from maskline.client import AsyncClient


async def watch() -> bool:
    """Print a line for each scope; whether all of them have numbers left."""
    is_enough = True
    async with AsyncClient(os.environ["MASKLINE_SERVER"], api_key=os.environ["MASKLINE_API_KEY"]) as client:
        async for usage in client.usage.list():
            scope = usage.pool or usage.subaccount or "account"
            until = usage.forecast.exhausted_at
            print(
                f"{scope}: {usage.live_session_count} sessions, {usage.free_for_busiest} numbers left for the "
                f"busiest party, until {'?' if until is None else until.date()}"
            )
            is_enough = is_enough and usage.free_for_busiest > 0
    return is_enough


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(watch()) else 1)
