"""Who may do what: every operation of the table, asked by everybody."""

import os
import re
from typing import Final

import pytest
from prometheus_client import CollectorRegistry
from tests.api.native.asking import Asker, bearer, branch_of, by_token, check_problem, holder
from tests.api.service import Answer, Service, Tenant, basic

from maskline.api.metrics import HTTPMetrics
from maskline.api.native.app import native_routes
from maskline.api.native.kernel import NativeKernel
from maskline.api.native.routes import Route
from maskline.api.ports import StoreThreads
from maskline.core.access import Permission, Reach
from maskline.testing.clock import ManualClock

# Written down here once more on purpose: an operation that is new, or changes who may do it, changes this table.
TABLE: Final = {
    "add_numbers": ("numbers:write", "operator"),
    "add_trunk": ("trunks:write", "operator"),
    "change_account": ("accounts:write", "operator"),
    "change_number": ("numbers:write", "either"),
    "change_pool": ("numbers:write", "account"),
    "change_recording_retention": ("recordings:write", "account"),
    "change_trunk": ("trunks:write", "operator"),
    "create_account": ("accounts:write", "operator"),
    "create_key": ("keys:write", "either"),
    "create_pool": ("numbers:write", "account"),
    "create_session": ("sessions:write", "subaccount"),
    "create_subaccount": ("accounts:write", "account"),
    "create_webhook": ("webhooks:write", "account"),
    "delete_pool": ("numbers:write", "account"),
    "delete_recording": ("recordings:write", "subaccount"),
    "delete_webhook": ("webhooks:write", "account"),
    "drain_number": ("numbers:write", "operator"),
    "end_session": ("sessions:write", "subaccount"),
    "get_account": ("accounts:read", "operator"),
    "get_call": ("calls:read", "subaccount"),
    "get_delivery": ("webhooks:read", "account"),
    "get_key": ("keys:read", "either"),
    "get_number": ("numbers:read", "either"),
    "get_own_account": (None, "subaccount"),
    "get_pool": ("numbers:read", "account"),
    "get_recording": ("recordings:read", "subaccount"),
    "get_recording_audio": ("recordings:read", "subaccount"),
    "get_recording_retention": ("recordings:read", "account"),
    "get_session": ("sessions:read", "subaccount"),
    "get_subaccount": ("accounts:read", "account"),
    "get_trunk": ("trunks:read", "operator"),
    "link_recording": ("recordings:read", "subaccount"),
    "list_accounts": ("accounts:read", "operator"),
    "list_calls": ("calls:read", "subaccount"),
    "list_deliveries": ("webhooks:read", "account"),
    "list_keys": ("keys:read", "either"),
    "list_numbers": ("numbers:read", "either"),
    "list_pools": ("numbers:read", "account"),
    "list_recordings": ("recordings:read", "subaccount"),
    "list_sessions": ("sessions:read", "subaccount"),
    "list_subaccounts": ("accounts:read", "account"),
    "list_trunks": ("trunks:read", "operator"),
    "list_webhooks": ("webhooks:read", "account"),
    "make_deepcall_credentials": ("accounts:write", "account"),
    "read_events": ("events:read", "subaccount"),
    "remove_number": ("numbers:write", "operator"),
    "remove_trunk": ("trunks:write", "operator"),
    "replay_delivery": ("webhooks:write", "account"),
    "revoke_key": ("keys:write", "either"),
    "rotate_account_token": ("accounts:write", "operator"),
    "rotate_key": ("keys:write", "either"),
    "rotate_subaccount_token": ("accounts:write", "account"),
    "show_usage": ("numbers:read", "subaccount"),
    "show_usage_history": ("numbers:read", "subaccount"),
    "update_session": ("sessions:write", "subaccount"),
    "withdraw_deepcall_credentials": ("accounts:write", "account"),
}
REFUSALS: Final = {
    "not-authenticated": 401,
    "not-permitted": 403,
    "subaccount-not-allowed": 403,
    "account-needed": 400,
}
THROUGH: Final = None


class _NoStore:
    """Routes are listed, none is asked."""


def _routes() -> dict[str, Route]:
    store: StoreThreads = _NoStore()  # type: ignore[assignment]
    kernel = NativeKernel(
        store=store, clock=ManualClock(), metrics=HTTPMetrics(CollectorRegistry()), random_bytes=os.urandom
    )
    return {route.name: route for route in native_routes(kernel)}


ROUTES: Final = _routes()


def _refusal(answer: Answer) -> str | None:
    """The code, if the kernel refused the caller."""
    if answer.headers.get("content-type") != "application/problem+json":
        return THROUGH
    code: str = answer.body["code"]
    return code if code in REFUSALS else THROUGH


def _ask(asker: Asker, route: Route) -> str | None:
    """Ask with parts of the path that name nothing, so that nothing happens to those who get through."""
    path = re.sub(r"\{\w+\}", "+10000000000" if "{e164}" in route.path else "nothing", route.path)
    body = b"{" if route.method in ("POST", "PATCH") else None
    answer = asker.ask(route.method, path, body, Accept="application/json")
    assert answer.status < 500, answer.text
    code = _refusal(answer)
    assert code is None or answer.status == REFUSALS[code]
    return code


def _read_of(permission: str) -> Permission:
    return Permission(permission.replace(":write", ":read"))


def _others(permission: str) -> frozenset[Permission]:
    """Every permission that does not include this one."""
    resource = permission.partition(":")[0]
    near = {Permission(permission), Permission(f"{resource}:write"), Permission.ALL}
    return frozenset(Permission) - near


def test_the_table_names_every_operation() -> None:
    """What is offered is what is written down, with its permission and its reach."""
    told = {
        name: (None if route.permission is None else route.permission.value, route.reach.value)
        for name, route in ROUTES.items()
    }
    assert told == TABLE


@pytest.mark.parametrize("name", TABLE)
def test_who_may_do_it(service: Service, tenant: Tenant, name: str) -> None:
    """Nobody without credentials, and of the others those whom permission and reach let through."""
    route, (permission, reach) = ROUTES[name], TABLE[name]
    account = tenant.account
    branch, by_branch_token = branch_of(tenant)
    needed = [Permission.EVENTS_READ if permission is None else Permission(permission)]
    for_keys_only = reach == "operator" or needed[0].value.startswith("keys:")
    not_for_operators_alone = "account-needed" if reach in ("account", "subaccount") else THROUGH
    not_for_branches = {
        "subaccount": THROUGH,
        "account": "subaccount-not-allowed",
        "either": "subaccount-not-allowed",
        "operator": "not-permitted",
    }[reach]
    not_for_accounts = "not-permitted" if reach == "operator" else THROUGH
    not_for_branch_tokens = "not-permitted" if for_keys_only else not_for_branches

    assert _ask(Asker(service), route) == "not-authenticated"
    assert _ask(Asker(service, bearer("mk_" + "a" * 16 + "_" + "A" * 43)), route) == "not-authenticated"
    assert _ask(Asker(service, basic(tenant.auth_id, "wrong")), route) == "not-authenticated"

    assert _ask(holder(service, needed), route) == not_for_operators_alone
    assert _ask(holder(service, needed).acting_for(tenant.auth_id), route) == THROUGH
    assert _ask(holder(service, needed, account), route) == not_for_accounts
    assert _ask(holder(service, needed, branch), route) == not_for_branches
    assert _ask(holder(service), route) == not_for_operators_alone
    assert _ask(holder(service, account=account), route) == not_for_accounts

    assert _ask(by_token(tenant), route) == ("not-permitted" if for_keys_only else THROUGH)
    assert _ask(by_branch_token, route) == not_for_branch_tokens
    if permission is not None:
        others = _others(permission)
        assert _ask(holder(service, others), route) == "not-permitted"
        assert _ask(holder(service, others).acting_for(tenant.auth_id), route) == "not-permitted"
        assert _ask(holder(service, others, account), route) == "not-permitted"
        if permission.endswith(":write"):
            assert _ask(holder(service, [_read_of(permission)], account), route) == "not-permitted"


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.query is None])
def test_parameters_that_nobody_knows_are_refused(service: Service, tenant: Tenant, name: str) -> None:
    """Also where an operation has no parameters at all; a question mark alone is none."""
    route = ROUTES[name]
    asker = holder(service)
    asker = asker if route.reach is Reach.OPERATOR else asker.acting_for(tenant.auth_id)
    path = re.sub(r"\{\w+\}", "+10000000000" if "{e164}" in route.path else "nothing", route.path)
    answer = asker.ask(route.method, f"{path}?limit=1")
    check_problem(answer, 422, "invalid")
    assert [it["pointer"] for it in answer.body["errors"]] == ["/limit"]
    if route.method == "GET":
        assert asker.ask(route.method, f"{path}?").status == asker.ask(route.method, path).status


def test_the_operator_for_a_subaccount(service: Service, tenant: Tenant) -> None:
    """Naming a sub-account is to see what it sees."""
    branch, _ = branch_of(tenant)
    assert branch.subaccount is not None
    asker = holder(service).acting_for(branch.subaccount.auth_id)
    assert asker.ask("GET", "/account").body["subaccount"] == branch.subaccount.auth_id
    check_problem(asker.ask("GET", "/pools"), 403, "subaccount-not-allowed")


def test_whom_one_may_act_for(service: Service, tenant: Tenant) -> None:
    """Its own account and its sub-accounts; nobody else's, whether there or not."""
    branch, by_branch_token = branch_of(tenant)
    other = service.new_account(0)
    assert branch.subaccount is not None
    own, part = tenant.auth_id, branch.subaccount.auth_id
    assert by_token(tenant).acting_for(own).ask("GET", "/account").status == 200
    assert by_token(tenant).acting_for(part).ask("GET", "/account").body["subaccount"] == part
    assert by_branch_token.acting_for(part).ask("GET", "/account").status == 200
    for asker, wanted in (
        (by_token(tenant), other.auth_id),
        (by_token(tenant), "MA" + "0" * 18),
        (by_token(tenant), "nonsense"),
        (by_branch_token, own),
        (holder(service, account=tenant.account), other.auth_id),
    ):
        check_problem(asker.acting_for(wanted).ask("GET", "/account"), 403, "not-permitted")
    for wanted in ("MA" + "0" * 18, "SA" + "0" * 18, "nonsense", "%00"):
        check_problem(holder(service).acting_for(wanted).ask("GET", "/account"), 400, "account-unknown")
