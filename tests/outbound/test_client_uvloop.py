"""The service runs on uvloop: its connections, TLS and time-outs under the same client."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path

import pytest
import uvloop

from maskline.outbound.client import OutboundClient
from maskline.outbound.types import OutboundFailed
from tests.outbound.rig import LIMITS, LOOPBACK, SHORT, make_tls, resolving, serve


def _run(work: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


def test_requests_share_connections() -> None:
    """Plain requests are answered, one after the other on one connection."""

    async def run() -> None:
        async with serve() as peer, OutboundClient(allowed_networks=LOOPBACK) as client:
            url = f"http://127.0.0.1:{peer.port}/"
            for _ in range(3):
                answer = await client.request("POST", url, headers={}, body=b"{}", limits=LIMITS)
                assert (answer.status, answer.body) == (200, b"ok")
            assert peer.connection_count == 1

    _run(run())


def test_names_are_checked(tmp_path: Path) -> None:
    """TLS goes to the pinned address and checks the name."""
    server, trust = make_tls(tmp_path, "hooks.example")

    async def run() -> None:
        async with (
            serve(tls=server) as peer,
            OutboundClient(allowed_networks=LOOPBACK, resolver=resolving("127.0.0.1"), tls=trust) as client,
        ):
            url = f"https://hooks.example:{peer.port}/"
            for _ in range(2):
                assert (await client.request("GET", url, headers={}, body=None, limits=LIMITS)).status == 200
            assert peer.connection_count == 1
            with pytest.raises(OutboundFailed, match="tls"):
                await client.request(
                    "GET", url.replace("hooks", "other"), headers={}, body=None, limits=LIMITS
                )

    _run(run())


def test_silence_and_closed_ports_are_failures() -> None:
    """A peer that says nothing costs its time; a port without a server is told as such."""

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def run() -> None:
        async with serve(silence) as peer, OutboundClient(allowed_networks=LOOPBACK) as client:
            url = f"http://127.0.0.1:{peer.port}/"
            with pytest.raises(OutboundFailed, match="timeout"):
                await client.request("GET", url, headers={}, body=None, limits=SHORT)
        async with OutboundClient(allowed_networks=LOOPBACK) as client:
            with pytest.raises(OutboundFailed, match="connect"):
                await client.request("GET", url, headers={}, body=None, limits=SHORT)

    _run(run())
