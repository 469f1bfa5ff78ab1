"""Numbers as trunks write them."""

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maskline.core.inventory import NumberFormat
from maskline.core.number_format import format_number, read_number
from maskline.core.numbers import E164, parse_number

COUNTRIES = sorted(phonenumbers.SUPPORTED_REGIONS)
FORMATS = st.sampled_from(NumberFormat)
INDIAN = E164("+919812300001")


@st.composite
def numbers(draw: st.DrawFn) -> E164:
    """A possible number of some country, near the example of its kind."""
    region = draw(st.sampled_from(COUNTRIES))
    kind = draw(
        st.sampled_from([phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE])
    )
    example = phonenumbers.example_number_for_type(region, kind)
    assume(example is not None)
    assert example is not None
    text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    last = draw(st.integers(0, 9_999))
    number = parse_number(f"{text[:-4]}{last:04}", country=region)
    assume(number is not None)
    assert number is not None
    return number


@given(numbers(), FORMATS, st.sampled_from(COUNTRIES))
def test_what_is_written_is_read_back(number: E164, format_: NumberFormat, country: str) -> None:
    """In every format, for every country of a trunk: parse(format(n)) == n."""
    assert read_number(format_number(number, format_, country=country), format_, country=country) == number


@given(st.integers(10, 10**15 - 1), FORMATS, st.sampled_from([*COUNTRIES, "XX"]))
def test_any_digits_are_written(digits: int, format_: NumberFormat, country: str) -> None:
    """Digits that are no number of any country still go out, as they are dialled anywhere."""
    number = E164(f"+{digits}")
    text = format_number(number, format_, country=country)
    assert text.removeprefix("+").isdecimal()
    assert text == number.reveal() or read_number(text, format_, country=country) == number


@pytest.mark.parametrize(
    ("format_", "country", "number", "expected"),
    [
        (NumberFormat.PLUS, "IN", "+919812300001", "+919812300001"),
        (NumberFormat.DIGITS, "IN", "+919812300001", "919812300001"),
        (NumberFormat.ZEROS, "IN", "+919812300001", "00919812300001"),
        (NumberFormat.NATIONAL, "IN", "+919812300001", "09812300001"),
        (NumberFormat.NATIONAL, "IN", "+912025550101", "02025550101"),
        (NumberFormat.NATIONAL, "IN", "+442079460000", "00442079460000"),
        (NumberFormat.NATIONAL, "US", "+12025550101", "12025550101"),
        (NumberFormat.NATIONAL, "US", "+919812300001", "011919812300001"),
        (NumberFormat.NATIONAL, "IT", "+390612345678", "0612345678"),
        (NumberFormat.NATIONAL, "RU", "+79123456789", "89123456789"),
        (NumberFormat.NATIONAL, "RU", "+919812300001", "810919812300001"),
        (NumberFormat.NATIONAL, "AR", "+5491123456789", "0111523456789"),
        (NumberFormat.ZEROS, "US", "+919812300001", "00919812300001"),
    ],
)
def test_examples(format_: NumberFormat, country: str, number: str, expected: str) -> None:
    """As they are dialled in these countries."""
    assert format_number(E164(number), format_, country=country) == expected


@pytest.mark.parametrize(
    ("format_", "text"),
    [(format_, text) for format_ in NumberFormat for text in ("+919812300001", "09812300001")]
    + [
        (NumberFormat.PLUS, "919812300001"),
        (NumberFormat.PLUS, "00919812300001"),
        (NumberFormat.PLUS, "9812300001"),
        (NumberFormat.DIGITS, "919812300001"),
        (NumberFormat.ZEROS, "00919812300001"),
        (NumberFormat.NATIONAL, "9812300001"),
        (NumberFormat.DIGITS, " 91 98123-00001 "),
    ],
)
def test_carriers_are_read_leniently(format_: NumberFormat, text: str) -> None:
    """A trunk of one format that sends another now and then is still understood, where only one thing can be meant."""
    assert read_number(text, format_, country="IN") == INDIAN


def test_plain_digits_begin_with_the_country_code() -> None:
    """Where the trunk is said to write them so, twelve digits are not taken for a number of its own country."""
    text = "12025550101"
    assert read_number(text, NumberFormat.DIGITS, country="IN") == E164("+12025550101")
    assert read_number(text, NumberFormat.PLUS, country="IN") != E164("+12025550101")


@pytest.mark.parametrize("format_", NumberFormat)
@pytest.mark.parametrize("text", ["", "+", "anonymous", "sip:x", "1" * 60, "00", "0"])
def test_what_is_no_number(format_: NumberFormat, text: str) -> None:
    """None, and nothing raises."""
    assert read_number(text, format_, country="IN") is None
