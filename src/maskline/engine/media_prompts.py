"""Prompts that play: which files may, when each really starts, and when it has ended.

The engine tells nobody when a prompt ends, and never plays to a party whose address it does not know. So the end
is worked out from the file's length, counted from the moment the party can hear it: a party behind NAT is
waited for until its first packet has come (or will not come). No I/O but the engine's commands and the
directories of prompts; the clock is an argument.
"""

import contextlib
import heapq
import math
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from maskline.engine.media_engine import Engine, EngineError
from maskline.engine.media_registry import OTHER, Session
from maskline.engine.media_types import PLAYABLE, STEM_PATTERN, RelayRefused

BYTES_PER_S: Final = 8000  # of every type we play
MARGIN_S: Final = 0.05  # the engine sends the last packet up to a packet time late
REPEATS_S_MAX: Final = (
    600.0  # a prompt keeps its call alive: one that nobody stops must end before the call can
)
LEARN_S_MAX: Final = (
    1.0  # phones send within 0.1 s of the answer; who has not by then gets it where it was signalled
)
LEARN_POLL_S: Final = 0.04  # two packet times: nobody misses the first word of a prompt by that
STALE_MAX: Final = 256  # timers of prompts that have been stopped, before they are thrown away


class PromptFiles:
    """Prompts below a few directories, and nothing else on this machine."""

    def __init__(self, directories: tuple[str, ...]) -> None:
        self._roots = tuple(os.path.realpath(each) for each in directories)

    @contextlib.contextmanager
    def opened(self, stem: str, payload_type: int) -> Iterator[tuple[str, float]]:
        """Yield the path by which the engine finds a prompt, and how many seconds it takes. Raises `RelayRefused`.

        The engine's commands are words on a line, so the path goes by a descriptor of the directory: whatever
        signs the directory's own name has, and wherever its name points by then.
        """
        if payload_type not in PLAYABLE or STEM_PATTERN.fullmatch(stem) is None:
            raise RelayRefused("prompt cannot be played")
        directory, name = os.path.split(stem)
        try:
            fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            raise RelayRefused("prompt is not there") from None
        try:
            if not self._is_below(os.readlink(f"/proc/self/fd/{fd}")):
                raise RelayRefused("prompt lies outside the directories of prompts")
            try:
                found = os.stat(f"{name}.{payload_type}", dir_fd=fd, follow_symlinks=False)
            except OSError:
                raise RelayRefused("prompt is not there") from None
            if not stat.S_ISREG(found.st_mode) or not found.st_size:
                raise RelayRefused("prompt is no file with audio")
            yield f"/proc/self/fd/{fd}/{name}", found.st_size / BYTES_PER_S
        finally:
            os.close(fd)

    def _is_below(self, directory: str) -> bool:
        return any(os.path.commonpath((directory, root)) == root for root in self._roots)


@dataclass(slots=True, eq=False, kw_only=True)
class Playing:
    """A prompt that plays to one side, or waits for the party there."""

    session: Session
    side: str
    stem: str
    payload_type: int
    tag: str
    repeats: bool
    is_started: bool = False
    learn_by_mono_s: float = math.inf
    timer: int = 0


class Prompts:
    """What plays to whom. Commands raise `RelayRefused`, or `EngineError` where the engine lost the call."""

    def __init__(self, engine: Engine, files: PromptFiles, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._files = files
        self._clock = clock
        self._playing: dict[tuple[str, str], Playing] = {}
        self._timers: list[tuple[float, int, Playing]] = []
        self._timer_number = 0

    @property
    def due_mono_s(self) -> float:
        """When `run_due` should be called next; infinity while nothing plays."""
        return self._timers[0][0] if self._timers else math.inf

    def play(self, playing: Playing) -> None:
        """Play to a party that is known, in place of what plays there; else wait for it."""
        key = (playing.session.call, playing.side)
        if self._can_hear(playing):
            self._start(playing)
            self._playing[key] = playing
            return
        with self._files.opened(playing.stem, playing.payload_type):
            pass  # it must be playable now, though it starts later
        former = self._playing.get(key)
        if former is not None:
            self._silence(former)
        self._playing[key] = playing
        self._wait(playing)

    def stop(self, call: str, side: str) -> None:
        """End what plays to a side."""
        playing = self._playing.pop((call, side), None)
        if playing is not None:
            self._silence(playing)

    def forget(self, call: str) -> None:
        """Note that a call has gone, and what played in it."""
        if self._playing:
            for side in OTHER:
                self._playing.pop((call, side), None)

    def connected(self, call: str, side: str) -> None:
        """Note that the party of a side has become known."""
        if self._playing:
            playing = self._playing.get((call, side))
            if playing is not None and not playing.is_started:
                self._set_timer(self._clock(), playing)

    def run_due(self, now: float) -> list[Playing]:
        """Start what can start, stop what repeats for too long, and return what has been heard to its end."""
        finished: list[Playing] = []
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)
            if not self._is_current(timer):
                continue
            playing = timer[2]
            if not playing.is_started:
                if self._try_to_start(playing):
                    continue
            elif playing.repeats:
                with contextlib.suppress(EngineError):  # the call has gone
                    self._silence(playing)
            del self._playing[playing.session.call, playing.side]
            if not playing.repeats:
                finished.append(playing)
        return finished

    def _try_to_start(self, playing: Playing) -> bool:
        """Say whether a waiting prompt plays or goes on waiting; False where it cannot be played any more."""
        try:
            if self._can_hear(playing):
                self._start(playing)
            else:
                self._wait(playing)
        except (EngineError, RelayRefused):
            return False  # its file or its call has gone since: nobody shall wait for its end
        return True

    def _wait(self, playing: Playing) -> None:
        """Look again soon whether a party can hear; one that is not known is told of by `connected`."""
        if playing.session.ports[playing.side].party is None:
            return
        now = self._clock()
        playing.learn_by_mono_s = min(playing.learn_by_mono_s, now + LEARN_S_MAX)
        self._set_timer(now + LEARN_POLL_S, playing)

    def _can_hear(self, playing: Playing) -> bool:
        """Say whether a prompt that starts now is heard from its first word."""
        port = playing.session.ports[playing.side]
        if port.party is None:
            return False
        if not port.party.is_behind_nat or port.is_muted or self._clock() >= playing.learn_by_mono_s:
            return True
        counts = self._engine.command(f"Q {playing.session.call} {playing.side} {OTHER[playing.side]}")
        return counts.split()[1] != "0"

    def _start(self, playing: Playing) -> None:
        with self._files.opened(playing.stem, playing.payload_type) as (path, duration_s):
            self._command(f"P{-1 if playing.repeats else 1}", playing, f"{path} {playing.payload_type} ")
        playing.is_started = True
        ends_after_s = REPEATS_S_MAX if playing.repeats else duration_s + MARGIN_S
        self._set_timer(self._clock() + ends_after_s, playing)

    def _silence(self, playing: Playing) -> None:
        if playing.is_started:
            self._command("S", playing)

    def _command(self, verb: str, playing: Playing, words: str = "") -> None:
        call, side = playing.session.call, playing.side
        try:
            self._engine.command(f"{verb} {call} {words}{side} {OTHER[side]}")
        except EngineError as error:
            if error.code == "E60":
                raise RelayRefused("prompt cannot be opened") from None
            raise

    def _set_timer(self, due_mono_s: float, playing: Playing) -> None:
        self._timer_number += 1
        playing.timer = self._timer_number
        heapq.heappush(self._timers, (due_mono_s, playing.timer, playing))
        if len(self._timers) > 2 * len(self._playing) + STALE_MAX:
            self._timers = list(filter(self._is_current, self._timers))
            heapq.heapify(self._timers)

    def _is_current(self, timer: tuple[float, int, Playing]) -> bool:
        _, number, playing = timer
        return playing.timer == number and self._playing.get((playing.session.call, playing.side)) is playing
