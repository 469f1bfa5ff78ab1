"""Credentials of the native interface."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from tests.api.native.asking import Asker, bearer, check_problem, holder
from tests.api.service import Service, Tenant
from tests.world import peek

from maskline.api.native.auth import HEADER_LENGTH_MAX, Authenticator, parse_bearer
from maskline.core.access import ApiKey, ApiKeyIssued, Denial, NewApiKey, Permission, Reach, deny
from maskline.core.secret import Secret
from maskline.testing.clock import ManualClock
from maskline.workflows.api_keys import OpenedKey, create_key, revoke_key, rotate_key


def _issued(tenant: Tenant, **given: object) -> ApiKeyIssued:
    service = tenant.service
    new = NewApiKey(
        name="test",
        permissions=frozenset({Permission.SESSIONS_READ}),
        account=tenant.account,
        **given,  # type: ignore[arg-type]
    )
    made = service.run(create_key, new, service.clock.now())
    assert isinstance(made, ApiKeyIssued)
    return made


def _ask(service: Service, secret: Secret) -> int:
    return Asker(service, bearer(secret.reveal())).ask("GET", "/sessions").status


def test_a_key_opens_until_it_expires(tenant: Tenant) -> None:
    """Its account and what it permits; not from the instant on at which it expires."""
    now = tenant.service.clock.now()
    assert _ask(tenant.service, _issued(tenant, expires_at=now + 1).secret) == 200
    assert _ask(tenant.service, _issued(tenant, expires_at=now).secret) == 401


def test_a_revoked_key_opens_nothing(tenant: Tenant) -> None:
    """It is answered like one that never was."""
    issued = _issued(tenant)
    tenant.service.run(revoke_key, issued.key.id, None, 1)
    answer = Asker(tenant.service, bearer(issued.secret.reveal())).ask("GET", "/sessions")
    never = Asker(tenant.service, bearer("mk_" + "a" * 16 + "_" + "A" * 43)).ask("GET", "/sessions")
    check_problem(answer, 401, "not-authenticated")
    assert (answer.text, answer.headers["www-authenticate"]) == (
        never.text,
        never.headers["www-authenticate"],
    )


def test_a_rotated_key_opens_with_both_secrets_for_a_while(tenant: Tenant) -> None:
    """Until the overlap ends, at its instant; without one the old secret ends at once."""
    service, now = tenant.service, tenant.service.clock.now()
    for overlap_s, is_open in ((60, True), (0, False)):
        issued = _issued(tenant)
        rotated = service.run(rotate_key, issued.key.id, None, now, overlap_s=overlap_s)
        assert isinstance(rotated, ApiKeyIssued)
        assert _ask(service, rotated.secret) == 200
        assert (_ask(service, issued.secret) == 200) is is_open


def test_last_use_is_noted_beside_the_request(tenant: Tenant) -> None:
    """Once; the next requests within a minute write nothing."""
    issued = _issued(tenant)
    for _ in range(3):
        _ask(tenant.service, issued.secret)
    tenant.service.settle("key-use")
    [(used_at,)] = peek(
        tenant.service.store, f"SELECT last_used_at FROM api_key WHERE id = '{issued.key.id}'"
    )
    assert used_at == tenant.service.clock.now()


def test_an_operators_key_opens_no_account_by_itself(service: Service) -> None:
    """It says for whom it asks, where that matters."""
    check_problem(holder(service).ask("GET", "/account"), 400, "account-needed")


@given(st.text(max_size=80))
def test_any_header_is_read_or_not(header: str) -> None:
    """Never an exception."""
    found = parse_bearer(header)
    assert (found is not None) == (header.partition(" ")[0].lower() == "bearer")


@pytest.mark.parametrize("header", [None, "", "Basic dTp0", "Bearer" + " " * HEADER_LENGTH_MAX])
def test_other_headers_are_no_key(header: str | None) -> None:
    """Missing, of another scheme, endless."""
    assert parse_bearer(header) is None


@pytest.mark.parametrize(
    "token", ["", "x", "mk_", "mk_" + "a" * 60, "mk_" + "A" * 16 + "_" + "A" * 43, "\x00", "mk_a_b"]
)
def test_what_no_key_looks_like_is_refused(service: Service, token: str) -> None:
    """Without a look into the table, and with the same answer."""
    headers = {"Authorization": "Bearer " + token.replace("\x00", "%00")}
    check_problem(Asker(service, headers).ask("GET", "/account"), 401, "not-authenticated")


class _Lost:
    """A store that has lost the account of a key."""

    async def read(self, *_: object) -> OpenedKey:
        key = ApiKey(
            id="key_x", name="k", permissions=frozenset({Permission.ALL}), created_at=0, account_id=7
        )
        return OpenedKey(key=key, account=None)

    async def write(self, *_: object) -> None:
        return None


async def test_who_has_lost_an_account_is_no_operator() -> None:
    """A key says itself whether it is an operator's; that nothing was found of its account says nothing."""
    authenticator = Authenticator(store=_Lost(), clock=ManualClock())  # type: ignore[arg-type]  # the fake
    scope = {"type": "http", "headers": [(b"authorization", b"Bearer mk_x")]}
    caller = await authenticator.authenticate(Request(scope))
    assert [deny(caller, None, reach) for reach in (Reach.OPERATOR, Reach.EITHER)] == [
        Denial.NOT_PERMITTED,
        Denial.ACCOUNT_NEEDED,
    ]
