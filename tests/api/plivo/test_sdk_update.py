"""Updates through the official Python client."""

import plivo
import plivo.exceptions as sdk
import pytest
from tests.api.faults import Fault, Trouble
from tests.api.plivo.sdk_cases import UPDATE, Parameter
from tests.api.service import PAIR, Service, Tenant

from maskline.api.plivo import errors, wire

NOBODY = "8dd7b81f-1cdc-4e5c-9999-123456789012"


@pytest.mark.parametrize("case", UPDATE, ids=str)
def test_update_takes(client: plivo.RestClient, case: Parameter) -> None:
    """Each parameter replaces what was there; nothing else changes by it but the time of modification."""
    sessions = client.masking_sessions
    created = sessions.create_masking_session(**PAIR)
    updated = sessions.update_masking_session(created.session_uuid, **{case.name: case.value})
    assert vars(updated).keys() == {"api_id", "message", "session"}
    assert updated.message == "Session updated"
    changed = {
        name: value
        for name, value in vars(updated.session).items()
        if value != getattr(created.session, name)
    }
    assert {name: value for name, value in changed.items() if name != "expiry_time"} == case.shown
    assert vars(sessions.get_masking_session(created.session_uuid).response) == vars(updated.session)


def test_every_parameter_is_tried() -> None:
    """What can be updated and what is tried here are the same."""
    assert {it.name for it in UPDATE} == wire.UPDATABLE


def test_expiry_counts_from_now(client: plivo.RestClient, service: Service) -> None:
    """As recorded: 600 given twelve seconds after the creation makes a duration of 612."""
    created = client.masking_sessions.create_masking_session(**PAIR)
    service.manual_clock.advance(s=12)
    updated = client.masking_sessions.update_masking_session(created.session_uuid, session_expiry=600)
    assert updated.session.duration == 612
    assert updated.session.created_time == created.session.created_time
    assert updated.session.modified_time > created.session.modified_time


def test_update_without_fields(client: plivo.RestClient, service: Service) -> None:
    """The session as it is; the client sends the session's id in the body, which says nothing."""
    created = client.masking_sessions.create_masking_session(**PAIR)
    updated = client.masking_sessions.update_masking_session(created.session_uuid)
    assert vars(updated.session) == vars(created.session)
    seen = service.faults.seen[-1]
    assert (seen.method, seen.json) == ("POST", {"session_uuid": created.session_uuid})
    assert seen.target.endswith(f"/Masking/Session/{created.session_uuid}/")


@pytest.mark.parametrize(
    ("registered", "missing"), [("first_party", "second_party"), ("second_party", "first_party")]
)
def test_the_missing_party_is_given_later(client: plivo.RestClient, registered: str, missing: str) -> None:
    """To a session that was made with one party."""
    created = client.masking_sessions.create_masking_session(
        **{registered: PAIR[registered]}, create_session_with_single_party=True
    )
    updated = client.masking_sessions.update_masking_session(
        created.session_uuid, **{missing: PAIR[missing]}, create_session_with_single_party=True
    )
    shown = (updated.session.first_party, updated.session.second_party)
    assert shown == ("912025550000", "912025551111")


def test_what_cannot_be_updated_is_passed_over(client: plivo.RestClient) -> None:
    """The parties of a pair, geomatch and the sub-account, which the client offers to send."""
    created = client.masking_sessions.create_masking_session(**PAIR)
    updated = client.masking_sessions.update_masking_session(
        created.session_uuid, first_party="+912025559999", geomatch=False, subaccount="SA" + "0" * 18
    )
    assert vars(updated.session) == vars(created.session)


def test_refusals(client: plivo.RestClient) -> None:
    """Bad values and expired sessions are validation errors, unknown sessions are not found."""
    update = client.masking_sessions.update_masking_session
    created = client.masking_sessions.create_masking_session(**PAIR)
    with pytest.raises(sdk.ValidationError) as caught:
        update(created.session_uuid, session_expiry=59)
    assert str(caught.value) == "Invalid parameter. session_expiry is outside the allowed range."
    with pytest.raises(sdk.ResourceNotFoundError, match=errors.NOT_FOUND):
        update(NOBODY, ring_timeout=30)
    client.masking_sessions.delete_masking_session(created.session_uuid)
    with pytest.raises(sdk.ValidationError, match=errors.SESSION_EXPIRED):
        update(created.session_uuid, ring_timeout=30)


def test_faults_and_wrong_credentials(client: plivo.RestClient, tenant: Tenant) -> None:
    """Three tries on 500; a lost answer costs nothing, since the repetition says the same; 401 as elsewhere."""
    faults = tenant.service.faults
    created = client.masking_sessions.create_masking_session(**PAIR)
    faults.reset(Trouble.LOST, Trouble.LOST)
    updated = client.masking_sessions.update_masking_session(created.session_uuid, session_expiry=600)
    assert (updated.session.duration, len(faults.seen)) == (600, 3)
    faults.reset(*[Fault(500)] * 3)
    with pytest.raises(sdk.PlivoServerError):
        client.masking_sessions.update_masking_session(created.session_uuid)
    assert len(faults.seen) == 3
    with plivo.RestClient(tenant.auth_id, "x" * 40) as stranger, pytest.raises(sdk.AuthenticationError):
        stranger.masking_sessions.update_masking_session(created.session_uuid)
