import json
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.api.deepcall.conftest import M1, M2, DeepCallTenant

from maskline.core.masking import Role
from maskline.core.routing import CallOrder
from maskline.workflows.take_call_orders import are_call_orders_open, take_call_orders

V1, V2, V3 = "/clickToCall/v1/para", "/v2/clickToCall/para", "/api/v3/clickToCall/para"
M3 = "9120255522"


def click(
    deepcall: DeepCallTenant, path: str = V1, *, method: str = "POST", form: str = "query", **fields: Any
) -> Any:
    """Ask for a call with the user's credentials; return the answer's body."""
    given = {"user_id": deepcall.user_id, "token": deepcall.token, **fields}
    body, query = None, ""
    if form == "query":
        query = "?" + urlencode(given)
    else:
        body = (json.dumps(given) if form == "json" else urlencode(given)).encode()
    answer = deepcall.service.request(method, path + query, body, {})
    assert answer.status == 200
    return answer.body


def take_orders(deepcall: DeepCallTenant) -> list[CallOrder]:
    """The calls of this account that a switch would place now."""
    service = deepcall.service
    now, taken = service.clock.now(), list[CallOrder]()
    while service.run(are_call_orders_open, now):  # other tests leave theirs
        taken += service.run(take_call_orders, "switch", now)
    return [it for it in taken if it.connect.account_id == deepcall.tenant.account.id]


def orders(deepcall: DeepCallTenant) -> list[tuple[str, str, str]]:
    """Their ids, and who is called first and second."""
    return [(it.call_id, it.first.reveal(), it.connect.callee.reveal()) for it in take_orders(deepcall)]


@pytest.mark.parametrize("path", [V1, V2, V1.upper(), V2 + "/"])
@pytest.mark.parametrize(
    ("method", "form"), [("GET", "query"), ("POST", "query"), ("POST", "form"), ("POST", "json")]
)
def test_first_two_versions(deepcall: DeepCallTenant, path: str, method: str, form: str) -> None:
    """In whatever form they are asked, the call that is owed has the id of the answer, and `from` is called first."""
    told = click(deepcall, path, method=method, form=form, **{"from": M1, "to": M2})
    assert list(told) == ["status", "message", "code", "callId", "mask"]
    assert (told["status"], told["code"]) == ("success", 200)
    assert orders(deepcall) == [(told["callId"], f"+91{M1}", f"+91{M2}")]


@pytest.mark.parametrize(
    ("call_first", "first", "second"),
    [("agent", M1, M2), ("Customer", M2, M1), (None, M1, M2)],
)
def test_third_version(deepcall: DeepCallTenant, call_first: str | None, first: str, second: str) -> None:
    """Agent and customer are named, and who is called first is said apart; it is the agent if nothing is."""
    given = {} if call_first is None else {"callFirst": call_first}
    told = click(deepcall, V3, form="json", agent_number=M1, customer=M2, agentType="number", **given)
    assert orders(deepcall) == [(told["callId"], f"+91{first}", f"+91{second}")]


def test_first_of_several_is_called(deepcall: DeepCallTenant) -> None:
    """Of up to five numbers in `from` the first is called; more are refused."""
    told = click(deepcall, **{"from": f"{M1},{M3}", "to": M2})
    assert orders(deepcall) == [(told["callId"], f"+91{M1}", f"+91{M2}")]
    assert click(deepcall, **{"from": ",".join([M1] * 6), "to": M2})["code"] == 1000


@pytest.mark.parametrize(("from_", "to", "role"), [(M1, M2, Role.FIRST), (M2, M1, Role.SECOND)])
def test_live_mask_is_used_either_way_round(
    deepcall: DeepCallTenant, from_: str, to: str, role: Role
) -> None:
    """Who has a mask already keeps it with its end and its own name, whoever of the two is called first."""
    mask = deepcall.set(eventId="first")
    told = click(deepcall, **{"from": from_, "to": to, "eventId": "second"})
    assert told["mask"] == mask["mask"]
    [order] = take_orders(deepcall)
    assert (order.call_id, order.connect.caller_role) == (told["callId"], role)
    [listed] = deepcall.call("callreport/masklist").body["data"]["masks"]
    assert (listed["eventId"], listed["expiry_time"]) == ("first", mask["expiry_time"])


def test_given_number_is_shown(deepcall: DeepCallTenant) -> None:
    """A CLI of the account's is what both see, though another one would have come first."""
    first_fit = click(deepcall, **{"from": M1, "to": M2})["mask"]
    other = next(number for number in deepcall.tenant.numbers if number != f"+{first_fit}")
    told = click(deepcall, V3, agent_number=M1, customer=M3, customerCLI=other[1:], agentCLI=other)
    assert told["mask"] == other[1:]


@pytest.mark.parametrize(
    "given",
    [
        {"customerCLI": "919120255599"},
        {"customerCLI": "not a number"},
        {"customerCLI": "919120255599", "agentCLI": "919120255598"},
        {"agentType": "group"},
        {"callFirst": "nobody"},
        {"agent_number": "12"},
        {"agent_number": ""},
        {"customer": M1},
        {"customer": f"{M2},{M3}"},
        {"fromRingTime": "soon"},
        {"expiry_duration": -1},
    ],
    ids=str,
)
def test_what_cannot_be_done_is_1000(deepcall: DeepCallTenant, given: dict[str, Any]) -> None:
    """And nobody is called."""
    told = click(deepcall, V3, form="json", **({"agent_number": M1, "customer": M2} | given))
    assert (told["status"], told["code"]) == ("error", 1000)
    assert orders(deepcall) == []


@pytest.mark.parametrize(
    ("path", "given", "name"),
    [
        (V1, {"from": "", "to": M2}, "from"),
        (V2, {"from": M1, "to": ""}, "to"),
        (V3, {"agent_number": "", "customer": M2}, "agent_number"),
        (V3, {"agent_number": M1, "customer": "", "callFirst": "customer"}, "customer"),
    ],
)
def test_our_own_numbers_are_nobody(
    deepcall: DeepCallTenant, path: str, given: dict[str, str], name: str
) -> None:
    """A virtual number is no party, and the field that has it is named, whoever would be called first."""
    ours = deepcall.tenant.numbers[0]
    told = click(deepcall, path, form="json", **{**given, name: ours})
    assert (told["code"], told["message"]) == (
        1000,
        f"Invalid parameters: {name} is not a valid phone number",
    )
    assert orders(deepcall) == []


def test_pair_on_another_number_than_the_one_to_show(deepcall: DeepCallTenant) -> None:
    """A live mask is not moved: what was asked for cannot be shown, and nobody is called."""
    mask = deepcall.set()["mask"]
    other = next(number for number in deepcall.tenant.numbers if number != f"+{mask}")
    told = click(deepcall, **{"from": M1, "to": M2, "cli": other})
    assert told["code"] == 1000
    assert orders(deepcall) == []


def test_number_that_is_taken_is_1505(deepcall: DeepCallTenant) -> None:
    """The number to show is busy with one of the two, and no other one was asked for."""
    mask = deepcall.set()["mask"]
    assert click(deepcall, **{"from": M1, "to": M3, "cli": mask})["code"] == 1505


@pytest.mark.parametrize(("given", "code"), [({"token": "wrong"}, 1014), ({"token": ""}, 1000)])
def test_credentials_are_asked_for(deepcall: DeepCallTenant, given: dict[str, Any], code: int) -> None:
    """A wrong token is 1014, none is 1000."""
    assert click(deepcall, **{"from": M1, "to": M2}, **given)["code"] == code
    assert orders(deepcall) == []


def test_looking_places_no_call(deepcall: DeepCallTenant) -> None:
    """HEAD, by which nobody means a call, is refused."""
    query = urlencode({"user_id": deepcall.user_id, "token": deepcall.token, "from": M1, "to": M2})
    assert deepcall.service.request("HEAD", f"{V1}?{query}", None, {}).status == 405
    assert orders(deepcall) == []


@pytest.mark.parametrize(
    ("given", "ring_timeout_s"),
    [
        ({}, 45),
        ({"fromRingTime": 20, "toRingTime": "30"}, 30),
        ({"fromRingTime": 1}, 5),
        ({"toRingTime": 999}, 120),
    ],
    ids=str,
)
def test_ring_times(deepcall: DeepCallTenant, given: dict[str, Any], ring_timeout_s: int) -> None:
    """The longer of both counts, within what the service allows."""
    click(deepcall, V2, **{"from": M1, "to": M2}, **given)
    [order] = take_orders(deepcall)
    assert order.connect.ring_timeout_s == ring_timeout_s
