"""Credentials, failures and metrics, whatever the operation."""

import os
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.api.deepcall.conftest import JSON, M1, M2, DeepCallTenant, Services, give_credentials
from tests.api.service import Tenant

from maskline.api.app import create_app
from maskline.api.deepcall.kernel import DeepCallSettings
from maskline.core.deepcall import DeepCallCaller
from maskline.core.inventory import Account, AllocationPolicy, CooloffScope
from maskline.core.secret import Secret
from maskline.errors import DatabaseUnusableError
from maskline.store.engine import StoreConflictError, StoreUnavailableError
from maskline.store.thread import StoreOverloadedError
from maskline.testing.clock import ManualClock
from maskline.workflows.deepcall_credentials import rotate_token, withdraw_credentials

SSID = "an-ssid-of-nobody"
OPERATIONS = ("Masking/set", "Masking/unset", "callreport/masklist")
ACCOUNT = Account(
    id=1,
    auth_id="MA012345678901234567",
    name="demo",
    country="IN",
    timezone="Asia/Kolkata",
    token=Secret("t" * 40),
    policy=AllocationPolicy.FIRST_FIT,
    cooloff_scope=CooloffScope.PARTY,
    created_at=0,
)


@pytest.mark.parametrize("path", OPERATIONS)
def test_credentials_in_all_their_forms(deepcall: DeepCallTenant, path: str) -> None:
    """An ssid alone, or userId with token; in the body as JSON or form, or in the query; numbers too."""
    deepcall.set()
    rest = {"m1": M1, "m2": M2, "expiry_duration": 5}
    user = {"userId": deepcall.user_id, "token": deepcall.token}
    for body, query in (
        ({"ssid": deepcall.ssid, **rest}, ""),
        ({**user, **rest}, ""),
        ({"user_id": int(deepcall.user_id), "token": deepcall.token, **rest}, ""),
        ({"USERID": deepcall.user_id, "Token": deepcall.token, **rest}, ""),
        (rest, f"?ssid={deepcall.ssid}"),
        (rest, f"?userId={deepcall.user_id}&token={deepcall.token}"),
        (f"ssid={deepcall.ssid}&m1={M1}&m2={M2}&expiry_duration=5".encode(), ""),
    ):
        answer = deepcall.send(path, body, query=query)
        assert answer.body["code"] == (1503 if path == "Masking/set" else 200), answer.text


def test_surplus_credentials_do_no_harm(deepcall: DeepCallTenant) -> None:
    """Some clients send ssid and userId; a lapsed ssid beside a right token is not looked at either."""
    ssid, user_id, token = deepcall.ssid, deepcall.user_id, deepcall.token
    for fields in (
        {"ssid": ssid, "userId": user_id},
        {"ssid": ssid, "userId": "1", "token": "wrong"},
        {"ssid": "lapsed", "userId": user_id, "token": token},
    ):
        assert deepcall.send("callreport/masklist", fields).body["code"] == 200


@pytest.mark.parametrize("path", OPERATIONS)
def test_missing_credentials_are_1000(deepcall: DeepCallTenant, path: str) -> None:
    """Half of a pair is none."""
    for fields in (
        {"m1": M1},
        {"userId": deepcall.user_id},
        {"token": deepcall.token},
        {"ssid": "", "m1": M1},
    ):
        answer = deepcall.send(path, fields)
        assert answer.status == 200
        assert answer.body == {
            "status": "error",
            "message": "Invalid parameters: ssid, or userId with token, is missing",
            "code": 1000,
        }


@pytest.mark.parametrize("path", OPERATIONS)
def test_wrong_credentials_are_1014(deepcall: DeepCallTenant, path: str) -> None:
    """Whatever they look like."""
    right = {"userId": deepcall.user_id, "token": deepcall.token}
    for fields in (
        {"ssid": "wrong"},
        {"ssid": deepcall.token},
        {"ssid": 7},
        {**right, "token": "wrong"},
        {**right, "userId": "99999999"},
        {**right, "userId": "' OR 1=1"},
        {**right, "userId": "९"},
    ):
        answer = deepcall.send(path, fields)
        assert answer.body == {"status": "error", "message": "Token is wrong or expired", "code": 1014}


def test_one_accounts_credentials_are_not_anothers(deepcall: DeepCallTenant) -> None:
    """A token belongs to its userId, and masks to their account."""
    other = give_credentials(deepcall.service.new_account())
    mixed = {"userId": deepcall.user_id, "token": other.token}
    assert deepcall.send("callreport/masklist", mixed).body["code"] == 1014
    deepcall.set()
    assert other.call("callreport/masklist").body["data"]["total"] == 0
    assert other.call("Masking/unset", m1=M1, m2=M2).body["code"] == 1000


def test_a_read_only_ssid_lists_and_changes_nothing(tenant: Tenant) -> None:
    """1015."""
    reader = give_credentials(tenant, can_change=False)
    for path in ("Masking/set", "Masking/unset"):
        answer = reader.call(path, m1=M1, m2=M2)
        assert answer.body == {"status": "error", "message": "Permission is missing", "code": 1015}
    assert reader.call("callreport/masklist").body["data"]["total"] == 0


def test_withdrawn_and_lapsed_credentials_stop_working(services: Services) -> None:
    """Within the second for which a right one is remembered."""
    deepcall = services.tenant()
    account, now = deepcall.tenant.account, deepcall.service.clock.now()
    changed = deepcall.service.run(rotate_token, account, old_until=now, now=now)
    old = {"userId": deepcall.user_id, "token": deepcall.token}
    assert deepcall.send("callreport/masklist", old).body["code"] == 1014
    new = {**old, "token": changed.user.token.reveal()}
    assert deepcall.send("callreport/masklist", new).body["code"] == 200
    assert deepcall.service.run(withdraw_credentials, account)
    assert deepcall.call("callreport/masklist").body["code"] == 1014


@pytest.mark.parametrize("data", [b"", b" ", b"{}", b"[]", b"{", b"nonsense", b'{"ssid": null}', b"\xff"])
def test_empty_and_malformed_bodies_are_1047(deepcall: DeepCallTenant, data: bytes) -> None:
    """Before anything else is looked at."""
    for path in OPERATIONS:
        answer = deepcall.send(path, data, **JSON)
        assert answer.body == {"status": "error", "message": "Body is empty or malformed", "code": 1047}


def test_a_body_too_large_is_1047(deepcall: DeepCallTenant) -> None:
    """And the connection ends, since the rest of it is still on its way."""
    answer = deepcall.send("Masking/set", b'{"m1": "' + b"9" * 70_000 + b'"}')
    assert (answer.status, answer.body["code"], answer.headers["connection"]) == (200, 1047, "close")


class FailingThreads:
    """Knows one ssid; what comes after fails."""

    def __init__(self, error: Exception, *, fails_at_once: bool = False) -> None:
        self.error = error
        self.fails_at_once = fails_at_once
        self.read_count = 0

    async def read(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.read_count += 1
        if self.fails_at_once or work.__name__ == "list_masks":
            raise self.error
        return DeepCallCaller(account=ACCOUNT, can_change=True) if args[0] == SSID else None

    async def write(self, work: object, /, *args: Any, **kwargs: Any) -> Any:
        raise self.error


async def post(
    threads: FailingThreads, path: str, registry: CollectorRegistry | None = None, **settings: Any
) -> httpx.Response:
    app = create_app(
        store=threads,
        clock=ManualClock(),
        random_bytes=os.urandom,
        public_url="http://m",
        registry=registry,
        deepcall=DeepCallSettings(public_url="http://m", **settings),
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://m") as client:
        given = {"ssid": SSID, "m1": M1, "m2": M2, "from": M1, "to": M2}
        return await client.post(path if path.startswith("/") else f"/api/v2/{path}", json=given)


@pytest.mark.parametrize("path", OPERATIONS)
async def test_a_database_that_is_away_is_1010(path: str) -> None:
    """At the credentials already, or only later."""
    for at_once in (True, False):
        response = await post(FailingThreads(StoreUnavailableError("gone"), fails_at_once=at_once), path)
        assert response.status_code == 200
        assert response.json() == {"status": "error", "message": "Database is not reachable", "code": 1010}


@pytest.mark.parametrize("error", [StoreConflictError(), StoreOverloadedError()])
async def test_what_could_not_be_stored_is_1504(error: Exception) -> None:
    """The database is there, but others were in the way; a list knows no such code."""
    for path in ("Masking/set", "Masking/unset", "/clickToCall/v1/para"):
        response = await post(FailingThreads(error), path)
        assert response.json() == {
            "status": "error",
            "message": "Masking could not be inserted",
            "code": 1504,
        }
    assert (await post(FailingThreads(error), "callreport/masklist")).json()["code"] == 1009


@pytest.mark.parametrize("error", [RuntimeError("+912025550000"), DatabaseUnusableError("+912025550000")])
@pytest.mark.parametrize("path", OPERATIONS)
async def test_faults_are_1009_without_details(error: Exception, path: str) -> None:
    """What went wrong is for the log."""
    response = await post(FailingThreads(error), path)
    assert response.json() == {"status": "error", "message": "Unexpected server error", "code": 1009}


@pytest.mark.parametrize(
    ("error", "status"),
    [(StoreUnavailableError("gone"), 503), (StoreConflictError(), 503), (RuntimeError(), 500)],
)
async def test_faults_have_a_status_where_that_is_set(error: Exception, status: int) -> None:
    """Else every answer is 200."""
    assert (await post(FailingThreads(error), "Masking/set")).status_code == 200
    assert (await post(FailingThreads(error), "Masking/set", has_error_statuses=True)).status_code == status


@pytest.mark.parametrize(
    ("path", "operation", "status"),
    [
        ("MASKING/SET", "set", 200),
        ("Masking/unset/", "unset", 200),
        ("callreport/masklist", "masklist", 200),
        ("nothing", "none", 404),
    ],
)
async def test_requests_are_counted_by_operation(path: str, operation: str, status: int) -> None:
    """Labels are names of ours; neither paths nor credentials."""
    registry = CollectorRegistry()
    await post(FailingThreads(StoreConflictError()), path, registry)
    text = generate_latest(registry).decode()
    labels = f'dialect="deepcall",operation="{operation}",status="{status}"'
    assert f"maskline_http_requests_total{{{labels}}} 1.0" in text
    assert SSID not in text
    assert M1 not in text


async def test_right_credentials_are_looked_up_once_a_second() -> None:
    """Wrong ones each time."""
    threads = FailingThreads(StoreConflictError())
    app = create_app(store=threads, clock=ManualClock(), random_bytes=os.urandom, public_url="http://m")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://m") as client:
        for ssid, count in ((SSID, 1), (SSID, 1), ("wrong", 2), ("wrong", 3)):
            await client.post("/api/v2/Masking/unset", json={"ssid": ssid, "m1": M1})
            assert threads.read_count == count
