"""Updates of sessions, as the official clients shape them."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.plivo.test_app import assert_refused
from tests.api.plivo.test_fuzz import TEXTS, VALUES
from tests.api.service import PAIR, Service, Tenant, basic

from maskline.api.plivo import wire
from maskline.core.inventory import Subaccount
from maskline.workflows.accounts import create_subaccount

UNKNOWN = "8dd7b81f-1cdc-4e5c-9999-123456789012"
JAVA = {
    "session_expiry": 0,
    "call_time_limit": 0,
    "ring_timeout": 0,
    "record": False,
    "create_session_with_single_party": False,
}


def update(tenant: Tenant, session_uuid: str, **fields: object) -> Any:
    """The session of a successful update."""
    answer = tenant.request("POST", f"/Masking/Session/{session_uuid}/", fields)
    assert answer.status == 200, answer.text
    return answer.body["session"]


def test_answer_has_three_keys(tenant: Tenant) -> None:
    """`api_id`, `message` and the session in declaration order, on every spelling of both paths."""
    created = tenant.create()
    session_uuid = created["session_uuid"]
    for path in (
        f"/Masking/Session/{session_uuid}/",
        f"/Masking/Session/{session_uuid}",
        f"/Masking/Session//{session_uuid}/",
        f"/Session/{session_uuid}",
        f"/Session/{session_uuid}/",
    ):
        answer = tenant.request("POST", path, {"ring_timeout": 30})
        assert (answer.status, list(answer.body)) == (200, ["api_id", "message", "session"])
        assert answer.body["message"] == "Session updated"
        assert list(answer.body["session"]) == list(created["session"])


def test_expiry_counts_from_now(tenant: Tenant) -> None:
    """As recorded: 600 given twelve seconds after creation is a duration of 612."""
    session_uuid = tenant.create()["session_uuid"]
    tenant.service.manual_clock.advance(s=12)
    session = update(tenant, session_uuid, session_expiry=600)
    assert session["duration"] == 612
    assert session["modified_time"] != session["created_time"]
    assert update(tenant, session_uuid, session_expiry="60")["duration"] == 72


def test_java_shaped_update_leaves_the_end_alone(tenant: Tenant) -> None:
    """Zeros are not given; false is, since it cannot be told from a wish."""
    before = tenant.create(record=True, session_expiry=900, ring_timeout=20, call_time_limit=100)
    tenant.service.manual_clock.advance(s=5)
    session = update(tenant, before["session_uuid"], **JAVA)
    assert session == before["session"] | {"record": False, "modified_time": session["modified_time"]}
    assert session["modified_time"] > before["session"]["modified_time"]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"session_uuid": "x"}', b'{"first_party": null}'])
def test_update_with_no_fields_answers_the_session_as_it_is(tenant: Tenant, body: bytes) -> None:
    """Python, Node and Go can send nothing at all."""
    before = tenant.create()
    tenant.service.manual_clock.advance(s=5)
    answer = tenant.request("POST", f"/Masking/Session/{before['session_uuid']}", body)
    assert (answer.status, answer.body["session"]) == (200, before["session"])


def test_every_updatable_field_is_updated(tenant: Tenant) -> None:
    """What the vendor lists replaces what was there."""
    given = {
        "call_time_limit": 120,
        "ring_timeout": 30,
        "callback_url": "https://a.example/c",
        "callback_method": "GET",
        "record": True,
        "record_file_format": "wav",
        "recording_callback_url": "https://a.example/r",
        "recording_callback_method": "GET",
        "first_party_play_url": "https://a.example/1.mp3",
        "second_party_play_url": "https://a.example/2.mp3",
    }
    session = update(tenant, tenant.create()["session_uuid"], **given)
    assert {name: session[name] for name in given} == given
    assert set(given) | {"session_expiry"} == wire.UPDATABLE


def test_what_cannot_be_updated_is_passed_over(tenant: Tenant) -> None:
    """Parties of a pair, PINs, geomatch and the like change nothing, not even where they make no sense."""
    before = tenant.create()
    session = update(
        tenant,
        before["session_uuid"],
        first_party="nobody",
        second_party=PAIR["first_party"],
        initiate_call_to_first_party="perhaps",
        is_pin_authentication_required=True,
        first_party_pin="1",
        pin_retry=99,
        unknown_caller_play="ftp://x",
        geomatch=7,
        subaccount="nobody's",
        virtual_number_cooloff_period=-1,
    )
    assert session == before["session"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"session_expiry": 59}, "Invalid parameter. session_expiry is outside the allowed range."),
        ({"record": "maybe"}, "Invalid parameter. record allowed values are true or false."),
        (
            {"record_file_format": "ogg"},
            "Invalid parameter. record_file_format allowed values are mp3 or wav.",
        ),
        ({"callback_url": "ftp://x"}, "Invalid parameter. callback_url should be a valid URL."),
    ],
)
def test_bad_values_are_refused(tenant: Tenant, fields: dict[str, Any], text: str) -> None:
    """Updatable fields are read as strictly as on creation."""
    session_uuid = tenant.create()["session_uuid"]
    assert_refused(tenant.request("POST", f"/Masking/Session/{session_uuid}/", fields), 400, text)


def test_expired_and_unknown_sessions(tenant: Tenant) -> None:
    """400 with the text of the vendor, and 404."""
    session_uuid = tenant.create(session_expiry=60)["session_uuid"]
    tenant.service.manual_clock.advance(s=60)
    for path in (f"/Masking/Session/{session_uuid}/", f"/Session/{session_uuid}"):
        answer = tenant.request("POST", path, {"session_expiry": 60})
        assert_refused(answer, 400, "Session already expired")
    for name in (UNKNOWN, "no-uuid"):
        assert_refused(tenant.request("POST", f"/Masking/Session/{name}/", {}), 404, "not found")


def test_single_party_session_gets_its_other_party(tenant: Tenant) -> None:
    """Go's capital P and all; the session keeps its flag, and another creation of the pair is this session."""
    created = tenant.create(second_party="", create_session_with_single_Party=True)
    session = update(tenant, created["session_uuid"], second_party=PAIR["second_party"])
    assert session["second_party"] == PAIR["second_party"].removeprefix("+")
    assert session["create_session_with_single_party"] is True
    assert tenant.create()["session_uuid"] == created["session_uuid"]


def test_party_that_cannot_join_is_told_why(tenant: Tenant) -> None:
    """No number, a virtual one, the same person, and one that the number has already."""
    created = tenant.create(second_party="", create_session_with_single_party=True)
    tenant.create(first_party="+912025552222", second_party="+912025553333")
    path = f"/Masking/Session/{created['session_uuid']}/"
    no_number = "Invalid parameter. second_party is not a valid phone number."
    taken = "Invalid parameter. second_party is in another session already."
    for party, text in (
        ("nobody", no_number),
        (tenant.numbers[0], no_number),
        (PAIR["first_party"], taken),
        ("+912025553333", taken),
    ):
        assert_refused(tenant.request("POST", path, {"second_party": party}), 400, text)
    both = {"first_party": "+912025554444", "second_party": "912025554444"}
    assert_refused(tenant.request("POST", path, both), 400, no_number)


def test_sub_account_updates_its_own_only(tenant: Tenant) -> None:
    """Another one's session is as unknown as one that never was."""
    subaccount = tenant.service.run(
        create_subaccount, tenant.account, "North", tenant.service.manual_clock.now()
    )
    assert isinstance(subaccount, Subaccount)
    session_uuid = tenant.create()["session_uuid"]
    answer = tenant.service.request(
        "POST",
        f"/v1/Account/{subaccount.auth_id}/Masking/Session/{session_uuid}/",
        b'{"session_expiry": 60}',
        basic(subaccount.auth_id, subaccount.token.reveal()),
    )
    assert_refused(answer, 404, "not found")


@pytest.fixture(scope="module")
def owner(service: Service) -> Tenant:
    return service.new_account(number_count=20)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    fields=st.dictionaries(st.sampled_from(wire.FIELDS) | TEXTS, VALUES, max_size=6),
    is_single=st.booleans(),
)
def test_any_update_is_done_or_refused(owner: Tenant, fields: dict[str, object], is_single: bool) -> None:
    """Whatever is sent, the session is answered as it stands, or nothing has changed."""
    second = "" if is_single else PAIR["second_party"]
    created = owner.create(second_party=second, create_session_with_single_party=is_single)
    path = f"/Masking/Session/{created['session_uuid']}/"
    before = owner.request("GET", path).body["response"]
    answer = owner.request("POST", path, json.dumps(fields).encode())
    after = owner.request("GET", path).body["response"]
    assert answer.status in (200, 400), answer.text
    assert after == (answer.body["session"] if answer.status == 200 else before)
    owner.request("DELETE", path)
