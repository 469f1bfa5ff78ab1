import http.client
import json
import random
import shutil
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.api.native.streaming import Reader, StreamingService, Told
from tests.api.native.tenant_requests import PAIR, ask, check_problem, make, new_key
from tests.api.service import WAIT_S, Tenant, basic
from tests.databases import PostgreSQLServer
from tests.world import peek

from maskline.api.native.event_hub import ACCOUNT_STREAMS_MAX, StreamPace
from maskline.api.native.models.events import EventView
from maskline.core.access import Permission
from maskline.core.events import EventKind
from maskline.core.inventory import NewNumbers, Subaccount
from maskline.core.numbers import DID
from maskline.store import outbox
from maskline.store.engine import Tx
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.api_keys import revoke_key
from maskline.workflows.numbers import add_numbers

PACE = StreamPace(heartbeat_s=0.3, recheck_s=0.3, send_timeout_s=1.0)
SESSIONS_A_WRITER = 25
WRITERS = 4
UNREAD_EVENTS = 2500  # ten megabytes: more than sockets of both sides hold


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def streaming(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sqlite_template: Path,
    key_path: Path,
) -> Iterator[StreamingService]:
    """The HTTP side with a publisher, over a database of each kind in turn."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("streaming") / "maskline.db"
        shutil.copy(sqlite_template, path)
        running = StreamingService(f"sqlite:///{path}", key_path, PACE)
        yield running
        running.close()
        return
    server: PostgreSQLServer = request.getfixturevalue("postgresql_server")
    url = server.new_database()
    running = StreamingService(url, key_path, PACE)
    yield running
    running.close()
    server.drop_database(url)


@pytest.fixture
def tenant(streaming: StreamingService) -> Tenant:
    """A fresh account with five numbers."""
    return streaming.new_account()


def _listed(tenant: Tenant, query: str = "", **headers: str) -> list[dict[str, Any]]:
    """Every event of the list, page by page."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = ask(tenant, "GET", f"/events?{query}{after}", **headers)
        assert page.status == 200, page.text
        found += page.body["data"]
        if page.body["next"] is None:
            return found
        after = f"&after={page.body['next']}"


def _wait_for(tenant: Tenant, count: int, query: str = "", **headers: str) -> list[dict[str, Any]]:
    """The list, once so many events are published."""
    deadline = time.monotonic() + WAIT_S
    while len(found := _listed(tenant, query, **headers)) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} events"
    return found


def test_a_stream_tells_what_happens(tenant: Tenant) -> None:
    """From its opening on: kind, body as webhooks have it, and a place to resume from; the list tells the same."""
    make(tenant, second="+912025552222")
    [before] = _wait_for(tenant, 1)
    with Reader(tenant) as reader:
        assert (reader.response.status, reader.response.getheader("content-type")) == (
            200,
            "text/event-stream; charset=utf-8",
        )
        assert reader.wait_until_open()
        session = make(tenant)
        [told] = reader.take(1)
    assert told.kind == "session.created"
    body = json.loads(told.data)
    assert body["type"] == "session.created"
    assert (body["data"]["session_id"], body["data"]["account"]) == (session["id"], tenant.auth_id)
    listed = _listed(tenant)
    assert listed == [before, {"object": "event", "id": told.id, **body}]
    assert EventView.model_validate(listed[0]).id == before["id"]
    assert PAIR["first"][1:] not in told.data


def test_readers_miss_nothing_and_hear_nothing_twice(tenant: Tenant) -> None:
    """While four threads make sessions, a reader that is cut again and again hears every event once, in order."""
    total = WRITERS * SESSIONS_A_WRITER

    def write(writer: int) -> None:
        for index in range(SESSIONS_A_WRITER):
            people = {"first": f"+91202{writer}{index:06}", "second": f"+91203{writer}{index:06}"}
            make(tenant, **people)

    chance, told = random.Random(4), list[Told]()
    with ThreadPoolExecutor(WRITERS) as pool:
        with Reader(tenant) as reader:
            reader.wait_until_open()
            writers = [pool.submit(write, writer) for writer in range(WRITERS)]
            told += reader.take(3)
            last_id = reader.last_id
        while len(told) < total:
            with Reader(tenant, last_id=last_id) as reader:
                told += reader.take(min(chance.randint(1, 20), total - len(told)))
                last_id = reader.last_id
        for writer in writers:
            writer.result(WAIT_S)
    listed = _wait_for(tenant, total)
    assert [it.id for it in told] == [it["id"] for it in listed]
    assert len({it["data"]["session_id"] for it in listed}) == total


def test_a_place_that_was_read_can_be_given_as_after(tenant: Tenant) -> None:
    """In the query as well as in the header; the header goes first."""
    made = [make(tenant, second=f"+91202555222{index}")["id"] for index in range(3)]
    listed = _wait_for(tenant, 3)
    with Reader(tenant, f"after={listed[0]['id']}") as reader:
        assert [json.loads(it.data)["data"]["session_id"] for it in reader.take(2)] == made[1:]
    with Reader(tenant, f"after={listed[0]['id']}", last_id=listed[1]["id"]) as reader:
        assert [json.loads(it.data)["data"]["session_id"] for it in reader.take(1)] == made[2:]


def test_kinds_are_chosen(tenant: Tenant) -> None:
    """Others are passed over, in streams and lists."""
    with Reader(tenant, "kinds=session.ended,session.updated") as reader:
        reader.wait_until_open()
        session = make(tenant)
        assert ask(tenant, "PATCH", f"/sessions/{session['id']}", {"record": True}).status == 200
        assert ask(tenant, "DELETE", f"/sessions/{session['id']}").status == 200
        assert [it.kind for it in reader.take(2)] == ["session.updated", "session.ended"]
    _wait_for(tenant, 3)
    assert [it["type"] for it in _listed(tenant, "kinds=session.created&limit=1")] == ["session.created"]


def test_a_subaccount_hears_of_its_sessions(tenant: Tenant) -> None:
    """And of nobody else's; another account hears nothing at all."""
    service = tenant.service
    made = service.run(create_subaccount, tenant.account, "branch", service.clock.now())
    assert isinstance(made, Subaccount)
    number = DID(tenant.numbers[-1][:-2] + "99")
    new = NewNumbers(
        numbers=(number,), account_id=tenant.account.id, trunk_id=service.trunk.id, subaccount_id=made.id
    )
    service.run(add_numbers, new, service.clock.now())
    branch = basic(made.auth_id, made.token.reveal())
    with Reader(tenant, headers=branch) as reader:
        reader.wait_until_open()
        make(tenant)
        own = make(tenant, subaccount=made.auth_id)
        [told] = reader.take(1)
        assert json.loads(told.data)["data"]["session_id"] == own["id"]
    _wait_for(tenant, 2)
    assert [it["data"]["session_id"] for it in _listed(tenant, **branch)] == [own["id"]]
    assert _listed(service.new_account(0)) == []


def test_numbers_take_a_permission(tenant: Tenant) -> None:
    """Whoever may read calls may be told them here."""
    _, reader = new_key(tenant, Permission.EVENTS_READ)
    check_problem(ask(tenant, "GET", "/events?include_numbers=true", **reader), 403, "not-permitted")
    assert ask(tenant, "GET", "/events", **reader).status == 200
    _, both = new_key(tenant, Permission.EVENTS_READ, Permission.CALLS_READ)
    assert ask(tenant, "GET", "/events?include_numbers=true", **both).status == 200
    _, neither = new_key(tenant, Permission.SESSIONS_READ)
    check_problem(ask(tenant, "GET", "/events", **neither), 403, "not-permitted")


def test_heartbeats_come_while_nothing_happens(tenant: Tenant) -> None:
    """A comment now and then; and the place moves on with what other accounts do."""
    with Reader(tenant) as reader:
        reader.wait_until_open()
        lines = [reader.response.readline() for _ in range(2)]
    assert lines == [b": heartbeat\n", b"\n"]


def test_ten_streams_are_enough(tenant: Tenant) -> None:
    """The eleventh is refused, others' accounts are not, and a stream that was left makes room."""
    readers = [Reader(tenant) for _ in range(ACCOUNT_STREAMS_MAX)]
    try:
        answer = ask(tenant, "GET", "/events", Accept="text/event-stream")
        check_problem(answer, 429, "too-many-streams")
        assert answer.headers["retry-after"]
        with Reader(tenant.service.new_account(0)) as other:
            assert other.response.status == 200
    finally:
        for reader in readers:
            reader.close()
    deadline = time.monotonic() + WAIT_S
    while True:
        with Reader(tenant) as again:
            if again.response.status == 200:
                break
        assert time.monotonic() < deadline


def test_a_revoked_key_ends_its_stream(tenant: Tenant) -> None:
    """Within the time of a check; the response ends as it should."""
    id_, key = new_key(tenant, Permission.EVENTS_READ)
    with Reader(tenant, headers=key) as reader:
        reader.wait_until_open()
        tenant.service.run(revoke_key, id_, tenant.account.id, tenant.service.clock.now())
        assert list(reader.events()) == []
    check_problem(ask(tenant, "GET", "/events", **key), 401, "not-authenticated")


def test_a_reader_that_does_not_read_is_cut(tenant: Tenant) -> None:
    """More than any buffer holds is waiting for it; it is let go of, and what it reads later goes on where it was."""
    session, service = make(tenant), tenant.service
    assert isinstance(service, StreamingService)
    [created] = _wait_for(tenant, 1)

    def write_many(tx: Tx) -> None:
        for sequence in range(2, 2 + UNREAD_EVENTS):
            outbox.insert_event(
                tx,
                EventKind.SESSION_UPDATED,
                account_id=tenant.account.id,
                session_id=session["id"],
                sequence=sequence,
                occurred_at=service.clock.now(),
                facts={"note": "x" * 4000},
            )

    service.run(write_many)
    _wait_for_newest(tenant, 1 + UNREAD_EVENTS)
    count = service.hub.stream_count
    with Reader(tenant, last_id=created["id"], receive_buffer=4096) as reader:
        reader.wait_until_open()
        deadline = time.monotonic() + WAIT_S
        while service.hub.stream_count > count:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        told: list[Told] = []
        with suppress(OSError, http.client.HTTPException):
            told += reader.events()
        assert len(told) < UNREAD_EVENTS
    with Reader(tenant, last_id=reader.last_id) as reader:
        told += reader.take(UNREAD_EVENTS - len(told))
    sequences = [json.loads(it.data)["data"]["sequence"] for it in told]
    assert sequences == list(range(2, 2 + UNREAD_EVENTS))


def _wait_for_newest(tenant: Tenant, count: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        [(found,)] = peek(
            tenant.service.store,
            "SELECT count(*) FROM outbox WHERE account_id = ? AND position IS NOT NULL",
            tenant.account.id,
        )
        if found == count:
            return
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("after=x", 400, "cursor-invalid"),
        ("kinds=session.created,other", 422, "invalid"),
        ("kinds=", 422, "invalid"),
        ("include_numbers=maybe", 422, "invalid"),
        ("limit=0", 422, "invalid"),
        ("since=1", 422, "invalid"),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_queries_are_checked(tenant: Tenant, query: str, status: int, code: str, accept: str) -> None:
    """Before a stream begins, refusals are problems like all others."""
    check_problem(ask(tenant, "GET", f"/events?{query}", Accept=accept), status, code)


@pytest.mark.parametrize("last_id", ["x", "é", "a" * 500, str(uuid.UUID(int=1))])
def test_a_place_that_is_none_is_refused(tenant: Tenant, last_id: str) -> None:
    """In the header as in the query."""
    headers = {"Accept": "text/event-stream", "Last-Event-ID": last_id}
    check_problem(ask(tenant, "GET", "/events", **headers), 400, "cursor-invalid")


def test_streams_end_with_the_service(tmp_path: Path, sqlite_template: Path, key_path: Path) -> None:
    """At the end of the process they end as they should, and no new ones begin."""
    path = tmp_path / "maskline.db"
    shutil.copy(sqlite_template, path)
    service = StreamingService(f"sqlite:///{path}", key_path, PACE)
    try:
        tenant = service.new_account()
        with Reader(tenant) as reader:
            reader.wait_until_open()
            service.drain()
            assert list(reader.events()) == []
        check_problem(ask(tenant, "GET", "/events", Accept="text/event-stream"), 429, "too-many-streams")
    finally:
        service.close()
