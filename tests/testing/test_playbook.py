"""The playbook itself: it must fail when it should."""

import gc
import sys

import pytest

from maskline.testing.playbook import Placeholder, Playbook


def double(event: int) -> list[int]:
    return [event, event]


def test_a_true_script_passes() -> None:
    """Feeding and expecting what happens is quiet."""
    with Playbook(double) as playbook:
        playbook.feed(1).expect(1, 1).feed(2).expect(2, 2)


@pytest.mark.parametrize("expected", [(), (1,), (1, 2), (1, 1, 1)])
def test_a_difference_fails_with_a_diff(expected: tuple[int, ...]) -> None:
    """Too few, too many or other commands fail, and the text shows script and difference."""
    with pytest.raises(AssertionError, match=">> 1"), Playbook(double) as playbook:
        playbook.feed(1).expect(*expected)


def test_unexpected_commands_fail_at_the_next_event_and_at_the_end() -> None:
    """What nobody expected is found before anything else happens."""
    with pytest.raises(AssertionError, match="something else"), Playbook(double) as playbook:
        playbook.feed(1).feed(2)
    with pytest.raises(AssertionError, match="something else"), Playbook(double) as playbook:
        playbook.feed(1)


def test_a_playbook_without_an_end_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that nobody finished raises when it is collected; one that failed already does not again."""
    found: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: found.append(unraisable.exc_value))
    Playbook(double).feed(1).expect(1, 1)
    gc.collect()
    assert [str(each) for each in found] == ["a playbook was never finished"]
    failed = Playbook(double).feed(1)
    with pytest.raises(AssertionError):
        failed.expect(2)
    del failed
    gc.collect()
    assert len(found) == 1


def test_placeholders_stand_for_what_they_meet() -> None:
    """A placeholder equals anything at first, and only the same later."""
    name = Placeholder()
    with Playbook(double) as playbook:
        playbook.feed(7).expect(name, name)  # type: ignore[arg-type]
    assert name.value == 7
    assert name != 8
    assert "7" in repr(name)
    same = Placeholder()
    other: Playbook[int, object] = Playbook(lambda _: [1, 2])
    with pytest.raises(AssertionError):
        other.feed(0).expect(same, same)
