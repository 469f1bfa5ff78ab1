import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.api.service import Service

from maskline.cli.main import run
from maskline.clock import SystemClock
from maskline.config import Settings


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Maskline = Callable[..., Result]


@pytest.fixture
def maskline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Maskline:
    """Runs one command line in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("config", *Settings.model_fields):
        monkeypatch.delenv(f"MASKLINE_{name.upper()}", raising=False)

    def call(*tokens: str) -> Result:
        capsys.readouterr()
        code = run(tokens)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def ready(maskline: Maskline) -> Maskline:
    """The same, with a database."""
    assert maskline("db", "init").code == 0
    return maskline


@pytest.fixture
def service(sqlite_url: str, key_path: Path) -> Iterator[Service]:
    """The HTTP side on a database of its own, by the machine's clock as commands are."""
    running = Service(sqlite_url, key_path, SystemClock())
    yield running
    running.close()
