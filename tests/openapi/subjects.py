"""The dialects as they are fuzzed: seeded, so that there is something to be found, changed and deleted."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.api.deepcall.conftest import M1, M2, give_credentials
from tests.api.plivo.shelf import Shelf
from tests.api.service import Service, Tenant, basic
from tests.openapi.fuzzing import Subject

from maskline.core.access import ApiKeyIssued, NewApiKey, Permission
from maskline.core.call_record import CallClaimed, CallRecord, NewCall
from maskline.core.masking import Role
from maskline.core.numbers import DID, E164
from maskline.core.termination import Reason, terminate
from maskline.workflows.api_keys import create_key
from maskline.workflows.claim_call import claim_call
from maskline.workflows.finish_call import finish_call

SECOND: Final = 1_000_000
WRONG: Final = {
    "native": {"Authorization": "Bearer mk_aaaaaaaaaaaaaaaa_" + "A" * 43},
    "plivo": basic("MA" + "X" * 18, "wrong"),
}
"""Credentials that are nobody's."""
WRONG_SSID: Final = "A" * 48
"""The same, where credentials are fields."""


def native(service: Service) -> Subject:
    """The native interface, by an operator's key for one account."""
    new = NewApiKey(name="all", permissions=frozenset({Permission.ALL}))
    issued = service.run(create_key, new, service.clock.now())
    assert isinstance(issued, ApiKeyIssued)
    shelf = Shelf(service.new_account(number_count=10))
    tenant = shelf.tenant
    sessions, calls = _seed(tenant)
    headers = {
        "Authorization": f"Bearer {issued.secret.reveal()}",
        "Maskline-Account": tenant.auth_id,
        "Accept": "application/json",
    }
    return Subject(
        document=service.request("GET", "/docs/native.json").body,
        server=f"http://127.0.0.1:{service.port}",
        headers=headers,
        known={
            "/accounts/{auth_id} auth_id": [tenant.auth_id],
            "/numbers/{e164} e164": list(tenant.numbers[-2:]),
            "/trunks/{name} name": ["carrier"],
            "/sessions/{id} id": sessions,
            "/calls/{id} id": calls,
            "/recordings/{id} id": [shelf.record(), shelf.record()],
            "/recordings/{id}/audio id": [shelf.record()],
            "/recordings/{id}/link id": [shelf.record()],
        },
    )


def plivo(service: Service) -> Subject:
    """The Plivo dialect, by one account."""
    shelf = Shelf(service.new_account(number_count=10))
    sessions, calls = _seed(shelf.tenant)
    return Subject(
        document=service.request("GET", "/docs/plivo.json").body,
        server=f"http://127.0.0.1:{service.port}",
        headers=shelf.tenant.authorization,
        strict=(),  # the vendor passes over what it does not know and reads values from texts: little is forbidden
        known={
            "auth_id": [shelf.tenant.auth_id],
            "session_uuid": sessions[:2],
            "call_uuid": calls[:1],
            "recording_id": [shelf.record(), shelf.record()],
        },
    )


def deepcall(service: Service) -> Subject:
    """The DeepCall dialect, by one account with masks."""
    tenant = give_credentials(service.new_account(number_count=10))
    for last in range(3):
        tenant.set(m1=M1 + str(last), m2=M2 + str(last))
    return Subject(
        document=service.request("GET", "/docs/deepcall.json").body,
        server=f"http://127.0.0.1:{service.port}",
        headers={},
        strict=(),  # every answer is a 200, as the vendor's are; its body says what is wrong
        credentials={"ssid": tenant.ssid},
    )


SUBJECTS: Final[Mapping[str, Callable[[Service], Subject]]] = {
    "native": native,
    "plivo": plivo,
    "deepcall": deepcall,
}


def _seed(tenant: Tenant) -> tuple[list[str], list[str]]:
    """Sessions and a finished call of each; their ids."""
    sessions = [tenant.create(second_party=f"+9120255533{index:02}") for index in range(3)]
    calls = [finish_a_call(tenant, session) for session in sessions]
    return [session["session_uuid"] for session in sessions], calls


def finish_a_call(tenant: Tenant, session: Mapping[str, Any]) -> str:
    """A call of the session's first party that talked for ten seconds; its id."""
    service, call_id, now = tenant.service, str(uuid.uuid4()), tenant.service.clock.now()
    shared: dict[str, Any] = {
        "call_id": call_id,
        "session_id": session["session_uuid"],
        "account_id": tenant.account.id,
        "number": DID("+" + str(session["virtual_number"]).removeprefix("+")),
        "caller": E164("+912025550000"),
        "callee": E164("+912025553300"),
        "role": Role.FIRST,
        "started_at": now,
    }
    claim = NewCall(switch_id="switch", lease_until=now + 30 * SECOND, **shared)
    assert isinstance(service.run(claim_call, claim, now), CallClaimed)
    record = CallRecord(
        is_callee_dialled=True,
        ringing_at=now + SECOND,
        answered_at=now + 3 * SECOND,
        callee_answered_at=now + 3 * SECOND,
        bridged_at=now + 3 * SECOND,
        ended_at=now + 13 * SECOND,
        termination=terminate(Reason.CALLER_HUNG_UP),
        **shared,
    )
    service.run(finish_call, record, now)
    return call_id
