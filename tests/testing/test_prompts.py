from pathlib import Path

import pytest
from tests.prompts.audio import make_wav, tone

from maskline.prompts.library import PromptLibrary
from maskline.prompts.types import BuiltIn, PromptFailure, PromptFile, PromptUnavailable
from maskline.testing.outbound import FakeOutbound
from maskline.testing.prompts import FakePrompts

URL = "https://prompts.example/a.wav"
BAD_URL = "https://prompts.example/b.wav"


@pytest.fixture(name="prompts", params=["fake", "real"])
def _prompts(request: pytest.FixtureRequest, tmp_path: Path) -> FakePrompts | PromptLibrary:
    if request.param == "fake":
        fake = FakePrompts(duration_s=2.0)
        fake.fail(BAD_URL, PromptFailure.NOT_FOUND)
        return fake
    outbound = FakeOutbound()
    outbound.answer(URL, body=make_wav(tone(700, 2)))
    outbound.answer(BAD_URL, status=404)
    return PromptLibrary(tmp_path / "prompts", outbound)


async def test_double_and_library_answer_alike(prompts: FakePrompts | PromptLibrary) -> None:
    """A prompt has one stem for all codecs, its payload type by codec, and a duration."""
    files = [await prompts.fetch(URL, codec) for codec in ("PCMU", "PCMA", "G722")]
    assert [file.payload_type for file in files] == [0, 8, 9]
    assert len({file.stem for file in files}) == 1
    assert {file.duration_s for file in files} == {2.0}


async def test_double_and_library_fail_alike(prompts: FakePrompts | PromptLibrary) -> None:
    """A prompt that cannot be had raises the same."""
    with pytest.raises(PromptUnavailable) as caught:
        await prompts.fetch(BAD_URL, "PCMU")
    assert caught.value.failure is PromptFailure.NOT_FOUND


async def test_double_and_library_tell_built_in_prompts_apart(prompts: FakePrompts | PromptLibrary) -> None:
    """Each built-in prompt has a stem of its own, and ringback one for each country's tone."""
    stems = {(await prompts.built_in(name, "PCMU")).stem for name in BuiltIn}
    assert len(stems) == len(BuiltIn)
    assert (await prompts.built_in(BuiltIn.RINGBACK, "PCMU", country="IN")).stem not in stems
    assert (await prompts.built_in(BuiltIn.PIN, "PCMU", country="IN")).stem in stems


async def test_double_counts() -> None:
    """What was asked for is counted, failures too."""
    fake = FakePrompts()
    fake.durations_s[URL] = 7.0
    assert fake.stem_of(URL) == "/prompts/fetched0"
    assert await fake.fetch(URL, "PCMU") == PromptFile(
        stem="/prompts/fetched0", payload_type=0, duration_s=7.0
    )
    await fake.fetch(BAD_URL, "PCMU")
    await fake.fetch(URL, "PCMU")
    await fake.built_in(BuiltIn.NOT_IN_SERVICE, "G722")
    assert fake.stem_of(BAD_URL) == "/prompts/fetched1"
    assert fake.fetch_count == {URL: 2, BAD_URL: 1}
    assert fake.built_in_count == {BuiltIn.NOT_IN_SERVICE: 1}
