"""The demonstration: it is true, and it would say so if it were not."""

from dataclasses import replace
from typing import Any

import pytest

from maskline.demo.main import run_demo
from maskline.engine import call_dialler, leg_b


async def test_demo_proves_a_masked_call() -> None:
    """Every check of the demonstration holds, and it ends well within its time."""
    lines: list[str] = []
    assert await run_demo(lines.append)
    assert "16 checks, all true" in lines[-1]


async def test_demo_notices_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    """A switch that put the caller's name into leg B's Subject would fail the demonstration."""
    real = leg_b.build_leg_b

    def leaking(**given: Any) -> Any:
        invite = real(**given)
        return replace(invite, to_uri=replace(invite.to_uri, params=(("note", "Rao"),)))

    monkeypatch.setattr(call_dialler, "build_leg_b", leaking)
    lines: list[str] = []
    assert not await run_demo(lines.append)
    assert any("FAIL" in line and "Asha Rao's number, name or address" in line for line in lines)


async def test_demo_notices_a_wrong_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A switch that showed the caller's own number would fail the demonstration."""
    real = leg_b.build_leg_b

    def unmasked(**given: Any) -> Any:
        return real(**(given | {"number": "+919812300001"}))

    monkeypatch.setattr(call_dialler, "build_leg_b", unmasked)
    lines: list[str] = []
    assert not await run_demo(lines.append)
    assert any("FAIL" in line and "shown the virtual number" in line for line in lines)
