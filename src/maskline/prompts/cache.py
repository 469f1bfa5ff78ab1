"""Prompts on disk: named by what they contain, as many as fit, the longest unused going first."""

import hashlib
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from maskline.prompts.format import CODECS, FRAME_BYTES, FRAMES_MAX, duration_s

BYTES_MAX: Final = 1_000_000_000  # some 700 prompts of a minute in three codecs
SETTINGS: Final = b"maskline prompts 1\n"  # says how payloads are made; a change of that changes every name

_FILE: Final = re.compile(r"(?P<key>[0-9a-f]{64})\.(?P<payload_type>[0-9]{1,3})(?P<unfinished>\.new)?")
_PAYLOAD_TYPES: Final = frozenset(profile.payload_type for profile in CODECS.values())

_log = structlog.get_logger(__name__)


def make_key(content: bytes) -> str:
    """Return the name of what is made of `content`."""
    return hashlib.sha256(SETTINGS + content).hexdigest()


class PromptCache:
    """A directory of `KEY.PAYLOAD_TYPE` files, of which each key has one for every codec, or none.

    May be used from several threads. Nobody else writes into the directory; who removes files from it loses
    nothing but the work of making them again.
    """

    def __init__(self, directory: Path, *, bytes_max: int = BYTES_MAX) -> None:
        self._directory = directory.absolute()
        self._bytes_max = bytes_max
        self._sizes: OrderedDict[str, int] = OrderedDict()  # payload bytes of one codec, longest unused first
        self._lock = threading.Lock()
        self._is_loaded = False
        self._writing = threading.Lock()  # two URLs may have the same content at the same moment

    @property
    def byte_count(self) -> int:
        """What all prompts take on disk."""
        with self._lock:
            return sum(self._sizes.values()) * len(_PAYLOAD_TYPES)

    def load(self) -> None:
        """Make the directory and learn what is in it, once; what is incomplete is deleted. Raises OSError."""
        with self._writing:
            if not self._is_loaded:
                self._load()
                self._is_loaded = True

    def _load(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found: dict[str, dict[int, os.stat_result]] = {}
        for entry in os.scandir(self._directory):
            name = _FILE.fullmatch(entry.name)
            if name is None:
                continue
            if name["unfinished"] or int(name["payload_type"]) not in _PAYLOAD_TYPES:
                Path(entry.path).unlink(missing_ok=True)
            else:
                found.setdefault(name["key"], {})[int(name["payload_type"])] = entry.stat()
        used_at = {key: max(stat.st_mtime for stat in files.values()) for key, files in found.items()}
        for key in sorted(found, key=lambda key: used_at[key]):
            sizes = {stat.st_size for stat in found[key].values()}
            if found[key].keys() == _PAYLOAD_TYPES and len(sizes) == 1 and _is_whole(*sizes):
                with self._lock:
                    self._sizes[key] = sizes.pop()
            else:
                self._delete(key)
        self._evict()

    def stem(self, key: str) -> str:
        """Return the path of a key's files without their payload types."""
        return str(self._directory / key)

    def find(self, key: str) -> float | None:
        """Return the duration in seconds of a prompt that is there, and count this as use."""
        with self._lock:
            size = self._sizes.get(key)
            if size is None:
                return None
            try:
                for payload_type in _PAYLOAD_TYPES:
                    os.utime(self._path(key, payload_type))
            except OSError:  # somebody has tidied up
                del self._sizes[key]
                return None
            self._sizes.move_to_end(key)
            return duration_s(size)

    def keep(self, key: str, payloads: Mapping[int, bytes]) -> None:
        """Write a prompt and make room for it. Raises OSError, and then leaves nothing behind."""
        assert payloads.keys() == _PAYLOAD_TYPES
        (size,) = {len(payload) for payload in payloads.values()}
        assert _is_whole(size)
        with self._writing:
            try:
                for payload_type, payload in payloads.items():
                    _write(self._path(key, payload_type), payload)
            except OSError:
                self._delete(key)
                raise
            with self._lock:
                self._sizes[key] = size
                self._sizes.move_to_end(key)
            self._evict()

    def _evict(self) -> None:
        while self.byte_count > self._bytes_max:
            with self._lock:
                key, _ = self._sizes.popitem(last=False)
            self._delete(key)
            _log.debug("prompt.evicted")

    def _delete(self, key: str) -> None:
        for payload_type in _PAYLOAD_TYPES:
            path = self._path(key, payload_type)
            path.unlink(missing_ok=True)
            _unfinished(path).unlink(missing_ok=True)

    def _path(self, key: str, payload_type: int) -> Path:
        return self._directory / f"{key}.{payload_type}"


def _is_whole(size: int) -> bool:
    return size % FRAME_BYTES == 0 and 0 < size <= FRAMES_MAX * FRAME_BYTES


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _write(path: Path, payload: bytes) -> None:
    """Write a file that is there as a whole or not at all; after a power cut it may be empty, which `load` sees."""
    unfinished = _unfinished(path)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(payload)
    unfinished.replace(path)
