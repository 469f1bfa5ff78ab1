"""The library of prompts: what is played comes from here, whether from a URL or from the package.

Everything that may take long happens beside the event loop: fetching by the client for outgoing requests,
decoding in a process of its own, files and hashes on a few threads. What is known of a URL is kept in memory for
five minutes, what was made of its content on disk until others need the room.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import structlog

from maskline.outbound.types import (
    FailureReason,
    OutboundFailed,
    OutboundLimits,
    OutboundRefused,
    OutboundResponse,
)
from maskline.prompts.built_in import load_built_in
from maskline.prompts.cache import BYTES_MAX, PromptCache, make_key
from maskline.prompts.decoder_process import DecoderProcess, Payloads
from maskline.prompts.format import CODECS, CONTENT_BYTES_MAX, PromptCodec
from maskline.prompts.ringback import find_ringback
from maskline.prompts.types import BuiltIn, PromptFailure, PromptFile, PromptUnavailable
from maskline.tasks import spawn

FETCH_LIMITS: Final = OutboundLimits(  # a caller hears nothing meanwhile
    total_s=5.0, connect_s=3.0, read_s=3.0, response_bytes_max=CONTENT_BYTES_MAX
)
FRESH_S: Final = 300.0  # a prompt that was changed is heard after five minutes at the latest
USABLE_S: Final = 86_400.0  # for so long a server that does not answer is done without
RETRY_S: Final = 30.0  # how long a failure is believed: a caller who tries again does not wait again
REVALIDATION_WAIT_S: Final = 1.0  # then the prompt known is played, and the answer serves the next call
FETCHES_MAX: Final = 32  # at one time; each may hold 5 MB
WAIT_S_MAX: Final = 5.0  # for a turn to fetch
URLS_MAX: Final = 10_000  # known at one time, some 500 bytes each
WORKERS_MAX: Final = 2  # threads, and so decoding processes: calls need the other cores

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
_K = TypeVar("_K")
_VALIDATOR: Final = re.compile(r"[\x20-\x7e]{1,200}")  # longer ones name nothing that we would want to keep


class Fetcher(Protocol):
    """What the library needs of `OutboundClient`."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        limits: OutboundLimits,
    ) -> OutboundResponse:
        """Make one request. Raises `OutboundRefused`, `OutboundFailed`."""


class Decoder(Protocol):
    """What the library needs of `DecoderProcess`; called on worker threads."""

    def decode(self, content: bytes) -> Payloads | PromptFailure:
        """Return the payloads of a file. Raises OSError."""

    def close(self) -> None:
        """End what is running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a URL last led to, and until when that is believed without asking, or at all."""

    key: str
    validators: Mapping[str, str]  # headers that ask whether it has changed
    fresh_until_mono_s: float
    usable_until_mono_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    failure: PromptFailure
    until_mono_s: float


class PromptLibrary:
    """Prompts by URL and by name; `close` it when done. Files lie in `directory`, which it makes."""

    def __init__(
        self,
        directory: Path,
        outbound: Fetcher,
        *,
        bytes_max: int = BYTES_MAX,
        monotonic: Callable[[], float] = time.monotonic,
        decoder: Decoder | None = None,
    ) -> None:
        self._outbound = outbound
        self._monotonic = monotonic
        self._cache = PromptCache(directory, bytes_max=bytes_max)
        self._decoder: Decoder = decoder or DecoderProcess(directory)
        self._workers = ThreadPoolExecutor(WORKERS_MAX, thread_name_prefix="prompts")
        self._turns = asyncio.Semaphore(FETCHES_MAX)
        self._urls: OrderedDict[str, _Known | _Failed] = OrderedDict()
        self._fetching: dict[str, asyncio.Task[_Known | _Failed]] = {}
        self._made: dict[object, str] = {}  # keys of built-in prompts
        self._making: dict[object, asyncio.Task[str | PromptFailure]] = {}

    async def prepare(self, countries: Iterable[str] = ()) -> None:
        """Make the built-in prompts, so that no call waits for them; what fails is tried again when needed.

        `countries` are those whose ringback will be wanted, beside the usual one.
        """
        ringbacks = [(BuiltIn.RINGBACK, country) for country in countries]
        for name, country in [*((name, "") for name in BuiltIn), *ringbacks]:
            try:
                await self.built_in(name, PromptCodec.PCMU, country=country)
            except PromptUnavailable as error:
                _log.error("prompt.built_in_failed", prompt=name.value, failure=error.failure.value)

    async def close(self) -> None:
        """Give up what is under way."""
        self._decoder.close()
        tasks = [*self._fetching.values(), *self._making.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def fetch(self, url: str, codec: str) -> PromptFile:
        """Return the prompt at a URL. Raises `PromptUnavailable`.

        Takes as long as `FETCH_LIMITS` and decoding at most; those who ask for the same URL meanwhile wait for
        the same answer. A prompt that was known and cannot be asked for again now is played as it was.
        """
        wanted, now, known = PromptCodec(codec), self._monotonic(), self._urls.get(url)
        if isinstance(known, _Failed):
            if now < known.until_mono_s:
                raise PromptUnavailable(known.failure)
            known = None
        kept = None if known is None else self._find(known.key, wanted)
        if known is not None and kept is not None and now < known.fresh_until_mono_s:
            self._urls.move_to_end(url)
            return kept
        stale = known if kept is not None and known is not None and now < known.usable_until_mono_s else None
        task = _once(self._fetching, url, lambda: self._fetch(url, stale), name="prompts.fetch")
        if stale is not None and kept is not None:
            done, _ = await asyncio.wait({task}, timeout=REVALIDATION_WAIT_S)
            if not done:
                return kept
        outcome = await asyncio.shield(task)
        return self._present(outcome.failure if isinstance(outcome, _Failed) else outcome.key, wanted)

    async def built_in(self, name: BuiltIn, codec: str, *, country: str = "") -> PromptFile:
        """Return a prompt that comes with the service. Raises `PromptUnavailable` when it cannot be made."""
        wanted = PromptCodec(codec)
        what = (name, find_ringback(country) if name is BuiltIn.RINGBACK else None)
        kept = self._find(self._made[what], wanted) if what in self._made else None
        if kept is not None:
            return kept
        task = _once(
            self._making, what, lambda: self._make_built_in(what, name, country), name="prompts.make"
        )
        return self._present(await asyncio.shield(task), wanted)

    async def _fetch(self, url: str, known: _Known | None) -> _Known | _Failed:
        """Ask a server and make a prompt of what it says; remember the outcome, whatever it is."""
        answer = await self._ask(url, known)
        outcome = await self._judge(answer, known)
        now = self._monotonic()
        if isinstance(outcome, PromptFailure):
            if known is not None and _is_passing(answer):
                entry: _Known | _Failed = replace(known, fresh_until_mono_s=now + RETRY_S)
            else:
                _log.info("prompt.unavailable", failure=outcome.value)
                entry = _Failed(failure=outcome, until_mono_s=now + RETRY_S)
        else:
            key, validators = outcome
            entry = _Known(
                key=key,
                validators=validators,
                fresh_until_mono_s=now + FRESH_S,
                usable_until_mono_s=now + USABLE_S,
            )
        self._urls[url] = entry
        self._urls.move_to_end(url)
        while len(self._urls) > URLS_MAX:
            self._urls.popitem(last=False)
        return entry

    async def _ask(self, url: str, known: _Known | None) -> OutboundResponse | PromptFailure:
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                await self._turns.acquire()
        except TimeoutError:
            return PromptFailure.FETCH_FAILED
        try:
            return await self._outbound.request(
                "GET", url, headers=known.validators if known else {}, body=None, limits=FETCH_LIMITS
            )
        except OutboundRefused:
            return PromptFailure.FETCH_REFUSED
        except OutboundFailed as error:
            is_large = error.reason is FailureReason.TOO_LARGE
            return PromptFailure.TOO_LARGE if is_large else PromptFailure.FETCH_FAILED
        finally:
            self._turns.release()

    async def _judge(
        self, answer: OutboundResponse | PromptFailure, known: _Known | None
    ) -> tuple[str, Mapping[str, str]] | PromptFailure:
        """Return the key of the prompt in an answer, and the headers to ask for changes with."""
        if isinstance(answer, PromptFailure):
            return answer
        if answer.status == 304 and known is not None:
            return known.key, known.validators
        if answer.status != 200:
            return PromptFailure.NOT_FOUND
        key = await self._work(lambda: self._absorb(answer.body))
        return key if isinstance(key, PromptFailure) else (key, _validators(answer.headers))

    async def _make_built_in(self, what: object, name: BuiltIn, country: str) -> str | PromptFailure:
        key = await self._work(lambda: self._absorb(load_built_in(name, country)))
        if not isinstance(key, PromptFailure):
            self._made[what] = key
        return key

    async def _work(self, job: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, job)

    def _absorb(self, content: bytes) -> str | PromptFailure:
        """Make a prompt of a file unless it is there already; return its key. Runs on a worker."""
        key = make_key(content)
        try:
            self._cache.load()
            if self._cache.find(key) is not None:
                return key
            made = self._decoder.decode(content)
            if isinstance(made, PromptFailure):
                return made
            self._cache.keep(key, made)
        except OSError as error:
            _log.error("prompt.not_kept", error=error.strerror)
            return PromptFailure.DECODE_FAILED
        return key

    def _find(self, key: str, codec: PromptCodec) -> PromptFile | None:
        duration_s = self._cache.find(key)
        if duration_s is None:
            return None
        return PromptFile(
            stem=self._cache.stem(key), payload_type=CODECS[codec].payload_type, duration_s=duration_s
        )

    def _present(self, outcome: str | PromptFailure, codec: PromptCodec) -> PromptFile:
        """Return the prompt of a key, or raise the failure."""
        if isinstance(outcome, PromptFailure):
            raise PromptUnavailable(outcome)
        found = self._find(outcome, codec)
        if found is None:  # made and gone again: the disk holds less than one prompt for each call
            raise PromptUnavailable(PromptFailure.DECODE_FAILED)
        return found


def _once(
    running: dict[_K, asyncio.Task[_T]], key: _K, work: Callable[[], Coroutine[Any, Any, _T]], *, name: str
) -> asyncio.Task[_T]:
    """Return the task that does this work now, started if there is none."""
    task = running.get(key)
    if task is None:
        task = running[key] = spawn(work(), name=name)
        task.add_done_callback(lambda _: running.pop(key, None))
    return task


def _is_passing(answer: OutboundResponse | PromptFailure) -> bool:
    """Say whether a server is only away or busy, so that what it said before still counts."""
    if isinstance(answer, PromptFailure):
        return answer is PromptFailure.FETCH_FAILED
    return answer.status in (408, 425, 429) or answer.status >= 500


def _validators(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with which to ask whether an answer still holds (RFC 9110, section 13.1)."""
    asked = {"If-None-Match": headers.get("etag", ""), "If-Modified-Since": headers.get("last-modified", "")}
    return {name: value for name, value in asked.items() if _VALIDATOR.fullmatch(value)}
