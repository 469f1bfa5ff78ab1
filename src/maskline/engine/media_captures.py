"""Captures: what both parties of a call send, in one file of the spool.

A capture is written below `live` and moved below `done` in one step when it ends, by the engine or by the next
guard; whoever reads recordings looks at `done` alone. A file cut short by the death of the guard lacks its last
4 KB at most.
"""

import os
from pathlib import Path
from typing import Final

from maskline.engine.media_engine import DONE, LIVE, Engine, EngineError
from maskline.engine.media_registry import Session
from maskline.engine.media_types import CALL_PATTERN, RelayRefused

ENDING: Final = ".pcap"


def prepare_spool(spool: Path) -> int:
    """Make both directories, move to `done` what an earlier guard left in `live`; return how much. Raises OSError.

    Must come before the engine starts: its own files are not to be moved away.
    """
    live, done = spool / LIVE, spool / DONE
    for each in (live, done):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    left = [each for each in live.iterdir() if each.is_file()]
    for each in left:
        each.rename(done / each.name)
    return len(left)


class Captures:
    """Starts and stops captures. Methods raise `RelayRefused`, or `EngineError` where the engine lost the call."""

    def __init__(self, engine: Engine, spool: Path) -> None:
        self._engine = engine
        self._spool = spool

    def start(self, session: Session, name: str) -> None:
        """Begin to capture both parties."""
        if CALL_PATTERN.fullmatch(name) is None:
            raise RelayRefused("name of the capture malformed")
        if session.capture is not None:
            raise RelayRefused("call is captured already")
        file = name + ENDING
        if any(os.path.lexists(self._spool / each / file) for each in (LIVE, DONE)):
            raise RelayRefused("a capture of that name is there")  # the engine would write over it
        self._engine.command(f"Q {session.call} a b")  # tells a lost call from a file that cannot be made
        session.capture = name
        try:
            self._engine.command(f"Cs {session.call} {file} a b")
            self._engine.command(f"Cs {session.call} {file} b a")
        except EngineError:
            self.stop(session)
            raise RelayRefused("capture cannot be made") from None

    def stop(self, session: Session) -> None:
        """End a capture; its file is in `done` when this returns."""
        if session.capture is None:
            return
        session.capture = None
        try:
            self._engine.command(f"Na {session.call} a b")
        except EngineError as error:
            if error.code != "E50":  # nothing was captured
                raise
