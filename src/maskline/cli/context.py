"""What every command shares: the settings asked for, the form of the answer, the way to the database."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from maskline.cli.remote.connection import REMOTE_OPTIONS, SERVER_OPTION, Remote, find_remote, open_client
from maskline.clock import Clock, SystemClock
from maskline.config import Settings, load_settings
from maskline.errors import InputError, RefusedError

if TYPE_CHECKING:
    from maskline.client import Client
    from maskline.store.engine import Store, Tx

T = TypeVar("T")
P = ParamSpec("P")

GLOBAL_FLAGS = frozenset({"--json"})
CONFIG_OPTION = "--config"
SETTING_OPTIONS = {f"--{name.replace('_', '-')}": name for name in Settings.model_fields}


@dataclass(kw_only=True)
class Context:
    """One invocation. Commands read settings, open the store and answer through it."""

    config: Path | None = None
    flags: Mapping[str, str] = field(default_factory=dict)
    is_json: bool = False
    clock: Clock = field(default_factory=SystemClock)
    remote: Remote | None = None

    @cached_property
    def settings(self) -> Settings:
        """The effective settings. Raises ConfigError, and InputError where another service was named."""
        if self.remote is not None and self.remote.is_option:
            raise InputError(f"this command is about this machine: {SERVER_OPTION} does not go with it")
        return load_settings(self.config, self.flags)

    @contextmanager
    def store(self) -> Iterator["Store"]:
        """The configured database, which must exist. Raises DatabaseMissingError and DatabaseUnusableError."""
        from maskline.store.setup import open_store  # noqa: PLC0415  # slow to load; not every command needs it

        store = open_store(self.settings.effective_database_url, self.settings.effective_key_file)
        try:
            yield store
        finally:
            store.close()

    def run(self, workflow: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run one workflow as one durable transaction on the configured database.

        Raises InputError where another service was named.
        """
        if self.remote is not None:
            raise InputError(
                "this command works on the database of this machine; it cannot be done elsewhere"
            )
        with self.store() as store:
            return store.run(workflow, *args, **kwargs)

    def perform(
        self,
        local: "Callable[Concatenate[Tx, P], T]",
        remote: "Callable[Concatenate[Client, P], T]",
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Do one thing here, as one transaction, or through the service that was named; both give the same.

        Raises AppError.
        """
        if self.remote is None:
            return self.run(local, *args, **kwargs)
        if self.config is not None or self.flags:
            raise InputError(f"settings are the service's own: they do not go with {SERVER_OPTION}")
        with open_client(self.remote) as client:
            return remote(client, *args, **kwargs)

    def answer(self, value: object, *lines: str) -> None:
        """Print `value` as JSON or `lines` for people."""
        if self.is_json:
            print(json.dumps(value))
        else:
            for line in lines:
                print(line)

    def answer_table(self, rows: Sequence[Mapping[str, object]], columns: Sequence[str], empty: str) -> None:
        """Print rows as a JSON array of all their values, or `columns` of them as a table."""
        if self.is_json or not rows:
            self.answer(list(rows), empty)
            return
        cells = [columns, *([_cell(row[column]) for column in columns] for row in rows)]
        widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
        for line in cells:
            print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def split_global_options(tokens: Iterable[str]) -> tuple[Context, list[str]]:
    """Take `--json`, `--config FILE`, `--server URL` and its key, and `--SETTING VALUE` out of the command line.

    They may stand anywhere; after `--` everything belongs to the command. Raises InputError when a value is missing.
    """
    left: list[str] = []
    flags: dict[str, str] = {}
    remote: dict[str, str] = {}
    config: Path | None = None
    is_json = False
    remaining = iter(tokens)
    for token in remaining:
        option, equals, value = token.partition("=")
        if token == "--":  # noqa: S105  # the end of options, no password
            left += [token, *remaining]
        elif token in GLOBAL_FLAGS:
            is_json = True
        elif option == CONFIG_OPTION or option in SETTING_OPTIONS or option in REMOTE_OPTIONS:
            given = value if equals else next(remaining, None)
            if given is None:
                msg = f"{option} needs a value"
                raise InputError(msg)
            if option == CONFIG_OPTION:
                config = Path(given)
            elif option in REMOTE_OPTIONS:
                remote[option] = given
            else:
                flags[SETTING_OPTIONS[option]] = given
        else:
            left.append(token)
    return Context(config=config, flags=flags, is_json=is_json, remote=find_remote(remote)), left


def found(value: T | None, what: str, name: str) -> T:
    """The value, or a RefusedError that says what is missing."""
    if value is None:
        msg = f"there is no {what} {name!r}"
        raise RefusedError(msg)
    return value


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, list | tuple):
        return ",".join(str(part) for part in value) or "-"
    return str(value)
