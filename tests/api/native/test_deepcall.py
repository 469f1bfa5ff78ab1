"""DeepCall credentials over HTTP."""

import pytest
from tests.api.native.tenant_requests import ask, check_problem, new_key
from tests.api.service import Tenant

from maskline.core.access import Permission
from maskline.core.deepcall import SSID_COUNT_MAX

PATH = "/deepcall-credentials"


def test_credentials_are_made_once(tenant: Tenant) -> None:
    """The ssid is shown when it is made; token and user id stay."""
    made = ask(tenant, "POST", PATH)
    assert made.status == 200
    body = made.body
    assert (body["object"], len(body["user_id"]), len(body["token"]), len(body["ssid"])) == (
        "deepcall_credentials",
        8,
        48,
        48,
    )
    [ssid] = body["ssids"]
    assert (ssid["read_only"], ssid["expires_at"]) == (False, body["ssid_expires_at"])
    again = ask(tenant, "POST", PATH, {}).body
    assert again == {**body, "ssid": None, "ssid_expires_at": None}


def test_a_part_is_rotated(tenant: Tenant) -> None:
    """The token or the ssids of one kind; what is replaced works until the overlap ends."""
    first = ask(tenant, "POST", PATH).body
    second = ask(tenant, "POST", PATH, {"rotate": "token"}).body
    assert second["token"] != first["token"]
    assert second["old_token_until"] is not None
    assert ask(tenant, "POST", PATH, {"rotate": "token", "overlap_s": 0}).body["old_token_until"] is None
    reader = ask(tenant, "POST", PATH, {"read_only": True}).body["ssids"]
    assert sorted(it["read_only"] for it in reader) == [False, True]
    third = ask(tenant, "POST", PATH, {"rotate": "ssid", "overlap_s": 0, "ssid_expires_in_s": 86_400}).body
    assert [it["expires_at"] for it in third["ssids"] if not it["read_only"]] == [third["ssid_expires_at"]]
    assert len(third["ssids"]) == 2


def test_a_repetition_draws_nothing_anew(tenant: Tenant) -> None:
    """Under an idempotency key the ssid is in both answers."""
    headers = {"Idempotency-Key": "once"}
    made = ask(tenant, "POST", PATH, {"rotate": "ssid"}, **headers)
    assert ask(tenant, "POST", PATH, {"rotate": "ssid"}, **headers).body == made.body


def test_withdrawing(tenant: Tenant) -> None:
    """All of it, once."""
    first = ask(tenant, "POST", PATH).body
    assert ask(tenant, "DELETE", PATH).status == 204
    check_problem(ask(tenant, "DELETE", PATH), 404, "not-found")
    assert ask(tenant, "POST", PATH).body["token"] != first["token"]


def test_ssids_are_bounded(tenant: Tenant) -> None:
    """As many as a few clients need."""
    for _ in range(SSID_COUNT_MAX):
        assert ask(tenant, "POST", PATH, {"read_only": True}).status == 200
    check_problem(ask(tenant, "POST", PATH, {"read_only": True}), 409, "too-many-ssids")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"rotate": "all"}, "/rotate"),
        ({"rotate": "token", "read_only": True}, ""),
        ({"ssid_expires_in_s": 86_399}, "/ssid_expires_in_s"),
        ({"overlap_s": 2_592_001}, "/overlap_s"),
    ],
)
def test_values_that_cannot_be_used(tenant: Tenant, body: dict[str, object], pointer: str) -> None:
    """Are pointed at."""
    check_problem(ask(tenant, "POST", PATH, body), 422, "invalid", pointer)


def test_a_key_that_may_less_cannot_open_the_account(tenant: Tenant) -> None:
    """These credentials do all that the dialect can, so keys alone do not suffice."""
    _, keys = new_key(tenant, Permission.KEYS_WRITE, Permission.SESSIONS_WRITE)
    check_problem(ask(tenant, "POST", PATH, **keys), 403, "not-permitted")
