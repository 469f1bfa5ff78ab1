"""A throw-away PostgreSQL cluster in a temporary directory, reached by a Unix socket there."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

import psycopg

from maskline.testing.programs import find_program

COMMAND_TIMEOUT_S: Final = 60  # initdb takes two seconds on an idle machine
SUPERUSER: Final = "postgres"
_SETTINGS: Final = "-c listen_addresses='' -c max_connections=200 -c shared_buffers=64MB"
_CARELESS: Final = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off"


class PostgreSQLMissingError(Exception):
    """PostgreSQL's programs are not on this machine."""


class PostgreSQLCluster:
    """A running cluster. `stop` ends it and removes its directory."""

    def __init__(self, *, is_durable: bool, settings: str = "") -> None:
        """Make and start a cluster; one that is not durable saves itself every wait for the disk.

        `settings` are more of the server's, as `-c name=value`.
        Raises PostgreSQLMissingError; subprocess errors when the cluster cannot be made or does not start.
        """
        self._pg_ctl = _program("pg_ctl")
        self.directory = Path(tempfile.mkdtemp(prefix="maskline-pg-"))
        self._data = self.directory / "data"
        try:
            self._start(_program("initdb"), f"{_SETTINGS} {'' if is_durable else _CARELESS} {settings}")
        except BaseException:
            shutil.rmtree(self.directory)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def _start(self, initdb: str, settings: str) -> None:
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            owner = pwd.getpwnam(SUPERUSER)
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self._run(initdb, "-D", str(self._data), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {self.directory} {settings}"
        log = str(self.directory / "log")
        self._run(self._pg_ctl, "-D", str(self._data), "-l", log, "-w", "-o", options, "start")

    def _run(self, *command: str) -> None:
        prefix = ("runuser", "-u", SUPERUSER, "--") if os.geteuid() == 0 else ()
        subprocess.run(  # noqa: S603  # fixed arguments
            (*prefix, *command),
            check=True,
            timeout=COMMAND_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.directory,
        )

    @property
    def pid(self) -> int:
        """The process that every other process of the cluster descends from."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def url(self, name: str) -> str:
        """Return the URL of a database, whether it exists or not."""
        return f"postgresql+psycopg://{SUPERUSER}@/{name}?host={self.directory}"

    def create_database(self, name: str, *, template: str = "template0") -> str:
        """Make a database as a copy of another one, to which nobody may be connected; return its URL."""
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is still connected to it."""
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def analyse(self, name: str) -> None:
        """Tell the planner what a database holds; the server would do so by itself within a minute."""
        self._execute("VACUUM ANALYZE", database=name)

    def _execute(self, text: str, *, database: str = "postgres") -> None:
        conninfo = f"host={self.directory} user={SUPERUSER} dbname={database}"
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(text.encode())

    def stop(self) -> None:
        """End the cluster without finishing anything."""
        self._run(self._pg_ctl, "-D", str(self._data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.directory)


def _program(name: str) -> str:
    found = find_program(name)
    if found is None:
        raise PostgreSQLMissingError(f"{name} not installed: sudo apt-get install postgresql")
    return found
