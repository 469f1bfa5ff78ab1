"""Codes, texts and statuses of refusals."""

import pytest

from maskline.api.deepcall.errors import (
    MESSAGES,
    STATUSES,
    Code,
    DeepCallError,
    invalid,
    missing,
    not_a_phone_number,
)


def test_every_code_has_a_text_and_a_status() -> None:
    """So that whatever is raised can be answered."""
    assert set(MESSAGES) == set(STATUSES) == set(Code)


def test_codes_are_those_of_the_vendors_pages() -> None:
    """Masking's own five, and the six that all endpoints share."""
    assert sorted(Code) == [1000, 1009, 1010, 1014, 1015, 1047, 1501, 1502, 1503, 1504, 1505]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (1501, "m1 and m2 cannot be the same"),
        (1502, "Expiry must be an integer value"),
        (1503, "Your masking request could not be expired until now. So you cannot make another request"),
        (1504, "Masking could not be inserted"),
        (1505, "Masking No not available"),
    ],
)
def test_texts_are_the_vendors(code: int, text: str) -> None:
    """Those of its table; for 1505 the text its server sent, which is another."""
    assert DeepCallError(Code(code)).message == text


def test_reasons_follow_the_vendors_meaning_of_1000() -> None:
    """A client that matches the beginning of the text finds it."""
    for error in (invalid("so"), missing("m1"), not_a_phone_number("m2")):
        assert (error.code, error.message.startswith("Invalid parameters: ")) == (Code.INVALID, True)
