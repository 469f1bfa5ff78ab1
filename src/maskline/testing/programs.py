"""Finds programs that Debian keeps out of PATH."""

import os
import shutil
from pathlib import Path

_POSTGRESQL_DIRECTORIES = "/usr/lib/postgresql"  # one directory per installed version


def find_program(name: str) -> str | None:
    """Return where a program is, the newest PostgreSQL's directory included; None where there is none."""
    directories = sorted(
        Path(_POSTGRESQL_DIRECTORIES).glob("*/bin"), key=lambda path: _version(path.parent.name), reverse=True
    )
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", *map(str, directories)))
    return shutil.which(name, path=path)


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split(".") if part.isdecimal())
