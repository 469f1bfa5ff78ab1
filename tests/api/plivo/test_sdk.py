"""The official Python client, unmodified, against our server."""

from datetime import datetime

import plivo
import plivo.exceptions
import pytest
from tests.api.service import PAIR, Service, Tenant

from maskline.clock import to_datetime


def test_create_get_list_delete(client: plivo.RestClient, tenant: Tenant) -> None:
    """The whole life of a session as the client sees it."""
    sessions = client.masking_sessions
    created = sessions.create_masking_session(**PAIR, session_expiry=900, record=True)
    assert created.message == "Session created"
    assert created.virtual_number == tenant.numbers[0]
    assert created.session.virtual_number == tenant.numbers[0].removeprefix("+")
    assert created.session.duration == 900
    assert created.session.record is True
    assert created.api_id

    got = sessions.get_masking_session(created.session_uuid).response
    assert got.session_uuid == created.session_uuid
    assert (got.first_party, got.second_party) == ("912025550000", "912025551111")
    assert got.status == "active"

    listed = sessions.list_masking_session(first_party=PAIR["first_party"], status="active").response
    assert [it.session_uuid for it in listed.objects] == [created.session_uuid]
    assert listed.meta.total_count == 1

    assert sessions.delete_masking_session(created.session_uuid).message == "Session expired"
    assert sessions.get_masking_session(created.session_uuid).response.status == "expired"


def test_values_as_python_users_type_them(client: plivo.RestClient) -> None:
    """Integers for parties, words for booleans, strings for numbers."""
    created = client.masking_sessions.create_masking_session(
        first_party=912025550000, second_party="912025551111", record="true", call_time_limit="1440"
    )
    assert created.session.record is True
    assert created.session.call_time_limit == 1440


def test_create_is_idempotent_for_the_pair(client: plivo.RestClient, service: Service) -> None:
    """Blind repetition, which the client does by itself on 5xx, makes no second session."""
    first = client.masking_sessions.create_masking_session(**PAIR)
    service.manual_clock.advance(s=12)
    second = client.masking_sessions.create_masking_session(**PAIR)
    assert second.session_uuid == first.session_uuid
    assert second.session.created_time == first.session.created_time
    assert second.session.duration == 1812


def test_list_filters(client: plivo.RestClient, service: Service) -> None:
    """datetime objects and comparison arguments as the client encodes them."""
    created = client.masking_sessions.create_masking_session(**PAIR)
    now: datetime = to_datetime(service.clock.now())
    service.manual_clock.advance(s=1)
    listed = client.masking_sessions.list_masking_session(
        created_time__gte=now.replace(tzinfo=None, microsecond=0), duration__lte=1800, limit=5
    )
    assert [it.session_uuid for it in listed.response.objects] == [created.session_uuid]
    none = client.masking_sessions.list_masking_session(expiry_time__lt=now.replace(tzinfo=None))
    assert none.response.objects == []


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"first_party": "nobody"}, "Invalid parameter. first_party is not a valid phone number."),
        ({"second_party": None}, "Mandatory parameter missing. second_party must be present."),
        ({"session_expiry": 59}, "Invalid parameter. session_expiry is outside the allowed range."),
    ],
)
def test_bad_input_raises_validation_error(
    client: plivo.RestClient, fields: dict[str, object], text: str
) -> None:
    """With the vendor's text in it."""
    with pytest.raises(plivo.exceptions.ValidationError) as caught:
        client.masking_sessions.create_masking_session(**(PAIR | fields))
    assert str(caught.value) == text


def test_exhausted_pool_raises_validation_error(point_at: None, service: Service) -> None:
    """An account without numbers gets the vendor's text."""
    tenant = service.new_account(number_count=0)
    with (
        plivo.RestClient(tenant.auth_id, tenant.token) as client,
        pytest.raises(plivo.exceptions.ValidationError, match="Number pool exhausted or not available"),
    ):
        client.masking_sessions.create_masking_session(**PAIR)


def test_unknown_session_raises_not_found(client: plivo.RestClient) -> None:
    """For get and delete."""
    unknown = "8dd7b81f-1cdc-4e5c-9999-123456789012"
    with pytest.raises(plivo.exceptions.ResourceNotFoundError):
        client.masking_sessions.get_masking_session(unknown)
    with pytest.raises(plivo.exceptions.ResourceNotFoundError):
        client.masking_sessions.delete_masking_session(unknown)


def test_deleting_twice_raises_validation_error(client: plivo.RestClient) -> None:
    """The second time the session has expired already."""
    created = client.masking_sessions.create_masking_session(**PAIR)
    client.masking_sessions.delete_masking_session(created.session_uuid)
    with pytest.raises(plivo.exceptions.ValidationError, match="Session already expired"):
        client.masking_sessions.delete_masking_session(created.session_uuid)


def test_wrong_token_raises_authentication_error(point_at: None, tenant: Tenant) -> None:
    """The client's own class."""
    with (
        plivo.RestClient(tenant.auth_id, "x" * 40) as client,
        pytest.raises(plivo.exceptions.AuthenticationError),
    ):
        client.masking_sessions.create_masking_session(**PAIR)
