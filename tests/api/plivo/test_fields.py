import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.plivo.outcomes import outcome

from maskline.api.plivo import fields
from maskline.api.plivo.errors import BODY_MALFORMED, PlivoError

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b"1",
        b'"first_party"',
        b"{",
        b'{"a": }',
        b"first_party=%2B912025550000",
        b"\xff\xfe{\x00}\x00",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": ' + b"9" * 5_000 + b"}",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b"\x00",
        b'{"a": "\x00"}',
    ],
)
def test_anything_but_a_json_object_is_malformed(body: bytes) -> None:
    """Other JSON, other encodings and hostile bodies get the same 400."""
    with pytest.raises(PlivoError) as caught:
        fields.parse_body(body)
    assert (caught.value.status, caught.value.text) == (400, BODY_MALFORMED)


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}", b"{}\n", b"\xef\xbb\xbf{}"])
def test_empty_bodies_are_empty_objects(body: bytes) -> None:
    """No body, the empty object, a trailing newline or a byte order mark make no difference."""
    assert fields.parse_body(body) == {}


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(body: bytes) -> None:
    """Nothing but a dictionary or PlivoError 400 comes out."""
    result = outcome(fields.parse_body, body)
    assert isinstance(result, dict) or result.status == 400


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=5))
def test_json_objects_come_through(value: dict[str, object]) -> None:
    """A JSON object without NaN and infinities is read as it was meant."""
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:
        return
    assert fields.parse_body(text.encode()) == json.loads(text)


NAMES = {"firstparty": "first_party", "subaccount": "subaccount", "alias": "first_party"}


def test_keys_match_in_any_dress() -> None:
    """Letter case and underscores do not matter; unknown, null and blank are left out."""
    body = {"FirstParty": "1", "sub_account": "SA", "x": 1}
    assert fields.pick_fields(body, NAMES) == {"first_party": "1", "subaccount": "SA"}
    assert fields.pick_fields({"first_party": None, "subaccount": "  "}, NAMES) == {}


@pytest.mark.parametrize("body", [{"first_party": 1, "alias": 2}, {"alias": 2, "first_party": 1}])
def test_the_canonical_spelling_wins(body: dict[str, object]) -> None:
    """A synonym never overrides the documented name, whatever their order."""
    assert fields.pick_fields(body, NAMES) == {"first_party": 1}


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        ("5", 5),
        (" 5 ", 5),
        ("-5", -5),
        ("5.0", 5),
        (5.0, 5),
        (True, None),
        (None, None),
        ("", None),
        ("5.5", None),
        (5.5, None),
        (float("inf"), None),
        ("\u0665", None),
        ("5e3", None),
        ("9" * 5_000, None),
        ([5], None),
        ({}, None),
    ],
)
def test_integers_are_read_from_what_clients_send(value: object, number: int | None) -> None:
    """Numbers, numeric strings and integral floats are integers; nothing else is."""
    assert fields.parse_integer(value) == number


@pytest.mark.parametrize(
    ("value", "result"), [(True, True), (False, False), ("true", True), ("False", False), (" TRUE ", True)]
)
def test_booleans_may_be_words(value: object, result: bool) -> None:
    """Python users send "true"; it counts."""
    assert fields.read_boolean("record", value) is result


@pytest.mark.parametrize("value", [0, 1, "yes", "1", [], {}, 1.0])
def test_other_booleans_are_refused(value: object) -> None:
    """The vendor's text names the field and both values."""
    with pytest.raises(PlivoError, match=r"^Invalid parameter\. record allowed values are true or false\.$"):
        fields.read_boolean("record", value)


@pytest.mark.parametrize("value", [1, "ftp", "mp 3", ["mp3"]])
def test_choices_are_named_in_the_refusal(value: object) -> None:
    """The vendor's text for formats."""
    text = r"^Invalid parameter\. record_file_format allowed values are mp3 or wav\.$"
    with pytest.raises(PlivoError, match=text):
        fields.read_choice("record_file_format", value, "mp3", "wav")


def test_choices_ignore_letter_case() -> None:
    """`get` is GET."""
    assert fields.read_choice("callback_method", " get ", "GET", "POST") == "GET"


@pytest.mark.parametrize(
    "url", ["http://a", "https://a.b:8/c?d=e#ct=2000", "http://[::1]:80/", "HTTPS://a.b/"]
)
def test_urls_are_taken_as_given(url: str) -> None:
    """A usable URL is kept to the character."""
    assert fields.read_url("callback_url", url) == url


@pytest.mark.parametrize(
    "value",
    [
        "None",
        "ftp://a",
        "http://",
        "http:///x",
        "//a",
        "a.b",
        "http://a b",
        "http://a:99999",
        "http://[",
        1,
        [],
        "http://a\x00",
        "http://a\n.b",
        "http://a\ud800",
    ],
)
def test_other_urls_are_refused(value: object) -> None:
    """The vendor's text for URLs; control characters and broken hosts included."""
    text = r"^Invalid parameter\. recording_callback_url should be a valid URL\.$"
    with pytest.raises(PlivoError, match=text):
        fields.read_url("recording_callback_url", value)


def test_urls_have_at_most_a_thousand_characters() -> None:
    """1,000 are fine, 1,001 get the vendor's text for long URLs."""
    longest = "http://a/".ljust(1_000, "x")
    assert fields.read_url("recording_callback_url", longest) == longest
    text = r"^Invalid parameter\. recording_callback_url should be under 1000 characters\.$"
    with pytest.raises(PlivoError, match=text):
        fields.read_url("recording_callback_url", longest + "x")


@pytest.mark.parametrize("value", ["1234", 1234, "123456789012345"])
def test_pins_are_digits(value: object) -> None:
    """Strings of 4 to 15 digits, or such an integer."""
    assert fields.read_pin("first_party_pin", value) == str(value)


@pytest.mark.parametrize("value", ["123", "1" * 16, "12a4", "١٢٣٤", 12, -1234, True, 1234.0, ["1234"]])
def test_other_pins_are_refused(value: object) -> None:
    """Too short, too long or not digits."""
    with pytest.raises(PlivoError, match="first_party_pin should have 4 to 15 digits"):
        fields.read_pin("first_party_pin", value)


@given(JSON_VALUES)
def test_readers_return_or_refuse(value: object) -> None:
    """No reader lets any JSON value raise anything but PlivoError 400, and no text carries what may not be stored."""
    for reader in (
        fields.read_party,
        fields.read_url,
        fields.read_pin,
        fields.read_subaccount,
        fields.read_boolean,
        lambda name, it: fields.read_choice(name, it, "GET", "POST"),
        lambda name, it: fields.read_integer(name, it, 1, 9, is_zero_absent=True),
    ):
        result = outcome(reader, "x", value)
        assert not isinstance(result, PlivoError) or result.status == 400
        assert not isinstance(result, str) or result.isprintable()
    assert fields.read_clamped(value, 60, 90) in {None, *range(60, 91)}
