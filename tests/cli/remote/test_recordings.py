from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.plivo.shelf import Shelf
from tests.api.service import Service
from tests.cli.remote.conftest import Sides

from maskline.clock import SystemClock
from maskline.recordings.storage_local import LocalStorage


@pytest.fixture
def service(sqlite_url: str, key_path: Path, tmp_path: Path) -> Iterator[Service]:
    """The HTTP side, with recordings."""
    storage = LocalStorage(tmp_path / "audio")
    storage._prepare()
    running = Service(sqlite_url, key_path, SystemClock(), recordings=storage)
    yield running
    running.close()


def test_recordings_are_listed_linked_and_deleted(sides: Sides) -> None:
    """Newest first, from both sides alike."""
    shelf = Shelf(sides.service.new_account(number_count=3))
    name, ids = shelf.tenant.account.name, [shelf.record() for _ in range(3)]
    listed = sides.same("recording", "list", name).json
    assert len(listed) == 3
    assert sides.same("recording", "list", name, "--limit", "1", "--offset", "1").json == listed[1:2]
    made = sides.there("recording", "link", name, ids[0], "--hours", "2", "--json").json
    assert made["url"].startswith("http://maskline.test/")
    assert sides.there("recording", "link", name, "f" * 32).code == 1
    assert sides.same("recording", "link", name, "no-id").code == 2
    assert sides.there("recording", "delete", name, ids[0]).code == 0
    assert sides.same("recording", "delete", name, ids[0]).code == 1
    assert len(sides.same("recording", "list", name).json) == 2


def test_how_long_recordings_are_kept(sides: Sides) -> None:
    """Is shown and set from both sides alike."""
    name = sides.service.new_account(number_count=1).account.name
    assert sides.same("recording", "retention", name).json["days"] is None
    assert sides.there("recording", "retention", name, "--days", "30", "--json").json["days"] == 30
    assert sides.same("recording", "retention", name).json["days"] == 30
    assert sides.there("recording", "retention", name, "--forever").code == 0
    assert sides.same("recording", "retention", name).json["days"] is None
    assert sides.same("recording", "retention", "nobody").code == 1
