"""The guard's log: JSON lines on its stderr, and the engine's own text turned into such lines.

The engine writes to descriptor 2 of the process, in its media threads: if nobody read, audio would stop. So a
thread reads, and it never waits for whoever reads our lines: when that reader is slow, lines are counted and
thrown away. The engine's text holds addresses; of it only the level, the call, the place in its source and
the words without any digit survive.
"""

import json
import os
import re
import select
import threading
from typing import Final

LINE_BYTES_MAX: Final = 4000  # below PIPE_BUF: a line is written whole or not at all
WORDS_MAX: Final = 24

_ENGINE_LINE = re.compile(
    r"(?:\S+ )?(DBUG|INFO|WARN|ERR|ERROR|CRIT)[A-Z]*:([A-Za-z0-9]+):([A-Za-z0-9_]+):(\d+): ?(.*)", re.ASCII
)
_WORD = re.compile(r"[A-Za-z_'/()%,.;-]+", re.ASCII)
_LEVELS: Final = {"DBUG": "debug", "INFO": "info", "WARN": "warning"}


class GuardLog:
    """Writes structured lines to a descriptor without ever blocking. Safe from several threads."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lost_count = 0

    def write(self, event: str, *, level: str = "info", **fields: str | float) -> None:
        """Write one line; `fields` must hold no address and no number of a person."""
        if self._lost_count:
            fields["lost_lines"] = self._lost_count
        line = json.dumps({"event": event, "level": level, **fields}).encode()[:LINE_BYTES_MAX] + b"\n"
        try:
            _, writable, _ = select.select((), (self._fd,), (), 0)
            if not writable:
                self._lost_count += 1
                return
            os.write(self._fd, line)
        except (OSError, ValueError):
            self._lost_count += 1  # the reader is gone; media goes on
            return
        self._lost_count = 0


def read_engine_line(line: str) -> dict[str, str | int]:
    """Turn a line of the engine into fields, with every word that holds a digit or an odd sign masked."""
    match = _ENGINE_LINE.fullmatch(line.strip())
    if match is None:
        return {"level": "warning", "text": _mask(line)}
    level, call, function, number, text = match.groups()
    fields: dict[str, str | int] = {"level": _LEVELS.get(level, "error"), "text": _mask(text)}
    if call != "GLOBAL":
        fields["call"] = call
    return {**fields, "place": f"{function}:{number}"}


def _mask(text: str) -> str:
    """Keep plain words; an address has a digit or a colon in every part."""
    words = (word if _WORD.fullmatch(word) else "#" for word in text.split()[:WORDS_MAX])
    return " ".join(words)


class StderrPump:
    """Puts itself between descriptor 2 and the log until `stop`."""

    def __init__(self) -> None:
        self._outer = os.dup(2)
        reader, writer = os.pipe()
        os.dup2(writer, 2)
        os.close(writer)
        self.log = GuardLog(self._outer)
        self._thread = threading.Thread(target=self._run, args=(reader,), name="stderr-pump", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Give descriptor 2 back; what the engine wrote until now is still logged."""
        os.dup2(self._outer, 2)
        self._thread.join(timeout_s)

    def _run(self, reader: int) -> None:
        with os.fdopen(reader, "r", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                fields = read_engine_line(line)
                level = str(fields.pop("level"))
                self.log.write("media.engine_said", level=level, **fields)
