"""A capture on the wire: what reaches the far party is plain RTP of the near one, and nothing else."""

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from maskline.engine.media_client import Side
from tests.engine.media_rig import guard, parties, until
from tests.engine.test_media_privacy import send_secrets

A, B, X = "127.0.0.11", "127.0.0.12", "127.0.0.66"

pytestmark = [
    pytest.mark.tshark,
    pytest.mark.skipif(
        shutil.which("dumpcap") is None or os.geteuid() != 0,
        reason="needs root and tshark: apt-get install tshark",
    ),
]


@asynccontextmanager
async def capture(path: Path, only: str) -> AsyncIterator[None]:
    """Record what passes on loopback while the block runs."""
    process = await asyncio.create_subprocess_exec(
        *("dumpcap", "-q", "-i", "lo", "-f", only, "-w", str(path), "-c", "100000"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(10):
        while b"File:" not in await process.stderr.readline():
            assert process.returncode is None
    try:
        yield
    finally:
        process.terminate()
        await process.communicate()


def dissect(path: Path, ports: set[int]) -> list[dict[str, list[str]]]:
    """Decode every packet of a capture, datagrams on `ports` as RTP."""
    decode = [part for port in ports for part in ("-d", f"udp.port=={port},rtp")]
    fields = (
        "udp.srcport",
        "udp.dstport",
        "rtp.version",
        "rtp.ext",
        "rtp.cc",
        "rtp.p_type",
        "rtp.ssrc",
        "data",
    )
    done = subprocess.run(
        ["tshark", "-r", str(path), *decode, "-T", "json", *[part for f in fields for part in ("-e", f)]],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return [packet["_source"]["layers"] for packet in json.loads(done.stdout or b"[]")]


async def test_far_party_receives_plain_rtp_only() -> None:
    """Of all that A and a stranger send, the wire to B carries A's plain audio packets only."""
    with tempfile.TemporaryDirectory() as directory, parties(A, B, X) as (a, b, x):
        path = Path(directory) / "b.pcapng"
        os.chmod(directory, 0o777)  # dumpcap may drop its rights
        async with guard() as (_, relay):
            ports = await relay.open("seen", a.media())
            await relay.connect("seen", Side.B, b.media())
            to_a = (ports.address_a, ports.port_a)
            # B's ports for RTP and RTCP: another test's B, in a process beside this one, has the same address.
            async with capture(path, f"udp and dst host {B} and dst portrange {b.port}-{b.port + 1}"):
                for _ in range(20):
                    x.say(to_a, b"stranger")
                    send_secrets(a, to_a)
                a.say(to_a, b"the last of all")
                b.hear(b"the last of all")
                await until(lambda: path.exists() and path.stat().st_size > 20 * 60)
        packets = dissect(path, {b.port})
        assert len(packets) == 21
        for packet in packets:
            assert packet["udp.dstport"] == [str(b.port)]
            assert packet["udp.srcport"] == [str(ports.port_b)]
            assert packet["rtp.version"] == ["2"]
            assert packet["rtp.ext"] in (["0"], ["False"], [False])
            assert packet["rtp.cc"] == ["0"]
            assert packet["rtp.p_type"] == ["0"]
            assert int(packet["rtp.ssrc"][0], 16) == a.source
        assert b"secret" not in path.read_bytes()
