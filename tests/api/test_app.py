import asyncio
import os

import httpx
import pytest
from starlette.responses import JSONResponse
from tests.api.plivo.test_kernel import FailingThreads
from tests.api.service import Service

from maskline.api import app as app_module
from maskline.api.app import create_app
from maskline.api.ports import HealthCheck
from maskline.testing.clock import ManualClock


async def get(path: str, checks: dict[str, HealthCheck], method: str = "GET") -> httpx.Response:
    app = create_app(
        store=FailingThreads(RuntimeError()),
        clock=ManualClock(),
        random_bytes=os.urandom,
        public_url="http://m",
        checks=checks,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://m") as client:
        return await client.request(method, path)


async def works() -> None:
    return


async def fails() -> None:
    raise ConnectionError("the relay has gone")


async def test_healthy() -> None:
    """Every part is named; load balancers may ask with HEAD."""
    response = await get("/healthz", {"database": works, "media": works})
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "checks": {"database": "ok", "media": "ok"}}
    assert (await get("/healthz", {}, "HEAD")).status_code == 200


async def test_unhealthy() -> None:
    """One failing part fails the whole, without telling strangers why."""
    response = await get("/healthz", {"database": works, "media": fails})
    assert response.status_code == 503
    assert response.json() == {"status": "failing", "checks": {"database": "ok", "media": "failing"}}


async def test_a_hanging_check_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer comes in time for whoever asked."""
    monkeypatch.setattr(app_module, "HEALTH_TIMEOUT_S", 0.01)
    assert (await get("/healthz", {"switch": asyncio.Event().wait})).status_code == 503  # type: ignore[dict-item]


async def test_description_of_the_dialect() -> None:
    """OpenAPI with every operation and field."""
    described = (await get("/docs/plivo.json", {})).json()
    paths = described["paths"]
    sessions = paths["/Account/{auth_id}/Masking/Session"]
    assert set(sessions) == {"get", "parameters", "post"}
    body = sessions["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["session_expiry"]["maximum"] == 86_400
    assert "201" in sessions["post"]["responses"]
    assert not any("Recording" in path for path in paths)  # none is served here


@pytest.mark.parametrize("dialect", ["plivo", "native", "deepcall"])
def test_descriptions_are_made_once(service: Service, dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers may ask for them as often as they like: making one takes the time of many answers."""
    first = service.request("GET", f"/docs/{dialect}.json")
    assert (first.status, first.headers["content-type"]) == (200, "application/json")
    monkeypatch.setattr(JSONResponse, "render", None)
    assert service.request("GET", f"/docs/{dialect}.json").body == first.body


def test_metrics_of_a_running_service(service: Service) -> None:
    """In the text format of Prometheus."""
    service.new_account().create()
    answer = service.request("GET", "/metrics")
    assert answer.status == 200
    assert b'operation="create",status="201"' in answer.text
    assert b"912025550000" not in answer.text


def test_nothing_else_is_served(service: Service) -> None:
    """None of the framework's own pages, no server banner."""
    for path in ("/", "/redoc", "/openapi.json"):
        assert service.request("GET", path).status == 404
    assert "server" not in {name.lower() for name in service.request("GET", "/healthz").headers}
