from dataclasses import replace

from tests.world import SECOND, World, person, virtual

from maskline.core.call_record import CallRecord
from maskline.core.inventory import Subaccount
from maskline.core.listing import CallListFilter, ListedCalls, LiveCall, PageKey
from maskline.core.masking import Span
from maskline.core.termination import Reason, Result, terminate
from maskline.store import call_pages
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.finish_call import finish_call
from maskline.workflows.record_refused_call import record_refused_call


def _list(world: World, **wanted: object) -> ListedCalls:
    given = replace(CallListFilter(account_id=world.account.id), **wanted)  # type: ignore[arg-type]
    return world.store.read(call_pages.load_listed_calls, given, world.now)


def _ids(world: World, **wanted: object) -> list[str]:
    return [it.call_id for it in _list(world, **wanted).calls]


def test_a_record_is_read_as_it_was_written(world: World) -> None:
    """Every field, numbers unsealed."""
    session = world.create(1, 2)
    world.claim(session)
    record = world.record(session)
    world.store.run(finish_call, record, world.now)
    assert world.store.read(call_pages.load_call, world.account.id, None, "c1", world.now) == record
    assert _list(world).calls == (record,)


def test_a_running_call_is_read_from_its_claim(world: World) -> None:
    """It is among the live ones only."""
    session = world.create(1, 2)
    world.claim(session)
    found = world.store.read(call_pages.load_call, world.account.id, None, "c1", world.now)
    assert isinstance(found, LiveCall)
    assert (found.caller, found.callee, found.session_id) == (person(1), person(2), session.id)
    assert (_ids(world), _ids(world, is_live=True)) == ([], ["c1"])


def test_a_call_whose_lease_is_over_does_not_run(world: World) -> None:
    """Nobody says that it runs; what became of it is not known before it is recorded."""
    world.claim(world.create(1, 2))
    world.now += 30 * SECOND
    assert world.store.read(call_pages.load_call, world.account.id, None, "c1", world.now) is None
    assert _ids(world, is_live=True) == []


def test_pages_join_without_gap_or_overlap(world: World) -> None:
    """Refused calls among the others, several at one instant."""
    for index in range(5):
        world.store.run(record_refused_call, world.refused(f"c{index}"), world.now)
        if index == 2:
            world.now += SECOND
    assert _ids(world) == ["c4", "c3", "c2", "c1", "c0"]
    seen, before = [], None
    while True:
        page = _list(world, limit=2, before=before)
        seen += [it.call_id for it in page.calls]
        if not page.has_more:
            break
        before = PageKey(page.calls[-1].started_at, page.calls[-1].call_id)
    assert seen == _ids(world)


def test_filters_narrow(world: World) -> None:
    """By session, result and time."""
    session = world.create(1, 2)
    world.claim(session)
    world.store.run(finish_call, world.record(session), world.now)
    world.now += 60 * SECOND
    busy = world.refused("c2", session_id=session.id, termination=terminate(Reason.SESSION_BUSY))
    world.store.run(record_refused_call, busy, world.now)
    world.store.run(record_refused_call, world.refused("c3"), world.now + SECOND)
    assert _ids(world, session_id=session.id) == ["c2", "c1"]
    assert _ids(world, result=Result.SUCCESS) == ["c1"]
    assert _ids(world, started_at=Span(from_=world.now)) == ["c3", "c2"]
    assert _ids(world, started_at=Span(until=world.now)) == ["c1"]
    assert _ids(world, account_id=world.account.id + 1) == []


def test_a_subaccount_has_the_calls_of_its_sessions(world: World) -> None:
    """Refused ones without session are the account's."""
    made = world.store.run(create_subaccount, world.account, "branch", world.now)
    assert isinstance(made, Subaccount)
    world.add_numbers(virtual(10), subaccount_id=made.id)
    own, other = world.create(1, 2, subaccount_id=made.id), world.create(3, 4)
    for session, id_ in ((own, "own"), (other, "other")):
        world.claim(session, id_)
    assert _ids(world, is_live=True, subaccount_id=made.id) == ["own"]
    for session, id_ in ((own, "own"), (other, "other")):
        world.store.run(finish_call, world.record(session, id_), world.now)
    world.store.run(record_refused_call, world.refused("refused"), world.now)
    assert _ids(world, subaccount_id=made.id) == ["own"]
    look = call_pages.load_call
    assert isinstance(world.store.read(look, world.account.id, made.id, "own", world.now), CallRecord)
    assert world.store.read(look, world.account.id, made.id, "other", world.now) is None
    assert world.store.read(look, world.account.id + 1, None, "own", world.now) is None
