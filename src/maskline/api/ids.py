"""Identifiers of answers."""

import uuid
from collections.abc import Callable

_ID_BYTES = 16
_BATCH_BYTES = (
    256 * _ID_BYTES
)  # one call to the system's source for 256 answers: each lets other threads run first


class IDSource:
    """Draws random UUIDs (version 4), many at a time. For one thread."""

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._batch = b""
        self._used = 0

    def draw(self) -> str:
        """A UUID never drawn before, as text."""
        if self._used == len(self._batch):
            self._batch, self._used = self._random_bytes(_BATCH_BYTES), 0
        start, self._used = self._used, self._used + _ID_BYTES
        return str(uuid.UUID(bytes=self._batch[start : self._used], version=4))
