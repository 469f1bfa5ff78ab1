"""What clients are told when the service itself fails."""

import json
import os
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.api.service import PAIR, basic

from maskline.api.app import create_app
from maskline.core.inventory import Account, AllocationPolicy, CooloffScope
from maskline.core.secret import Secret
from maskline.errors import AppError, DatabaseUnusableError
from maskline.store.engine import StoreConflictError, StoreUnavailableError
from maskline.store.thread import StoreOverloadedError
from maskline.testing.clock import ManualClock

AUTH_ID, TOKEN = "MA012345678901234567", "t" * 40
ACCOUNT = Account(
    id=1,
    auth_id=AUTH_ID,
    name="demo",
    country="IN",
    timezone="Asia/Kolkata",
    token=Secret(TOKEN),
    policy=AllocationPolicy.FIRST_FIT,
    cooloff_scope=CooloffScope.PARTY,
    created_at=0,
)


class FailingThreads:
    """Knows one account; every write fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.read_count = 0

    async def read(self, work: object, /, *args: Any, **kwargs: Any) -> Any:
        self.read_count += 1
        return ACCOUNT if args == (AUTH_ID, TOKEN) else None

    async def write(self, work: object, /, *args: Any, **kwargs: Any) -> Any:
        raise self.error


async def post(
    threads: FailingThreads, registry: CollectorRegistry | None = None, token: str = TOKEN
) -> httpx.Response:
    app = create_app(
        store=threads,
        clock=ManualClock(),
        random_bytes=os.urandom,
        public_url="http://m",
        registry=registry,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://m") as client:
        path = f"/v1/Account/{AUTH_ID}/Masking/Session/"
        await client.post(path, json=PAIR, headers=basic(AUTH_ID, token))
        return await client.post(path, json=PAIR, headers=basic(AUTH_ID, token))


@pytest.mark.parametrize("error", [StoreConflictError(), StoreOverloadedError()])
async def test_a_busy_store_answers_429(error: AppError) -> None:
    """Clients repeat 5xx at once, three times: the last thing a busy service needs."""
    response = await post(FailingThreads(error))
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert list(response.json()) == ["api_id", "error"]


@pytest.mark.parametrize(
    "error",
    [RuntimeError("+912025550000"), StoreUnavailableError("gone"), DatabaseUnusableError("+912025550000")],
)
async def test_faults_answer_500_without_details(error: Exception) -> None:
    """The vendor's text; what went wrong is for the log."""
    response = await post(FailingThreads(error))
    assert response.status_code == 500
    assert response.json()["error"] == "Internal server error."
    assert "912025550000" not in response.text


async def test_right_credentials_are_looked_up_once_a_second() -> None:
    """Wrong ones each time."""
    threads = FailingThreads(StoreConflictError())
    await post(threads)
    assert threads.read_count == 1
    threads = FailingThreads(StoreConflictError())
    assert (await post(threads, token="x")).status_code == 401
    assert threads.read_count == 2


async def test_requests_are_counted_by_operation() -> None:
    """Labels are names of ours, never paths."""
    registry = CollectorRegistry()
    await post(FailingThreads(StoreConflictError()), registry)
    text = generate_latest(registry).decode()
    assert 'maskline_http_requests_total{dialect="plivo",operation="create",status="429"} 2.0' in text
    assert AUTH_ID not in text
    assert json.dumps(PAIR["first_party"]) not in text
