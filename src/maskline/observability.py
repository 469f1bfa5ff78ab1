"""Structured logs that cannot carry a telephone number and cannot hold up a call.

Events are named `noun.verb`. Every line, the ones of libraries included, passes `redact`, and is written by a
thread of its own: a blocked pipe costs log lines, never a call.
"""

import atexit
import logging
import queue
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog

HIDDEN = "[hidden]"
QUEUE_LINES_MAX = 10_000  # some seconds of a busy service; beyond that lines are counted and dropped
FLUSH_TIMEOUT_S = 2.0  # at exit, for a reader that has stopped reading
DEPTH_MAX = 6  # of nested values looked into; deeper ones are hidden whole

_SECRET_KEYS = re.compile(
    r"(?:^|_)(?:password|passwd|secret|token|ssid|authorization|credentials?|pin|pins|sdp|body|cookie)$",
    re.IGNORECASE,
)
_NUMERIC_KEYS = re.compile(
    r"(?:_at|_us|_ms|_ns|_s|_bytes|_count|_max|_index|^port|_port|^status|_status|^pid|^lineno)$"
)
# First what may stay although it has many digits, then what looks like a telephone number: seven or more
# digits (E.164 allows fifteen), with the separators people write between them.
_DIGITS = re.compile(
    r"(?P<keep>"
    r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"
    r"|\b(?=[0-9]*[a-f])[0-9a-f]{16,64}\b"
    r"|\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b"
    r"|\b[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?"
    r"|\b0x[0-9a-f]+\b"
    r"|\b[MS]A[0-9A-Z]{18}\b"
    r")"
    r"|(?:%2[bB]|\+)?\(?[0-9](?:[ ().\-/]{0,2}[0-9]){6,}"
)
_CHATTY = ("alembic", "uvicorn", "asyncio")  # their everyday lines say nothing an operator acts on
_NUMBER_FLOOR = 1_000_000  # seven digits


def redact_text(text: str) -> str:
    """Hide every run of digits in `text` that may be a telephone number."""
    return _DIGITS.sub(lambda found: found.group() if found.group("keep") else HIDDEN, text)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: hide secrets by key and telephone numbers by shape."""
    return {key: _redact_value(str(key), value, 0) for key, value in event.items()}


def _redact_value(key: str, value: Any, depth: int) -> Any:
    if _SECRET_KEYS.search(key) or depth > DEPTH_MAX:
        return HIDDEN
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if abs(value) < _NUMBER_FLOOR or _NUMERIC_KEYS.search(key) else HIDDEN
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {redact_text(str(k)): _redact_value(str(k), v, depth + 1) for k, v in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [_redact_value(key, part, depth + 1) for part in value]
    return redact_text(repr(value))


class LineWriter:
    """A text stream whose `write` never waits: a thread passes lines to `stream`; a full queue drops them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(QUEUE_LINES_MAX)
        self._dropped_count = 0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Queue `text`; drop it when the reader is too far behind."""
        try:
            self._lines.put_nowait(text)
        except queue.Full:
            self._dropped_count += 1
        return len(text)

    def flush(self) -> None:
        """Nothing: the thread flushes when it has caught up."""

    def close(self) -> None:
        """Write what is queued, for at most `FLUSH_TIMEOUT_S`; later lines are dropped."""
        try:
            self._lines.put(None, timeout=FLUSH_TIMEOUT_S)
        except queue.Full:
            return
        self._thread.join(FLUSH_TIMEOUT_S)

    def _run(self) -> None:
        while (text := self._lines.get()) is not None:
            if self._dropped_count:
                text = f'{{"event": "log.dropped", "line_count": {self._dropped_count}}}\n{text}'
                self._dropped_count = 0
            try:
                self._stream.write(text)
                if self._lines.empty():
                    self._stream.flush()
            except (OSError, ValueError):
                return  # the reader has gone; from now on the queue fills and lines are dropped


def configure_logging(
    *, level: str = "info", is_json: bool | None = None, stream: TextIO | None = None
) -> LineWriter:
    """Send structlog and the standard library's logging through one redacting pipeline to `stream` (stderr).

    `is_json` None: JSON unless the stream is a terminal. Call it once; `close()` of the result flushes.
    """
    stream = sys.stderr if stream is None else stream
    if is_json is None:
        is_json = not stream.isatty()
    writer = LineWriter(stream)
    atexit.register(writer.close)
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
    ]
    # Exceptions become text before `redact` sees them; locals are never rendered.
    last: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redact,
        stamp,
        structlog.processors.JSONRenderer() if is_json else structlog.dev.ConsoleRenderer(colors=False),
    ]
    handler = logging.StreamHandler(writer)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared[:2],
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return writer
