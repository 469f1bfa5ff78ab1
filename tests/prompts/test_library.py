import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from maskline.outbound.types import FailureReason, OutboundLimits, OutboundResponse, RefusalReason
from maskline.prompts.decoder_process import Payloads
from maskline.prompts.format import FRAME_BYTES, PromptCodec
from maskline.prompts.library import (
    FETCH_LIMITS,
    FETCHES_MAX,
    FRESH_S,
    RETRY_S,
    URLS_MAX,
    USABLE_S,
    Decoder,
    PromptLibrary,
)
from maskline.prompts.types import BuiltIn, PromptFailure, PromptFile, PromptUnavailable
from maskline.testing.outbound import FakeOutbound
from tests.prompts.audio import read_payload

URL = "https://prompts.example/hello.mp3"


class CountingDecoder:
    """Takes a content's first byte for its seconds; `X` cannot be decoded, `D` finds the disk full."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []
        self.gate: threading.Event | None = None

    def decode(self, content: bytes) -> Payloads | PromptFailure:
        """Return silence, or what the content asks for."""
        self.contents.append(content)
        if self.gate is not None:
            assert self.gate.wait(10)
        if content.startswith(b"X"):
            return PromptFailure.DECODE_FAILED
        if content.startswith(b"D"):
            raise OSError(28, "No space left on device")
        return {payload_type: bytes(50 * FRAME_BYTES) for payload_type in (0, 8, 9)}

    def close(self) -> None:
        """Nothing runs."""


class Rig:
    """A library with a clock, a client and a decoder of the test's."""

    def __init__(self, directory: Path, **options: object) -> None:
        self.now = 1_000.0
        self.outbound = FakeOutbound()
        self.decoder = CountingDecoder()
        self.directory = directory
        self.library = PromptLibrary(
            directory,
            self.outbound,
            monotonic=lambda: self.now,
            decoder=self.decoder,
            **options,  # type: ignore[arg-type]
        )

    async def failure(self, url: str = URL) -> PromptFailure:
        """Why there is no prompt."""
        with pytest.raises(PromptUnavailable) as caught:
            await self.library.fetch(url, "PCMU")
        assert str(caught.value) == caught.value.failure.value
        return caught.value.failure


MakeRig = Callable[..., Rig]


@pytest.fixture(name="make_rig")
async def _make_rig(tmp_path: Path) -> AsyncIterator[MakeRig]:
    rigs: list[Rig] = []

    def make(**options: object) -> Rig:
        rigs.append(Rig(tmp_path / "prompts", **options))
        return rigs[-1]

    yield make
    for rig in rigs:
        await rig.library.close()


async def test_prompt_is_fetched_once_for_all_codecs(make_rig: MakeRig) -> None:
    """The first caller's fetch serves the next ones, in whatever codec."""
    rig = make_rig()
    rig.outbound.answer(URL, body=b"one")
    files = [await rig.library.fetch(URL, codec) for codec in ("PCMU", "PCMA", "G722", "PCMU")]
    assert [file.payload_type for file in files] == [0, 8, 9, 0]
    assert len({file.stem for file in files}) == 1
    assert {file.duration_s for file in files} == {1.0}
    for file in files:
        assert len(read_payload(file)) == 8_000
    (sent,) = rig.outbound.requests
    assert (sent.method, sent.body, sent.limits, sent.headers) == ("GET", None, FETCH_LIMITS, {})
    assert rig.decoder.contents == [b"one"]


async def test_callers_at_the_same_moment_share_the_fetch(make_rig: MakeRig) -> None:
    """Fifty calls that need a prompt make one request and one decoding; one that hangs up disturbs nobody."""
    rig = make_rig()
    rig.outbound.answer(URL, body=b"one")
    rig.decoder.gate = threading.Event()
    tasks = [asyncio.create_task(rig.library.fetch(URL, "PCMA")) for _ in range(50)]  # noqa: TID251
    await asyncio.sleep(0)
    tasks[0].cancel()
    rig.decoder.gate.set()
    files = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(files[0], asyncio.CancelledError)
    assert len(set(files[1:])) == 1
    assert isinstance(files[1], PromptFile)
    assert len(rig.outbound.requests) == 1
    assert len(rig.decoder.contents) == 1


async def test_same_content_elsewhere_is_not_decoded_again(make_rig: MakeRig) -> None:
    """Prompts are known by content: a second URL, and a restart, find what is there."""
    rig = make_rig()
    rig.outbound.answer(URL, body=b"one")
    rig.outbound.answer(URL + "?v=2", body=b"one")
    first = await rig.library.fetch(URL, "PCMU")
    assert await rig.library.fetch(URL + "?v=2", "PCMU") == first
    assert rig.decoder.contents == [b"one"]
    again = make_rig()
    again.outbound.answer(URL, body=b"one")
    assert await again.library.fetch(URL, "PCMU") == first
    assert again.decoder.contents == []


@pytest.mark.parametrize(
    ("reason", "failure"),
    [
        (RefusalReason.ADDRESS_NOT_PUBLIC, PromptFailure.FETCH_REFUSED),
        (RefusalReason.PORT, PromptFailure.FETCH_REFUSED),
        (FailureReason.DNS, PromptFailure.FETCH_FAILED),
        (FailureReason.CONNECT, PromptFailure.FETCH_FAILED),
        (FailureReason.TLS, PromptFailure.FETCH_FAILED),
        (FailureReason.TIMEOUT, PromptFailure.FETCH_FAILED),
        (FailureReason.PROTOCOL, PromptFailure.FETCH_FAILED),
        (FailureReason.TOO_LARGE, PromptFailure.TOO_LARGE),
    ],
)
async def test_fetch_that_fails_has_its_reason(
    make_rig: MakeRig, reason: FailureReason | RefusalReason, failure: PromptFailure
) -> None:
    """What the client says becomes a failure of the prompt."""
    rig = make_rig()
    rig.outbound.fail(URL, reason)
    assert await rig.failure() is failure


async def test_url_that_is_none_is_refused(make_rig: MakeRig) -> None:
    """What an account configured need not be a URL."""
    assert await make_rig().failure("not a url") is PromptFailure.FETCH_REFUSED


@pytest.mark.parametrize("status", [201, 204, 206, 301, 302, 304, 307, 401, 403, 404, 410, 500, 503])
async def test_only_200_is_a_prompt(make_rig: MakeRig, status: int) -> None:
    """Redirects, refusals and a 304 nobody asked for are no prompt, whatever their body."""
    rig = make_rig()
    rig.outbound.answer(URL, status=status, body=b"one")
    assert await rig.failure() is PromptFailure.NOT_FOUND
    assert rig.decoder.contents == []


async def test_failures_are_believed_for_half_a_minute(make_rig: MakeRig) -> None:
    """A caller who tries again at once does not wait again; later the place is asked again."""
    rig = make_rig()
    rig.outbound.fail(URL, FailureReason.TIMEOUT)
    rig.outbound.answer(URL, body=b"one")
    assert await rig.failure() is PromptFailure.FETCH_FAILED
    rig.now += RETRY_S - 0.1
    assert await rig.failure() is PromptFailure.FETCH_FAILED
    assert len(rig.outbound.requests) == 1
    rig.now += 0.2
    assert (await rig.library.fetch(URL, "PCMU")).duration_s == 1.0


@pytest.mark.parametrize("body", [b"X", b"D"])
async def test_content_that_cannot_be_kept_is_a_failure(make_rig: MakeRig, body: bytes) -> None:
    """A bad file and a full disk are the same to a caller, and neither raises anything else."""
    rig = make_rig()
    rig.outbound.answer(URL, body=body)
    assert await rig.failure() is PromptFailure.DECODE_FAILED


async def test_directory_that_cannot_be_made_is_a_failure(tmp_path: Path) -> None:
    """Without a place on disk there are no prompts, and calls go on without."""
    (tmp_path / "prompts").write_text("a file")
    rig = Rig(tmp_path / "prompts")
    rig.outbound.answer(URL, body=b"one")
    assert await rig.failure() is PromptFailure.DECODE_FAILED
    with pytest.raises(PromptUnavailable):
        await rig.library.built_in(BuiltIn.PIN, "PCMU")
    await rig.library.close()


async def test_prompt_is_asked_about_again_when_it_is_old(make_rig: MakeRig) -> None:
    """After five minutes the server is asked whether it has changed, by both of its validators."""
    rig = make_rig()
    validators = {"etag": '"v1"', "last-modified": "Sun, 22 Nov 2026 10:00:00 GMT"}
    rig.outbound.answer(URL, body=b"one", headers=validators)
    rig.outbound.answer(URL, status=304)
    first = await rig.library.fetch(URL, "PCMU")
    rig.now += FRESH_S - 1
    await rig.library.fetch(URL, "PCMU")
    assert len(rig.outbound.requests) == 1
    for expected_count in (2, 3):
        rig.now += FRESH_S + 1
        assert await rig.library.fetch(URL, "PCMU") == first
        assert len(rig.outbound.requests) == expected_count
        assert rig.outbound.requests[-1].headers == {
            "If-None-Match": '"v1"',
            "If-Modified-Since": "Sun, 22 Nov 2026 10:00:00 GMT",
        }
    assert rig.decoder.contents == [b"one"]


async def test_prompt_that_changed_is_heard(make_rig: MakeRig) -> None:
    """A new content replaces the old one after five minutes."""
    rig = make_rig()
    rig.outbound.answer(URL, body=b"one")
    rig.outbound.answer(URL, body=b"two")
    first = await rig.library.fetch(URL, "PCMU")
    rig.now += FRESH_S + 1
    assert (await rig.library.fetch(URL, "PCMU")).stem != first.stem
    assert rig.decoder.contents == [b"one", b"two"]


@pytest.mark.parametrize("etag", ["a\x00b", "a\r\nX: y", "\xff", "x" * 500])
async def test_validators_that_could_do_harm_are_not_sent_back(make_rig: MakeRig, etag: str) -> None:
    """What a server says is repeated to it only if it is a header value of reasonable length."""
    rig = make_rig()
    rig.outbound.answer(URL, body=b"one", headers={"etag": etag})
    await rig.library.fetch(URL, "PCMU")
    rig.now += FRESH_S + 1
    await rig.library.fetch(URL, "PCMU")
    assert rig.outbound.requests[-1].headers == {}


@pytest.mark.parametrize("status", [0, 429, 500, 503])
async def test_server_that_is_away_is_done_without(make_rig: MakeRig, status: int) -> None:
    """An old prompt is played while its server does not answer, for a day; it is asked twice a minute."""
    rig = make_rig()
    rig.outbound.answer(URL, body=b"one")
    if status:
        rig.outbound.answer(URL, status=status)
    else:
        rig.outbound.fail(URL, FailureReason.TIMEOUT)
    first = await rig.library.fetch(URL, "PCMU")
    rig.now += FRESH_S + 1
    for _ in range(3):
        assert await rig.library.fetch(URL, "PCMU") == first
    assert len(rig.outbound.requests) == 2
    rig.now += RETRY_S + 1
    assert await rig.library.fetch(URL, "PCMU") == first
    assert len(rig.outbound.requests) == 3
    rig.now += USABLE_S
    assert await rig.failure() is (PromptFailure.NOT_FOUND if status else PromptFailure.FETCH_FAILED)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_prompt_that_was_taken_away_is_not_played(make_rig: MakeRig, status: int) -> None:
    """A server that says it is gone is believed at once."""
    rig = make_rig()
    rig.outbound.answer(URL, body=b"one")
    rig.outbound.answer(URL, status=status)
    await rig.library.fetch(URL, "PCMU")
    rig.now += FRESH_S + 1
    assert await rig.failure() is PromptFailure.NOT_FOUND


async def test_name_that_became_private_is_not_played(make_rig: MakeRig) -> None:
    """A place we no longer go to has no prompts."""
    rig = make_rig()
    rig.outbound.answer(URL, body=b"one")
    rig.outbound.fail(URL, RefusalReason.ADDRESS_NOT_PUBLIC)
    await rig.library.fetch(URL, "PCMU")
    rig.now += FRESH_S + 1
    assert await rig.failure() is PromptFailure.FETCH_REFUSED


class SlowOutbound(FakeOutbound):
    """Answers after the first request only when told."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.busy_max = self.busy = 0

    async def request(self, method: str, url: str, **options: object) -> OutboundResponse:
        """Wait, then answer."""
        self.busy += 1
        self.busy_max = max(self.busy, self.busy_max)
        await self.may_answer.wait()
        self.busy -= 1
        return await super().request(method, url, **options)  # type: ignore[arg-type]


async def test_old_prompt_is_played_while_a_slow_server_thinks(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits long to hear a prompt that is known; the answer serves the next caller."""
    monkeypatch.setattr("maskline.prompts.library.REVALIDATION_WAIT_S", 0.01)
    rig = make_rig()
    slow = SlowOutbound()
    library = PromptLibrary(rig.directory, slow, monotonic=lambda: rig.now, decoder=rig.decoder)
    slow.answer(URL, body=b"one")
    slow.answer(URL, body=b"two")
    first = await library.fetch(URL, "PCMU")
    rig.now += FRESH_S + 1
    slow.may_answer.clear()
    for _ in range(3):
        assert await library.fetch(URL, "PCMU") == first
    slow.may_answer.set()
    deadline = time.monotonic() + 5
    while (await library.fetch(URL, "PCMU")) == first:
        assert time.monotonic() < deadline
    assert len(slow.requests) == 2
    await library.close()


async def test_fetches_are_bounded(make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many fetches are under way at one time; who gets no turn in time fails."""
    monkeypatch.setattr("maskline.prompts.library.WAIT_S_MAX", 0.05)
    rig = make_rig()
    slow = SlowOutbound()
    slow.may_answer.clear()
    library = PromptLibrary(rig.directory, slow, decoder=rig.decoder)
    urls = [f"{URL}?{n}" for n in range(FETCHES_MAX + 10)]
    for url in urls:
        slow.answer(url, body=b"one")
    tasks = [asyncio.create_task(library.fetch(url, "PCMU")) for url in urls]  # noqa: TID251
    failed, _ = await asyncio.wait(tasks, timeout=0.5)
    assert len(failed) == 10
    assert {str(task.exception()) for task in failed} == {"fetch-failed"}
    slow.may_answer.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(outcome, PromptFile) for outcome in done) == FETCHES_MAX
    assert slow.busy_max == FETCHES_MAX
    await library.close()


async def test_what_is_known_of_urls_is_bounded(make_rig: MakeRig) -> None:
    """Beyond ten thousand URLs the longest unused is forgotten, and fetched again when it comes back."""
    rig = make_rig()
    rig.outbound.answer(URL, body=b"one")
    await rig.library.fetch(URL, "PCMU")
    for n in range(URLS_MAX):
        with pytest.raises(PromptUnavailable):
            await rig.library.fetch(f"ftp://x.example/{n}", "PCMU")
    await rig.library.fetch(URL, "PCMU")
    assert [sent.url for sent in rig.outbound.requests].count(URL) == 2


async def test_files_that_are_gone_are_made_again(make_rig: MakeRig) -> None:
    """Somebody tidied up the directory: the next caller hears the prompt all the same."""
    rig = make_rig()
    rig.outbound.answer(URL, body=b"one", headers={"etag": '"v1"'})
    first = await rig.library.fetch(URL, "PCMU")
    built_in = await rig.library.built_in(BuiltIn.PIN, "PCMU")
    for path in rig.directory.iterdir():
        path.unlink()
    assert await rig.library.fetch(URL, "PCMU") == first
    assert await rig.library.built_in(BuiltIn.PIN, "PCMU") == built_in
    assert rig.outbound.requests[-1].headers == {}  # the whole content is needed
    assert read_payload(first)


async def test_prompt_for_which_there_is_no_room_is_a_failure(make_rig: MakeRig) -> None:
    """A cache too small for one prompt promises nothing that is not there."""
    rig = make_rig(bytes_max=100)
    rig.outbound.answer(URL, body=b"one")
    assert await rig.failure() is PromptFailure.DECODE_FAILED


@pytest.mark.parametrize("codec", ["opus", "G729", "", "pcmu"])
async def test_codecs_without_prompts_are_a_bug_of_the_caller(make_rig: MakeRig, codec: str) -> None:
    """The switch asks for codecs the engine can play, and no others."""
    rig = make_rig()
    with pytest.raises(ValueError, match="PromptCodec"):
        await rig.library.fetch(URL, codec)
    with pytest.raises(ValueError, match="PromptCodec"):
        await rig.library.built_in(BuiltIn.PIN, codec)
    assert rig.outbound.requests == []


async def test_closing_gives_up_what_is_under_way(tmp_path: Path) -> None:
    """A fetch that is under way does not hold up the end."""
    slow = SlowOutbound()
    slow.may_answer.clear()
    library = PromptLibrary(tmp_path / "prompts", slow, decoder=CountingDecoder())
    task = asyncio.create_task(library.fetch(URL, "PCMU"))  # noqa: TID251
    await asyncio.sleep(0)
    await library.close()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_built_in_prompts_are_made_once(make_rig: MakeRig) -> None:
    """Each is made once for all codecs, ringback once for all countries that have the same."""
    rig = make_rig()
    await rig.library.prepare(["IN", "GB"])
    made_count = len(BuiltIn) + 2
    assert len(rig.decoder.contents) == made_count
    for codec in PromptCodec:
        for name in BuiltIn:
            for country in ("", "DE", "IT", "in", "IE"):
                file = await rig.library.built_in(name, codec, country=country)
                assert read_payload(file)
    assert len(rig.decoder.contents) == made_count
    again = make_rig()
    await again.library.prepare(["IN"])
    assert again.decoder.contents == []


async def test_preparing_survives_a_decoder_that_fails(tmp_path: Path) -> None:
    """A service without its prompts starts, and tries again when they are needed."""

    class FailingDecoder(CountingDecoder):
        """Fails until told."""

        is_failing = True

        def decode(self, content: bytes) -> Payloads | PromptFailure:
            """Fail, or not."""
            return PromptFailure.DECODE_FAILED if self.is_failing else super().decode(content)

    decoder = FailingDecoder()
    library = PromptLibrary(tmp_path / "prompts", FakeOutbound(), decoder=decoder)
    await library.prepare()
    with pytest.raises(PromptUnavailable):
        await library.built_in(BuiltIn.PIN, "PCMU")
    decoder.is_failing = False
    assert (await library.built_in(BuiltIn.PIN, "PCMU")).duration_s == 1.0
    await library.close()


def test_doubles_fit() -> None:
    """The test's decoder has the shape of the real one."""
    decoder: Decoder = CountingDecoder()
    assert decoder.decode(b"X") is PromptFailure.DECODE_FAILED
    assert isinstance(FETCH_LIMITS, OutboundLimits)
