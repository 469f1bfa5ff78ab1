import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.api.native.streaming import StreamingService
from tests.api.plivo.shelf import Shelf
from tests.api.service import Service, Tenant

from maskline.api.native.event_hub import StreamPace
from maskline.clock import SystemClock
from maskline.core.access import ApiKeyIssued, NewApiKey, Permission
from maskline.recordings.storage_local import LocalStorage
from maskline.workflows.api_keys import create_key


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running service, an account of it, and who may speak to it."""

    service: Service
    tenant: Tenant
    operator_key: str
    """May everything."""

    @property
    def server(self) -> str:
        return f"http://127.0.0.1:{self.service.port}"

    @property
    def shelf(self) -> Shelf:
        """Makes recordings of the account's calls."""
        return Shelf(self.tenant)


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, key_path: Path
) -> Iterator[Service]:
    """The HTTP side on a database of its own, by the machine's clock as clients are."""
    folder = tmp_path_factory.mktemp("client")
    path = folder / "maskline.db"
    shutil.copy(sqlite_template, path)
    storage = LocalStorage(folder / "audio")
    storage._prepare()
    running = Service(f"sqlite:///{path}", key_path, SystemClock(), recordings=storage)
    yield running
    running.close()


@pytest.fixture
def site(service: Service) -> Site:
    """A fresh account with five numbers, and an operator's key."""
    new = NewApiKey(name="operator", permissions=frozenset({Permission.ALL}))
    issued = service.run(create_key, new, service.clock.now())
    assert isinstance(issued, ApiKeyIssued)
    return Site(service=service, tenant=service.new_account(), operator_key=issued.secret.reveal())


@dataclass(frozen=True, kw_only=True)
class StreamingSite:
    """A running service that publishes what happens, and a key of one of its accounts."""

    service: StreamingService
    tenant: Tenant
    key: str

    @property
    def server(self) -> str:
        return f"http://127.0.0.1:{self.service.port}"


@pytest.fixture(scope="session")
def streaming_service(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, key_path: Path
) -> Iterator[StreamingService]:
    """The HTTP side with a publisher."""
    path = tmp_path_factory.mktemp("client-streaming") / "maskline.db"
    shutil.copy(sqlite_template, path)
    pace = StreamPace(heartbeat_s=0.3, recheck_s=0.3, send_timeout_s=1.0)
    running = StreamingService(f"sqlite:///{path}", key_path, pace)
    yield running
    running.close()


@pytest.fixture
def streaming_site(streaming_service: StreamingService) -> StreamingSite:
    """A fresh account with five numbers."""
    tenant = streaming_service.new_account()
    new = NewApiKey(name="own", permissions=frozenset({Permission.ALL}), account=tenant.account)
    issued = streaming_service.run(create_key, new, streaming_service.clock.now())
    assert isinstance(issued, ApiKeyIssued)
    return StreamingSite(service=streaming_service, tenant=tenant, key=issued.secret.reveal())
