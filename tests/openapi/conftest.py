import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.service import Service

from maskline.recordings.storage_local import LocalStorage


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, key_path: Path
) -> Iterator[Service]:
    """The HTTP side over a database of its own, which everything here is asked of."""
    folder = tmp_path_factory.mktemp("openapi")
    path = folder / "maskline.db"
    shutil.copy(sqlite_template, path)
    storage = LocalStorage(folder / "audio")
    storage._prepare()
    running = Service(f"sqlite:///{path}", key_path, recordings=storage)
    yield running
    running.close()
