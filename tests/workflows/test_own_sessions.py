from dataclasses import replace

from tests.world import SECOND, World, person, virtual

from maskline.core.inventory import Account, Subaccount
from maskline.core.listing import SessionListFilter
from maskline.core.masking import (
    MaskingSession,
    NewMaskingSession,
    Role,
    SessionAlreadyExpired,
    SessionChanges,
    SessionCreated,
    SessionNotFound,
)
from maskline.core.pin import PIN_LIMITS
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.own_sessions import (
    SESSION_S_MAX,
    EndOutOfRange,
    PartyFixed,
    PoolUnknown,
    SubaccountUnknown,
    change_own_session,
    create_own_session,
    end_own_session,
    list_own_sessions,
    load_own_session,
)

PAIR = NewMaskingSession(first=person(1), second=person(2), is_geomatched=False)


def _branch(world: World) -> tuple[Subaccount, Account]:
    """A sub-account with a number of its own, and the account as its credentials open it."""
    made = world.store.run(create_subaccount, world.account, "branch", world.now)
    assert isinstance(made, Subaccount)
    world.add_numbers(virtual(10), subaccount_id=made.id)
    return made, replace(world.account, subaccount=made)


def test_an_end_is_at_least_a_minute_and_at_most_a_year_away(world: World) -> None:
    """Both ends of the range are in it."""
    for ahead_s, is_in_range in ((59, False), (60, True), (SESSION_S_MAX, True), (SESSION_S_MAX + 1, False)):
        new = replace(PAIR, ends_at=world.now + ahead_s * SECOND)
        made = world.store.run(create_own_session, world.account, new, world.now, PIN_LIMITS)
        assert isinstance(made, SessionCreated if is_in_range else EndOutOfRange)


def test_names_must_be_known(world: World) -> None:
    """A pool or a sub-account that is not there makes no session."""
    for named, outcome in (
        ({"pool": "x"}, PoolUnknown()),
        ({"subaccount": "SA" + "0" * 18}, SubaccountUnknown()),
    ):
        made = world.store.run(create_own_session, world.account, PAIR, world.now, PIN_LIMITS, **named)
        assert made == outcome


def test_a_subaccounts_sessions_are_its_own(world: World) -> None:
    """Made by itself or in its name; it neither sees, changes nor ends others."""
    made, branch = _branch(world)
    own = world.store.run(create_own_session, branch, PAIR, world.now, PIN_LIMITS)
    assert isinstance(own, SessionCreated)
    named = world.store.run(
        create_own_session, world.account, PAIR, world.now, PIN_LIMITS, subaccount=made.auth_id
    )
    assert isinstance(named, SessionCreated)
    assert named.session.id == own.session.id
    other = world.create(3, 4)
    wanted = SessionListFilter(account_id=world.account.id)
    listed = world.store.read(list_own_sessions, branch, wanted, world.now)
    assert [it.id for it in listed.sessions] == [own.session.id]
    assert world.store.read(load_own_session, branch, other.id) == SessionNotFound()
    changes = SessionChanges(is_recorded=True)
    assert world.store.run(change_own_session, branch, other.id, changes, world.now) == SessionNotFound()
    assert world.store.run(end_own_session, branch, other.id, world.now) == SessionNotFound()
    assert isinstance(world.store.run(end_own_session, branch, own.session.id, world.now), MaskingSession)


def test_parties_of_a_pair_are_fixed(world: World) -> None:
    """Naming them again is no change; naming others is refused, and nothing else is changed either."""
    session = world.create(1, 2)
    same = SessionChanges(first=person(1), second=person(2), is_recorded=True)
    changed = world.store.run(change_own_session, world.account, session.id, same, world.now)
    assert isinstance(changed, MaskingSession)
    assert changed.is_recorded
    other = SessionChanges(second=person(3), is_recorded=False)
    refused = world.store.run(change_own_session, world.account, session.id, other, world.now)
    assert refused == PartyFixed(role=Role.SECOND)
    assert world.store.read(load_own_session, world.account, session.id) == changed


def test_what_is_over_stays(world: World) -> None:
    """By its clock or by request, and an end beyond the range changes nothing."""
    session = world.create(1, 2, expires_in_s=60)
    far = SessionChanges(ends_at=world.now + (SESSION_S_MAX + 1) * SECOND)
    assert world.store.run(change_own_session, world.account, session.id, far, world.now) == EndOutOfRange()
    world.now += 60 * SECOND
    for outcome in (
        world.store.run(change_own_session, world.account, session.id, SessionChanges(), world.now),
        world.store.run(end_own_session, world.account, session.id, world.now),
    ):
        assert outcome == SessionAlreadyExpired()
