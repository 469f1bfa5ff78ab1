"""The independent programs some tests talk to. Where one is missing its tests are skipped by name, with the
command that would fetch it; with CI=true that is a failure.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

PACKAGES = {"sipp": "sip-tester", "tshark": "tshark", "baresip": "baresip", "initdb": "postgresql"}
_POSTGRESQL_DIRECTORIES = "/usr/lib/postgresql"  # Debian keeps the server's programs out of PATH


def need(*programs: str) -> None:
    """Skip the running test, or fail it in CI, unless all of these programs are installed."""
    missing = [program for program in programs if find(program) is None]
    if missing:
        give_up(missing, pytest.fail if os.environ.get("CI") == "true" else pytest.skip)


def give_up(missing: list[str], how: Callable[[str], NoReturn]) -> NoReturn:
    """Say what is missing and what would fetch it."""
    packages = " ".join(dict.fromkeys(PACKAGES[program] for program in missing))
    how(f"{', '.join(missing)} not installed: sudo apt-get install {packages}")


def find(program: str) -> str | None:
    """Where a program is, the newest PostgreSQL's directory included."""
    directories = sorted(
        Path(_POSTGRESQL_DIRECTORIES).glob("*/bin"), key=lambda path: _version(path.parent.name), reverse=True
    )
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", *map(str, directories)))
    return shutil.which(program, path=path)


def program(name: str) -> str:
    """The path of a program; the running test is skipped (failed in CI) where there is none."""
    need(name)
    found = find(name)
    assert found is not None
    return found


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split(".") if part.isdecimal())
