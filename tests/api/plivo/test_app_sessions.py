"""Sessions with calls, and sessions of sub-accounts, as clients see them."""

import uuid

from tests.api.service import PAIR, Service, Tenant, basic

from maskline.core.call_record import CallRecord
from maskline.core.inventory import NewNumbers, Subaccount
from maskline.core.masking import Role
from maskline.core.numbers import DID, E164
from maskline.core.termination import Reason, terminate
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.finish_call import finish_call
from maskline.workflows.numbers import NumbersAdded, add_numbers

SECOND_US = 1_000_000


def finish(tenant: Tenant, session_uuid: str, *, is_answered: bool) -> None:
    """A call of the session: dialled now, answered after 4 s, over after 20 s."""
    service = tenant.service
    started_at = service.clock.now()
    service.manual_clock.advance(s=20)
    answered_at = started_at + 4 * SECOND_US if is_answered else None
    record = CallRecord(
        call_id=uuid.uuid4().hex,
        session_id=session_uuid,
        account_id=tenant.account.id,
        number=tenant.numbers[0],
        caller=E164(PAIR["first_party"]),
        callee=E164(PAIR["second_party"]),
        role=Role.FIRST,
        is_callee_dialled=True,
        started_at=started_at,
        ringing_at=started_at + SECOND_US,
        answered_at=answered_at,
        callee_answered_at=answered_at,
        bridged_at=answered_at,
        ended_at=service.clock.now(),
        termination=terminate(Reason.CALLER_HUNG_UP if is_answered else Reason.CALLEE_NO_ANSWER),
    )
    service.run(finish_call, record, service.clock.now())


def test_calls_appear_as_interactions(tenant: Tenant) -> None:
    """With legs, durations and totals; `null` before the first."""
    created = tenant.create()
    path = f"/Masking/Session/{created['session_uuid']}/"
    assert created["session"]["interaction"] is None
    finish(tenant, created["session_uuid"], is_answered=True)
    finish(tenant, created["session_uuid"], is_answered=False)
    session = tenant.request("GET", path).body["response"]
    answered, missed = session["interaction"]
    assert (answered["type"], answered["total_call_count"], answered["duration"]) == ("call", 2, 32)
    assert answered["call_billed_duration"] == 32
    urls = {answered["first_party_resource_url"], answered["second_party_resource_url"]}
    assert len(urls) == 2
    assert all(url.startswith(f"http://maskline.test/v1/Account/{tenant.auth_id}/Call/") for url in urls)
    assert (missed["total_call_count"], missed["duration"]) == (2, 0)
    assert "call_billed_duration" not in missed
    assert session["total_call_count"] == 4
    assert session["total_call_billed_duration"] == 32
    assert session["last_interaction_time"] == missed["end_time"]
    listed = tenant.request("GET", "/Masking/Session/").body["response"]["objects"][0]
    assert listed["interaction"] == session["interaction"]


def new_subaccount(tenant: Tenant, serial: int) -> tuple[Subaccount, DID]:
    """A sub-account with one number only it may use."""
    service = tenant.service
    subaccount = service.run(create_subaccount, tenant.account, f"part {serial}", service.clock.now())
    assert isinstance(subaccount, Subaccount)
    number = DID(f"+9144{tenant.account.id:04d}{serial:04d}")
    new = NewNumbers(
        numbers=(number,),
        account_id=tenant.account.id,
        trunk_id=service.trunk.id,
        subaccount_id=subaccount.id,
    )
    assert isinstance(service.run(add_numbers, new, service.clock.now()), NumbersAdded)
    return subaccount, number


def test_a_named_subaccount_uses_its_numbers_and_is_echoed(tenant: Tenant) -> None:
    """An unknown one is refused; lists filter by it."""
    subaccount, number = new_subaccount(tenant, 1)
    created = tenant.create(subaccount=subaccount.auth_id)
    assert created["virtual_number"] == number
    assert created["session"]["subaccount"] == subaccount.auth_id
    other = tenant.create(second_party="+912025559999")
    assert other["virtual_number"] == tenant.numbers[0]
    assert "subaccount" not in other["session"]
    for name in ("subaccount", "sub_account"):
        listed = tenant.request("GET", f"/Masking/Session/?{name}={subaccount.auth_id}").body["response"]
        assert [it["session_uuid"] for it in listed["objects"]] == [created["session_uuid"]]
    unknown = tenant.request("POST", "/Masking/Session/", PAIR | {"subaccount": "SA" + "Z" * 18})
    assert unknown.status == 400


def test_a_subaccount_sees_only_its_own(service: Service, tenant: Tenant) -> None:
    """With credentials of its own, on its own path."""
    subaccount, number = new_subaccount(tenant, 1)
    others = tenant.create()["session_uuid"]
    path = f"/v1/Account/{subaccount.auth_id}/Masking/Session/"
    headers = basic(subaccount.auth_id, subaccount.token.reveal())
    body = b'{"first_party": "+912025557777", "second_party": "+912025558888"}'
    created = service.request("POST", path, body, headers).body
    assert created["virtual_number"] == number
    listed = service.request("GET", path, headers=headers).body["response"]
    assert [it["session_uuid"] for it in listed["objects"]] == [created["session_uuid"]]
    for method in ("GET", "DELETE"):
        assert service.request(method, f"{path}{others}/", headers=headers).status == 404
        assert service.request(method, f"{path}{created['session_uuid']}/", headers=headers).status == 200
    assert service.request("GET", tenant.path + "/Masking/Session/", headers=headers).status == 401
    named = service.request("GET", f"{path}?subaccount=SA{'Z' * 18}", headers=headers)
    assert named.status == 400
    assert tenant.request("GET", f"/Masking/Session/{others}/").body["response"]["status"] == "active"
