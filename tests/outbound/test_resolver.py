import asyncio
import socket
import threading
from typing import Any

import pytest

from maskline.outbound.resolver import SystemResolver


async def test_system_knows_its_own_name() -> None:
    """`localhost` has loopback addresses, each once."""
    resolver = SystemResolver()
    found = await resolver("localhost", 80)
    resolver.close()
    assert set(found) <= {"127.0.0.1", "::1"}
    assert len(found) == len(set(found)) > 0


@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 64 + ".example", "a..b", "xn--\x80"])
async def test_what_has_no_address_is_an_error_of_the_system(host: str) -> None:
    """Unknown and impossible names raise the same error."""
    resolver = SystemResolver()
    with pytest.raises(OSError):
        await resolver(host, 80)
    resolver.close()


async def test_name_that_hangs_holds_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for a name that is being looked up waits for that answer; giving up disturbs nobody."""
    asked: list[str] = []
    gate = threading.Event()

    def look_up(host: str, *args: Any, **options: Any) -> list[Any]:
        asked.append(host)
        assert gate.wait(10)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    resolver = SystemResolver()
    waiting = [asyncio.ensure_future(resolver("slow.example", 80)) for _ in range(100)]  # noqa: TID251
    await asyncio.sleep(0)
    waiting[0].cancel()
    gate.set()
    answers = await asyncio.gather(*waiting[1:])
    assert asked == ["slow.example"]
    assert set(answers) == {("192.0.2.1",)}
    await resolver("slow.example", 80)
    resolver.close()
    assert len(asked) == 2


async def test_failure_that_nobody_waits_for_is_no_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that fails after all who asked have gone is forgotten."""
    gate = threading.Event()

    def look_up(host: str, *args: Any, **options: Any) -> list[Any]:
        assert gate.wait(10)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    resolver = SystemResolver()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(resolver("slow.example", 80), 0.01)
    gate.set()
    with pytest.raises(socket.gaierror):
        await resolver("slow.example", 80)
    resolver.close()
