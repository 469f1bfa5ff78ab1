import json
from dataclasses import replace

import pytest
from tests.world import NOW, SECOND, World, peek

from maskline.core.events import EventKind, NewEvent
from maskline.core.masking import MaskingSession
from maskline.workflows.finish_call import finish_call
from maskline.workflows.report_event import report_event

LAST = "SELECT kind, call_id, sequence, occurred_at, facts FROM outbox ORDER BY id DESC LIMIT 1"


def _step(session: MaskingSession) -> NewEvent:
    return NewEvent(
        kind=EventKind.PARTY_RINGING,
        account_id=session.account_id,
        session_id=session.id,
        call_id="c1",
        occurred_at=NOW + SECOND,
        facts={"role": "second"},
    )


def _refs(world: World, session: MaskingSession) -> dict[str, str]:
    [row] = peek(world.store, "SELECT first_ref, second_ref FROM masking_session WHERE id = ?", session.id)
    return {"caller": row[0], "callee": row[1]}


def test_takes_the_next_place_and_names_both_parties_by_reference(world: World) -> None:
    """A step of a running call follows its start, and its facts say between whom the call is."""
    session = world.create()
    world.claim(session)
    world.store.run(report_event, _step(session), NOW + 2 * SECOND)
    [(kind, call_id, sequence, occurred_at, facts)] = peek(world.store, LAST)
    assert (kind, call_id, sequence, occurred_at) == ("call.party_ringing", "c1", 3, NOW + SECOND)
    assert json.loads(facts) == {**_refs(world, session), "role": "second"}


def test_a_finished_call_is_found_in_its_record(world: World) -> None:
    """What is told after the end, such as a recording, still names the parties."""
    session = world.create()
    world.claim(session)
    world.store.run(finish_call, world.record(session), NOW)
    world.store.run(report_event, _step(session), NOW + 60 * SECOND)
    [(*_, facts)] = peek(world.store, LAST)
    assert json.loads(facts) == {**_refs(world, session), "role": "second"}


@pytest.mark.parametrize("call_id", [None, "nobody-knows"])
def test_without_a_call_there_are_only_the_given_facts(world: World, call_id: str | None) -> None:
    """An event of no call, or of one that left no trace, is written as it was given."""
    session = world.create()
    world.store.run(report_event, replace(_step(session), call_id=call_id), NOW + SECOND)
    [(*_, facts)] = peek(world.store, LAST)
    assert json.loads(facts) == {"role": "second"}


def test_given_references_win(world: World) -> None:
    """Who reports knows better: in a PIN dialogue the caller's role changes on the way."""
    session = world.create()
    world.claim(session)
    event = replace(_step(session), facts={"caller": "f" * 32})
    world.store.run(report_event, event, NOW + SECOND)
    [(*_, facts)] = peek(world.store, LAST)
    assert json.loads(facts) == {**_refs(world, session), "caller": "f" * 32}


def test_nothing_is_told_of_the_future(world: World) -> None:
    """A step stamped by a clock that is ahead is told as of now."""
    session = world.create()
    world.store.run(report_event, replace(_step(session), call_id=None), NOW)
    [(_, _, _, occurred_at, _)] = peek(world.store, LAST)
    assert occurred_at == NOW
