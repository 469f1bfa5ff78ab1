import copy
import json
import logging
import pickle
import string
import traceback
from dataclasses import asdict, dataclass

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.numbers import E164, NUMBER_TEXT_LENGTH_MAX, is_country_known, parse_number

NUMBER = "+919876543210"
DIGITS = "9876543210"
FULL_WIDTH = "".join(chr(0xFF10 + int(digit)) for digit in DIGITS)


@dataclass(frozen=True)
class _Holder:
    number: E164


@pytest.mark.parametrize(
    "printed",
    [
        repr,
        str,
        format,
        "{}".format,
        "{!r}".format,
        "{!s:>30}".format,
        "{0:x}".format,
        "%s".__mod__,
        "%r".__mod__,
        "%a".__mod__,
        ascii,
        lambda number: f"{number} {number!r} {number:>20}",
        lambda number: str([number, {number: number}]),
        lambda number: repr(_Holder(number)),
        lambda number: str(asdict(_Holder(number))),
        lambda number: string.Template("$n").substitute(n=number),
        lambda number: logging.LogRecord("n", 20, "p", 1, "%s %r", (number, number), None).getMessage(),
        lambda number: "".join(traceback.format_exception(ValueError(number))),
    ],
)
def test_prints_as_a_constant(printed: object) -> None:
    """No way of formatting a number shows a digit of it."""
    assert callable(printed)
    text = printed(E164(NUMBER))
    assert "E164(hidden)" in text
    assert not any(DIGITS[start : start + 4] in text for start in range(len(DIGITS) - 3))


@pytest.mark.parametrize("serialise", [pickle.dumps, json.dumps])
def test_is_not_serialised(serialise: object) -> None:
    """A number does not leave the process by accident."""
    assert callable(serialise)
    with pytest.raises(TypeError) as caught:
        serialise(E164(NUMBER))
    assert DIGITS not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "919876543210", "+0123456", "+", "+1234567890123456", "+91 98", "+९१98765"]
)
def test_refuses_what_is_not_e164_without_quoting_it(text: str) -> None:
    """The constructor takes nothing but `+` and 2 to 15 digits, and its error does not repeat the text."""
    with pytest.raises(ValueError, match=r"^not an E\.164 number$"):
        E164(text)


def test_does_not_change() -> None:
    """A number is a value: it cannot be turned into another."""
    number = E164(NUMBER)
    with pytest.raises(AttributeError):
        number._text = "+919876543211"
    assert number.reveal() == NUMBER


def test_reveal_copy_and_equality() -> None:
    """The number is had by asking; copies and equal numbers are the same key."""
    number = E164(NUMBER)
    assert number.reveal() == NUMBER
    assert copy.deepcopy(number) is number
    assert copy.copy(number) is number
    assert {number: 1}[E164(NUMBER)] == 1
    assert number != E164("+919876543211")
    assert number != NUMBER


@pytest.mark.parametrize(
    ("text", "country", "is_country_code_first", "expected"),
    [
        ("+91 98765 43210", "US", False, NUMBER),
        ("09876543210", "IN", False, NUMBER),
        ("9876543210", "IN", False, NUMBER),
        ("0091 98765-43210", "IN", False, NUMBER),
        ("919876543210", "US", True, NUMBER),
        ("00919876543210", "US", True, NUMBER),
        ("+919876543210", "US", True, NUMBER),
        (FULL_WIDTH, "IN", False, NUMBER),
        ("(202) 555-0123", "US", False, "+12025550123"),
        ("+4402079460000", "IN", False, "+442079460000"),
        ("+5215512345678", "IN", False, "+525512345678"),
        ("5215512345678", "IN", True, "+525512345678"),
        ("+525512345678", "IN", False, "+525512345678"),
        ("011 15 2345-6789", "AR", False, "+5491123456789"),
        ("+911234567890", "IN", False, "+911234567890"),  # possible, though not valid
        ("+80012345678", "IN", False, "+80012345678"),
    ],
)
def test_parses_what_people_write(
    text: str, country: str, is_country_code_first: bool, expected: str
) -> None:
    """Possible numbers are read in the country's way or country code first, Mexico's old 1 dropped."""
    number = parse_number(text, country=country, is_country_code_first=is_country_code_first)
    assert number is not None
    assert number.reveal() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "+",
        "112",
        "+112",
        "anonymous",
        "1-800-FLOWERS",
        "+919876543210;ext=5",
        "+91987654321012345",
        "+9198765",
        "+999123456789",
        "++919876543210",
        "+919876543210\x00",
        "9" * (NUMBER_TEXT_LENGTH_MAX + 1),
    ],
)
def test_refuses_what_is_no_number(text: str) -> None:
    """Words, short codes, extensions and impossible lengths are no party."""
    assert parse_number(text, country="IN") is None
    assert parse_number(text, country="IN", is_country_code_first=True) is None


def test_argentine_mobile_is_one_subscriber_with_and_without_its_nine() -> None:
    """Carriers deliver either form as the caller; both are the same party, each dialled as it was given."""
    with_nine, without = E164("+5491123456789"), E164("+541123456789")
    assert with_nine == without
    assert hash(with_nine) == hash(without)
    assert with_nine.reveal() == "+5491123456789"
    assert E164("+549112345678") != E164("+54112345678")  # not a mobile's length


@pytest.mark.parametrize(
    ("text", "region"),
    [
        (NUMBER, "IN"),
        ("+12025550123", "US"),
        ("+14165550123", "CA"),
        ("+441481256789", "GG"),
        ("+80012345678", "001"),
        ("+911234567890", "IN"),
    ],
)
def test_region(text: str, region: str) -> None:
    """The country is libphonenumber's, also for numbers it does not think valid."""
    assert E164(text).region == region


@given(st.text(max_size=30), st.sampled_from(["IN", "US", "MX", "AR", "GB"]), st.booleans())
def test_any_text_is_a_number_or_none(text: str, country: str, is_country_code_first: bool) -> None:
    """Nothing raises, and what was read reads the same again."""
    number = parse_number(text, country=country, is_country_code_first=is_country_code_first)
    if number is not None:
        again = parse_number(number.reveal(), country=country)
        assert again is not None
        assert again.reveal() == number.reveal()


@given(st.from_regex(r"\A(91[6-9][0-9]{9}|1[2-9][0-9]{2}[2-9][0-9]{6}|5255[0-9]{8})\Z"))
def test_reading_is_idempotent_and_injective(digits: str) -> None:
    """Different subscribers stay different, however the text is dressed."""
    plain = parse_number(digits, country="IN", is_country_code_first=True)
    dressed = parse_number(f"+{digits[:2]} {digits[2:5]}-{digits[5:]}", country="US")
    assert plain is not None
    assert dressed is not None
    assert plain.reveal() == dressed.reveal() == f"+{digits}"


@given(st.text(string.ascii_uppercase, min_size=2, max_size=2))
def test_a_country_is_known_where_its_numbers_can_be_read(country: str) -> None:
    """Wherever a country has national numbers; nothing can be dialled in what only looks like one."""
    has_plan = phonenumbers.PhoneMetadata.metadata_for_region(country) is not None
    assert is_country_known(country) == has_plan


@pytest.mark.parametrize(
    ("country", "is_known"), [("IN", True), ("GB", True), ("XX", False), ("001", False), ("in", False)]
)
def test_which_countries_are_known(country: str, is_known: bool) -> None:
    """Two capital letters that numbers belong to."""
    assert is_country_known(country) is is_known
