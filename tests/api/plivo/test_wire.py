import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.plivo.outcomes import outcome

from maskline.api.plivo import wire
from maskline.api.plivo.errors import PlivoError
from maskline.api.plivo.wire import SessionRequest, parse_create, parse_update

PAIR = {"first_party": "+912025550000", "second_party": "+912025551111"}


def create(**fields: Any) -> SessionRequest:
    return parse_create(json.dumps(PAIR | fields).encode())


def refusal(**fields: Any) -> str:
    with pytest.raises(PlivoError) as caught:
        create(**fields)
    assert caught.value.status == 400
    return caught.value.text


def test_two_parties_suffice() -> None:
    """The seed page's example gives nothing else, and nothing else is made up."""
    assert create() == SessionRequest(first_party="+912025550000", second_party="+912025551111")


def test_zeros_and_blanks_are_not_given() -> None:
    """Java always sends zeros, Go a zero session_expiry, PHP and Java blank parties, Node nulls."""
    zeros = dict.fromkeys(
        ("session_expiry", "call_time_limit", "ring_timeout", "virtual_number_cooloff_period"), 0
    )
    assert create(**zeros) == create()
    assert create(callback_url="", record=None, record_file_format=" ") == create()
    single = create(second_party="", create_session_with_single_party=True)
    assert (single.first_party, single.second_party) == (PAIR["first_party"], None)


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({"first_party": ""}, "first_party"),
        ({"first_party": None}, "first_party"),
        ({"second_party": "  "}, "second_party"),
        ({"first_party": "", "second_party": "", "create_session_with_single_party": True}, "first_party"),
        ({"second_party": "", "create_session_with_single_party": False}, "second_party"),
        ({"second_party": None, "record": "maybe"}, "second_party"),
    ],
)
def test_missing_parties_are_named(fields: dict[str, object], missing: str) -> None:
    """The vendor's text; it comes before any other complaint."""
    assert refusal(**fields) == f"Mandatory parameter missing. {missing} must be present."


@pytest.mark.parametrize("value", [59, 86_401, "59", -1, 10**30, "soon", True, [60], 60.5])
def test_session_expiry_out_of_range_is_refused(value: object) -> None:
    """No clamping: the vendor has a text for it."""
    assert refusal(session_expiry=value) == "Invalid parameter. session_expiry is outside the allowed range."


@pytest.mark.parametrize(("value", "seconds"), [(60, 60), ("86400", 86_400), (900.0, 900), ("1440", 1440)])
def test_session_expiry_in_range_is_taken(value: object, seconds: int) -> None:
    """Both ends included, numeric strings too."""
    assert create(session_expiry=value).session_expiry_s == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1, 60),
        (-5, 60),
        (60, 60),
        (86_401, 86_400),
        (10**30, 86_400),
        ("7200", 7_200),
        ("long", None),
        (True, None),
    ],
)
def test_call_time_limit_is_clamped(value: object, seconds: int | None) -> None:
    """Below the least becomes the least, above the most the most, nonsense the default."""
    assert create(call_time_limit=value).call_time_limit_s == seconds


@pytest.mark.parametrize(("value", "seconds"), [(1, 5), (45, 45), (500, 120), ("x", None)])
def test_ring_timeout_is_clamped(value: object, seconds: int | None) -> None:
    """Likewise, to 5..120 s."""
    assert create(ring_timeout=value).ring_timeout_s == seconds


def test_cooloff_out_of_range_is_refused() -> None:
    """Up to an hour; more gets the text for ranges."""
    assert create(virtual_number_cooloff_period="3600").cooloff_s == 3_600
    text = "Invalid parameter. virtual_number_cooloff_period is outside the allowed range."
    assert refusal(virtual_number_cooloff_period=3_601) == text


@pytest.mark.parametrize(
    "spelled",
    ["sub_account", "subAccount", "SubAccount", "subaccount"],
)
def test_subaccount_spellings(spelled: str) -> None:
    """What Node's own option makes of it is understood."""
    assert create(**{spelled: "SA" + "x" * 18}).subaccount == "SA" + "x" * 18


def test_spellings_of_official_clients() -> None:
    """Go's capital P, Node's geo_match, Java's extra accessor, a docs generation's short name, camelCase."""
    assert create(create_session_with_single_Party=True).is_single_party is True
    assert create(geo_match=False).is_geomatched is False
    assert create(pin_authentication_required=False).is_pin_required is False
    assert create(sessionExpiry=90).session_expiry_s == 90
    pins = {"first_party_pin": 1234, "second_party_pin": "4321"}
    assert create(is_pin_authentication=True, **pins).first_pin == "1234"
    both = create(pin_authentication_required=True, is_pin_authentication_required=False)
    assert both.is_pin_required is False


def test_unknown_keys_are_ignored() -> None:
    """The vendor's CLI sends a mode and a virtual number, clients repeat the session id."""
    assert (
        create(mode="voice", virtual_number="1", session_uuid="x", status="expired", account_id=9) == create()
    )


def test_parties_may_be_integers() -> None:
    """Python passes them on untouched."""
    assert create(first_party=912025550000).first_party == "912025550000"


@pytest.mark.parametrize("party", [True, 1.5, [], {}, "x" * 65, "+91\x002025550000", "\ud800", 10**70])
def test_what_cannot_be_a_number_is_refused(party: object) -> None:
    """Wrong types, control characters and endless texts get the vendor's text."""
    assert refusal(first_party=party) == "Invalid parameter. first_party is not a valid phone number."


def test_pins_are_needed_and_must_differ() -> None:
    """With PIN on and none generated both are mandatory, digits, and different."""
    on = {"is_pin_authentication_required": True}
    assert refusal(**on) == "Mandatory parameter missing. first_party_pin must be present."
    assert (
        refusal(**on, first_party_pin="1234")
        == "Mandatory parameter missing. second_party_pin must be present."
    )
    assert "must be different" in refusal(**on, first_party_pin="1234", second_party_pin="1234")
    assert "4 to 15 digits" in refusal(**on, first_party_pin="12", second_party_pin="1234")
    assert create(**on, generate_pin="true", generate_pin_length=6).generated_pin_length == 6
    single = create(**on, create_session_with_single_party=True, second_party="", first_party_pin="1234")
    assert single.second_pin is None


def test_pins_are_ignored_when_pin_is_off() -> None:
    """They are neither checked nor kept."""
    assert create(first_party_pin="x").first_pin is None


def test_update_needs_nothing() -> None:
    """An update may be empty, and Java's zeros leave everything alone."""
    assert parse_update(b"", has_parties=True) == parse_update(b"{}", has_parties=False) == SessionRequest()
    assert (
        parse_update(b"""{"session_expiry": 0, "session_uuid": "x"}""", has_parties=True) == SessionRequest()
    )


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 90_000)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=80)
    | st.sampled_from(["+912025550000", "true", "wav", "http://a.b/c", "1234", "0", "\x00"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*wire.FIELDS, "mode"]) | st.text(max_size=5), VALUES))
def test_any_object_is_a_request_or_refused(body: dict[str, object]) -> None:
    """What comes out is in range and storable, or PlivoError 400."""
    request = outcome(parse_create, json.dumps(body).encode())
    if isinstance(request, PlivoError):
        assert request.status == 400
        assert len(request.text) < 200
        return
    assert request.session_expiry_s is None or 60 <= request.session_expiry_s <= 86_400
    assert request.call_time_limit_s is None or 60 <= request.call_time_limit_s <= 86_400
    assert request.first_party or (request.is_single_party and request.second_party)
