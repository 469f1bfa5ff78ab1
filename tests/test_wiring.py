"""The service as a whole: it starts, says how to use it, works, and leaves nothing behind."""

import asyncio
import base64
import re
import shlex
import sys
import urllib.request
from pathlib import Path

from maskline.banner import render_banner
from maskline.config import Settings, load_settings
from maskline.demo.client import MaskingClient
from maskline.demo.main import A_NUMBER, B_NUMBER
from maskline.wiring import run_service


def settings_of(directory: Path) -> Settings:
    return load_settings(
        flags={
            "data_dir": directory,
            "http_bind": "127.0.0.1:0",
            "sip_bind": "127.0.0.1:0",
            "sandbox_bind": "127.0.0.1:0",
        }
    )


async def fetch(address: tuple[str, int], path: str) -> str:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode()


async def test_banner_holds_a_request_that_works(tmp_path: Path) -> None:
    """The curl that `serve --sandbox` prints creates a masking session as it stands."""
    async with run_service(settings_of(tmp_path), sandbox=True) as service:
        banner = render_banner(service)
        command = re.search(r"curl .*?\\\n.*", banner)
        assert command is not None
        curl, dash_u, credentials, dash_h, header, dash_d, body, url = shlex.split(
            command.group().replace("\\\n", " ")
        )
        assert (curl, dash_u, dash_h, dash_d) == ("curl", "-u", "-H", "-d")
        name, _, value = header.partition(": ")
        request = urllib.request.Request(url, body.encode(), {name: value})
        request.add_header("Authorization", "Basic " + base64.b64encode(credentials.encode()).decode())
        with await asyncio.to_thread(urllib.request.urlopen, request, timeout=5) as response:
            answer = response.read()
        assert b'"message":"Session created"' in answer


async def test_sandbox_is_the_same_at_the_next_start(tmp_path: Path) -> None:
    """Account, token, numbers and sessions are there again; the trunk follows the carrier's new port."""
    async with run_service(settings_of(tmp_path), sandbox=True) as service:
        first = (service.account, service.numbers)
        assert service.account is not None
        created = await MaskingClient(service.http_address, service.account).create(A_NUMBER, B_NUMBER)
    async with run_service(settings_of(tmp_path), sandbox=True) as service:
        assert service.account is not None
        assert (service.account.auth_id, service.numbers) == (first[0].auth_id if first[0] else "", first[1])
        again = await MaskingClient(service.http_address, service.account).create(A_NUMBER, B_NUMBER)
        assert again == created
        (trunk,) = service.switch.trunks.trunks
        (target,) = trunk.targets
        assert (target.host, target.port) == service.sandbox_address


async def test_health_names_the_part_that_fails(tmp_path: Path) -> None:
    """/healthz asks database and media; when one is gone it says which."""
    async with run_service(settings_of(tmp_path), sandbox=False) as service:
        well = await fetch(service.http_address, "/healthz")
        assert "200 OK" in well
        assert '"database": "ok"' in well
        assert '"media": "ok"' in well
        service.relay.disconnect()  # type: ignore[attr-defined]
        ill = await fetch(service.http_address, "/healthz")
        assert "503" in ill
        assert '"media": "failing"' in ill
        assert '"database": "ok"' in ill


async def test_trunk_added_while_running_is_accepted(tmp_path: Path) -> None:
    """A trunk added by another process is known within seconds, without a restart."""
    async with run_service(settings_of(tmp_path), sandbox=False) as service:
        assert not service.switch.trunks.is_trusted("127.0.0.9")
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "maskline",
                "trunk",
                "add",
                "carrier",
                "--peer",
                "127.0.0.9:5060",
                "--data-dir",
                str(tmp_path),
            ),
            stdout=asyncio.subprocess.DEVNULL,
        )
        assert await process.wait() == 0
        async with asyncio.timeout(10):
            while not service.switch.trunks.is_trusted("127.0.0.9"):  # noqa: ASYNC110  # the effect, not a delay
                await asyncio.sleep(0.05)
