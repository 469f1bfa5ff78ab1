"""Which service a command speaks to, with which key, and what its refusals are to a command."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from maskline.config import ENVIRONMENT_REMOTE
from maskline.core.secret import Secret
from maskline.errors import (
    AppError,
    InputError,
    RefusedError,
    ServerDeniedError,
    ServerFailedError,
    ServerUnreachableError,
)

if TYPE_CHECKING:
    from maskline.client import Client
    from maskline.client.errors import ClientError

KEY_LENGTH_MAX: Final = 512  # characters; ours have a few dozen
SERVER_OPTION: Final = "--server"
KEY_OPTION: Final = "--api-key"
KEY_FILE_OPTION: Final = "--api-key-file"
REMOTE_OPTIONS: Final = frozenset({SERVER_OPTION, KEY_OPTION, KEY_FILE_OPTION})
_STANDARD_INPUT: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """The service that is to carry out the command; `is_option` says that the command line names it."""

    server: str
    is_option: bool
    key: str | None = field(default=None, repr=False)
    """As it was given: a key, or "-" for standard input."""
    key_file: Path | None = None


def find_remote(options: Mapping[str, str]) -> Remote | None:
    """The service that the options or the environment name, if any. Raises InputError."""
    server_name, key_name = ENVIRONMENT_REMOTE
    server = options.get(SERVER_OPTION) or os.environ.get(server_name)
    if not server:
        if options:
            raise InputError(f"{' and '.join(sorted(options))} without {SERVER_OPTION}")
        return None
    if KEY_OPTION in options and KEY_FILE_OPTION in options:
        raise InputError(f"give either {KEY_OPTION} or {KEY_FILE_OPTION}")
    file = options.get(KEY_FILE_OPTION)
    return Remote(
        server=server,
        is_option=SERVER_OPTION in options,
        key=options.get(KEY_OPTION) or (None if file else os.environ.get(key_name)),
        key_file=None if file is None else Path(file),
    )


@contextmanager
def open_client(remote: Remote) -> Iterator["Client"]:
    """A client of the service; what it refuses is an error of the command. Raises AppError."""
    from maskline.client import Client, ClientError  # noqa: PLC0415  # slow to load; most commands are local

    key = _read_key(remote)
    try:
        client = Client(remote.server, api_key=key)
    except ValueError as error:
        raise InputError(f"{SERVER_OPTION} or {KEY_OPTION}: {error}") from None
    with client:
        try:
            yield client
        except ClientError as error:
            raise to_app_error(error) from None


def to_app_error(error: "ClientError") -> AppError:
    """What a failed call is to a command."""
    from maskline.client import errors  # noqa: PLC0415  # as above

    match error:
        case errors.NotAuthenticatedError() | errors.NotPermittedError():
            return ServerDeniedError(f"the service does not permit this: {error}")
        case errors.TooManyRequestsError() | errors.ServiceFailedError():
            return ServerFailedError(f"the service failed: {error}")
        case errors.InvalidRequestError():
            return InputError(f"the service cannot use this: {error}")
        case errors.ProblemError():
            return RefusedError(f"the service refused: {error}")
        case _:
            return ServerUnreachableError(f"cannot work with the service: {error}")


def _read_key(remote: Remote) -> Secret:
    if remote.key_file is not None:
        try:
            with remote.key_file.open(encoding="ascii") as file:
                text = file.readline(KEY_LENGTH_MAX)
        except UnicodeDecodeError:
            raise InputError(f"{KEY_FILE_OPTION}: there is no key in this file") from None
    elif remote.key == _STANDARD_INPUT:
        text = sys.stdin.readline(KEY_LENGTH_MAX)
    else:
        text = remote.key or ""
    key = text.strip()
    if not key:
        raise InputError(
            f"an API key is needed: {ENVIRONMENT_REMOTE[1]}, {KEY_FILE_OPTION} FILE or {KEY_OPTION} -"
        )
    return Secret(key)
