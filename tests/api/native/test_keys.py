"""API keys over HTTP."""

import pytest
from tests.api.native.asking import Asker, bearer, branch_of, by_token, check_problem, holder
from tests.api.service import Service, Tenant

from maskline.core.access import KEY_COUNT_MAX, NewApiKey, Permission
from maskline.workflows.api_keys import create_key, list_keys


def _new(*permissions: str, **given: object) -> dict[str, object]:
    return {"name": "night job", "permissions": list(permissions), **given}


def test_a_key_is_made_with_its_secret(tenant: Tenant) -> None:
    """The secret is in the answer to its making and nowhere else; its prefix says whose it is."""
    asker = holder(tenant.service, account=tenant.account)
    made = asker.ask("POST", "/keys", _new("sessions:write", "calls:read", expires_in_s=3_600))
    assert made.status == 201
    body = made.body
    secret = body.pop("secret")
    assert secret.startswith(body["prefix"] + "_")
    assert body["id"] == "key_" + body["prefix"].removeprefix("mk_")
    assert (body["account"], body["subaccount"]) == (tenant.auth_id, None)
    assert body["permissions"] == ["calls:read", "sessions:write"]
    assert body["expires_at"].endswith("Z")
    assert asker.ask("GET", f"/keys/{body['id']}").body == body
    listed = asker.ask("GET", "/keys")
    assert body in listed.body["data"]
    assert secret.split("_", 2)[2] not in listed.text.decode()
    assert Asker(tenant.service, bearer(secret)).ask("GET", "/sessions").status == 200
    assert Asker(tenant.service, bearer(secret)).ask("GET", "/webhooks").status == 403


def test_a_key_is_rotated_and_revoked(tenant: Tenant) -> None:
    """The id stays, the secret changes; what is revoked is gone."""
    asker = holder(tenant.service, account=tenant.account)
    made = asker.ask("POST", "/keys", _new("sessions:read")).body
    rotated = asker.ask("POST", f"/keys/{made['id']}/rotate", {"overlap_s": 60}).body
    assert (rotated["id"], rotated["prefix"]) == (made["id"], made["prefix"])
    for secret in (made["secret"], rotated["secret"]):
        assert Asker(tenant.service, bearer(secret)).ask("GET", "/sessions").status == 200
    assert asker.ask("POST", f"/keys/{made['id']}/rotate").status == 200
    assert asker.ask("DELETE", f"/keys/{made['id']}").status == 204
    for method, path in (("DELETE", ""), ("GET", ""), ("POST", "/rotate")):
        check_problem(asker.ask(method, f"/keys/{made['id']}{path}"), 404, "not-found")


def test_a_key_grants_no_more_than_it_has(tenant: Tenant) -> None:
    """Neither in what it makes nor in what it shows a new secret of."""
    service, account = tenant.service, tenant.account
    strong = holder(service, account=account).ask("POST", "/keys", _new("*")).body
    weak = holder(service, [Permission.KEYS_WRITE, Permission.SESSIONS_WRITE], account)
    assert weak.ask("POST", "/keys", _new("sessions:read", "keys:read")).status == 201
    for wanted in ("calls:read", "*", "sessions:write", "trunks:read"):
        answer = weak.ask("POST", "/keys", _new("keys:write", wanted))
        assert (answer.status == 201) is (wanted == "sessions:write")
    check_problem(weak.ask("POST", f"/keys/{strong['id']}/rotate"), 403, "not-permitted")
    assert Asker(service, bearer(strong["secret"])).ask("GET", "/webhooks").status == 200


def test_an_account_makes_keys_of_its_own_only(service: Service, tenant: Tenant) -> None:
    """An account's key never becomes an operator's, nor another account's."""
    asker, other = holder(service, account=tenant.account), service.new_account(0)
    made = asker.ask("POST", "/keys", _new("*")).body
    assert made["account"] == tenant.auth_id
    check_problem(Asker(service, bearer(made["secret"])).ask("GET", "/accounts"), 403, "not-permitted")
    check_problem(asker.acting_for(other.auth_id).ask("POST", "/keys", _new("*")), 403, "not-permitted")
    theirs = holder(service).acting_for(other.auth_id).ask("POST", "/keys", _new("*")).body
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        check_problem(asker.ask(method, f"/keys/{theirs['id']}{path}"), 404, "not-found")
    assert theirs["id"] not in asker.ask("GET", "/keys?limit=100").text.decode()


def test_the_operator_makes_keys_of_all_kinds(service: Service, tenant: Tenant) -> None:
    """Its own without account, an account's and a sub-account's with one."""
    operator = holder(service)
    branch, _ = branch_of(tenant)
    assert branch.subaccount is not None
    own = operator.ask("POST", "/keys", _new("accounts:read")).body
    assert own["account"] is None
    assert operator.ask("DELETE", f"/keys/{own['id']}").status == 204
    acting = operator.acting_for(tenant.auth_id)
    part = acting.ask("POST", "/keys", _new("*", subaccount=branch.subaccount.auth_id)).body
    assert (part["account"], part["subaccount"]) == (tenant.auth_id, branch.subaccount.auth_id)
    seen = Asker(service, bearer(part["secret"])).ask("GET", "/account").body
    assert seen["subaccount"] == branch.subaccount.auth_id
    other = service.new_account(0)
    answer = operator.acting_for(other.auth_id).ask(
        "POST", "/keys", _new("*", subaccount=branch.subaccount.auth_id)
    )
    assert answer.body["errors"][0]["pointer"] == "/subaccount"
    check_problem(
        operator.ask("POST", "/keys", _new("*", subaccount=branch.subaccount.auth_id)), 400, "account-needed"
    )


def test_there_are_so_many_keys_and_no_more(tenant: Tenant) -> None:
    """What nobody looks through any more is a danger."""
    service = tenant.service
    new = NewApiKey(name="n", permissions=frozenset({Permission.CALLS_READ}), account=tenant.account)

    def fill(tx: object) -> None:
        for _ in range(KEY_COUNT_MAX - 1):
            create_key(tx, new, 1)  # type: ignore[arg-type]

    asker = holder(service, account=tenant.account)
    service.run(fill)
    check_problem(asker.ask("POST", "/keys", _new("calls:read")), 409, "too-many-keys")
    assert len(service.store.read(list_keys, tenant.account.id)) == KEY_COUNT_MAX


def test_keys_are_listed_by_the_page(tenant: Tenant) -> None:
    """Newest first, all of the same instant too, each once."""
    asker = holder(tenant.service, account=tenant.account)
    made = {asker.ask("POST", "/keys", _new("calls:read")).body["id"] for _ in range(5)}
    seen: list[str] = []
    after = ""
    while True:
        page = asker.ask("GET", f"/keys?limit=2{after}").body
        seen += [it["id"] for it in page["data"]]
        if not page["has_more"]:
            break
        after = f"&after={page['next']}"
    assert made < set(seen)
    assert len(seen) == len(set(seen)) == 6
    check_problem(asker.ask("GET", "/keys?after=nonsense"), 400, "cursor-invalid")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "n"}, "/permissions"),
        ({"name": "n", "permissions": []}, "/permissions"),
        ({"name": "n", "permissions": ["sessions"]}, "/permissions/0"),
        ({"name": " n", "permissions": ["*"]}, "/name"),
        ({"name": "n\u0000", "permissions": ["*"]}, "/name"),
        ({"name": "n", "permissions": ["*"], "expires_in_s": 1}, "/expires_in_s"),
        ({"name": "n", "permissions": ["*"], "account": "MA" + "0" * 18}, "/account"),
    ],
)
def test_what_makes_no_key(tenant: Tenant, body: object, pointer: str) -> None:
    """The refusal says where."""
    answer = holder(tenant.service, account=tenant.account).ask("POST", "/keys", body)
    check_problem(answer, 422, "invalid")
    assert [it["pointer"] for it in answer.body["errors"]] == [pointer]


def test_an_accounts_token_makes_no_keys(tenant: Tenant) -> None:
    """So that a token that leaked leaves no door open."""
    for method, path in (("GET", "/keys"), ("POST", "/keys")):
        check_problem(by_token(tenant).ask(method, path, _new("*")), 403, "not-permitted")
