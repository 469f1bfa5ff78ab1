"""A script for a machine: feed an event, expect exactly these commands.

Works for anything that turns an input into outputs. Every output must be expected, in order; a difference is shown
as a diff; a playbook that was never finished fails, so that no test forgets its last expectation.
"""

from collections.abc import Callable, Iterable
from difflib import ndiff
from pprint import pformat
from typing import Generic, Self, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


class Placeholder:
    """Equals anything, and keeps what it met first; later it equals only that."""

    def __init__(self) -> None:
        self._values: list[object] = []

    @property
    def value(self) -> object:
        """What it stands for. Raises IndexError while it met nothing."""
        return self._values[0]

    def __eq__(self, other: object) -> bool:
        if not self._values:
            self._values.append(other)
        return bool(self._values[0] == other)

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<{self._values[0]!r}>" if self._values else "<anything>"


class Playbook(Generic[In, Out]):
    """Use as a context manager, or call `finish` at the end.

    `perform` takes one input and returns all outputs it caused. `feed` and `expect` alternate as the test likes.
    """

    def __init__(self, perform: Callable[[In], Iterable[Out]]) -> None:
        self._perform = perform
        self._pending: list[Out] = []
        self._script: list[str] = []
        self._is_finished = False

    def feed(self, event: In) -> Self:
        """Give the machine an input. Fails when outputs of an earlier one were not expected."""
        self._refuse_pending()
        self._script.append(f">> {event!r}")
        self._pending.extend(self._perform(event))
        return self

    def expect(self, *commands: Out) -> Self:
        """Assert that these, and nothing else, came out since the last `expect`."""
        pending, self._pending = self._pending, []
        if pending != list(commands):
            self._is_finished = True
            raise AssertionError(self._describe(list(commands), pending))
        self._script.extend(f"<< {command!r}" for command in commands)
        return self

    def finish(self) -> None:
        """Assert that nothing is left unexpected."""
        self._is_finished = True
        self._refuse_pending()

    def _refuse_pending(self) -> None:
        if self._pending:
            self._is_finished = True
            raise AssertionError(self._describe([], self._pending))

    def _describe(self, expected: list[Out], actual: list[Out]) -> str:
        lines = ndiff(
            [line for command in expected for line in pformat(command).splitlines()],
            [line for command in actual for line in pformat(command).splitlines()],
        )
        return "\n".join(["the machine did something else:", *self._script, *lines])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.finish()
        self._is_finished = True

    def __del__(self) -> None:
        if not getattr(self, "_is_finished", True):
            raise AssertionError("a playbook was never finished")
