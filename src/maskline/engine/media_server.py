"""The guard's server: clients over a Unix socket, commands to the sessions, events back.

One thread serves all: commands take 0.1 ms and must not overlap anyway (descriptors are found by order). A
client sends one JSON object a line and may send the next before the first is answered; answers carry the
request's `id`. The first request of a connection is `hello`. Media never passes through Python.
"""

import json
import math
import os
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from maskline.engine.media_captures import prepare_spool
from maskline.engine.media_engine import Engine, EngineError
from maskline.engine.media_log import GuardLog
from maskline.engine.media_registry import Registry, Session
from maskline.engine.media_sessions import NOTICE_DIGIT, NOTICE_TIMEOUT, Sessions
from maskline.engine.media_types import (
    DIGITS,
    EngineSettings,
    RelayError,
    RelayFull,
    RelayRefused,
    RelayUnavailable,
    RelayUnknownCall,
)
from maskline.engine.media_verbs import Verbs

LINE_BYTES_MAX: Final = 65_536  # a command with 64 networks needs 4 KB
UNSENT_BYTES_MAX: Final = 4 * 1024 * 1024  # a client that does not read its answers is cut off
CONNECTIONS_MAX: Final = 64  # one per switch on this host, and an operator looking on
TICK_S: Final = 1.0
RELEASE_EVERY_S: Final = (
    0.1  # a wake-up costs the engine as much as half a call; who lacks a port does not wait
)
ERROR_NAMES: Final[dict[type[Exception], str]] = {
    RelayFull: "full",
    RelayRefused: "refused",
    RelayUnknownCall: "unknown",
    RelayUnavailable: "unavailable",
}


@dataclass(slots=True, eq=False)
class Connection:
    """One client."""

    socket: socket.socket
    switch: str | None = None
    received: bytearray = field(default_factory=bytearray)
    unsent: bytearray = field(default_factory=bytearray)


class Guard:
    """Serves clients until told to stop."""

    def __init__(
        self, settings: EngineSettings, path: Path, log: GuardLog, clock: Callable[[], float] = time.monotonic
    ) -> None:
        left_count = prepare_spool(Path(settings.spool))
        if left_count:
            log.write("media.captures_swept", level="warning", count=left_count)
        self._engine = Engine(settings)
        self._clock = clock
        self._log = log
        self._path = path
        self._switch_gone_s = settings.switch_gone_s
        self.registry = Registry(calls_max=settings.calls_max)
        self._sessions = Sessions(self._engine, self.registry, settings, clock)
        self._connections: set[Connection] = set()
        self._selector = selectors.DefaultSelector()
        self._listener = _listen(path)
        self._is_stopping = False
        self._verbs = Verbs(self._sessions, self.registry, clock).table

    def stop(self) -> None:
        """Leave `run` after the current batch."""
        self._is_stopping = True

    def run(self, wake: socket.socket, parent: int | None) -> None:
        """Serve. `wake` becomes readable on a signal; `parent` (a pipe) ends with the parent process."""
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._engine.notices, selectors.EVENT_READ, self._read_notices)
        self._selector.register(wake, selectors.EVENT_READ, lambda: wake.recv(64))
        if parent is not None:
            self._selector.register(parent, selectors.EVENT_READ, lambda: self._read_parent(parent))
        tick_at = release_at = 0.0
        try:
            while not self._is_stopping:
                for key, events in self._selector.select(self._patience_s()):
                    if isinstance(key.data, Connection):
                        self._serve(key.data, events)
                    else:
                        key.data()
                now = self._clock()
                if now >= self._sessions.prompts.due_mono_s:
                    self._run_prompts(now)
                if now >= release_at:
                    self._engine.release_ports()
                    release_at = now + RELEASE_EVERY_S
                if now >= tick_at:
                    tick_at = now + TICK_S
                    self._tick()
        finally:
            self._path.unlink(missing_ok=True)
            self._engine.stop()

    def _patience_s(self) -> float:
        """Return how long to wait for a client before other work is due."""
        longest = RELEASE_EVERY_S if self._engine.is_release_due else TICK_S
        due_mono_s = self._sessions.prompts.due_mono_s
        return longest if due_mono_s == math.inf else max(min(longest, due_mono_s - self._clock()), 0)

    def _tick(self) -> None:
        now = self._clock()
        self.registry.tidy(now)
        for session in self.registry.abandoned(now, after_s=self._switch_gone_s):
            self._sessions.close(session.call)
            self._log.write("media.abandoned_call_deleted", level="warning", call=session.call)

    def _read_parent(self, parent: int) -> None:
        if not os.read(parent, 64):
            self._log.write("media.parent_gone", level="warning")
            self._is_stopping = True

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError as error:  # gone again already, or out of descriptors: the next one is tried anew
            self._log.write("media.accept_failed", level="warning", error=type(error).__name__)
            return
        client.settimeout(0)
        if len(self._connections) >= CONNECTIONS_MAX:
            client.close()
            return
        connection = Connection(client)
        self._connections.add(connection)
        self._selector.register(client, selectors.EVENT_READ, connection)

    def _serve(self, connection: Connection, events: int) -> None:
        if events & selectors.EVENT_READ and not self._receive(connection):
            self._drop(connection)
            return
        self._flush(connection)

    def _receive(self, connection: Connection) -> bool:
        """Take what has arrived and carry out every whole line; False when the client is to be dropped."""
        try:
            data = connection.socket.recv(LINE_BYTES_MAX)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        connection.received += data
        if not data.endswith(b"\n") and len(connection.received) > LINE_BYTES_MAX:
            return False
        *lines, rest = connection.received.split(b"\n")
        connection.received = rest
        return all(self._answer(connection, line) for line in lines)

    def _answer(self, connection: Connection, line: bytes | bytearray) -> bool:
        """Carry out one request; False for one that is none of ours."""
        try:
            request = json.loads(line)
            number, verb = request["id"], request["op"]
        except (ValueError, KeyError, TypeError):
            return False
        if not isinstance(verb, str):
            return False
        if connection.switch is None:
            return self._hello(connection, number, verb, request)
        handler = self._verbs.get(verb)
        if handler is None:
            return False
        answer: dict[str, object] = {"id": number}
        try:
            answer["ok"] = handler(connection.switch, request)
        except RelayError as error:
            answer["error"], answer["text"] = ERROR_NAMES[type(error)], str(error)
            if isinstance(error, RelayUnavailable):
                self._is_stopping = True  # an engine that does not answer is better replaced
        except EngineError as error:
            answer["error"], answer["text"] = "refused", f"engine said {error.code}"
        except (KeyError, TypeError, ValueError, AttributeError):
            answer["error"], answer["text"] = "refused", "request malformed"
        connection.unsent += json.dumps(answer, separators=(",", ":")).encode() + b"\n"
        return True

    def _hello(self, connection: Connection, number: object, verb: object, request: dict[str, Any]) -> bool:
        switch = request.get("switch")
        if verb != "hello" or not isinstance(switch, str) or not 0 < len(switch) <= 64:
            return False
        connection.switch = switch
        self.registry.switch_connected(switch)
        connection.unsent += json.dumps({"id": number, "ok": None}).encode() + b"\n"
        return True

    def _read_notices(self) -> None:
        for notice in self._engine.read_notices():
            if notice.startswith(NOTICE_TIMEOUT):
                session = self._sessions.ended(notice.removeprefix(NOTICE_TIMEOUT))
                if session is not None:
                    self._tell(session, {"event": "media_timeout"})
            elif notice.startswith(NOTICE_DIGIT):
                self._tell_digit(notice.removeprefix(NOTICE_DIGIT))

    def _tell_digit(self, notice: str) -> None:
        """Pass a key on; the engine writes `CALL:SIDE KEY VOLUME DURATION STREAM`, and a space for a hook flash."""
        place, _, rest = notice.partition(" ")
        call, _, side = place.partition(":")
        session = self.registry.sessions.get(call)
        if session is not None and rest[:1] in DIGITS and rest[1:2] == " ":
            self._tell(session, {"event": "digit", "side": side, "digit": rest[0]})

    def _run_prompts(self, now: float) -> None:
        for playing in self._sessions.prompts.run_due(now):
            self._tell(playing.session, {"event": "play_finished", "side": playing.side, "tag": playing.tag})

    def _tell(self, session: Session, event: dict[str, str]) -> None:
        """Send an event of a call to the switch it belongs to."""
        line = json.dumps({**event, "call": session.call}, separators=(",", ":")).encode() + b"\n"
        for connection in [each for each in self._connections if each.switch == session.switch]:
            connection.unsent += line
            self._flush(connection)

    def _flush(self, connection: Connection) -> None:
        if connection.unsent:
            try:
                del connection.unsent[: connection.socket.send(connection.unsent)]
            except BlockingIOError:
                pass  # the rest goes out when the client has read
            except OSError:
                self._drop(connection)
                return
        if len(connection.unsent) > UNSENT_BYTES_MAX:
            self._drop(connection)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.unsent else 0)
        if self._selector.get_key(connection.socket).events != wanted:
            self._selector.modify(connection.socket, wanted, connection)

    def _drop(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        self._selector.unregister(connection.socket)
        connection.socket.close()
        if connection.switch is not None:
            self.registry.switch_disconnected(connection.switch, self._clock())


def _listen(path: Path) -> socket.socket:
    """Listen on a fresh socket file that only our user can open."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path.unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    listener.listen(CONNECTIONS_MAX)
    listener.settimeout(0)
    return listener
