"""Idempotency keys over HTTP."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.api.native.asking import Asker, branch_of, by_token, check_problem, holder
from tests.api.service import Service, Tenant
from tests.world import peek, poke

from maskline.api.native.errors import NativeError
from maskline.api.native.idempotency import pack, unpack
from maskline.api.native.kernel import refuse, reply
from maskline.api.native.models.common import ListOf
from maskline.core.access import Permission
from maskline.workflows.idempotency import Answered

PAIR = {"first": "+912025550000", "second": "+912025551111"}


def _post(asker: Asker, path: str, body: object, key: str) -> tuple[int, bytes, bool]:
    answer = asker.ask("POST", path, body, Idempotency_Key=key)
    return answer.status, answer.text, answer.headers.get("idempotent-replayed") == "true"


def test_a_repetition_gets_the_first_answer(tenant: Tenant) -> None:
    """Status and body to the byte, and nothing is made a second time."""
    asker = by_token(tenant)
    first = _post(asker, "/pools", {"name": "blue"}, "k")
    assert (first[0], first[2]) == (201, False)
    assert _post(asker, "/pools", {"name": "blue"}, "k") == (first[0], first[1], True)
    check_problem(asker.ask("POST", "/pools", {"name": "blue"}), 409, "pool-exists")


def test_a_refusal_by_the_work_is_an_answer(tenant: Tenant) -> None:
    """It is kept like any other, also when it would not be refused any more."""
    asker = by_token(tenant)
    asker.ask("POST", "/pools", {"name": "blue"})
    first = _post(asker, "/pools", {"name": "blue"}, "k")
    asker.ask("DELETE", "/pools/blue")
    assert first[0] == 409
    assert _post(asker, "/pools", {"name": "blue"}, "k") == (first[0], first[1], True)


def test_a_body_that_cannot_be_used_is_not_kept(tenant: Tenant) -> None:
    """Nothing was begun: the next request under the key is the first."""
    asker = by_token(tenant)
    assert _post(asker, "/pools", {"name": 5}, "k")[0] == 422
    assert _post(asker, "/pools", b"{", "k")[0] == 400
    assert _post(asker, "/pools", {"name": "blue"}, "k")[0] == 201


def test_a_key_stands_for_one_request(tenant: Tenant) -> None:
    """Another body or path under it is refused."""
    asker = by_token(tenant)
    _post(asker, "/pools", {"name": "blue"}, "k")
    for path, body in (
        ("/pools", {"name": "red"}),
        ("/subaccounts", {"name": "blue"}),
    ):
        answer = asker.ask("POST", path, body, Idempotency_Key="k")
        check_problem(answer, 422, "idempotency-mismatch")


def test_owners_have_keys_of_their_own(service: Service, tenant: Tenant) -> None:
    """Another account's, and a sub-account's, is another key; one account's keys that may the same share theirs."""
    _, by_branch = branch_of(tenant)
    other = by_token(service.new_account())
    answers = [
        _post(asker, "/sessions", PAIR, "k")
        for asker in (holder(service, account=tenant.account), other, holder(service, account=tenant.account))
    ]
    assert [it[0] for it in answers] == [201, 201, 201]
    assert [it[2] for it in answers] == [False, False, True]
    assert answers[0][1] == answers[2][1] != answers[1][1]
    assert _post(by_branch, "/sessions", PAIR, "k")[2] is False


def test_whoever_acts_for_others_has_keys_for_each(service: Service, tenant: Tenant) -> None:
    """The operator's for each account, an account's for each sub-account; and for nobody, one more."""
    other, key = service.new_account(), f"k-{tenant.auth_id}"
    branch, _ = branch_of(tenant)
    assert branch.subaccount is not None
    operator, own = holder(service), holder(service, account=tenant.account)
    for asker in (
        operator.acting_for(tenant.auth_id),
        operator.acting_for(other.auth_id),
        own,
        own.acting_for(branch.subaccount.auth_id),
    ):
        first = _post(asker, "/sessions", PAIR, key)
        assert (first[0] in (200, 201, 409), first[2]) == (True, False)  # a branch without numbers: 409
        assert _post(asker, "/sessions", PAIR, key) == (*first[:2], True)
    account = {"name": f"account {key}"}
    assert [_post(operator, "/accounts", account, key)[::2] for _ in range(2)] == [(201, False), (201, True)]


def test_whoever_may_less_does_not_hear_the_answer(tenant: Tenant) -> None:
    """It may hold the secret of a key that they could not have made."""
    strong = holder(tenant.service, account=tenant.account)
    weak = holder(tenant.service, [Permission.KEYS_WRITE], tenant.account)
    wanted = {"name": "n", "permissions": ["*"]}
    assert _post(strong, "/keys", wanted, "k")[0] == 201
    check_problem(weak.ask("POST", "/keys", wanted, Idempotency_Key="k"), 422, "idempotency-mismatch")
    check_problem(weak.ask("POST", "/keys", wanted, Idempotency_Key="k2"), 403, "not-permitted")


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a b", "\u00e4"])
def test_what_is_no_key_is_refused(tenant: Tenant, key: str) -> None:
    """1 to 255 printable characters."""
    answer = by_token(tenant).ask("POST", "/pools", {"name": "blue"}, Idempotency_Key=key)
    check_problem(answer, 422, "invalid")
    assert answer.body["errors"][0]["pointer"] == "/Idempotency-Key"
    assert by_token(tenant).ask("GET", "/pools").body["data"] == []


def test_after_a_day_it_is_a_new_key(tenant: Tenant) -> None:
    """The first answer is kept for 24 hours."""
    asker, store = by_token(tenant), tenant.service.store
    _post(asker, "/pools", {"name": "blue"}, "k")
    age = 86_400 * 1_000_000
    poke(store, "UPDATE idempotency_key SET created_at = created_at - ? WHERE owner = ?", age, tenant.auth_id)
    assert _post(asker, "/pools", {"name": "blue"}, "k")[0] == 409


@pytest.mark.parametrize(
    ("path", "body", "table", "column"),
    [
        ("/sessions", PAIR, "masking_session", "account_id"),
        ("/keys", {"name": "n", "permissions": ["calls:read"]}, "api_key", "account_id"),
        ("/webhooks", {"url": "https://hooks.example.com/x"}, "webhook_endpoint", "account_id"),
    ],
)
def test_many_at_once_make_one(tenant: Tenant, path: str, body: object, table: str, column: str) -> None:
    """64 requests at the same time under one key: one thing is made, and all hear of it."""
    asker = holder(tenant.service, account=tenant.account)
    before = peek(tenant.service.store, f"SELECT count(*) FROM {table} WHERE {column} = {tenant.account.id}")
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: _post(asker, path, body, "once"), range(64)))
    assert {it[0] for it in answers} == {201}
    assert len({it[1] for it in answers}) == 1
    assert sum(not it[2] for it in answers) == 1
    after = peek(tenant.service.store, f"SELECT count(*) FROM {table} WHERE {column} = {tenant.account.id}")
    assert after[0][0] - before[0][0] == 1


def test_many_at_once_add_numbers_once(tenant: Tenant) -> None:
    """The same for the inventory."""
    operator = holder(tenant.service)
    number = f"+91229{tenant.account.id:08d}"
    body = {"numbers": [number], "trunk": tenant.service.trunk.name, "account": tenant.auth_id}
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: _post(operator, "/numbers", body, number[1:]), range(64)))
    assert {it[0] for it in answers} == {201}
    assert len({it[1] for it in answers}) == 1
    assert sum(not it[2] for it in answers) == 1


def test_an_answer_is_kept_whole() -> None:
    """Status, headers and body; a replayed one says so."""
    for response in (reply(201, ListOf[str](data=["a"])), refuse(NativeError("pool-exists")), reply(204)):
        again = unpack(Answered(answer=pack(response), is_replayed=True))
        assert (again.status_code, again.body) == (response.status_code, response.body)
        assert again.headers["content-type" if response.body else "cache-control"]
        assert again.headers["idempotent-replayed"] == "true"
    assert json.loads(pack(reply(204)))[0] == 204
