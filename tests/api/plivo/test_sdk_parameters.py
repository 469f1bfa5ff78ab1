"""Every parameter and every filter through the official Python client, and the attributes it reads."""

import json
from datetime import datetime
from typing import Any

import plivo
import pytest
from tests.api.plivo.sdk_cases import CREATE, FILTERS, Filter, Ground, Parameter, new_subaccount
from tests.api.service import PAIR, Service, Tenant, basic

from maskline.api.plivo import wire


@pytest.mark.parametrize("case", CREATE, ids=str)
def test_create_takes(client: plivo.RestClient, case: Parameter) -> None:
    """Each parameter arrives and is shown by create, get and list alike; nothing else changes by it."""
    given = {**PAIR, **case.beside, case.name: case.value}
    created = client.masking_sessions.create_masking_session(**given)
    session = vars(created.session)
    assert {name: session[name] for name in case.shown} == case.shown
    got = client.masking_sessions.get_masking_session(created.session_uuid).response
    assert vars(got) == session
    [listed] = client.masking_sessions.list_masking_session().response.objects
    assert {**vars(listed), "resource_uri": ""} == {**session, "resource_uri": ""}


def test_every_parameter_is_tried() -> None:
    """`subaccount` has a test of its own; every other is a case."""
    assert {it.name for it in CREATE} | {"subaccount"} == set(wire.FIELDS)


def test_create_for_a_subaccount(client: plivo.RestClient, tenant: Tenant) -> None:
    """Named by the account, or by its own credentials."""
    sub = new_subaccount(tenant)
    named = client.masking_sessions.create_masking_session(**PAIR, subaccount=sub.auth_id)
    assert named.session.subaccount == sub.auth_id
    with plivo.RestClient(sub.auth_id, sub.token.reveal()) as own:
        own.masking_sessions.delete_masking_session(named.session_uuid)
        created = own.masking_sessions.create_masking_session(**PAIR)
        assert created.virtual_number == named.virtual_number
        assert created.session.subaccount == sub.auth_id


def test_generated_pins_are_told(client: plivo.RestClient) -> None:
    """Two strings of digits that differ, of the length asked for."""
    created = client.masking_sessions.create_masking_session(
        **PAIR, is_pin_authentication_required=True, generate_pin=True, generate_pin_length=9
    )
    first, second = created.session.first_party_pin, created.session.second_party_pin
    assert first != second
    assert all(len(pin) == 9 and pin.isascii() and pin.isdigit() for pin in (first, second))


def test_geomatch_wants_a_number_of_the_first_partys_country(
    client: plivo.RestClient, service: Service
) -> None:
    """An account of Indian numbers has none for a party in America, unless geomatch is off."""
    pair = {"first_party": "+14155550123", "second_party": "+14155550124"}
    for geomatch in (None, True):
        with pytest.raises(plivo.exceptions.ValidationError, match="Number pool exhausted or not available"):
            client.masking_sessions.create_masking_session(**pair, geomatch=geomatch)
    assert client.masking_sessions.create_masking_session(**pair, geomatch=False).session_uuid


def test_everything_at_once(client: plivo.RestClient) -> None:
    """All parameters of a session of two parties in one request."""
    cases = [
        it for it in CREATE if it.name in wire.FIELDS and "single" not in it.name and "party" not in it.name
    ]
    given = {it.name: it.value for it in cases} | PAIR
    given |= {"first_party_pin": "1111", "second_party_pin": "2222", "generate_pin": False}
    session = vars(client.masking_sessions.create_masking_session(**given).session)
    shown = {name: value for it in cases for name, value in it.shown.items()} | {"generate_pin": False}
    assert {name: session[name] for name in shown} == shown


DEFAULTS = {
    "first_party": "912025550000",
    "second_party": "912025551111",
    "status": "active",
    "initiate_call_to_first_party": False,
    "callback_url": "",
    "callback_method": "POST",
    "duration": 1800,
    "amount": 0,
    "call_time_limit": 14400,
    "ring_timeout": 45,
    "first_party_play_url": "",
    "second_party_play_url": "",
    "record": False,
    "record_file_format": "mp3",
    "recording_callback_url": "",
    "recording_callback_method": "POST",
    "interaction": None,
    "total_call_amount": 0,
    "total_call_count": 0,
    "total_call_billed_duration": 0,
    "total_session_amount": 0,
    "last_interaction_time": "",
    "unknown_caller_play": "",
    "is_pin_authentication_required": False,
    "generate_pin": None,
    "generate_pin_length": None,
    "first_party_pin": None,
    "second_party_pin": None,
    "pin_prompt_play": None,
    "pin_retry": None,
    "pin_retry_wait": None,
    "incorrect_pin_play": None,
    "create_session_with_single_party": None,
    "virtual_number_cooloff_period": 0,
    "force_pin_authentication": False,
}


def test_defaults(client: plivo.RestClient, tenant: Tenant) -> None:
    """What the session shows when nothing but the parties is given; every attribute is there to be read."""
    created = client.masking_sessions.create_masking_session(**PAIR)
    session = dict(vars(created.session))
    times = [datetime.strptime(session.pop(name), "%Y-%m-%d %H:%M:%S %z UTC") for name in TIMES]
    assert [(it - times[0]).total_seconds() for it in times] == [0, 0, 1800]
    assert session.pop("session_uuid") == created.session_uuid
    assert session.pop("virtual_number") == tenant.numbers[0].removeprefix("+")
    assert session == DEFAULTS


TIMES = ("created_time", "modified_time", "expiry_time")


@pytest.mark.parametrize("case", FILTERS, ids=str)
def test_list_filters(case: Filter, ground: Ground, ground_client: plivo.RestClient) -> None:
    """Each filter and comparison finds the sessions it should, newest first, and counts them."""
    answer = ground_client.masking_sessions.list_masking_session(**ground.fill(case.given)).response
    assert ground.read([it.session_uuid for it in answer.objects]) == case.found
    paged = {"limit", "offset"} & case.given.keys()
    assert answer.meta.total_count == (3 if paged else len(case.found))
    assert (answer.meta.limit, answer.meta.offset) == (
        case.given.get("limit", 20),
        case.given.get("offset", 0),
    )


def test_list_pages_follow_one_another(ground: Ground, ground_client: plivo.RestClient) -> None:
    """`next` and `previous` are addresses of the neighbouring pages, or null."""
    seen = ""
    offset: int | None = 0
    while offset is not None:
        page = ground_client.masking_sessions.list_masking_session(limit=1, offset=offset).response
        seen += ground.read([it.session_uuid for it in page.objects])
        assert (page.meta.previous is None) == (offset == 0)
        path = f"/v1/Account/{ground.tenant.auth_id}/Masking/Session/"
        following = f"{path}?limit=1&offset={offset + 1}"
        assert page.meta.next == (following if len(seen) < 3 else None)
        offset = offset + 1 if page.meta.next else None
    assert seen == "CBA"


def test_filters_as_datetimes(ground: Ground, ground_client: plivo.RestClient) -> None:
    """Python users give datetime objects."""
    instant = datetime.fromisoformat(ground.texts["created"])
    answer = ground_client.masking_sessions.list_masking_session(created_time__gt=instant).response
    assert ground.read([it.session_uuid for it in answer.objects]) == "C"


def test_a_subaccount_lists_its_own(ground: Ground, ground_client: plivo.RestClient) -> None:
    """With its own credentials, whatever it asks for."""
    sub = ground.subaccount
    with plivo.RestClient(sub.auth_id, sub.token.reveal()) as own:
        for given in ({}, {"subaccount": sub.auth_id}, {"status": "all"}):
            answer = own.masking_sessions.list_masking_session(**given).response
            assert ground.read([it.session_uuid for it in answer.objects]) == "C"


def test_requests_are_the_clients_own(client: plivo.RestClient, service: Service, tenant: Tenant) -> None:
    """The client is not modified: its headers, its bodies, a final slash everywhere, DELETE with a body."""
    sessions = client.masking_sessions
    created = sessions.create_masking_session(**PAIR, record=None)
    sessions.get_masking_session(created.session_uuid)
    sessions.list_masking_session()
    sessions.delete_masking_session(created.session_uuid)
    path = f"{tenant.path}/Masking/Session/"
    one = f"{path}{created.session_uuid}/"
    seen: list[tuple[str, str, Any]] = [
        (it.method, it.target, it.json if it.body else int(it.headers.get("content-length", 0)))
        for it in service.faults.seen
    ]
    assert seen == [
        ("POST", path, PAIR),
        ("GET", one, 0),
        ("GET", path, 0),
        ("DELETE", one, len(json.dumps({"session_uuid": created.session_uuid}))),  # which is not read
    ]
    for it in service.faults.seen:
        assert it.headers["user-agent"].startswith("plivo-python/")
        assert (it.headers["content-type"], it.headers["accept"]) == ("application/json",) * 2
        assert it.headers["authorization"] == basic(tenant.auth_id, tenant.token)["Authorization"]
