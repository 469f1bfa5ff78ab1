"""The examples do what they say, as the programs they are, on a running service."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

import pytest
from tests.client.conftest import StreamingSite, streaming_service, streaming_site
from tests.openapi.subjects import finish_a_call
from tests.tidy.tree import ROOT

from maskline.core.access import ApiKeyIssued, NewApiKey, Permission
from maskline.workflows.api_keys import create_key

__all__ = ["streaming_service", "streaming_site"]  # fixtures
EXAMPLES: Final = ROOT / "examples"
TIMEOUT_S: Final = 60.0


def start(site: StreamingSite, name: str, *arguments: str, key: str | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments],
        env={**os.environ, "MASKLINE_SERVER": site.server, "MASKLINE_API_KEY": key or site.key},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def operator_key(streaming_site: StreamingSite) -> str:
    new = NewApiKey(name="operator", permissions=frozenset({Permission.ALL}))
    issued = streaming_site.service.run(create_key, new, streaming_site.service.clock.now())
    assert isinstance(issued, ApiKeyIssued)
    return issued.secret.reveal()


def test_wait_for_call(streaming_site: StreamingSite) -> None:
    """It gives the number to dial, and tells of the call once it is over."""
    running = start(streaming_site, "wait_for_call", "+912025550000", "+912025551111")
    with running:
        killer = threading.Timer(TIMEOUT_S, running.kill)
        killer.start()
        assert running.stdout is not None
        dialled = running.stdout.readline()
        assert dialled == f"dial {streaming_site.tenant.numbers[0]}\n"
        (session,) = streaming_site.tenant.request("GET", "/Masking/Session/").body["response"]["objects"]
        finish_a_call(streaming_site.tenant, session)
        told, failed = running.communicate()
        killer.cancel()
    assert (running.returncode, told, failed) == (0, "talked for 20 s\n", "")


def test_add_numbers(streaming_site: StreamingSite, operator_key: str) -> None:
    """Numbers that somebody else has are named, the others are there."""
    other = streaming_site.service.new_account(number_count=1)
    new = "+912240077001"
    with start(
        streaming_site, "add_numbers", "carrier", streaming_site.tenant.auth_id, key=operator_key
    ) as running:
        told, failed = running.communicate(f"{new}\n{other.numbers[0]}\n", timeout=TIMEOUT_S)
    assert (told, failed) == (f"taken: {other.numbers[0]}\nadded: 1\n", "")


def test_replay_dead_deliveries(streaming_site: StreamingSite) -> None:
    """An account without any has nothing replayed."""
    with start(streaming_site, "replay_dead_deliveries") as running:
        told, failed = running.communicate(timeout=TIMEOUT_S)
    assert (running.returncode, told, failed) == (0, "replayed: 0, left: 0\n", "")


def test_watch_usage(streaming_site: StreamingSite) -> None:
    """All numbers are free: enough."""
    with start(streaming_site, "watch_usage") as running:
        told, failed = running.communicate(timeout=TIMEOUT_S)
    assert (running.returncode, failed) == (0, "")
    assert told.startswith("account: 0 sessions, 5 numbers left")


def test_every_example_is_run() -> None:
    """And shown in the client's document."""
    names = sorted(path.stem for path in EXAMPLES.glob("*.py"))
    text = Path(__file__).read_text()
    assert [name for name in names if f"def test_{name}(" not in text] == []
    shown = (ROOT / "docs" / "api" / "client.md").read_text()
    assert [name for name in names if f"`examples/{name}.py`" not in shown] == []
