"""The independent programs some tests talk to. Where one is missing its tests are skipped by name, with the
command that would fetch it; with CI=true that is a failure.
"""

import os
from collections.abc import Callable
from typing import NoReturn

import pytest

from maskline.testing.programs import find_program

PACKAGES = {
    "sipp": "sip-tester",
    "tshark": "tshark",
    "baresip": "baresip",
    "initdb": "postgresql",
    "node": "nodejs",
    "curl": "curl",
    "gcc": "gcc",
    "gccgo": "gccgo",
    "http": "httpie",
    "javac": "default-jdk-headless",
    "ruby": "ruby",
}


def need(*programs: str) -> None:
    """Skip the running test, or fail it in CI, unless all of these programs are installed."""
    missing = [program for program in programs if find_program(program) is None]
    if missing:
        give_up(missing, pytest.fail if os.environ.get("CI") == "true" else pytest.skip)


def give_up(missing: list[str], how: Callable[[str], NoReturn]) -> NoReturn:
    """Say what is missing and what would fetch it."""
    packages = " ".join(dict.fromkeys(PACKAGES[program] for program in missing))
    how(f"{', '.join(missing)} not installed: sudo apt-get install {packages}")


def program(name: str) -> str:
    """The path of a program; the running test is skipped (failed in CI) where there is none."""
    need(name)
    found = find_program(name)
    assert found is not None
    return found
