import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.api.service import Answer, Service, Tenant

from maskline.api.deepcall.kernel import DeepCallSettings
from maskline.core.deepcall import DeepCallCredentials
from maskline.core.masking import MICROSECONDS
from maskline.workflows.deepcall_credentials import issue_ssid

M1, M2 = "9120255500", "9120255511"
YEAR_US = 365 * 86_400 * MICROSECONDS
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class DeepCallTenant:
    """An account with credentials of the dialect, and how to speak for it."""

    tenant: Tenant
    credentials: DeepCallCredentials

    @property
    def service(self) -> Service:
        return self.tenant.service

    @property
    def ssid(self) -> str:
        new = self.credentials.new_ssid
        assert new is not None
        return new.ssid.reveal()

    @property
    def user_id(self) -> str:
        return self.credentials.user.user_id

    @property
    def token(self) -> str:
        return self.credentials.user.token.reveal()

    def send(
        self, path: str, body: object = None, *, method: str = "POST", query: str = "", **headers: str
    ) -> Answer:
        """A request below the vendor's prefix as it is given; a body that is no bytes is sent as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return self.service.request(method, f"/api/v2/{path}{query}", data, headers)

    def call(self, path: str, **fields: object) -> Answer:
        """A POST with the ssid and these fields."""
        return self.send(path, {"ssid": self.ssid, **fields})

    def set(self, m1: object = M1, m2: object = M2, **fields: object) -> Any:
        """The body of a successful set."""
        answer = self.call("Masking/set", m1=m1, m2=m2, **fields)
        assert (answer.status, answer.body["status"]) == (200, "success"), answer.text
        return answer.body


def give_credentials(tenant: Tenant, *, can_change: bool = True) -> DeepCallTenant:
    """Credentials of the dialect for an account, its ssid good for a year."""
    now = tenant.service.clock.now()
    made = tenant.service.run(
        issue_ssid, tenant.account, expires_at=now + YEAR_US, can_change=can_change, old_until=None, now=now
    )
    assert isinstance(made, DeepCallCredentials)
    return DeepCallTenant(tenant, made)


@pytest.fixture
def deepcall(tenant: Tenant) -> DeepCallTenant:
    """A fresh account with five numbers and credentials, on each database in turn."""
    return give_credentials(tenant)


class Services:
    """Makes services that differ in the dialect's settings; closes them all."""

    def __init__(self, url: str, key_path: Path) -> None:
        self._url = url
        self._key_path = key_path
        self._running: list[Service] = []

    def tenant(self, **settings: Any) -> DeepCallTenant:
        """An account of a service with these settings; once in a test."""
        made = DeepCallSettings(public_url="http://maskline.test", **settings)
        running = Service(self._url, self._key_path, deepcall=made)
        self._running.append(running)
        return give_credentials(running.new_account())

    def close(self) -> None:
        while self._running:
            self._running.pop().close()


@pytest.fixture
def services(sqlite_url: str, key_path: Path) -> Iterator[Services]:
    """Services with other settings, over SQLite."""
    made = Services(sqlite_url, key_path)
    yield made
    made.close()
