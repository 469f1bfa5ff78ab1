import uuid
from dataclasses import replace
from typing import Any

from tests.api.native.tenant_requests import PAIR, ask, check_problem, make
from tests.api.service import Service, Tenant

from maskline.api.native.models.calls import Call
from maskline.core.call_record import CallClaimed, CallRecord, NewCall, RefusedCall
from maskline.core.masking import Role
from maskline.core.numbers import DID, E164
from maskline.core.termination import Reason, terminate
from maskline.workflows.claim_call import claim_call
from maskline.workflows.finish_call import finish_call
from maskline.workflows.record_refused_call import record_refused_call

SECOND = 1_000_000


def _claim(tenant: Tenant, session: Any) -> str:
    """A call of the first party that is being set up; its id."""
    service, call_id = tenant.service, str(uuid.uuid4())
    now = service.clock.now()
    new = NewCall(
        call_id=call_id,
        switch_id="switch",
        session_id=session["id"],
        account_id=tenant.account.id,
        number=DID(session["virtual_number"]),
        caller=E164(session["first"]),
        callee=E164(session["second"]),
        role=Role.FIRST,
        started_at=now,
        lease_until=now + 30 * SECOND,
    )
    assert isinstance(service.run(claim_call, new, now), CallClaimed)
    return call_id


def _finish(tenant: Tenant, session: Any, call_id: str, **changed: Any) -> None:
    """The call talked for ten seconds and was hung up by its caller."""
    now = tenant.service.clock.now()
    record = CallRecord(
        call_id=call_id,
        session_id=session["id"],
        account_id=tenant.account.id,
        number=DID(session["virtual_number"]),
        caller=E164(session["first"]),
        callee=E164(session["second"]),
        role=Role.FIRST,
        is_callee_dialled=True,
        started_at=now,
        ringing_at=now + SECOND,
        answered_at=now + 3 * SECOND,
        callee_answered_at=now + 3 * SECOND,
        bridged_at=now + 3 * SECOND,
        ended_at=now + 13 * SECOND,
        termination=terminate(Reason.CALLER_HUNG_UP),
    )
    tenant.service.run(finish_call, replace(record, **changed), now)


def _refuse(tenant: Tenant) -> str:
    """A stranger's call that met no session; its id."""
    service, call_id = tenant.service, str(uuid.uuid4())
    now = service.clock.now()
    refused = RefusedCall(
        call_id=call_id,
        number=tenant.numbers[0],
        account_id=tenant.account.id,
        session_id=None,
        caller=E164("+919800000001"),
        role=None,
        started_at=now,
        ended_at=now,
        termination=terminate(Reason.NO_SESSION),
    )
    service.run(record_refused_call, refused, now)
    return call_id


def _ids(tenant: Tenant, query: str = "", **headers: str) -> list[str]:
    answer = ask(tenant, "GET", f"/calls?{query}", **headers)
    assert answer.status == 200, answer.text
    return [it["id"] for it in answer.body["data"]]


def test_a_call_runs_and_is_over(tenant: Tenant) -> None:
    """While it runs it is among the live ones; then it has legs and an ending."""
    session = make(tenant)
    id_ = _claim(tenant, session)
    live = ask(tenant, "GET", f"/calls/{id_}").body
    assert (live["status"], live["legs"], live["termination"], live["ended_at"]) == ("live", [], None, None)
    assert (live["caller"], live["callee"], live["caller_role"]) == (PAIR["first"], PAIR["second"], "first")
    assert (_ids(tenant, "status=live"), _ids(tenant)) == ([id_], [])
    assert [it["id"] for it in ask(tenant, "GET", "/sessions?status=in-progress").body["data"]] == [
        session["id"]
    ]
    _finish(tenant, session, id_)
    call = ask(tenant, "GET", f"/calls/{id_}").body
    assert (_ids(tenant, "status=live"), _ids(tenant)) == ([], [id_])
    assert (call["status"], call["session_id"], call["duration_s"]) == ("finished", session["id"], 20)
    assert call["termination"] == {
        "result": "success",
        "reason": "caller-hung-up",
        "q850": 16,
        "sip_status": 487,
    }
    told = [(leg["side"], leg["role"], leg["status"], leg["duration_s"]) for leg in call["legs"]]
    assert told == [("a", "first", "completed", 10), ("b", "second", "completed", 10)]
    assert call["legs"][0]["id"] != call["legs"][1]["id"]
    assert Call.model_validate(call).id == id_
    after = ask(tenant, "GET", f"/sessions/{session['id']}").body
    assert (after["leg_count"], after["talk_s"], after["last_call_at"]) == (2, 20, call["ended_at"])


def test_refused_calls_are_the_accounts(tenant: Tenant) -> None:
    """A call that met no session has one leg, nobody at the other end, and no session."""
    id_ = _refuse(tenant)
    call = ask(tenant, "GET", f"/calls/{id_}").body
    assert (call["session_id"], call["callee"], call["caller_role"]) == (None, None, None)
    assert [(leg["side"], leg["status"]) for leg in call["legs"]] == [("a", "rejected")]
    assert call["termination"]["reason"] == "no-session"


def test_calls_are_filtered_and_paged(tenant: Tenant) -> None:
    """By session, result and time; newest first, each once."""
    clock = tenant.service.manual_clock
    session, other = make(tenant), make(tenant, second="+912025552222")
    ids = []
    for index in range(3):
        ids.append(_claim(tenant, session))
        _finish(tenant, session, ids[-1])
        clock.advance(s=1)
        if index == 1:
            midway = ask(tenant, "GET", f"/calls/{ids[-1]}").body["started_at"]
    refused = _refuse(tenant)
    assert _ids(tenant) == [refused, *reversed(ids)]
    assert _ids(tenant, f"session_id={session['id']}") == ids[::-1]
    assert _ids(tenant, f"session_id={other['id']}") == []
    assert _ids(tenant, "result=success") == ids[::-1]
    assert _ids(tenant, f"started_after={midway}") == [refused, ids[2]]
    assert _ids(tenant, f"started_before={midway}") == [ids[0]]
    first = ask(tenant, "GET", "/calls?limit=3").body
    second = ask(tenant, "GET", f"/calls?limit=3&after={first['next']}").body
    assert [it["id"] for it in first["data"] + second["data"]] == [refused, *reversed(ids)]
    assert (first["has_more"], second["has_more"], second["next"]) == (True, False, None)


def test_queries_are_checked(tenant: Tenant) -> None:
    """A live call has no result; other lists' cursors are none of this one's."""
    check_problem(ask(tenant, "GET", "/calls?status=live&result=us"), 422, "invalid", "/result")
    check_problem(ask(tenant, "GET", "/calls?status=over"), 422, "invalid", "/status")
    for index in range(2):
        make(tenant, second=f"+91202555222{index}")
    cursor = ask(tenant, "GET", "/sessions?limit=1").body["next"]
    check_problem(ask(tenant, "GET", f"/calls?after={cursor}"), 400, "cursor-invalid")


def test_other_accounts_calls_look_missing(service: Service, tenant: Tenant) -> None:
    """Lists do not show them, and naming them is answered as if they were not there."""
    session = make(tenant)
    live = _claim(tenant, session)
    refused = _refuse(tenant)
    other = service.new_account(0)
    assert (_ids(other), _ids(other, "status=live")) == ([], [])
    for id_ in (live, refused, "x"):
        check_problem(ask(other, "GET", f"/calls/{id_}"), 404, "not-found")
