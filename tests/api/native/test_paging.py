import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.api.native.errors import NativeError
from maskline.api.native.models.common import CURSOR_LENGTH_MAX
from maskline.api.native.paging import Key, make_cursor, page_of, read_cursor

_INTEGERS = st.integers(0, 2**63 - 1)


@given(_INTEGERS, st.from_regex(r"\A[a-z0-9-]{1,36}\Z"))
def test_a_cursor_is_read_back(instant: int, id_: str) -> None:
    """It stands for the place it was made for, and fits a query."""
    cursor = make_cursor("things", (instant, id_))
    assert len(cursor) <= CURSOR_LENGTH_MAX
    assert read_cursor("things", cursor, int, str) == (instant, id_)


@given(st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    """Nothing a client sends becomes another kind of error."""
    with pytest.raises(NativeError, match="cursor-invalid"):
        read_cursor("things", text, int)


def _forge(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        make_cursor("others", (5,)),
        make_cursor("things", ("5",)),
        make_cursor("things", (5, 6)),
        _forge("things", True),
        _forge("things", -1),
        _forge("things", 2**63),
        _forge("things", None),
        _forge("things", [5]),
        _forge("things", 1.5),
        base64.b64encode(b"[" * 200).decode(),
    ],
)
def test_what_no_list_of_ours_made_is_refused(cursor: str) -> None:
    """Another list's, of another form, or with what a database refuses."""
    with pytest.raises(NativeError, match="cursor-invalid"):
        read_cursor("things", cursor, int)


def test_texts_that_a_database_refuses_are_refused() -> None:
    """No NUL, nothing endless."""
    for text in ("\0", "x" * 201, "\u00e4"):
        with pytest.raises(NativeError, match="cursor-invalid"):
            read_cursor("things", _forge("things", text), str)


def test_without_cursor_a_list_begins() -> None:
    """There is no place to begin after."""
    assert read_cursor("things", None, int) is None


def test_a_page_says_whether_there_is_more() -> None:
    """One more than the page holds is looked for, and not shown."""

    def key(it: int) -> Key:
        return (it,)

    page = page_of("things", [9, 8, 7], 2, render=str, key=key)
    assert (page.data, page.has_more) == (["9", "8"], True)
    assert read_cursor("things", page.next, int) == (8,)
    last = page_of("things", [7, 6], 2, render=str, key=key)
    assert (last.data, last.has_more, last.next) == (["7", "6"], False, None)
