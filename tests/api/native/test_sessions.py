import uuid
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.api.native.tenant_requests import PAIR, ask, check_problem, make, new_key
from tests.api.service import Service, Tenant, basic

from maskline.api.native.models.sessions import Session
from maskline.clock import from_datetime, to_datetime
from maskline.core.access import Permission
from maskline.core.inventory import AllocationPolicy, NewNumbers, Subaccount
from maskline.core.numbers import DID
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.numbers import add_numbers
from maskline.workflows.pools import create_pool

SECOND = 1_000_000
DAY_S = 86_400
HOOK = "https://hooks.example.com/told"
EVERYTHING: dict[str, Any] = {
    "expires_in_s": 7200,
    "call_time_limit_s": 600,
    "ring_timeout_s": 20,
    "cooloff_s": 3 * 3600,
    "record": True,
    "record_format": "wav",
    "recording_callback_url": HOOK + "/recording",
    "recording_callback_method": "GET",
    "callback_url": HOOK,
    "callback_method": "GET",
    "first_prompt_url": HOOK + "/first.mp3",
    "second_prompt_url": HOOK + "/second.mp3",
    "unknown_caller_prompt_url": HOOK + "/unknown.mp3",
    "call_first_party": True,
    "geomatch": True,
    "single_party": True,
    "reference": "order 4711",
}


def _instant(at: int) -> str:
    return to_datetime(at).isoformat(timespec="microseconds").replace("+00:00", "Z")


def test_a_session_has_all_its_options(tenant: Tenant) -> None:
    """What was asked for is answered, by creation, look-up and list alike, in the form of the model."""
    pin = {
        "first": "1234",
        "second": "987654",
        "prompt_url": HOOK + "/pin.mp3",
        "incorrect_prompt_url": HOOK + "/wrong.mp3",
        "retry_count": 3,
        "retry_wait_s": 7,
        "forced": True,
    }
    made = make(tenant, **EVERYTHING, pin=pin)
    expected = {name: value for name, value in EVERYTHING.items() if name != "expires_in_s"}
    assert {name: made[name] for name in expected} == expected
    assert {name: made["pin"][name] for name in pin} == pin
    assert made["pin"]["generated"] is False
    assert (made["object"], made["status"], made["virtual_number"]) == (
        "session",
        "active",
        tenant.numbers[0],
    )
    assert (made["first"], made["second"]) == (PAIR["first"], PAIR["second"])
    now = tenant.service.clock.now()
    assert (made["created_at"], made["ends_at"]) == (_instant(now), _instant(now + 7200 * SECOND))
    assert (made["ended_at"], made["end_cause"], made["last_call_at"]) == (None, None, None)
    assert ask(tenant, "GET", f"/sessions/{made['id']}").body == made
    assert ask(tenant, "GET", "/sessions").body == {
        "object": "list",
        "data": [made],
        "next": None,
        "has_more": False,
    }
    assert Session.model_validate(made).id == made["id"]


def test_absent_is_null_and_defaults_are_told(tenant: Tenant) -> None:
    """Two parties are enough: half an hour, no callbacks, nothing recorded, geomatch off."""
    made = make(tenant)
    names = ("callback_url", "recording_callback_url", "first_prompt_url", "reference", "subaccount", "pin")
    assert {made[name] for name in names} == {None}
    assert (made["record"], made["geomatch"], made["single_party"], made["cooloff_s"]) == (
        False,
        False,
        False,
        0,
    )
    assert from_datetime(datetime.fromisoformat(made["ends_at"])) == (
        tenant.service.clock.now() + 1800 * SECOND
    )


@pytest.mark.parametrize("expires_in_s", [60, 365 * DAY_S])
def test_sessions_may_be_short_and_long(tenant: Tenant, expires_in_s: int) -> None:
    """From a minute to a year, by seconds or by the end."""
    now = tenant.service.clock.now()
    made = make(tenant, expires_in_s=expires_in_s)
    assert made["ends_at"] == _instant(now + expires_in_s * SECOND)
    again = make(tenant, second="+912025552222", ends_at=made["ends_at"])
    assert again["ends_at"] == made["ends_at"]


def test_generated_pins_are_for_whoever_may_write(tenant: Tenant) -> None:
    """Its creator needs them; a key that only reads gets the session without."""
    made = make(tenant, pin={"length": 6})
    assert made["pin"]["generated"] is True
    assert {len(made["pin"]["first"]), len(made["pin"]["second"])} == {6}
    _, reader = new_key(tenant, Permission.SESSIONS_READ)
    seen = ask(tenant, "GET", f"/sessions/{made['id']}", **reader).body
    assert (seen["pin"]["first"], seen["pin"]["second"], seen["pin"]["length"]) == (None, None, 6)
    assert ask(tenant, "GET", "/sessions", **reader).body["data"] == [seen]
    _, writer = new_key(tenant, Permission.SESSIONS_WRITE)
    assert ask(tenant, "GET", f"/sessions/{made['id']}", **writer).body == made
    check_problem(ask(tenant, "DELETE", f"/sessions/{made['id']}", **reader), 403, "not-permitted")
    check_problem(ask(tenant, "POST", "/sessions", PAIR, **reader), 403, "not-permitted")


@pytest.mark.parametrize(
    ("field", "needed"),
    [
        ("callback_url", {Permission.CALLS_READ}),
        ("recording_callback_url", {Permission.CALLS_READ, Permission.RECORDINGS_READ}),
    ],
)
def test_callbacks_go_where_who_may_read_sends_them(
    tenant: Tenant, field: str, needed: set[Permission]
) -> None:
    """As with webhooks: who may not read all that a callback tells has it sent nowhere, but may end it."""
    readers = {Permission.CALLS_READ, Permission.RECORDINGS_READ}
    _, able = new_key(tenant, Permission.SESSIONS_WRITE, *needed)
    for missing in needed:
        _, writer = new_key(tenant, Permission.SESSIONS_WRITE, *(readers - {missing}))
        check_problem(ask(tenant, "POST", "/sessions", PAIR | {field: HOOK}, **writer), 403, "not-permitted")
        made = ask(tenant, "POST", "/sessions", PAIR | {field: None}, **writer)
        assert (made.status, made.body[field]) == (201, None)
        path = f"/sessions/{made.body['id']}"
        check_problem(ask(tenant, "PATCH", path, {field: HOOK}, **writer), 403, "not-permitted")
        assert ask(tenant, "PATCH", path, {field: HOOK}, **able).body[field] == HOOK
        assert ask(tenant, "PATCH", path, {"ring_timeout_s": 30}, **writer).body[field] == HOOK
        assert ask(tenant, "PATCH", path, {field: None}, **writer).body[field] is None
        ask(tenant, "DELETE", path, **writer)


def test_a_repetition_is_told_by_its_status(tenant: Tenant) -> None:
    """200 for one that was there: changed, as it is, or refused with its id."""
    made = make(tenant, reference="one")
    again = ask(tenant, "POST", "/sessions", PAIR | {"reference": "two"})
    assert (again.status, again.body["id"], again.body["reference"]) == (200, made["id"], "two")
    reused = ask(tenant, "POST", "/sessions", PAIR | {"reference": "three", "on_repeat": "reuse"})
    assert (reused.status, reused.body["reference"]) == (200, "two")
    body = check_problem(ask(tenant, "POST", "/sessions", PAIR | {"on_repeat": "refuse"}), 409, "pair-live")
    assert body["session_id"] == made["id"]


def test_the_order_of_a_pair_may_count_or_not(tenant: Tenant) -> None:
    """Ordered by default; unordered, the pair the other way round is the same."""
    reversed_ = {"first": PAIR["second"], "second": PAIR["first"]}
    assert make(tenant)["id"] != make(tenant, **reversed_)["id"]
    unordered = make(tenant, ordered_pair=False)
    answer = ask(tenant, "POST", "/sessions", reversed_ | {"ordered_pair": False})
    assert (answer.status, answer.body["id"]) == (200, unordered["id"])


def test_an_exhausted_pool_says_why(service: Service) -> None:
    """The reason and how many numbers would have been enough."""
    tenant = service.new_account(1)
    make(tenant)
    body = check_problem(
        ask(tenant, "POST", "/sessions", PAIR | {"second": "+912025552222"}), 409, "pool-exhausted"
    )
    assert (body["reason"], body["needed"]) == ("parties-busy", 2)
    nobody = service.new_account(0)
    body = check_problem(ask(nobody, "POST", "/sessions", PAIR), 409, "pool-exhausted")
    assert (body["reason"], body["needed"]) == ("no-numbers", 1)


def test_a_pool_narrows_the_choice(tenant: Tenant) -> None:
    """Only its numbers are given out; a pool that is not there is refused."""
    service = tenant.service
    service.run(create_pool, tenant.account.id, "city", AllocationPolicy.FIRST_FIT, service.clock.now())
    body = check_problem(ask(tenant, "POST", "/sessions", PAIR | {"pool": "city"}), 409, "pool-exhausted")
    assert body["reason"] == "no-numbers"
    check_problem(ask(tenant, "POST", "/sessions", PAIR | {"pool": "country"}), 422, "invalid", "/pool")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"first": None, "second": None}, "/first"),
        ({"first": "912025550000"}, "/first"),
        ({"first": 912025550000}, "/first"),
        ({"first": "+91"}, "/first"),
        ({"expires_in_s": 59}, "/expires_in_s"),
        ({"expires_in_s": 365 * DAY_S + 1}, "/expires_in_s"),
        ({"expires_in_s": "60"}, "/expires_in_s"),
        ({"expires_in_s": True}, "/expires_in_s"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at"),
        ({"ends_at": "9999-12-31T23:59:59Z"}, "/ends_at"),
        ({"ends_at": "tomorrow"}, "/ends_at"),
        ({"ends_at": "2040-01-01T00:00:00Z", "expires_in_s": 60}, "/ends_at"),
        ({"call_time_limit_s": 59}, "/call_time_limit_s"),
        ({"ring_timeout_s": 121}, "/ring_timeout_s"),
        ({"cooloff_s": 86_401}, "/cooloff_s"),
        ({"cooloff_s": -1}, "/cooloff_s"),
        ({"record": "yes"}, "/record"),
        ({"record_format": "ogg"}, "/record_format"),
        ({"callback_url": "ftp://example.com"}, "/callback_url"),
        ({"callback_url": "https://example.com/" + "x" * 1000}, "/callback_url"),
        ({"callback_method": "PUT"}, "/callback_method"),
        ({"reference": ""}, "/reference"),
        ({"reference": "x" * 201}, "/reference"),
        ({"reference": "a\u0000b"}, "/reference"),
        ({"pin": {"first": "12345", "second": "12345"}}, "/pin/second"),
        ({"pin": {"first": "12345"}}, "/pin/second"),
        ({"pin": {"second": "12345"}}, "/pin/first"),
        ({"pin": {"first": "123", "second": "4567"}}, "/pin/first"),
        ({"pin": {"generate": True, "first": "1234", "second": "4567"}}, "/pin/generate"),
        ({"pin": {"generate": False}}, "/pin/first"),
        ({"pin": {"length": 3}}, "/pin/length"),
        ({"pin": {"secret": "x"}}, "/pin/secret"),
        ({"second": None, "call_first_party": True}, "/call_first_party"),
        ({"subaccount": "SA" + "0" * 18}, "/subaccount"),
        ({"on_repeat": "replace"}, "/on_repeat"),
        ({"no_such_field": 1}, "/no_such_field"),
    ],
)
def test_what_makes_no_session(tenant: Tenant, fields: dict[str, Any], pointer: str) -> None:
    """A value that cannot be used is pointed at, and nothing is made."""
    answer = ask(tenant, "POST", "/sessions", PAIR | fields)
    check_problem(answer, 422, "invalid", pointer)
    assert ask(tenant, "GET", "/sessions").body["data"] == []


def test_parties_are_people_and_two(tenant: Tenant) -> None:
    """One person is no pair, and our own numbers are nobody."""
    check_problem(
        ask(tenant, "POST", "/sessions", PAIR | {"second": PAIR["first"]}), 422, "parties-equal", "/second"
    )
    body = PAIR | {"second": tenant.numbers[0]}
    check_problem(ask(tenant, "POST", "/sessions", body), 422, "party-is-virtual", "/second")


def test_an_idempotency_key_makes_one_session(tenant: Tenant) -> None:
    """The second answer is the first one, generated PINs included, also when the end has come near meanwhile."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    ends_at = _instant(tenant.service.clock.now() + 90 * SECOND)
    body = PAIR | {"pin": {}, "ends_at": ends_at}
    first = ask(tenant, "POST", "/sessions", body, **headers)
    tenant.service.manual_clock.advance(s=60)
    second = ask(tenant, "POST", "/sessions", body, **headers)
    assert (first.status, second.status, first.text) == (201, 201, second.text)
    assert second.headers["idempotent-replayed"] == "true"
    check_problem(ask(tenant, "POST", "/sessions", PAIR, **headers), 422, "idempotency-mismatch")


def test_a_live_session_is_changed(tenant: Tenant) -> None:
    """What is given replaces, what is absent stays, null takes away."""
    made = make(tenant, **EVERYTHING | {"call_first_party": False})
    answer = ask(
        tenant,
        "PATCH",
        f"/sessions/{made['id']}",
        {"expires_in_s": 100, "record": False, "reference": None, "callback_url": None, "ring_timeout_s": 30},
    )
    assert answer.status == 200, answer.text
    changed = {
        "record": False,
        "reference": None,
        "callback_url": None,
        "ring_timeout_s": 30,
        "ends_at": _instant(tenant.service.clock.now() + 100 * SECOND),
        "modified_at": answer.body["modified_at"],
    }
    assert answer.body == made | changed
    assert ask(tenant, "GET", f"/sessions/{made['id']}").body == answer.body


def test_the_other_party_joins_a_single_one(tenant: Tenant) -> None:
    """Where the session was made for one; where not, the party is refused and nothing changes."""
    single = make(tenant, second=None)
    assert (single["single_party"], single["second"]) == (True, None)
    path = f"/sessions/{single['id']}"
    check_problem(ask(tenant, "PATCH", path, {"second": PAIR["first"]}), 409, "party-occupied", "/second")
    check_problem(
        ask(tenant, "PATCH", path, {"second": tenant.numbers[0]}), 422, "party-is-virtual", "/second"
    )
    joined = ask(tenant, "PATCH", path, {"second": PAIR["second"]})
    assert (joined.status, joined.body["second"]) == (200, PAIR["second"])
    pair = make(tenant, first="+912025553333")
    answer = ask(tenant, "PATCH", f"/sessions/{pair['id']}", {"second": "+912025554444", "record": True})
    check_problem(answer, 409, "party-fixed", "/second")
    assert ask(tenant, "GET", f"/sessions/{pair['id']}").body == pair
    same = ask(tenant, "PATCH", f"/sessions/{pair['id']}", {"second": pair["second"]})
    assert same.status == 200


def test_what_changes_nothing(tenant: Tenant) -> None:
    """Values out of range, two ends, one party twice."""
    path = f"/sessions/{make(tenant)['id']}"
    check_problem(ask(tenant, "PATCH", path, {"ring_timeout_s": 1}), 422, "invalid", "/ring_timeout_s")
    check_problem(ask(tenant, "PATCH", path, {"pin": {}}), 422, "invalid", "/pin")
    check_problem(ask(tenant, "PATCH", path, {"ends_at": "2020-01-01T00:00:00Z"}), 422, "invalid", "/ends_at")
    two_ends = {"ends_at": "2026-12-01T00:00:00Z", "expires_in_s": 60}
    check_problem(ask(tenant, "PATCH", path, two_ends), 422, "invalid", "/ends_at")
    twice = {"first": PAIR["first"], "second": PAIR["first"]}
    check_problem(ask(tenant, "PATCH", path, twice), 422, "parties-equal", "/second")


def test_a_session_is_ended_once(tenant: Tenant) -> None:
    """The answer is the ended session; after that there is nothing to end or change."""
    made = make(tenant)
    tenant.service.manual_clock.advance(s=1)
    now = _instant(tenant.service.clock.now())
    ended = ask(tenant, "DELETE", f"/sessions/{made['id']}")
    assert (ended.status, ended.body["status"], ended.body["end_cause"]) == (200, "expired", "deleted")
    assert (ended.body["ends_at"], ended.body["ended_at"]) == (now, now)
    check_problem(ask(tenant, "DELETE", f"/sessions/{made['id']}"), 409, "session-ended")
    check_problem(ask(tenant, "PATCH", f"/sessions/{made['id']}", {}), 409, "session-ended")


def test_a_session_expires_by_the_clock(tenant: Tenant) -> None:
    """At its end it is over, whether it was swept or not."""
    made = make(tenant, expires_in_s=60)
    tenant.service.manual_clock.advance(s=60)
    body = ask(tenant, "GET", f"/sessions/{made['id']}").body
    assert (body["status"], body["end_cause"], body["ended_at"]) == ("expired", "expired", made["ends_at"])


def test_lists_go_on_where_they_were(tenant: Tenant) -> None:
    """Page by page newest first, each session once, whatever is made meanwhile."""
    made = [make(tenant, second=f"+91202555{index:04}", expires_in_s=DAY_S)["id"] for index in range(1, 6)]
    seen: list[str] = []
    query = "?limit=2"
    while query:
        page = ask(tenant, "GET", "/sessions" + query).body
        seen += [it["id"] for it in page["data"]]
        tenant.service.manual_clock.advance(us=1)
        make(tenant, first=f"+91202556{len(seen):04}")
        assert page["has_more"] == (page["next"] is not None)
        query = f"?limit=2&after={page['next']}" if page["next"] else ""
    assert sorted(seen) == sorted(made)
    assert len(seen) == len(made)


def test_lists_are_filtered(tenant: Tenant) -> None:
    """By status, parties, number, reference, time of creation and sub-account."""
    service = tenant.service
    old = make(tenant, reference="a b+c", expires_in_s=60)
    service.manual_clock.advance(s=100)
    new = make(tenant, first="+912025557777")
    midway = _instant(service.clock.now() - 50 * SECOND)
    for query, expected in (
        ("status=active", [new]),
        ("status=expired", [old]),
        ("status=in-progress", []),
        ("first=%2B912025557777", [new]),
        ("first=+912025557777", [new]),
        ("second=%2B912025551111", [new, old]),
        (f"virtual_number=%2B{old['virtual_number'][1:]}", [new, old]),
        (f"virtual_number=%2B{tenant.numbers[-1][1:]}", []),
        ("reference=a%20b%2Bc", [old]),
        (f"created_after={midway}", [new]),
        (f"created_before={midway}", [old]),
        (f"created_after={new['created_at']}", []),
        (f"status=active&created_before={midway}", []),
    ):
        answer = ask(tenant, "GET", f"/sessions?{query}")
        assert answer.status == 200, answer.text
        assert [it["id"] for it in answer.body["data"]] == [it["id"] for it in expected], query


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("limit=0", 422, "invalid"),
        ("limit=101", 422, "invalid"),
        ("first=5", 422, "invalid"),
        ("status=over", 422, "invalid"),
        ("created_after=now", 422, "invalid"),
        ("subaccount=SA000000000000000000", 422, "invalid"),
        ("page=2", 422, "invalid"),
        ("after=x", 400, "cursor-invalid"),
        ("after=" + "x" * 401, 422, "invalid"),
    ],
)
def test_queries_are_checked(tenant: Tenant, query: str, status: int, code: str) -> None:
    """An unknown or wrong parameter is said, not passed over."""
    check_problem(ask(tenant, "GET", f"/sessions?{query}"), status, code)


def test_a_subaccount_sees_and_makes_its_own(tenant: Tenant) -> None:
    """Others' sessions are not there for it; the account sees and filters all."""
    service = tenant.service
    made = service.run(create_subaccount, tenant.account, "branch", service.clock.now())
    assert isinstance(made, Subaccount)
    number = DID(tenant.numbers[-1][:-2] + "99")
    new = NewNumbers(
        numbers=(number,), account_id=tenant.account.id, trunk_id=service.trunk.id, subaccount_id=made.id
    )
    service.run(add_numbers, new, service.clock.now())
    branch = basic(made.auth_id, made.token.reveal())
    of_account = make(tenant)
    own = ask(tenant, "POST", "/sessions", PAIR, **branch)
    assert (own.status, own.body["subaccount"], own.body["virtual_number"]) == (201, made.auth_id, number)
    named = ask(tenant, "POST", "/sessions", PAIR | {"subaccount": made.auth_id})
    assert (named.status, named.body["id"]) == (200, own.body["id"])
    assert [it["id"] for it in ask(tenant, "GET", "/sessions", **branch).body["data"]] == [own.body["id"]]
    filtered = ask(tenant, "GET", f"/sessions?subaccount={made.auth_id}").body["data"]
    assert [it["id"] for it in filtered] == [own.body["id"]]
    for method, body in (("GET", None), ("PATCH", {"record": True}), ("DELETE", None)):
        answer = ask(tenant, method, f"/sessions/{of_account['id']}", body, **branch)
        check_problem(answer, 404, "not-found")
    assert ask(tenant, "DELETE", f"/sessions/{own.body['id']}", **branch).status == 200


def test_other_accounts_sessions_look_missing(service: Service, tenant: Tenant) -> None:
    """As do ids that never were."""
    id_ = make(tenant)["id"]
    other = service.new_account(0)
    for path in (f"/sessions/{id_}", "/sessions/x", f"/sessions/{uuid.uuid4()}"):
        for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
            check_problem(ask(other, method, path, body), 404, "not-found")
    assert ask(tenant, "GET", f"/sessions/{id_}").body["status"] == "active"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [*EVERYTHING, "first", "second", "pin", "ends_at", "pool", "subaccount", "on_repeat"]
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(FIELDS | st.text(max_size=10), JSON, max_size=4) | JSON,
    st.sampled_from(["POST", "PATCH"]),
)
def test_no_body_makes_the_service_fail(service: Service, body: Any, method: str) -> None:
    """Whatever JSON comes: an answer of the dialect, never a failure."""
    tenant = _tenant_of(service)
    path = "/sessions" if method == "POST" else f"/sessions/{uuid.UUID(int=7)}"
    if isinstance(body, dict):
        body = PAIR | body if method == "POST" else body
    answer = ask(tenant, method, path, body)
    assert answer.status < 500, answer.text


_tenants: dict[int, Tenant] = {}


def _tenant_of(service: Service) -> Tenant:
    """One account for all examples of a property."""
    if id(service) not in _tenants:
        _tenants[id(service)] = service.new_account()
    return _tenants[id(service)]
