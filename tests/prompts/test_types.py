import pytest

from maskline.prompts.format import CONTENT_BYTES_MAX, DURATION_S_MAX
from maskline.prompts.types import PromptFailure, PromptUnavailable
from tests.tidy.tree import ROOT

PAGE = (ROOT / "docs" / "operate" / "prompts.md").read_text()


@pytest.mark.parametrize("failure", PromptFailure)
def test_failure_is_documented(failure: PromptFailure) -> None:
    """An account that is told a failure can look it up."""
    assert f"| `{failure.value}` |" in PAGE


def test_bounds_are_documented() -> None:
    """The page has the bounds of the code."""
    assert f"at most {DURATION_S_MAX} s" in PAGE
    assert f"at most {CONTENT_BYTES_MAX // 1_000_000} MB" in PAGE


def test_error_tells_the_failure_alone() -> None:
    """What is raised has the word and nothing else."""
    assert str(PromptUnavailable(PromptFailure.NOT_AUDIO)) == "not-audio"
