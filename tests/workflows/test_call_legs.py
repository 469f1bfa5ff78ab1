from dataclasses import replace
from typing import Any

import pytest
from tests.world import NOW, SECOND, World, person, virtual

from maskline.core.call_leg import CallLeg, LegFilter, LegNotFound, LiveLeg
from maskline.core.call_record import Side, leg_id
from maskline.core.inventory import NewAccount, Subaccount
from maskline.core.masking import LegStatus, MaskingSession, Span
from maskline.core.numbers import E164
from maskline.core.termination import Reason, terminate
from maskline.store import call_legs
from maskline.store.engine import Tx
from maskline.store.routes import read_party
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.call_legs import list_call_legs, list_live_legs, load_call_leg, load_live_leg
from maskline.workflows.finish_call import finish_call
from maskline.workflows.record_refused_call import record_refused_call
from maskline.workflows.save_dialogs import save_dialogs


def _finish(world: World, session: MaskingSession, call_id: str, **changed: Any) -> None:
    world.store.run(finish_call, world.record(session, call_id, **changed), world.now)


def _list(world: World, **given: Any) -> list[tuple[str, Side]]:
    page = world.store.read(list_call_legs, world.account, LegFilter(**given))
    assert page.total_count == len(page.legs)
    return [(leg.call_id, leg.side) for leg in page.legs]


def _load(world: World, call_id: str, side: Side) -> CallLeg | LegNotFound:
    return world.store.read(load_call_leg, world.account, leg_id(call_id, side))


def test_every_leg_of_an_interaction_is_found(world: World) -> None:
    """Both legs of a call by the ids under which they are reported, each with its person and times."""
    session = world.create()
    _finish(world, session, "c1")
    a, b = _load(world, "c1", Side.A), _load(world, "c1", Side.B)
    assert isinstance(a, CallLeg)
    assert isinstance(b, CallLeg)
    assert (a.party, b.party) == (person(1), person(2))
    assert (a.number, a.is_inbound, b.is_inbound) == (virtual(0), True, False)
    assert (a.started_at, a.answered_at, a.ended_at) == (NOW, NOW + 3 * SECOND, NOW + 13 * SECOND)
    assert (a.duration_s, a.status, a.termination) == (
        10,
        LegStatus.COMPLETED,
        terminate(Reason.CALLER_HUNG_UP),
    )
    assert (a.id, b.id) == (leg_id("c1", Side.A), leg_id("c1", Side.B))


def test_leg_that_was_not_placed_is_not_there(world: World) -> None:
    """A call that ended before leg B was dialled has one leg, and others' legs are unknown."""
    session = world.create()
    _finish(
        world,
        session,
        "c1",
        is_callee_dialled=False,
        callee_answered_at=None,
        termination=terminate(Reason.CALLER_CANCELLED),
    )
    assert isinstance(_load(world, "c1", Side.A), CallLeg)
    assert _load(world, "c1", Side.B) == LegNotFound()
    assert _list(world) == [("c1", Side.A)]
    other = World(world.store, number_count=0, account=NewAccount(name="Other"))
    assert _load(other, "c1", Side.A) == LegNotFound()
    assert _list(other) == []


def test_refused_calls_have_a_leg_and_unplaced_orders_none(world: World) -> None:
    """A stranger's call is a leg of the account's; what the service owed and did not place is none."""
    session = world.create()
    world.store.run(record_refused_call, world.refused("r1", account_id=world.account.id), world.now)
    order = world.refused("o1", session_id=session.id, account_id=world.account.id, is_service_initiated=True)
    world.store.run(record_refused_call, order, world.now)
    assert _list(world) == [("r1", Side.A)]
    assert _load(world, "o1", Side.A) == LegNotFound()


def test_service_initiated_calls_have_two_outbound_legs(world: World) -> None:
    """Both phones are called from the virtual number."""
    session = world.create()
    _finish(world, session, "c1", is_service_initiated=True)
    assert _list(world, is_inbound=True) == []
    assert _list(world, from_number=E164(virtual(0))) == [("c1", Side.A), ("c1", Side.B)]
    assert _list(world, to_number=person(1)) == [("c1", Side.A)]


def test_filters(world: World) -> None:
    """Each names what it says, of either leg."""
    session, other = world.create(1, 2), world.create(3, 4)
    _finish(world, session, "c1")
    world.now += 60 * SECOND
    busy = terminate(Reason.CALLEE_BUSY)
    _finish(world, other, "c2", answered_at=None, callee_answered_at=None, bridged_at=None, termination=busy)
    first, second = [("c1", Side.A), ("c1", Side.B)], [("c2", Side.A), ("c2", Side.B)]
    assert _list(world) == second + first
    assert _list(world, is_inbound=True) == [second[0], first[0]]
    assert _list(world, is_inbound=False) == [second[1], first[1]]
    assert _list(world, from_number=person(1)) == first[:1]
    assert _list(world, from_number=E164(virtual(0))) == [second[1], first[1]]
    assert _list(world, to_number=person(4)) == second[1:]
    assert _list(world, to_number=E164(virtual(0))) == [second[0], first[0]]
    assert _list(world, from_number=person(1), to_number=person(2)) == []
    assert _list(world, parent_leg=leg_id("c1", Side.A)) == first[1:]
    assert _list(world, parent_leg=leg_id("c1", Side.B)) == []
    assert _list(world, reasons=frozenset({Reason.CALLEE_BUSY, Reason.RING_TIMEOUT})) == second
    assert _list(world, reasons=frozenset()) == []
    ended_at = NOW + 13 * SECOND
    assert _list(world, ended_at=Span(from_=ended_at, until=ended_at + 1)) == first
    assert _list(world, ended_at=Span(from_=ended_at + 1)) == second
    assert _list(world, ended_at=Span(until=ended_at)) == []
    assert _list(world, duration_s=Span(from_=10, until=11)) == first
    assert _list(world, duration_s=Span(until=10)) == second
    assert _list(world, duration_s=Span(from_=11)) == []
    assert _list(world, duration_s=Span(from_=0)) == second + first


@pytest.mark.parametrize("limit", [1, 3, 5])
def test_pages_hold_every_leg_once(world: World, limit: int) -> None:
    """Whatever the size of a page, the newest call comes first and leg A before its leg B."""
    session = world.create()
    for index in range(4):
        world.now += SECOND
        _finish(world, session, f"c{index}", is_callee_dialled=index % 2 == 0)
    seen: list[tuple[str, Side]] = []
    while len(seen) < 6:
        wanted = LegFilter(limit=limit, offset=len(seen))
        page = world.store.read(list_call_legs, world.account, wanted)
        assert page.total_count == 6
        assert 0 < len(page.legs) <= limit
        seen += [(leg.call_id, leg.side) for leg in page.legs]
    assert seen == [
        ("c3", Side.A),
        ("c2", Side.A),
        ("c2", Side.B),
        ("c1", Side.A),
        ("c0", Side.A),
        ("c0", Side.B),
    ]


def test_sub_account_sees_its_own(world: World) -> None:
    """Legs of a sub-account's sessions are seen by it and by the account, others by the account alone."""
    subaccount = world.store.run(create_subaccount, world.account, "North", world.now)
    assert isinstance(subaccount, Subaccount)
    world.add_numbers(virtual(7), subaccount_id=subaccount.id)
    _finish(world, world.create(1, 2), "c1")
    _finish(world, world.create(1, 2, subaccount_id=subaccount.id), "c2")
    whole, own = world.account, replace(world.account, subaccount=subaccount)
    assert len(world.store.read(list_call_legs, whole, LegFilter()).legs) == 4
    seen = world.store.read(list_call_legs, own, LegFilter())
    assert [leg.call_id for leg in seen.legs] == ["c2", "c2"]
    assert world.store.read(load_call_leg, own, leg_id("c1", Side.A)) == LegNotFound()
    assert isinstance(world.store.read(load_call_leg, own, leg_id("c2", Side.A)), CallLeg)


def test_running_calls(world: World) -> None:
    """Leg A is there from the claim, leg B from its answer; both go with the call."""
    session = world.create()
    world.claim(session, "c1")
    [live] = world.store.read(list_live_legs, world.account, world.now)
    assert (live.side, live.party, live.is_answered, live.is_inbound) == (Side.A, person(1), False, True)
    world.store.run(save_dialogs, "c1", "{}", "{}", world.now)
    both = world.store.read(list_live_legs, world.account, world.now)
    assert [(leg.side, leg.party, leg.is_answered) for leg in both] == [
        (Side.A, person(1), True),
        (Side.B, person(2), True),
    ]
    for leg in both:
        assert world.store.read(load_live_leg, world.account, leg.id, world.now) == leg
    a, b = both
    for wanted, found in (
        (LegFilter(is_inbound=True), (a,)),
        (LegFilter(from_number=E164(virtual(0))), (b,)),
        (LegFilter(to_number=person(2)), (b,)),
        (LegFilter(from_number=person(1), to_number=E164(virtual(0))), (a,)),
        (LegFilter(from_number=person(2)), ()),
        (LegFilter(subaccount_id=99), ()),
    ):
        assert world.store.read(list_live_legs, world.account, world.now, wanted) == found
    other = World(world.store, number_count=0, account=NewAccount(name="Other"))
    assert world.store.read(list_live_legs, other.account, world.now) == ()
    assert world.store.read(load_live_leg, other.account, live.id, world.now) == LegNotFound()
    _finish(world, session, "c1")
    assert world.store.read(list_live_legs, world.account, world.now) == ()


def test_the_number_of_one_running_leg_is_unsealed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of no other, however many run."""
    for index in range(3):
        world.claim(world.create(2 * index + 1, 2 * index + 2), f"c{index}")
        world.store.run(save_dialogs, f"c{index}", "{}", "{}", world.now)
    read: list[int] = []

    def note(tx: Tx, *args: Any) -> E164 | None:
        read.append(1)
        return read_party(tx, *args)

    monkeypatch.setattr(call_legs, "read_party", note)
    found = world.store.read(load_live_leg, world.account, leg_id("c1", Side.B), world.now)
    assert isinstance(found, LiveLeg)
    assert (found.party, len(read)) == (person(4), 1)


def test_withheld_and_erased_numbers_are_nobody(world: World) -> None:
    """A caller without a number has a leg all the same."""
    session = world.create(1, None, is_single_party=True)
    world.be_called(session, None)
    leg = _load(world, "c1", Side.A)
    assert isinstance(leg, CallLeg)
    assert leg.party is None
