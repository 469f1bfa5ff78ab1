"""The rtp.io engine inside this process: its commands, its notifications, its sockets."""

import contextlib
import os
import re
import resource
import socket
import struct
import time
from collections.abc import Iterable
from typing import Final

from rtp.io import rtpproxy

from maskline.engine.media_filters import local_port, source_program
from maskline.engine.media_types import CANARY, EngineSettings, Family, RelayFull, RelayUnavailable

COMMAND_TIMEOUT_S: Final = 5  # an answer takes 0.1 ms; after this the process is better started anew
REPLY_BYTES_MAX: Final = 8192
DESCRIPTORS_PER_CALL: Final = 4
DESCRIPTORS_SPARE: Final = 512
CANARY_TTL_S: Final = 1_000_000_000
NO_PORT: Final = frozenset({"E71", "E72"})
RELEASE_S: Final = 0.002  # the two threads close sockets 0.4 ms after they wake
LABEL: Final = {Family.V4: "four", Family.V6: "six"}
LIVE: Final = "live"
DONE: Final = "done"
WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound

_PORT_REPLY = re.compile(r"(\d{1,5})(?: \S+)*", re.ASCII)


class EngineError(Exception):
    """The engine answered a command with an error code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Engine:
    """One engine; commands are answered in order, by one thread of ours."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._proxy = rtpproxy(
            debug_level="warn",
            ttl=settings.ttl_s,
            setup_ttl=settings.ttl_s,
            port_min=settings.port_first,
            port_max=settings.port_last,
            rec_spool_dir=f"{settings.spool}/{LIVE}",
            rec_final_dir=f"{settings.spool}/{DONE}",
            modules=("catch_dtmf",),
            extra_args=self._arguments(),
        )
        self._commands: socket.socket = self._proxy.rtpp_sock
        self._commands.settimeout(None)  # the kernel keeps the time: one system call less a command
        timeout = struct.pack("ll", COMMAND_TIMEOUT_S, 0)
        self._commands.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        self.notices: socket.socket = self._proxy.rtpp_nsock
        self.notices.settimeout(0)
        self.notice_target: str = self._proxy.rtpp_nsock_spec
        self._notice_rest = b""
        self._free: set[int] = set()  # descriptors of deleted calls: where the next sockets may turn up
        self.search_count = 0
        self.is_release_due = False
        self._canary_port = self._open_canary()

    def _arguments(self) -> tuple[str, ...]:
        listen: list[str] = []
        for family, address in sorted(self._settings.bind.items()):
            option = "-l" if family is Family.V4 else "-6"
            listen += [option, f"{LABEL[family]}@{address}={self._settings.advertise[family]}"]
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        wanted = self._settings.calls_max * DESCRIPTORS_PER_CALL * 2 + DESCRIPTORS_SPARE
        return (*listen, "-P", "-R", "-b", "-L", str(wanted if hard < 0 else min(wanted, hard)), "-F")

    def _open_canary(self) -> int:
        """Open the call that is never completed: a byte to its ports makes the engine release others."""
        family = min(self._settings.bind)
        local = "127.0.0.1" if family is Family.V4 else "::1"
        six = "6" if family is Family.V6 else ""
        before = _descriptors()
        port = self.open_port(f"U{six}l{{{LABEL[family]}}} {CANARY} {local} 9 c && S ttl={CANARY_TTL_S}")
        bound = self._settings.bind[family]
        target = local if bound in WILDCARDS else bound
        for fd in _descriptors() - before:
            if local_port(fd) in {port, port + 1}:
                source_program((target,)).attach(fd)
        kind = socket.AF_INET if family is Family.V4 else socket.AF_INET6
        self._poke = socket.socket(kind, socket.SOCK_DGRAM)
        self._poke.bind((target, 0))
        self._canary_target = target
        return port

    def command(self, text: str) -> str:
        """Send one command line and return its answer. Raises `EngineError`, `RelayUnavailable`."""
        try:
            self._commands.sendall(text.encode("ascii") + b"\n")
            reply = self._commands.recv(REPLY_BYTES_MAX)
            while not reply.endswith(b"\n"):
                more = self._commands.recv(REPLY_BYTES_MAX)
                if not more:
                    raise RelayUnavailable("engine closed its command socket")
                reply += more
        except OSError as error:
            raise RelayUnavailable("engine does not answer") from error
        answer = reply.decode("ascii", "replace").strip()
        if answer.startswith("E"):
            raise EngineError(answer)
        if "&& -1" in answer:
            raise EngineError("subcommand")
        return answer

    def open_port(self, text: str) -> int:
        """Send a U or L and return the port it answers. Raises `RelayFull` where none is free."""
        try:
            answer = self._command_with_ports(text)
        except EngineError as error:
            if error.code in NO_PORT:
                raise RelayFull("no port is free") from None
            raise
        match = _PORT_REPLY.match(answer)
        if match is None or match[1] == "0":
            raise EngineError("no port in the answer")
        return int(match[1])

    def _command_with_ports(self, text: str) -> str:
        """Repeat a command once if ports of deleted calls may have been what it lacked."""
        try:
            return self.command(text)
        except EngineError as error:
            if error.code not in NO_PORT or not self.is_release_due:
                raise
        self.release_ports()
        time.sleep(RELEASE_S)
        return self.command(text)

    def open_sockets(self, text: str) -> tuple[int, int, int]:
        """Send a U or L that opens a pair; return its port and the descriptors of RTP and RTCP.

        The kernel gives out the lowest free numbers, so two that we free just before are the pair's,
        unless the engine closed others meanwhile.
        """
        any_fd = self.notices.fileno()
        spare = (os.dup(any_fd), os.dup(any_fd))
        os.close(spare[0])
        os.close(spare[1])
        port = self.open_port(text)
        rtp = self._find(port, spare)
        rtcp = self._find(port + 1, (*spare, rtp + 1))
        return port, rtp, rtcp

    def _find(self, port: int, guesses: Iterable[int]) -> int:
        for fd in guesses:
            if local_port(fd) == port:
                self._free.discard(fd)
                return fd
        self.search_count += 1
        for fd in sorted(self._free):
            if local_port(fd) == port:
                self._free.discard(fd)
                return fd
        for fd in sorted(_descriptors()):
            if local_port(fd) == port:
                return fd
        raise EngineError("socket not found")

    def forget_sockets(self, fds: Iterable[int]) -> None:
        """Note descriptors that the engine will close after the next `release_ports`."""
        self._free.update(fds)
        self.is_release_due = True

    def release_ports(self) -> None:
        """Wake the engine's two I/O threads if calls were deleted: only then do they close those sockets."""
        if not self.is_release_due:
            return
        self.is_release_due = False
        with contextlib.suppress(OSError):  # the next release does the same work
            self._poke.sendto(b"\0", (self._canary_target, self._canary_port))
            self._poke.sendto(b"\0", (self._canary_target, self._canary_port + 1))

    def read_notices(self) -> list[str]:
        """Return the notifications that have arrived, one line each."""
        try:
            data = self.notices.recv(65_536)
        except BlockingIOError:
            return []
        if not data:
            raise RelayUnavailable("engine closed its notification socket")
        *lines, self._notice_rest = (self._notice_rest + data).split(b"\n")
        return [line.decode("ascii", "replace") for line in lines]

    def stop(self) -> None:
        """Stop the engine: sessions are purged and recordings moved, in about a second."""
        self._poke.close()
        del self._proxy


def _descriptors() -> set[int]:
    return {int(name) for name in os.listdir("/proc/self/fd")}
