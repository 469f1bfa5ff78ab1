"""What the official Python client makes of refusals, faults and silence, and what its repetitions do here."""

from collections.abc import Callable

import plivo
import plivo.exceptions as sdk
import pytest
import requests
from tests.api.faults import Fault, Trouble
from tests.api.service import PAIR, Service, Tenant

from maskline.api.plivo import errors

NOBODY = "8dd7b81f-1cdc-4e5c-9999-123456789012"

Act = Callable[[plivo.RestClient], object]

ACTS: dict[str, Act] = {
    "create": lambda client: client.masking_sessions.create_masking_session(**PAIR),
    "get": lambda client: client.masking_sessions.get_masking_session(NOBODY),
    "list": lambda client: client.masking_sessions.list_masking_session(),
    "delete": lambda client: client.masking_sessions.delete_masking_session(NOBODY),
    "recordings.get": lambda client: client.recordings.get(NOBODY),
    "recordings.list": lambda client: client.recordings.list(),
    "recordings.delete": lambda client: client.recordings.delete(NOBODY),
}


@pytest.mark.parametrize("name", [name for name in ACTS if name != "recordings.list"])
def test_wrong_credentials_raise_authentication_error(point_at: None, tenant: Tenant, name: str) -> None:
    """401 and our text, whatever is asked."""
    with (
        plivo.RestClient(tenant.auth_id, "x" * 40) as client,
        pytest.raises(sdk.AuthenticationError) as caught,
    ):
        ACTS[name](client)
    assert str(caught.value) == errors.NOT_AUTHENTICATED


def test_a_refused_list_of_recordings_confuses_the_client(point_at: None, tenant: Tenant) -> None:
    """It looks for `objects` in whatever a list of recordings answers, a refusal included: its own fault."""
    with plivo.RestClient(tenant.auth_id, "x" * 40) as client, pytest.raises(AttributeError, match="objects"):
        client.recordings.list()


@pytest.mark.parametrize("name", [name for name in ACTS if "list" not in name and name != "create"])
def test_what_is_not_there_raises_not_found(client: plivo.RestClient, name: str) -> None:
    """404 and the vendor's text."""
    with pytest.raises(sdk.ResourceNotFoundError) as caught:
        ACTS[name](client)
    assert str(caught.value) == errors.NOT_FOUND


def test_another_method_raises_invalid_request(client: plivo.RestClient) -> None:
    """405, which only a request made by hand can meet."""
    with pytest.raises(sdk.InvalidRequestError) as caught:
        client.request("PUT", ("Masking", "Session"), {}, is_voice_request=True)
    assert str(caught.value) == errors.METHOD_NOT_ALLOWED


URL = "https://app.example.com/cb"
PIN = {"is_pin_authentication_required": True, "first_party_pin": "1234", "second_party_pin": "5678"}
REFUSALS: list[tuple[dict[str, object], str]] = [
    ({"first_party": None}, "Mandatory parameter missing. first_party must be present."),
    ({"second_party": ""}, "Mandatory parameter missing. second_party must be present."),
    ({"first_party": "12"}, "Invalid parameter. first_party is not a valid phone number."),
    ({"second_party": "nobody"}, "Invalid parameter. second_party is not a valid phone number."),
    ({"second_party": PAIR["first_party"]}, "Invalid parameter. second_party is not a valid phone number."),
    ({"session_expiry": 59}, "Invalid parameter. session_expiry is outside the allowed range."),
    ({"session_expiry": 86401}, "Invalid parameter. session_expiry is outside the allowed range."),
    ({"record": "yes"}, "Invalid parameter. record allowed values are true or false."),
    ({"record_file_format": "ogg"}, "Invalid parameter. record_file_format allowed values are mp3 or wav."),
    ({"callback_method": "PUT"}, "Invalid parameter. callback_method allowed values are GET or POST."),
    (
        {"recording_callback_method": "PUT"},
        "Invalid parameter. recording_callback_method allowed values are GET or POST.",
    ),
    (
        {"recording_callback_url": "None"},
        "Invalid parameter. recording_callback_url should be a valid URL.",
    ),
    (
        {"recording_callback_url": URL + "a" * 1000},
        "Invalid parameter. recording_callback_url should be under 1000 characters.",
    ),
    ({"callback_url": URL + " x"}, "Invalid parameter. callback_url should be a valid URL."),
    (PIN | {"first_party_pin": "123"}, "Invalid parameter. first_party_pin should have 4 to 15 digits."),
    (PIN | {"second_party_pin": "12a4"}, "Invalid parameter. second_party_pin should have 4 to 15 digits."),
    (
        PIN | {"second_party_pin": "1234"},
        "Invalid parameter. first_party_pin and second_party_pin must be different.",
    ),
    (PIN | {"first_party_pin": None}, "Mandatory parameter missing. first_party_pin must be present."),
    (PIN | {"pin_retry": 6}, "Invalid parameter. pin_retry is outside the allowed range."),
    (PIN | {"pin_retry_wait": 4}, "Invalid parameter. pin_retry_wait is outside the allowed range."),
    (
        PIN | {"generate_pin_length": 16},
        "Invalid parameter. generate_pin_length is outside the allowed range.",
    ),
    (
        {"virtual_number_cooloff_period": 3601},
        "Invalid parameter. virtual_number_cooloff_period is outside the allowed range.",
    ),
    ({"subaccount": "SA"}, "Invalid parameter. subaccount is not valid."),
    ({"geomatch": 2}, "Invalid parameter. geomatch allowed values are true or false."),
]


@pytest.mark.parametrize(("fields", "text"), REFUSALS, ids=[text for _, text in REFUSALS])
def test_bad_parameters_raise_validation_error(
    client: plivo.RestClient, tenant: Tenant, fields: dict[str, object], text: str
) -> None:
    """400, the vendor's text as the exception's, no session made, nothing repeated."""
    with pytest.raises(sdk.ValidationError) as caught:
        client.masking_sessions.create_masking_session(**(PAIR | fields))
    assert str(caught.value) == text
    assert len(tenant.service.faults.seen) == 1
    assert tenant.count_sessions() == 0


@pytest.mark.parametrize(
    ("fields", "seconds"), [({"call_time_limit": 59}, 60), ({"call_time_limit": 86401}, 86400), ({}, 14400)]
)
def test_call_time_limit_is_moved_into_its_range(
    client: plivo.RestClient, fields: dict[str, object], seconds: int
) -> None:
    """As the seed page has it: below the least to the least, above the most to the most."""
    created = client.masking_sessions.create_masking_session(**PAIR, **fields)
    assert created.session.call_time_limit == seconds


@pytest.mark.parametrize("value", ["a lot", 0, False])
def test_invalid_call_time_limit_is_the_default(client: plivo.RestClient, value: object) -> None:
    """Invalid input defaults to 14,400 s, as the seed page has it."""
    created = client.masking_sessions.create_masking_session(**PAIR, call_time_limit=value)
    assert created.session.call_time_limit == 14400


@pytest.mark.parametrize("name", [name for name in ACTS if name != "recordings.list"])
def test_500_is_tried_three_times(point_at: None, tenant: Tenant, name: str) -> None:
    """Then it is the client's PlivoServerError with our text."""
    faults = tenant.service.faults
    faults.reset(*[Fault(500)] * 3)
    with (
        plivo.RestClient(tenant.auth_id, tenant.token) as client,
        pytest.raises(sdk.PlivoServerError) as caught,
    ):
        ACTS[name](client)
    assert str(caught.value) == errors.SERVER_ERROR
    assert len(faults.seen) == 3
    assert len({(it.method, it.target, it.body) for it in faults.seen}) == 1


@pytest.mark.parametrize("status", [502, 503])
def test_other_5xx_are_tried_three_times_and_their_text_is_lost(
    client: plivo.RestClient, service: Service, status: int
) -> None:
    """So we answer 500 when a fault is ours."""
    service.faults.reset(*[Fault(status)] * 3)
    with pytest.raises(sdk.PlivoRestError, match=f"Received status code {status}"):
        client.masking_sessions.create_masking_session(**PAIR)
    assert len(service.faults.seen) == 3


@pytest.mark.parametrize("lost_count", [1, 2])
def test_a_create_whose_answer_is_lost_makes_one_session(
    client: plivo.RestClient, tenant: Tenant, lost_count: int
) -> None:
    """The client repeats it blindly, and gets the session that was made the first time."""
    tenant.service.faults.reset(*[Trouble.LOST] * lost_count)
    created = client.masking_sessions.create_masking_session(**PAIR, session_expiry=900)
    assert len(tenant.service.faults.seen) == lost_count + 1
    assert (created.message, created.session.duration) == ("Session created", 900)
    assert tenant.count_sessions() == 1


def test_a_delete_whose_answer_is_lost_says_so(client: plivo.RestClient, service: Service) -> None:
    """The repetition finds the session expired already: a refusal that the user can read."""
    created = client.masking_sessions.create_masking_session(**PAIR)
    service.faults.reset(Trouble.LOST)
    with pytest.raises(sdk.ValidationError, match=errors.SESSION_EXPIRED):
        client.masking_sessions.delete_masking_session(created.session_uuid)


def test_after_an_exhausted_run_the_client_tries_once(client: plivo.RestClient, service: Service) -> None:
    """Its counter stays high until something succeeds."""
    sessions = client.masking_sessions
    service.faults.reset(*[Fault(500)] * 5)
    for seen_count in (3, 4, 5):
        with pytest.raises(sdk.PlivoServerError):
            sessions.list_masking_session()
        assert len(service.faults.seen) == seen_count
    sessions.list_masking_session()
    service.faults.reset(*[Fault(500)] * 2)
    sessions.list_masking_session()
    assert len(service.faults.seen) == 3


@pytest.mark.parametrize("status", [402, 410, 412, 429])
def test_statuses_whose_text_is_lost_are_not_repeated(
    client: plivo.RestClient, service: Service, status: int
) -> None:
    """Of these we answer 429 alone, when the service is overloaded."""
    service.faults.reset(Fault(status))
    with pytest.raises(sdk.PlivoRestError, match=f"Received status code {status}"):
        client.masking_sessions.create_masking_session(**PAIR)
    assert len(service.faults.seen) == 1


@pytest.mark.parametrize(
    ("status", "act", "kind"),
    [
        (403, "create", sdk.GeoPermissionError),
        (403, "get", sdk.ForbiddenError),
        (409, "create", sdk.InvalidRequestError),
        (422, "create", sdk.InvalidRequestError),
    ],
)
def test_statuses_that_mean_something_else(
    client: plivo.RestClient, service: Service, status: int, act: str, kind: type[Exception]
) -> None:
    """The dialect never answers these."""
    service.faults.reset(Fault(status))
    with pytest.raises(kind):
        ACTS[act](client)


def test_a_redirect_would_turn_a_create_into_a_get(client: plivo.RestClient, service: Service) -> None:
    """Why no path is ever redirected: every spelling of one answers by itself."""
    for path in (("Masking", "Session"), ("Masking", "Session", ""), ("", "Masking", "", "Session")):
        created = client.request("POST", path, dict(PAIR), is_voice_request=True)
        assert created.message == "Session created"
    assert {it.method for it in service.faults.seen} == {"POST"}
    assert len(service.faults.seen) == 3


def test_silence_is_not_repeated(point_at: None, tenant: Tenant) -> None:
    """The client gives up after its time (5 s unless told), with an error of the library below it."""
    tenant.service.faults.reset(Trouble.SILENCE)
    with (
        plivo.RestClient(tenant.auth_id, tenant.token, timeout=0.2) as client,
        pytest.raises(requests.exceptions.ReadTimeout),
    ):
        client.masking_sessions.create_masking_session(**PAIR)
    assert len(tenant.service.faults.seen) == 1
    assert client.timeout == 0.2
    assert plivo.RestClient(tenant.auth_id, tenant.token).timeout == 5


def test_refused_connection_is_not_repeated(
    client: plivo.RestClient, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's error again."""
    monkeypatch.setattr(
        plivo.rest.client, "API_VOICE_BASE_URI", f"http://127.0.0.1:{unused_tcp_port}/v1/Account"
    )
    with pytest.raises(requests.exceptions.ConnectionError):
        client.masking_sessions.create_masking_session(**PAIR)
