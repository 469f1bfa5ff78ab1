"""How a trunk writes numbers and reads them. Pure.

What `format_number` writes, `read_number` reads back in the same format and country.
"""

from .inventory import NumberFormat
from .numbers import E164, international_prefix_of, national_number, parse_number


def format_number(number: E164, format_: NumberFormat, *, country: str) -> str:
    """Write a number as a trunk of `country` (ISO 3166) wants it; with plus where its own form would be misread."""
    plain = number.reveal()
    match format_:
        case NumberFormat.PLUS:
            return plain
        case NumberFormat.DIGITS:
            text = plain[1:]
        case NumberFormat.ZEROS:
            text = "00" + plain[1:]
        case NumberFormat.NATIONAL:
            text = national_number(number, country=country) or international_prefix_of(country) + plain[1:]
    return text if read_number(text, format_, country=country) == number else plain


def read_number(text: str, format_: NumberFormat, *, country: str) -> E164 | None:
    """Read what a trunk delivers: in its own format, else as anybody in `country` would; None for no number."""
    digits = text.strip()
    is_international = (format_ is NumberFormat.DIGITS and digits[:1] not in {"+", "\uff0b", "0"}) or (
        format_ is NumberFormat.ZEROS and digits.startswith("00")
    )
    found = parse_number(digits, country=country, is_country_code_first=True) if is_international else None
    return found or parse_number(digits, country=country)
