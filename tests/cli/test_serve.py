"""`serve` and `demo` as commands; what they run is tested with its own parts."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
import structlog
from tests.cli.conftest import Maskline

from maskline.config import Settings


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Settings, bool]]:
    """Settings and sandbox of each service that would have been run."""
    calls: list[tuple[Settings, bool]] = []

    async def serve(settings: Settings, *, sandbox: bool) -> None:
        calls.append((settings, sandbox))

    _replace_module(monkeypatch, "maskline.serving", serve=serve)
    return calls


def _replace_module(monkeypatch: pytest.MonkeyPatch, name: str, **contents: object) -> None:
    module = ModuleType(name)
    module.__dict__.update(contents)
    monkeypatch.setitem(sys.modules, name, module)
    package, _, attribute = name.rpartition(".")
    monkeypatch.setattr(
        sys.modules[package] if package in sys.modules else __import__(package),
        attribute,
        module,
        raising=False,
    )


def test_serve_runs_with_the_effective_settings(
    maskline: Maskline, served: list[tuple[Settings, bool]]
) -> None:
    """Flags included."""
    assert maskline("serve", "--http-bind", "127.0.0.1:0", "--sandbox").code == 0
    assert maskline("serve").code == 0
    assert [(settings.http_bind.port, sandbox) for settings, sandbox in served] == [(0, True), (8080, False)]


def test_serve_refuses_a_bad_setting_before_anything_runs(
    maskline: Maskline, served: list[tuple[Settings, bool]]
) -> None:
    """With the sentence for it."""
    result = maskline("serve", "--rtp-ports", "1")
    assert result.code == 2
    assert "rtp_ports" in result.err
    assert served == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(98, "Address already in use"), "maskline: [Errno 98] Address already in use\n"),
        (RuntimeError("call from +912025550000"), "maskline: internal error: RuntimeError"),
    ],
)
def test_a_failing_service_exits_1_and_shows_no_number(
    maskline: Maskline, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    """The system's reason in a sentence; a bug with its traceback, redacted."""

    async def serve(settings: Settings, *, sandbox: bool) -> None:
        raise error

    _replace_module(monkeypatch, "maskline.serving", serve=serve)
    result = maskline("serve")
    assert result.code == 1
    assert said in result.err
    assert "912025550000" not in result.err


@pytest.mark.parametrize("is_good", [True, False])
def test_demo_exits_by_what_it_proved(
    maskline: Maskline, monkeypatch: pytest.MonkeyPatch, is_good: bool
) -> None:
    """Lines for people as they come, one object for programs."""

    async def run_demo(say: Callable[[str], None]) -> bool:
        say("A hears B")
        return is_good

    _replace_module(monkeypatch, "maskline.demo.main", run_demo=run_demo)
    result = maskline("demo")
    assert (result.code, result.out) == (0 if is_good else 1, "A hears B\n")
    assert json.loads(maskline("demo", "--json").out) == {"is_good": is_good, "lines": ["A hears B"]}
