from typing import Any

import pytest
from tests.world import World, peek, person, virtual

from maskline.core.inventory import Account, NewAccount, NewNumbers, NumberHealth, Subaccount, VirtualNumber
from maskline.core.masking import MaskingSession, NewMaskingSession, SessionCreated
from maskline.core.numbers import DID, E164
from maskline.workflows.accounts import create_account, create_subaccount
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.load_masking_session import load_masking_session
from maskline.workflows.numbers import (
    NumberDraining,
    NumberNotFound,
    NumberRemoved,
    NumbersAdded,
    NumbersAreParties,
    NumbersTaken,
    add_numbers,
    drain_number,
    ensure_numbers,
    list_numbers,
    load_number,
    remove_number,
)


def test_lists_in_the_order_of_addition(world: World) -> None:
    """The inventory order is the order in which numbers came, whatever their digits."""
    world.add_numbers(virtual(9), virtual(5))
    assert [it.number for it in world.store.read(list_numbers, world.account.id)] == [
        virtual(index) for index in (0, 1, 2, 9, 5)
    ]
    assert world.store.read(list_numbers, world.account.id) == world.store.read(list_numbers)


def test_number_tells_its_country_trunk_and_lease(world: World) -> None:
    """A number of the inventory knows where it belongs."""
    subaccount = world.store.run(create_subaccount, world.account, "North", world.now)
    assert isinstance(subaccount, Subaccount)
    new = NewNumbers(
        numbers=(virtual(0, country="US"),),
        account_id=world.account.id,
        trunk_id=world.trunk.id,
        subaccount_id=subaccount.id,
        area="New York",
    )
    world.store.run(add_numbers, new, world.now)
    found = world.store.read(load_number, virtual(0, country="US"))
    assert found == VirtualNumber(
        id=found.id if found else 0,
        number=virtual(0, country="US"),
        country="US",
        area="New York",
        trunk_id=world.trunk.id,
        trunk_name=world.trunk.name,
        health=NumberHealth.HEALTHY,
        created_at=world.now,
        draining_at=None,
        account_id=world.account.id,
        account_name="Acme",
        subaccount_auth_id=subaccount.auth_id,
        account_auth_id=world.account.auth_id,
    )


def test_adds_all_or_none(world: World) -> None:
    """One number that is there already keeps the others out too, and is named."""
    new = NewNumbers(
        numbers=(virtual(7), virtual(1), virtual(8)), account_id=world.account.id, trunk_id=world.trunk.id
    )
    assert world.store.run(add_numbers, new, world.now) == NumbersTaken(numbers=(virtual(1),))
    assert world.store.read(load_number, virtual(7)) is None
    assert peek(world.store, "SELECT count(*) FROM number_lease") == [(3,)]


@pytest.mark.parametrize("add", [add_numbers, ensure_numbers])
def test_a_party_of_a_live_session_is_no_virtual_number(world: World, add: Any) -> None:
    """Nor for another account, and it keeps the others out; once the session is over it is a number like any other."""
    session = world.create(1, 2)
    other = world.store.run(create_account, NewAccount(name="Other"), world.now)
    assert isinstance(other, Account)
    ours = DID(person(2).reveal())
    new = NewNumbers(numbers=(virtual(7), ours), account_id=other.id, trunk_id=world.trunk.id)
    refused = world.store.run(add, new, session.ends_at - 1)
    assert refused == NumbersAreParties(numbers=(ours,))
    assert ours not in repr(refused)
    assert world.store.read(load_number, virtual(7)) is None
    assert world.store.run(add, new, session.ends_at) == NumbersAdded(numbers=new.numbers)


def test_a_removed_number_that_is_a_party_stays_removed(world: World) -> None:
    """It does not come back while a session has it as a party."""
    world.store.run(remove_number, virtual(2), is_forced=False, now=world.now)
    made = NewMaskingSession(first=person(1), second=E164(virtual(2)))
    assert isinstance(world.store.run(create_masking_session, world.account, made, world.now), SessionCreated)
    new = NewNumbers(numbers=(virtual(2),), account_id=world.account.id, trunk_id=world.trunk.id)
    assert world.store.run(add_numbers, new, world.now) == NumbersAreParties(numbers=(virtual(2),))
    assert world.store.read(load_number, virtual(2)) is None


def test_draining_number_gets_no_new_session(world: World) -> None:
    """Old sessions run on and can be updated; new ones go elsewhere."""
    world.create(1, 2)
    assert world.store.run(drain_number, virtual(0), world.now) == NumberDraining(live_session_count=1)
    assert world.create(3, 4).virtual_number == virtual(1)
    assert world.create(1, 2).virtual_number == virtual(0)
    assert world.store.run(drain_number, virtual(8), world.now) == NumberNotFound()


def test_removal_waits_for_sessions(world: World) -> None:
    """With live sessions the number drains; without, it is gone with its lease."""
    session = world.create(1, 2)
    assert world.store.run(remove_number, virtual(0), is_forced=False, now=world.now) == NumberDraining(
        live_session_count=1
    )
    removed = world.store.run(remove_number, virtual(0), is_forced=False, now=session.ends_at)
    assert removed == NumberRemoved(ended_session_count=0)
    assert world.store.read(load_number, virtual(0)) is None
    assert peek(world.store, "SELECT count(*) FROM number_lease WHERE ended_at IS NULL") == [(2,)]
    assert world.store.run(remove_number, virtual(0), is_forced=True, now=world.now) == NumberNotFound()


def test_forced_removal_ends_sessions(world: World) -> None:
    """Each live session of the number ends with its event, and its record keeps the number."""
    session = world.create(1, 2)
    other = world.create(1, 3)
    removed = world.store.run(remove_number, virtual(0), is_forced=True, now=world.now)
    assert removed == NumberRemoved(ended_session_count=1)
    ended = world.store.read(load_masking_session, world.account, session.id)
    assert isinstance(ended, MaskingSession)
    assert (ended.ends_at, ended.end_cause, ended.virtual_number) == (world.now, "number-removed", virtual(0))
    alive = world.store.read(load_masking_session, world.account, other.id)
    assert isinstance(alive, MaskingSession)
    assert alive.ended_at is None
    assert peek(world.store, "SELECT session_id FROM outbox WHERE kind = 'session.ended'") == [(session.id,)]


def test_removed_number_can_come_back_to_another_account(world: World) -> None:
    """A number is leased anew; parties still cooling on it are kept off."""
    world.create(1, 2, cooloff_s=60)
    world.store.run(remove_number, virtual(0), is_forced=True, now=world.now)
    other = World(world.store, number_count=0, account=NewAccount(name="Other"))
    other.add_numbers(virtual(0))
    assert other.create(3, 4).virtual_number == virtual(0)
    assert not hasattr(other.ask(1, 5), "session")
    [number] = other.store.read(list_numbers, other.account.id)
    assert (number.draining_at, number.account_name) == (None, "Other")
    assert len(world.store.read(list_numbers, world.account.id)) == 2


def test_same_subscriber_in_another_spelling_is_taken(world: World) -> None:
    """An Argentine number is one number with and without its mobile 9."""
    for text, kind in (("+5491123456789", NumbersAdded), ("+541123456789", NumbersTaken)):
        new = NewNumbers(
            numbers=(virtual(0).__class__(text),), account_id=world.account.id, trunk_id=world.trunk.id
        )
        assert isinstance(world.store.run(add_numbers, new, world.now), kind)
