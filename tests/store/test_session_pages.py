from dataclasses import replace
from pathlib import Path

import pytest
from tests.store.plans import plan_of, scans
from tests.world import SECOND, World, person

from maskline.core.listing import PAGE_LIMIT_MAX, ListedSessions, PageKey, SessionListFilter
from maskline.core.masking import SessionStatus, Span
from maskline.store import session_pages
from maskline.store.setup import open_store
from maskline.store.statement import Database
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.finish_call import finish_call


def _list(world: World, **wanted: object) -> ListedSessions:
    given_ = replace(SessionListFilter(account_id=world.account.id), **wanted)  # type: ignore[arg-type]
    return world.store.read(session_pages.load_listed_sessions, given_, world.now)


def _all_pages(world: World, limit: int) -> list[str]:
    seen: list[str] = []
    before = None
    while True:
        page = _list(world, limit=limit, before=before)
        assert len(page.sessions) <= limit
        seen += [it.id for it in page.sessions]
        if not page.has_more:
            return seen
        last = page.sessions[-1]
        before = PageKey(last.created_at, last.id)


def test_pages_join_without_gap_or_overlap(world: World) -> None:
    """Whatever their size, also where many sessions were created at one instant."""
    made = []
    for index in range(7):
        made.append(world.create(1 + 2 * index, 2 + 2 * index))
        if index in (2, 3):
            world.now += SECOND
    expected = [it.id for it in sorted(made, key=lambda it: (it.created_at, it.id), reverse=True)]
    for limit in (1, 2, 3, 7, PAGE_LIMIT_MAX):
        assert _all_pages(world, limit) == expected


def test_filters_narrow(world: World) -> None:
    """Each by itself and all together."""
    old = world.create(1, 2, reference="order", expires_in_s=60)
    world.now += 120 * SECOND
    new = world.create(3, 4)
    world.claim(new)
    for wanted, expected in (
        ({"first": person(1)}, [old]),
        ({"second": person(4)}, [new]),
        ({"first": person(2)}, []),
        ({"reference": "order"}, [old]),
        ({"status": SessionStatus.ACTIVE}, [new]),
        ({"status": SessionStatus.EXPIRED}, [old]),
        ({"status": SessionStatus.IN_PROGRESS}, [new]),
        ({"virtual_number": new.virtual_number}, [new, old]),
        ({"created_at": Span(from_=new.created_at)}, [new]),
        ({"created_at": Span(until=new.created_at)}, [old]),
        ({"reference": "order", "status": SessionStatus.ACTIVE}, []),
        ({"account_id": world.account.id + 1}, []),
    ):
        assert [it.id for it in _list(world, **wanted).sessions] == [it.id for it in expected], wanted


def test_sessions_come_without_interactions(world: World) -> None:
    """A page has up to a hundred; their calls are read elsewhere, their totals are there."""
    session = world.create(1, 2)
    world.claim(session)
    world.store.run(finish_call, world.record(session), world.now)
    world.store.run(end_masking_session, world.account, session.id, world.now + 20 * SECOND)
    [listed] = _list(world).sessions
    assert (listed.interactions, listed.total_leg_count) == ((), 2)


@pytest.mark.parametrize(
    ("names", "index"),
    [
        (set(), "ix_masking_session_listing"),
        ({"before_at"}, "ix_masking_session_listing"),
        ({"first_ref"}, "ix_masking_session_account_id_first_ref"),
        ({"second_ref", "before_at"}, "ix_masking_session_account_id_second_ref"),
        ({"number"}, "ix_masking_session_virtual_number_id"),
        ({"reference"}, "ix_masking_session_reference"),
    ],
)
def test_pages_are_found_by_their_filters(
    sqlite_url: str, key_path: Path, names: set[str], index: str
) -> None:
    """SQLite, which knows nothing of the rows, uses the index that leaves fewest of them."""
    statement = session_pages.page_statement(frozenset(names))
    params = dict.fromkeys(statement.compiled(Database.SQLITE).parameters, 1)
    store = open_store(sqlite_url, key_path)
    try:
        plan = store.read(plan_of, statement, params)
    finally:
        store.close()
    assert index in plan
    assert scans(Database.SQLITE, plan) in ([], ["SCAN page"])
