"""Import rules that the contracts of import-linter cannot say, read from the syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tidy.tree import SOURCE, modules, parse, shown

WALL_CLOCK = frozenset(
    {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
)

# The switch and what it is made of: they wait for nothing themselves (decision record 0012).
SANS_ASYNCIO = (
    "engine/admission.py",
    "engine/admitter.py",
    "engine/call.py",
    "engine/call_dialler.py",
    "engine/call_media.py",
    "engine/call_offers.py",
    "engine/call_player.py",
    "engine/call_recorder.py",
    "engine/call_session.py",
    "engine/call_writer.py",
    "engine/leg_b.py",
    "engine/ports.py",
    "engine/registrations.py",
    "engine/sandbox_carrier.py",
    "engine/switch.py",
    "engine/trunk_health.py",
    "engine/trunk_requests.py",
    "engine/trunk_table.py",
    "engine/trunk_watch.py",
)


def _imported(path: Path) -> Iterator[str]:
    """Every module a module names in an import, with what is taken from it appended."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = path.relative_to(SOURCE.parent).parts[: -node.level]
                base = ".".join([*package, *([base] if base else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _importers(target: str) -> set[str]:
    """The modules of the service that import `target` or something below it."""
    return {
        shown(path).removeprefix("src/maskline/")
        for path in modules(SOURCE)
        if any(name == target or name.startswith(f"{target}.") for name in _imported(path))
    }


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("phonenumbers", {"core/numbers.py"}),
        ("rtp", {"engine/media_engine.py"}),
        ("cryptography", {"store/keys.py"}),
    ],
)
def test_a_library_has_one_door(target: str, allowed: set[str]) -> None:
    """What a library is for is done in its own modules and nowhere else."""
    assert _importers(target) == allowed


def test_chance_that_can_be_guessed_is_for_tests() -> None:
    """`random` is seeded and repeatable: the doubles use it, the service never does."""
    assert {name for name in _importers("random") if not name.startswith("testing/")} == set()


def test_grammar_of_sip_stays_in_its_package() -> None:
    """Nobody outside `sip` reads or writes SIP with a library of its own."""
    assert {name for name in _importers("sipmessage") if not name.startswith("sip/")} == set()


def test_dialects_are_known_only_to_the_application_that_mounts_them() -> None:
    """A vendor's words stay in its directory: only `api/app.py` imports a dialect."""
    strangers = {name for name in _importers("maskline.api.plivo") if not name.startswith("api/plivo/")}
    assert strangers == {"api/app.py"}


def test_settings_are_read_where_the_service_is_put_together() -> None:
    """Nobody but the composition root and the commands reads settings; everything else gets plain values."""
    readers = {
        name
        for name in _importers("maskline.config")
        if not name.startswith(("cli/", "demo/", "wiring", "parts", "banner", "serving"))
    }
    assert readers == set()


def test_service_does_not_use_test_doubles() -> None:
    """What is made for tests is imported by tests, and by the demonstration at most."""
    users = {name for name in _importers("maskline.testing") if not name.startswith(("testing/", "demo/"))}
    assert users == set()


def test_wall_clock_is_read_in_one_module() -> None:
    """Only `clock.py` asks the machine what time it is."""
    readers = {
        shown(path)
        for path in modules(SOURCE)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and f"{node.value.id}.{node.attr}" in WALL_CLOCK
    }
    assert readers == {"src/maskline/clock.py"}


@pytest.mark.parametrize("name", SANS_ASYNCIO)
def test_switch_waits_for_nothing(name: str) -> None:
    """The switch and its parts import neither asyncio nor sockets nor threads."""
    roots = {imported.partition(".")[0] for imported in _imported(SOURCE / name)}
    assert roots.isdisjoint({"asyncio", "socket", "threading", "selectors", "time"})
