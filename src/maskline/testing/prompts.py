"""Prompts without files, fetches or decoding."""

from collections import Counter

from maskline.media.codecs import PROFILE_OF
from maskline.prompts.types import BuiltIn, PromptFailure, PromptFile, PromptUnavailable


class FakePrompts:
    """Has the methods of `PromptLibrary`: every URL is a prompt, unless it was told to fail.

    Stems tell prompts apart: `/prompts/fetched0`, `/prompts/fetched1`, ... in the order URLs were first asked
    for, and the name of a built-in prompt, with the country for ringback.
    """

    def __init__(self, *, duration_s: float = 2.0) -> None:
        self.fetch_count: Counter[str] = Counter()
        self.built_in_count: Counter[BuiltIn] = Counter()
        self.duration_s = duration_s
        self.durations_s: dict[str, float] = {}
        self._failures: dict[str, PromptFailure] = {}
        self._order: dict[str, int] = {}

    def fail(self, url: str, failure: PromptFailure) -> None:
        """Let every fetch of `url` fail."""
        self._failures[url] = failure

    def stem_of(self, url: str) -> str:
        """Return the stem that `url` has, or will have if it is the next one asked for."""
        return f"/prompts/fetched{self._order.get(url, len(self._order))}"

    async def fetch(self, url: str, codec: str) -> PromptFile:
        """Return a prompt. Raises `PromptUnavailable` where told to."""
        self.fetch_count[url] += 1
        if url in self._failures:
            raise PromptUnavailable(self._failures[url])
        self._order.setdefault(url, len(self._order))
        return self._file(self.stem_of(url), codec, self.durations_s.get(url, self.duration_s))

    async def built_in(self, name: BuiltIn, codec: str, *, country: str = "") -> PromptFile:
        """Return a prompt that comes with the service."""
        self.built_in_count[name] += 1
        stem = f"/prompts/{name.value.replace('-', '')}{country if name is BuiltIn.RINGBACK else ''}"
        return self._file(stem, codec, self.duration_s)

    def _file(self, stem: str, codec: str, duration_s: float) -> PromptFile:
        return PromptFile(
            stem=stem, payload_type=PROFILE_OF[codec.lower()].payload_type, duration_s=duration_s
        )
