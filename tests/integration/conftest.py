"""The whole service on each database, in a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.ground import Ground, loopback_block
from tests.interop.stage import Stage
from tests.peers import need


@pytest.fixture
def ground(database_url: str, key_path: Path, tmp_path: Path) -> Iterator[Ground]:
    """A running service with one carrier; nothing it logs may tell of the parties."""
    need("sipp")
    with loopback_block() as block:
        ground = Ground(block, tmp_path / "ground", database_url=database_url, key_file=key_path)
        ground.carriers["plain"] = iter(ground.add_carriers(1))
        ground.start()
        try:
            yield ground
        finally:
            ground.stop()
            ground.store.close()
        assert ground.told_in_logs() == []


@pytest.fixture
def stage(ground: Ground, tmp_path: Path) -> Iterator[Stage]:
    """A stage on its carrier."""
    stage = Stage(ground, next(ground.carriers["plain"]), tmp_path)
    yield stage
    stage.close()
