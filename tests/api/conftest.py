from collections.abc import Iterator

import pytest
from tests.api.service import Service, Tenant


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("service"))
    yield running
    running.close()


@pytest.fixture
def tenant(service: Service) -> Tenant:
    return service.new_account()
