import pytest
from tests.world import NOW, SECOND, World, person, virtual

from maskline.core.allocation import PoolExhausted
from maskline.core.click_to_call import CallOrdered, NumberNotLeased, OtherNumberShown
from maskline.core.masking import NewMaskingSession, PartyIsVirtual, RepeatRule, Role
from maskline.core.numbers import DID, E164
from maskline.core.routing import CallOrder
from maskline.workflows.click_to_call import click_to_call
from maskline.workflows.take_call_orders import take_call_orders

END = NOW + 1800 * SECOND
Outcome = CallOrdered | NumberNotLeased | OtherNumberShown | PoolExhausted | PartyIsVirtual


def click(world: World, first: E164, second: E164, shown: DID | None = None) -> Outcome:
    """Ask that two people be called."""
    new = NewMaskingSession(
        first=first,
        second=second,
        ends_at=END,
        ring_timeout_s=20,
        reference="x",
        virtual_number=shown,
        is_geomatched=False,
        is_pair_ordered=False,
        repeat_rule=RepeatRule.REUSE,
    )
    return world.store.run(click_to_call, world.account, new, NOW)


def orders(world: World) -> tuple[CallOrder, ...]:
    """What a switch would place now."""
    return world.store.run(take_call_orders, "switch", NOW)


def test_session_is_made_and_a_call_is_owed(world: World) -> None:
    """The order has the id that was answered, and what was asked for is the session's."""
    made = click(world, person(1), person(2))
    assert isinstance(made, CallOrdered)
    session = made.session
    assert (session.ends_at, session.ring_timeout_s, session.reference) == (END, 20, "x")
    [order] = orders(world)
    assert (order.call_id, order.first, order.connect.callee) == (made.call_id, person(1), person(2))
    assert order.connect.session_id == session.id


@pytest.mark.parametrize(("first", "second", "role"), [(1, 2, Role.FIRST), (2, 1, Role.SECOND)])
def test_live_session_serves_both_ways(world: World, first: int, second: int, role: Role) -> None:
    """One made the other way round is the same pair's; nothing of it changes."""
    before = world.create(1, 2, is_pair_ordered=False)
    made = click(world, person(first), person(second))
    assert isinstance(made, CallOrdered)
    assert made.session == before
    [order] = orders(world)
    assert (order.first, order.connect.caller_role) == (person(first), role)


def test_number_to_show_is_had_or_nothing(world: World) -> None:
    """It is leased, free, and the pair's own if the pair has one; else nobody is called."""
    made = click(world, person(1), person(2), virtual(2))
    assert isinstance(made, CallOrdered)
    assert made.session.virtual_number == virtual(2)
    assert len(orders(world)) == 1
    assert isinstance(click(world, person(1), person(3), virtual(2)), PoolExhausted), (
        "the first has it already"
    )
    assert click(world, person(1), person(2), virtual(1)) == OtherNumberShown()
    assert click(world, person(4), person(5), virtual(99)) == NumberNotLeased()
    assert orders(world) == ()


def test_our_own_numbers_are_nobody(world: World) -> None:
    """A virtual number is no party."""
    assert click(world, E164(virtual(0)), person(2)) == PartyIsVirtual(role=Role.FIRST)
    assert click(world, person(1), E164(virtual(0))) == PartyIsVirtual(role=Role.SECOND)
