"""The running service tells of what the clock has ended, and tidies up after it."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from maskline.config import load_settings
from maskline.demo.client import MaskingClient
from maskline.demo.main import A_NUMBER, B_NUMBER
from maskline.engine.sweeper import TIDY_EVERY_S
from maskline.testing.clock import ManualClock
from maskline.wiring import run_service

POLL_S = 0.02
BUSY_MACHINE_S = 5.0


async def wait_for_row(database: Path, query: str, timeout_s: float) -> None:
    """Wait until a query finds something."""
    deadline = time.monotonic() + timeout_s
    while True:
        with closing(sqlite3.connect(database, timeout=5.0)) as connection:
            if connection.execute(query).fetchone() is not None:
                return
        assert time.monotonic() < deadline, query
        await asyncio.sleep(POLL_S)


async def test_what_the_clock_has_ended_is_told_and_tidied_up(tmp_path: Path) -> None:
    """A session that nobody touches: its end is told within a second, its bindings are released a little later.

    So are tries of PINs that count no more, and answers kept for a day.
    """
    clock = ManualClock()
    settings = load_settings(
        flags={
            "data_dir": tmp_path,
            "http_bind": "127.0.0.1:0",
            "sip_bind": "127.0.0.1:0",
            "sandbox_bind": "127.0.0.1:0",
        }
    )
    database = tmp_path / "maskline.db"
    async with run_service(settings, sandbox=True, clock=clock) as service:
        assert service.account is not None
        await MaskingClient(service.http_address, service.account).create(A_NUMBER, B_NUMBER)
        with closing(sqlite3.connect(database, timeout=5.0)) as connection, connection:
            connection.execute(
                "INSERT INTO pin_try (virtual_number_id, subject, opened_at, wrong_count) VALUES (1, 'x', ?, 1)",
                (clock.now(),),
            )
            connection.execute(
                "INSERT INTO idempotency_key (owner, key_hash, request_hash, answer_sealed, created_at) "
                "VALUES ('operator', 'x', 'x', x'00', ?)",
                (clock.now() - 86_400_000_000,),
            )
        clock.advance(s=3600)
        await wait_for_row(
            database, "SELECT 1 FROM outbox WHERE kind = 'session.expired'", 1 + BUSY_MACHINE_S
        )
        wait_s = TIDY_EVERY_S + BUSY_MACHINE_S
        await wait_for_row(database, "SELECT 1 FROM binding WHERE released_at IS NOT NULL", wait_s)
        await wait_for_row(database, "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pin_try)", wait_s)
        await wait_for_row(database, "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM idempotency_key)", wait_s)
