"""Addresses of names, from the system's resolver."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Return the addresses of a name in the order to try them. Raises OSError when it has none."""

LOOKUPS_MAX: Final = 32  # at one time; a name that hangs holds one for the resolver's own time-out, some 10 s


class SystemResolver:
    """Asks the system, as every other program on the machine does: hosts file, search list and all.

    Those who ask for a name that is being looked up wait for that answer, so that one name that hangs holds
    one thread. Nothing is kept: that is the system's affair.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS_MAX, thread_name_prefix="outbound-dns")
        self._pending: dict[tuple[str, int], asyncio.Future[tuple[str, ...]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a name in the order to try them. Raises OSError when it has none."""
        key = (host, port)
        pending = self._pending.get(key)
        if pending is None:
            loop = asyncio.get_running_loop()
            pending = loop.run_in_executor(self._threads, _look_up, host, port)
            self._pending[key] = pending
            pending.add_done_callback(lambda done: self._finished(key, done))
        return await asyncio.shield(pending)

    def close(self) -> None:
        """Start no more look-ups; those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _finished(self, key: tuple[str, int], done: "asyncio.Future[tuple[str, ...]]") -> None:
        self._pending.pop(key, None)
        if not done.cancelled():
            done.exception()  # seen, also when all who asked have gone


def _look_up(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a name the resolver cannot even write down
        raise OSError(str(error)) from None
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))
