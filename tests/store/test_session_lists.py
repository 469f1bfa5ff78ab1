import re
from dataclasses import replace

import pytest
from tests.store.plans import plan_of
from tests.world import World, person, virtual

from maskline.core.inventory import AllocationPolicy, NewAccount
from maskline.core.masking import SessionFilter, SessionStatus, Span
from maskline.store import session_lists
from maskline.store.engine import Store, Tx
from maskline.store.statement import Database, Statement

LISTING, ENDING = "ix_masking_session_listing", "ix_masking_session_ending"
FIRST, SECOND = "ix_masking_session_account_id_first_ref", "ix_masking_session_account_id_second_ref"
NUMBER = "ix_masking_session_virtual_number_id"
COUNT = 200


@pytest.fixture
def busy(store: Store) -> World:
    """Sessions one after the other on many numbers; statistics where the database gathers them itself."""
    world = World(store, account=NewAccount(name="Acme", policy=AllocationPolicy.SPREAD))
    world.add_numbers(*(virtual(index) for index in range(10, 150)))
    with world.store.transaction() as tx:
        for index in range(COUNT):
            world.ask_in(tx, 1000 + index // 2, 5000 + index, expires_in_s=60 + index % 7)
            world.now += 60_000_000
    if world.store.database is Database.POSTGRESQL:
        world.store.read(lambda tx: tx.command("VACUUM ANALYZE"))
    return world


def _plans(world: World, *names: str) -> tuple[str, str]:
    """How the page and the count of a list with these filters are found: the part that reads an index."""
    params = {
        "account_id": world.account.id,
        "first_ref": world.store.read(lambda tx: tx.keys.ref(person(1000))),
        "second_ref": world.store.read(lambda tx: tx.keys.ref(person(5000))),
        "number": virtual(0),
        "subaccount_id": 7,
        "now": world.now,
        "created_from": world.now - COUNT // 2 * 60_000_000,
        "created_until": world.now,
        "end_from": world.now - 3_600_000_000,
        "end_until": world.now,
        "duration_from": 0,
        "duration_until": 3_600_000_000,
        "limit_": 20,
        "offset_": 40,
    }

    def plan(tx: Tx, statement: Statement) -> str:
        if tx.database is Database.POSTGRESQL:
            # A few hundred sessions fit some pages, which PostgreSQL rightly reads whole; with a million it does
            # not. Whether the indexes can serve is what is asked.
            tx._raw.execute("SET enable_seqscan = off")
            tx._raw.execute("SET enable_bitmapscan = off")
            tx._raw.execute("SET random_page_cost = 1.1")
        return plan_of(tx, statement, params)

    page, count = session_lists.list_statements(frozenset(names))
    return world.store.read(plan, page), world.store.read(plan, count)


def _alone(world: World, index: str) -> str:
    """How a plan says that it reads an index and not its table."""
    if world.store.database is Database.POSTGRESQL:
        return rf"Index Only Scan( Backward)? using {index} "
    return rf"masking_session USING COVERING INDEX {index} "


def test_lists_of_a_time_are_read_from_one_index(busy: World) -> None:
    """The default list's ids and count come from the index of creations, in its order, and from nothing else."""
    for names in (
        ("created_from",),
        ("created_from", "created_until"),
        ("created_from", "subaccount_id"),
        ("created_from", "duration_from", "duration_until"),
        ("created_from", "expired"),
    ):
        page, count = _plans(busy, *names)
        assert re.search(_alone(busy, LISTING), page), page
        # Where sessions are few PostgreSQL takes the smallest index that answers.
        any_index = busy.store.database is Database.POSTGRESQL
        assert re.search(_alone(busy, r"\w+" if any_index else LISTING), count), count


def test_lists_of_ends_are_read_from_one_index(busy: World) -> None:
    """A list by ends is counted in the index of ends; its page is found in either, without the table."""
    for names in (("end_from", "end_until"), ("end_from", "end_until", "duration_from")):
        page, count = _plans(busy, *names)
        assert re.search(_alone(busy, ENDING), count), count
        assert re.search(_alone(busy, f"({LISTING}|{ENDING})"), page), page


def test_a_few_sessions_are_found_by_their_own_index(busy: World) -> None:
    """Sessions of a person or on a number are not sought among all of the time asked for."""
    for name, index in (("first_ref", FIRST), ("second_ref", SECOND), ("number", NUMBER)):
        for others in (("created_from",), ("end_from", "end_until"), ("active", "created_from")):
            for plan in _plans(busy, name, *others):
                assert index in plan, plan


def test_sessions_in_a_call_are_found_from_the_calls(busy: World) -> None:
    """What is in progress is looked up session by session."""
    for plan in _plans(busy, "in-progress", "created_from"):
        assert "live_call" in plan, plan
        assert LISTING not in plan, plan


def test_every_combination_of_filters_is_a_statement(world: World) -> None:
    """All filters at once still compile and find their session; a page behind the last is empty and counts."""
    session = world.create(1, 2)
    wanted = SessionFilter(
        first=session.first,
        second=session.second,
        virtual_number=session.virtual_number,
        status=SessionStatus.ACTIVE,
        created_at=Span(from_=world.now, until=world.now + 1),
        ends_at=Span(from_=session.ends_at, until=session.ends_at + 1),
        duration_s=Span(from_=1800, until=1801),
        limit=1,
        offset=0,
    )
    page = world.store.read(session_lists.load_session_page, world.account.id, wanted, world.now)
    assert page.sessions == (session,)
    behind = world.store.read(
        session_lists.load_session_page, world.account.id, replace(wanted, offset=1), world.now
    )
    assert behind.sessions == ()
    assert behind.total_count == 1
