from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.conftest import Maskline

from maskline.cli.session import _walk
from maskline.core.listing import PAGE_LIMIT_MAX, PageKey


@given(st.integers(0, 350), st.integers(1, 300))
def test_lists_longer_than_a_page_are_walked_through(total: int, limit: int) -> None:
    """Up to the limit, each thing once, in order, without asking for more than a page."""

    def page(before: PageKey | None, count: int) -> Sequence[int]:
        assert count <= PAGE_LIMIT_MAX
        first = 0 if before is None else before.at + 1
        return range(first, min(first + count, total))

    walked = _walk(page, lambda it: PageKey(it, ""), limit)
    assert walked == list(range(min(limit, total)))


@pytest.fixture
def owned(ready: Maskline) -> Maskline:
    """A database with an account called demo that has a number."""
    assert ready("account", "create", "demo").code == 0
    assert ready("trunk", "add", "carrier", "--peer", "127.0.0.1:5099").code == 0
    assert ready("number", "add", "+912240000001", "--account", "demo", "--trunk", "carrier").code == 0
    return ready


def test_a_session_is_made_shown_and_ended(owned: Maskline) -> None:
    """In words: the number that is to be dialled, and what became of it."""
    made = owned("session", "create", "demo", "+912025550000", "+912025551111").out
    assert "virtual_number  +912240000001\n" in made
    (listed,) = owned("session", "list", "demo", "--json").json
    assert owned("session", "show", "demo", listed["id"]).out == made
    assert "expired" in owned("session", "end", "demo", listed["id"]).out
    assert "session-ended" in owned("session", "end", "demo", listed["id"]).err
    assert owned("session", "calls", "demo", listed["id"]).out == "There are no calls.\n"


def test_no_number_left(owned: Maskline) -> None:
    """One number is one session of a person: a second one is refused, without the person's number."""
    assert owned("session", "create", "demo", "+912025550000", "+912025551111").code == 0
    told = owned("session", "create", "demo", "+912025550000", "+912025552222")
    assert (told.code, "pool-exhausted" in told.err, "2025550000" in told.err) == (1, True, False)
