"""Failures that an operator or a caller can act on.

Expected outcomes are values, a peer's mistakes are protocol errors, bugs are assertions; here is the rest.
"""

from typing import ClassVar


class AppError(Exception):
    """Something failed that its reader can act on."""

    code: ClassVar[str] = "app.failed"
    is_retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1  # of a maskline command that ends with this error

    def __init__(self, message: str | None = None) -> None:
        """Without `message` the first line of the class docstring speaks."""
        super().__init__(message or (type(self).__doc__ or self.code).partition("\n")[0])


class ConfigError(AppError):
    """A setting is unknown or has a value that cannot be used."""

    code = "config.invalid"
    exit_code = 2


class InputError(AppError):
    """An argument of a command has a value that cannot be used."""

    code = "input.invalid"
    exit_code = 2


class RefusedError(AppError):
    """The command is well formed, but the present state of things forbids it."""

    code = "state.refused"


class DatabaseMissingError(AppError):
    """There is no Maskline database where the settings point."""

    code = "database.missing"
    exit_code = 3


class DatabaseUnusableError(AppError):
    """The database or its key file is there, but cannot be used."""

    code = "database.unusable"


class AddressInUseError(AppError):
    """Another program listens on the address."""

    code = "address.in_use"


class ServerUnreachableError(AppError):
    """The service of --server cannot be reached, or is none of ours."""

    code = "server.unreachable"


class ServerDeniedError(AppError):
    """The service of --server does not accept the API key, or not for this."""

    code = "server.denied"


class ServerFailedError(AppError):
    """The service of --server failed, or has too much to do."""

    code = "server.failed"
