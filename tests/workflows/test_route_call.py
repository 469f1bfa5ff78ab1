from dataclasses import replace

import pytest
from tests.world import SECOND, World, person, poke, virtual

from maskline.core.inventory import NewAccount
from maskline.core.masking import Role
from maskline.core.numbers import E164
from maskline.core.routing import Connect, RefusalReason, Refuse, RouteDecision, RouteFacts, decide_route
from maskline.store.engine import Store
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.numbers import remove_number
from maskline.workflows.route_call import route_call


def _route(world: World, caller: E164 | None, number: str = virtual(0)) -> RouteDecision:
    facts = world.store.read(route_call, number, caller, world.now)
    return decide_route(facts, caller, world.now)


def test_finds_the_session_from_either_party(world: World) -> None:
    """Each party reaches the other, with the session's settings and the dialled number as its own."""
    session = world.create(ring_timeout_s=20, call_time_limit_s=100, is_recorded=True)
    first = _route(world, person(1))
    assert first == Connect(
        session_id=session.id,
        account_id=world.account.id,
        caller_role=Role.FIRST,
        callee=person(2),
        presented=virtual(0),
        trunk_id=world.trunk.id,
        ends_at=session.ends_at,
        ring_timeout_s=20,
        call_time_limit_s=100,
        is_recorded=True,
    )
    assert _route(world, person(2)) == replace(first, caller_role=Role.SECOND, callee=person(1))


def test_same_party_on_different_numbers_reaches_different_people(world: World) -> None:
    """It is the pair (dialled number, caller) that has a meaning."""
    for other in (2, 3, 4):
        world.create(1, other)
    callees = [
        decision.callee
        for index in range(3)
        if isinstance(decision := _route(world, person(1), virtual(index)), Connect)
    ]
    assert callees == [person(2), person(3), person(4)]


@pytest.mark.parametrize(("offset_us", "is_open"), [(-1, True), (0, False), (1, False)])
def test_window_closes_at_the_end_whether_marked_or_not(world: World, offset_us: int, is_open: bool) -> None:
    """No sweeper need have run for an expired session to be refused."""
    session = world.create()
    world.now = session.ends_at + offset_us
    assert isinstance(_route(world, person(1)), Connect) is is_open


def test_window_opens_with_the_creation(world: World) -> None:
    """A machine whose clock is behind does not see the session before its start."""
    world.create()
    world.now -= 1
    assert _route(world, person(1)) == Refuse(reason=RefusalReason.NO_SESSION)


def test_does_not_ask_what_was_released(world: World) -> None:
    """The clock alone decides: a binding that somebody marked as released by mistake still counts."""
    world.create()
    poke(world.store, "UPDATE binding SET free_at = end_at, released_at = end_at")
    assert isinstance(_route(world, person(1)), Connect)


def test_refuses_alike_whoever_has_no_business(world: World) -> None:
    """Stranger, withheld number, free number, deleted session and one of our numbers are all refused."""
    session = world.create()
    assert _route(world, person(9)) == Refuse(reason=RefusalReason.NO_SESSION)
    assert _route(world, None) == Refuse(reason=RefusalReason.NO_CALLER)
    assert _route(world, person(1), virtual(1)) == Refuse(reason=RefusalReason.NO_SESSION)
    assert _route(world, person(1), "+442079460000") == Refuse(reason=RefusalReason.UNKNOWN_NUMBER)
    assert _route(world, person(1), "anonymous") == Refuse(reason=RefusalReason.UNKNOWN_NUMBER)
    assert _route(world, E164(virtual(1))) == Refuse(reason=RefusalReason.CALLER_IS_VIRTUAL)
    world.store.run(end_masking_session, world.account, session.id, world.now)
    assert _route(world, person(1)) == Refuse(reason=RefusalReason.NO_SESSION)


def test_removed_number_is_not_ours(world: World) -> None:
    """After its removal a number is as unknown as any other, though its old row is there."""
    world.create()
    world.store.run(remove_number, virtual(0), is_forced=True, now=world.now)
    facts = world.store.read(route_call, virtual(0), person(1), world.now)
    assert facts == RouteFacts(
        number=None, trunk_id=None, account_id=None, is_caller_virtual=False, session=None
    )


def test_number_leased_to_another_account_since_is_refused(store: Store) -> None:
    """A number is shown only for the account that leases it now (I7)."""
    world = World(store, number_count=1)
    other = World(store, number_count=0, account=NewAccount(name="Other"))
    world.create()
    poke(store, "UPDATE number_lease SET account_id = ?", other.account.id)
    assert _route(world, person(1)) == Refuse(reason=RefusalReason.NOT_LEASED)
    poke(store, "UPDATE number_lease SET ended_at = started_at")
    assert _route(world, person(1)) == Refuse(reason=RefusalReason.NOT_LEASED)


def test_any_stranger_reaches_the_party_of_a_one_party_session(world: World) -> None:
    """Strangers and withheld numbers are put through; a pair of its own on that number goes first."""
    open_session = world.create(1, None)
    pair = world.create(8, 9)
    assert open_session.virtual_number == pair.virtual_number == virtual(0)
    for caller in (person(5), None):
        decision = _route(world, caller)
        assert isinstance(decision, Connect)
        assert (decision.session_id, decision.callee) == (open_session.id, person(1))
        assert decision.caller_role is Role.ANYONE
    own = _route(world, person(8))
    assert isinstance(own, Connect)
    assert own.session_id == pair.id
    assert _route(world, person(1)) == Refuse(reason=RefusalReason.NO_COUNTERPART)


def test_second_party_alone_is_reached_too(world: World) -> None:
    """A one-party session may have only its second party."""
    world.create(None, 2)
    decision = _route(world, person(5))
    assert isinstance(decision, Connect)
    assert decision.callee == person(2)


def test_later_session_of_the_pair_is_found_among_old_ones(world: World) -> None:
    """Old bindings of the same caller on the same number do not get in the way."""
    for _ in range(3):
        last = world.create(expires_in_s=60)
        world.now = last.ends_at + SECOND
    live = world.create()
    decision = _route(world, person(1))
    assert isinstance(decision, Connect)
    assert decision.session_id == live.id
