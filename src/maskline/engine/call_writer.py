"""Writes what calls came to, and what of them has to be kept, however long the database is away."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from maskline.engine.ports import Runner, SwitchClock

_log = structlog.get_logger(__name__)

ATTEMPT_COUNT_MAX: Final = 40
"""Half an hour with the waits between them: longer than a database restarts or fails over."""
RETRY_S_MAX: Final = 60.0


class CallWriter:
    """Stores what nobody waits for: a call ends, or talks on, while its record is not on disk yet."""

    def __init__(self, runner: Runner, clock: SwitchClock) -> None:
        self._runner = runner
        self._clock = clock

    def write(self, call_id: str, work: Callable[[], Coroutine[Any, Any, None]], *, attempt: int = 1) -> None:
        """Do `work`; while it fails, do it again, later each time."""

        def done(result: Exception | None) -> None:
            if not isinstance(result, Exception):
                return
            if attempt >= ATTEMPT_COUNT_MAX:
                _log.error("call.record_lost", call_id=call_id, exc_info=result)
                return
            wait_s = min(RETRY_S_MAX, 2**attempt)
            _log.warning("call.record_delayed", call_id=call_id, retry_s=wait_s, error=type(result).__name__)
            self._runner.call_at_mono(
                self._clock.mono_s() + wait_s, lambda: self.write(call_id, work, attempt=attempt + 1)
            )

        self._runner.run(work(), done)
