"""The vendor's first page on number masking, fact by fact, over the legacy path.

Source: Plivo Number Masking, legacy page: create a masking session.
"""

import re
import uuid
from typing import Any

import pytest
from tests.api.plivo.test_app import assert_refused
from tests.api.service import Tenant

EXAMPLE = {"first_party": "+912025550000", "second_party": "+912025551111"}


def create(tenant: Tenant, **fields: object) -> Any:
    """The session that a create on the legacy path makes, as the current path shows it."""
    answer = tenant.request("POST", "/Session", EXAMPLE | fields)
    assert answer.status == 201, answer.text
    return tenant.request("GET", f"/Masking/Session/{answer.body['session_uuid']}/").body["response"]


def refuse(tenant: Tenant, text: str, **fields: object) -> None:
    assert_refused(tenant.request("POST", "/Session", EXAMPLE | fields), 400, text)


def test_example_request_answers_its_four_fields(tenant: Tenant) -> None:
    """Two parties and nothing else: exactly `api_id`, `session_uuid`, `virtual_number`, `message`."""
    answer = tenant.request("POST", "/Session", EXAMPLE)
    assert answer.status == 201
    assert list(answer.body) == ["api_id", "session_uuid", "virtual_number", "message"]
    for name in ("api_id", "session_uuid"):
        assert uuid.UUID(answer.body[name]).version == 4
    assert re.fullmatch(r"\+[1-9]\d{6,14}", answer.body["virtual_number"])
    assert answer.body["virtual_number"] in tenant.numbers
    assert isinstance(answer.body["message"], str)
    assert answer.body["message"]


@pytest.mark.parametrize("name", ["first_party", "second_party"])
def test_both_parties_are_mandatory(tenant: Tenant, name: str) -> None:
    """Absent, null or empty."""
    for fields in ({}, {name: None}, {name: ""}):
        body = {key: value for key, value in EXAMPLE.items() if key != name} | fields
        text = f"Mandatory parameter missing. {name} must be present."
        assert_refused(tenant.request("POST", "/Session", body), 400, text)
    refuse(tenant, f"Invalid parameter. {name} is not a valid phone number.", **{name: "+1234"})


@pytest.mark.parametrize(("given", "seconds"), [(None, 1800), (60, 60), (86_400, 86_400)])
def test_session_expiry(tenant: Tenant, given: int | None, seconds: int) -> None:
    """Defaults to 1800; from 60 to 86400."""
    assert create(tenant, session_expiry=given)["duration"] == seconds


@pytest.mark.parametrize("given", [59, 86_401, -1, "soon"])
def test_session_expiry_outside_its_range(tenant: Tenant, given: object) -> None:
    """The text of the page's list of statuses."""
    refuse(tenant, "Invalid parameter. session_expiry is outside the allowed range.", session_expiry=given)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(None, 14_400), (60, 60), (86_400, 86_400), ("long", 14_400), (59, 60), (-5, 60), (86_401, 86_400)],
)
def test_call_time_limit(tenant: Tenant, given: object, seconds: int) -> None:
    """Defaults to 14400; invalid is the default, below the minimum the minimum, above the maximum the maximum."""
    assert create(tenant, call_time_limit=given)["call_time_limit"] == seconds


def test_record(tenant: Tenant) -> None:
    """`false` by default, in mp3; true or false and mp3 or wav, nothing else."""
    plain = create(tenant)
    assert (plain["record"], plain["record_file_format"]) == (False, "mp3")
    recorded = create(tenant, record=True, record_file_format="wav")
    assert (recorded["record"], recorded["record_file_format"]) == (True, "wav")
    refuse(tenant, "Invalid parameter. record allowed values are true or false.", record="yes")
    refuse(
        tenant,
        "Invalid parameter. record_file_format allowed values are mp3 or wav.",
        record_file_format="ogg",
    )


def test_recording_callback(tenant: Tenant) -> None:
    """A URL of at most 1000 characters, by POST unless GET is given; a longer one is an error."""
    longest = "https://a.example/" + "x" * 982
    session = create(tenant, recording_callback_url=longest)
    assert (session["recording_callback_url"], session["recording_callback_method"]) == (longest, "POST")
    assert create(tenant, recording_callback_method="GET")["recording_callback_method"] == "GET"
    refuse(
        tenant,
        "Invalid parameter. recording_callback_url should be under 1000 characters.",
        recording_callback_url=longest + "x",
    )
    refuse(
        tenant,
        "Invalid parameter. recording_callback_url should be a valid URL.",
        recording_callback_url="not a url",
    )


def test_pool_exhausted(tenant: Tenant) -> None:
    """One party with more counterparts than the account has numbers."""
    for index in range(len(tenant.numbers)):
        assert (
            tenant.request("POST", "/Session", EXAMPLE | {"second_party": f"+91202555200{index}"}).status
            == 201
        )
    refuse(tenant, "Number pool exhausted or not available.", second_party="+912025552999")


def test_expiring_a_session(tenant: Tenant) -> None:
    """DELETE answers with a message, and a second one that it is over already."""
    path = f"/Session/{create(tenant)['session_uuid']}/"
    answer = tenant.request("DELETE", path)
    assert (answer.status, list(answer.body)) == (200, ["api_id", "message"])
    assert_refused(tenant.request("DELETE", path), 400, "Session already expired")


def test_repeated_create_changes_no_pin(tenant: Tenant) -> None:
    """What is fixed at creation is answered as it stands, whatever the repetition asks."""
    before = create(tenant)
    again = create(
        tenant,
        is_pin_authentication_required=True,
        generate_pin=True,
        virtual_number_cooloff_period=60,
        initiate_call_to_first_party=True,
    )
    assert again["session_uuid"] == before["session_uuid"]
    for name in (
        "is_pin_authentication_required",
        "first_party_pin",
        "virtual_number_cooloff_period",
        "initiate_call_to_first_party",
        "virtual_number",
        "created_time",
    ):
        assert again[name] == before[name]
