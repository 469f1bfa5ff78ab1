from dataclasses import replace

from tests.world import World, virtual

from maskline.core.call_record import CallRecord
from maskline.core.inventory import Subaccount
from maskline.core.listing import CallListFilter, CallNotFound, LiveCall
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.calls import list_calls, show_call
from maskline.workflows.finish_call import finish_call


def test_a_call_is_shown_while_it_runs_and_after(world: World) -> None:
    """First as claimed, then as recorded; others are not there."""
    session = world.create(1, 2)
    world.claim(session)
    assert isinstance(world.store.read(show_call, world.account, "c1", world.now), LiveCall)
    world.store.run(finish_call, world.record(session), world.now)
    assert isinstance(world.store.read(show_call, world.account, "c1", world.now), CallRecord)
    assert world.store.read(show_call, world.account, "c2", world.now) == CallNotFound()


def test_a_subaccount_sees_its_own_whatever_it_asks_for(world: World) -> None:
    """The account of the credentials decides, not the filter."""
    made = world.store.run(create_subaccount, world.account, "branch", world.now)
    assert isinstance(made, Subaccount)
    world.add_numbers(virtual(10), subaccount_id=made.id)
    branch = replace(world.account, subaccount=made)
    for session, id_ in ((world.create(1, 2, subaccount_id=made.id), "own"), (world.create(3, 4), "other")):
        world.claim(session, id_)
    wanted = CallListFilter(account_id=0, subaccount_id=0, is_live=True)
    assert [it.call_id for it in world.store.read(list_calls, branch, wanted, world.now).calls] == ["own"]
    assert world.store.read(show_call, branch, "other", world.now) == CallNotFound()
    everything = CallListFilter(account_id=0, is_live=True)
    found = world.store.read(list_calls, world.account, everything, world.now)
    assert {it.call_id for it in found.calls} == {"own", "other"}
