"""Phone numbers: parsing, identity, region, and a type that does not print them."""

import re
from typing import Final, NewType, NoReturn

import phonenumbers
from phonenumbers import ValidationResult

PartyRef = NewType("PartyRef", str)
"""Keyed pseudonym of a number: 32 hex digits (128 bits of an HMAC-SHA-256)."""

ANYONE: Final = PartyRef("anyone")
"""Stands where a binding is for nobody in particular; no real reference has this form."""

DID = NewType("DID", str)
"""A virtual number as `+E164`. Virtual numbers are not secret."""

NUMBER_TEXT_LENGTH_MAX: Final = 64
"""Longest text looked at: E.164 has 15 digits, the rest is room for punctuation."""

_E164_SHAPE: Final = re.compile(r"\+[1-9][0-9]{1,14}")
# Digits of any script, which people do paste, and the usual punctuation. Letters and extensions are
# not dialled by machines: refusing them keeps `1-800-...;ext=3` from becoming somebody's number.
_NUMBER_TEXT_SHAPE: Final = re.compile(r"\s*\+?[\d\s().\-/\u00a0\u2010-\u2015\uff0b]+\s*")
_MEXICO_MOBILE: Final = re.compile(r"\+521(\d{10})")
_ARGENTINA_MOBILE: Final = re.compile(r"\+549(\d{10})")


class E164:
    """Hold one E.164 number and print as the constant `E164(hidden)`; only `reveal` gives it away.

    Two numbers are equal when they reach the same subscriber: an Argentine mobile with and without
    its international 9 is one number, because carriers deliver either as the caller.
    Raises ValueError, without the text, when it is not `+` and 2 to 15 digits.

    It is no dataclass, since `dataclasses.asdict` would take it apart and show it.

    Source: ITU-T E.164 (11/2010), section 6.
    """

    __slots__ = ("_text",)
    _text: str

    def __init__(self, text: str) -> None:
        if not _E164_SHAPE.fullmatch(text):
            raise ValueError("not an E.164 number")
        object.__setattr__(self, "_text", text)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a phone number does not change")

    def reveal(self) -> str:
        """Return the number as it is dialled: `+` and digits."""
        return self._text

    @property
    def identity(self) -> str:
        """The form that is equal for all ways of writing one subscriber; as secret as `reveal`."""
        if self._text.startswith("+549") and (match := _ARGENTINA_MOBILE.fullmatch(self._text)):
            return "+54" + match.group(1)
        return self._text

    @property
    def region(self) -> str:
        """The ISO 3166 country libphonenumber sees in the number, `001` for numbers of no country."""
        number = phonenumbers.parse(self._text, None)
        if region := phonenumbers.region_code_for_number(number):
            return region
        assert number.country_code is not None
        return phonenumbers.region_code_for_country_code(number.country_code)

    def __eq__(self, other: object) -> bool:
        return self.identity == other.identity if isinstance(other, E164) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.identity)

    def __repr__(self) -> str:
        return "E164(hidden)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "E164(hidden)"

    def __copy__(self) -> "E164":
        return self

    def __deepcopy__(self, memo: object) -> "E164":
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a phone number is not serialised; reveal it where it is meant")


def is_country_known(country: str) -> bool:
    """Say whether national numbers can be read in `country` (ISO 3166, capitals): whether there is a plan for it."""
    return country in phonenumbers.SUPPORTED_REGIONS


def parse_number(text: str, *, country: str, is_country_code_first: bool = False) -> E164 | None:
    """Read a possible number, or return None.

    Numbers that are merely possible (length fits the country) are accepted: numbering plans change
    faster than tables. `country` (ISO 3166) says how to read a national number;
    with `is_country_code_first` a text without `+` starts with its country code.
    The old Mexican mobile 1 is dropped, an Argentine 15 becomes the 9.

    Source: ITU-T E.123 for punctuation.
    """
    if len(text) > NUMBER_TEXT_LENGTH_MAX or not _NUMBER_TEXT_SHAPE.fullmatch(text):
        return None
    if is_country_code_first:
        text = "+" + text.strip().removeprefix("+").removeprefix("\uff0b").strip().removeprefix("00")
    try:
        number = phonenumbers.parse(text, country)
        if number.country_code == 52:  # the 1 after +52 was abolished in 2019 and makes it too long
            plain = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            if match := _MEXICO_MOBILE.fullmatch(plain):
                number = phonenumbers.parse("+52" + match.group(1), None)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    formatted = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return E164(formatted) if _E164_SHAPE.fullmatch(formatted) else None


def national_number(number: E164, *, country: str) -> str | None:
    """Return a number as it is dialled within `country`, with that country's trunk prefix; None for any other.

    Countries that share a code (as those of +1) count as one.
    """
    try:
        parsed = phonenumbers.parse(number.reveal(), None)
    except phonenumbers.NumberParseException:  # digits of no numbering plan, as short codes may be
        return None
    if parsed.country_code != phonenumbers.country_code_for_region(country):
        return None
    if parsed.country_code == 54:  # an Argentine mobile's 9 becomes a 15 behind its area code
        return _digits(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL))
    prefix = phonenumbers.ndd_prefix_for_region(country, True)  # noqa: FBT003  # without punctuation
    return (prefix or "") + phonenumbers.national_significant_number(parsed)


def international_prefix_of(country: str) -> str:
    """Return the digits dialled before a foreign number in `country`; 00 where there are several or none known."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country)
    if metadata is None:
        return "00"
    prefix = (metadata.preferred_international_prefix or metadata.international_prefix or "").replace("~", "")
    return prefix if prefix.isascii() and prefix.isdecimal() else "00"


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())
