from typing import Any

import pytest
from tests.world import NOW, SECOND, World, person, virtual

from maskline.core.inventory import NewAccount, Subaccount
from maskline.core.masking import SessionFilter, SessionStatus, Span
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.finish_call import finish_call
from maskline.workflows.list_masking_sessions import list_masking_sessions


@pytest.fixture
def five(world: World) -> World:
    """Sessions 1-2, 1-3, 1-4 (60 s) and 5-6 (deleted at once), 6-5 in a call; a second apart."""
    for first, second, expires_in_s in ((1, 2, 600), (1, 3, 600), (1, 4, 60), (5, 6, 600), (6, 5, 600)):
        session = world.create(first, second, expires_in_s=expires_in_s)
        if (first, second) == (5, 6):
            world.store.run(end_masking_session, world.account, session.id, world.now)
        if (first, second) == (6, 5):
            world.claim(session)
        world.now += SECOND
    return world


def _pairs(world: World, wanted: SessionFilter) -> list[tuple[int, int]]:
    page = world.store.read(list_masking_sessions, world.account, wanted, world.now)
    assert page.total_count == len(page.sessions)
    names = {person(index): index for index in range(10)}
    return [(names[it.first], names[it.second]) for it in page.sessions if it.first and it.second]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [(6, 5), (5, 6), (1, 4), (1, 3), (1, 2)]),
        ({"first": person(1)}, [(1, 4), (1, 3), (1, 2)]),
        ({"second": person(5)}, [(6, 5)]),
        ({"first": person(1), "second": person(3)}, [(1, 3)]),
        ({"first": person(9)}, []),
        ({"virtual_number": virtual(1)}, [(1, 3)]),
        ({"status": SessionStatus.EXPIRED}, [(5, 6)]),
        ({"status": SessionStatus.ACTIVE}, [(6, 5), (1, 4), (1, 3), (1, 2)]),
        ({"status": SessionStatus.IN_PROGRESS}, [(6, 5)]),
        ({"created_at": Span(from_=NOW + SECOND, until=NOW + 3 * SECOND)}, [(1, 4), (1, 3)]),
        ({"created_at": Span(until=NOW + SECOND)}, [(1, 2)]),
        ({"ends_at": Span(until=NOW + 62 * SECOND)}, [(5, 6)]),
        ({"ends_at": Span(until=NOW + 62 * SECOND + 1)}, [(5, 6), (1, 4)]),
        ({"duration_s": Span(from_=60, until=61)}, [(1, 4)]),
        ({"duration_s": Span(until=60)}, [(5, 6)]),
        ({"duration_s": Span(from_=61)}, [(6, 5), (1, 3), (1, 2)]),
    ],
)
def test_filters(five: World, given: dict[str, Any], expected: list[tuple[int, int]]) -> None:
    """Each filter, and filters together, let through what they say, newest first."""
    assert _pairs(five, SessionFilter(**given)) == expected


def test_pages(five: World) -> None:
    """Limit and offset cut the list; the count is of all that match."""
    pages = [
        five.store.read(list_masking_sessions, five.account, SessionFilter(limit=2, offset=offset), five.now)
        for offset in (0, 2, 4, 6)
    ]
    assert [len(page.sessions) for page in pages] == [2, 2, 1, 0]
    assert {page.total_count for page in pages} == {5}
    assert len({it.id for page in pages for it in page.sessions}) == 5


def test_a_page_is_never_longer_than_the_limit_allows(world: World) -> None:
    """A larger limit than 20 is 20."""
    with world.store.transaction() as tx:
        for index in range(25):
            world.ask_in(tx, 100 + index, 200 + index)
    page = world.store.read(list_masking_sessions, world.account, SessionFilter(limit=1000), world.now)
    assert (len(page.sessions), page.total_count) == (20, 25)


def test_other_accounts_do_not_show(five: World) -> None:
    """Neither sessions nor counts of another account are seen, even for the same people."""
    other = World(five.store, number_count=0, account=NewAccount(name="Other"))
    for wanted in (SessionFilter(), SessionFilter(first=person(1)), SessionFilter(virtual_number=virtual(0))):
        page = other.store.read(list_masking_sessions, other.account, wanted, other.now)
        assert (page.sessions, page.total_count) == ((), 0)


def test_subaccounts(world: World) -> None:
    """A sub-account's sessions can be listed by themselves."""
    subaccount = world.store.run(create_subaccount, world.account, "North", world.now)
    assert isinstance(subaccount, Subaccount)
    world.add_numbers(virtual(8), subaccount_id=subaccount.id)
    world.create(1, 2)
    own = world.create(1, 2, subaccount_id=subaccount.id)
    wanted = SessionFilter(subaccount_id=subaccount.id)
    page = world.store.read(list_masking_sessions, world.account, wanted, world.now)
    assert page.sessions == (own,)


def test_each_session_has_its_own_interactions(world: World) -> None:
    """Interactions of one page are loaded together and given to whom they belong."""
    one, two = world.create(1, 2), world.create(3, 4)
    for session, call_id in ((one, "a"), (two, "b"), (one, "c")):
        world.store.run(finish_call, world.record(session, call_id), world.now)
    page = world.store.read(list_masking_sessions, world.account, SessionFilter(), world.now)
    found = {it.id: [call.call_id for call in it.interactions] for it in page.sessions}
    assert found == {one.id: ["a", "c"], two.id: ["b"]}
