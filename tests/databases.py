"""Throw-away databases for tests: SQLite files and a PostgreSQL cluster of the test run's own."""

import os
import pwd
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from typing import Final

import psycopg

from maskline.store.setup import init_database
from tests.peers import program

COMMAND_TIMEOUT_S: Final = 60  # initdb takes two seconds on an idle machine
_SETTINGS: Final = (
    # The cluster lives as long as the test run: nothing needs to survive it.
    "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c listen_addresses='' "
    "-c max_connections=200 -c shared_buffers=64MB"
)


class PostgreSQLServer:
    """A cluster in a temporary directory, on a Unix socket there. `stop` removes it."""

    def __init__(self, key_path: Path) -> None:
        self._pg_ctl = program("pg_ctl")
        self._initdb = program("initdb")
        self.directory = Path(tempfile.mkdtemp(prefix="maskline-pg-"))
        self._key_path = key_path
        self._serial = count(1)
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            owner = pwd.getpwnam("postgres")
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self._run(self._initdb, "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {self.directory} {_SETTINGS}"
        log = str(self.directory / "log")
        self._run(self._pg_ctl, "-D", self.data, "-l", log, "-w", "-o", options, "start")
        self._execute("CREATE DATABASE template_maskline")
        init_database(self._url("template_maskline"), key_path)

    @property
    def data(self) -> str:
        return str(self.directory / "data")

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.directory}"

    def _run(self, *command: str) -> None:
        prefix = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
        subprocess.run(
            (*prefix, *command),
            check=True,
            timeout=COMMAND_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.directory,
        )

    def _execute(self, text: str) -> None:
        conninfo = f"host={self.directory} user=postgres dbname=postgres"
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(text.encode())

    def new_database(self, *, is_empty: bool = False) -> str:
        """Make a database, migrated unless it shall be empty; return its URL."""
        name = f"t{next(self._serial)}"
        template = "template0" if is_empty else "template_maskline"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
        return self._url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database, whoever is still connected to it."""
        name = url.partition("?")[0].rpartition("/")[2]
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        self._run(self._pg_ctl, "-D", self.data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.directory)
