from dataclasses import replace

import pytest
from tests.world import NOW, SECOND, World, peek, virtual

from maskline.core.inventory import NewAccount
from maskline.core.masking import MaskingSession, SessionAlreadyExpired, SessionEndCause, SessionNotFound
from maskline.workflows.end_masking_session import end_masking_session


def test_ends_at_once(world: World) -> None:
    """A deleted session ends now: its end, its marks and its event say so."""
    before = world.create()
    world.now += 5 * SECOND
    ended = world.store.run(end_masking_session, world.account, before.id, world.now)
    assert ended == replace(
        before,
        ends_at=world.now,
        ended_at=world.now,
        modified_at=world.now,
        end_cause=SessionEndCause.DELETED,
    )
    assert peek(world.store, "SELECT kind, sequence, occurred_at FROM outbox WHERE sequence = 2") == [
        ("session.ended", 2, world.now)
    ]


def test_cannot_be_ended_twice(world: World) -> None:
    """A second deletion, or one after the clock's end, changes nothing."""
    session = world.create()
    ended = world.store.run(end_masking_session, world.account, session.id, world.now)
    assert isinstance(ended, MaskingSession)
    again = world.store.run(end_masking_session, world.account, session.id, world.now)
    assert again == SessionAlreadyExpired()
    assert peek(world.store, "SELECT count(*) FROM outbox") == [(2,)]


@pytest.mark.parametrize(("offset_us", "kind"), [(-1, MaskingSession), (0, SessionAlreadyExpired)])
def test_end_instant_decides(world: World, offset_us: int, kind: type) -> None:
    """The session can be deleted until the microsecond before its end, marked as expired or not."""
    session = world.create()
    result = world.store.run(end_masking_session, world.account, session.id, session.ends_at + offset_us)
    assert isinstance(result, kind)


def test_other_accounts_sessions_are_not_there(world: World) -> None:
    """A session of another account is as unknown as one that never was."""
    other = World(world.store, number_count=0, account=NewAccount(name="Other"))
    session = world.create()
    foreign = world.store.run(end_masking_session, other.account, session.id, world.now)
    missing = world.store.run(end_masking_session, other.account, "no-such-id", world.now)
    assert foreign == missing == SessionNotFound()


def test_cooloff_starts_with_the_deletion(world: World) -> None:
    """The number is occupied for the pair until the deletion plus cool-off."""
    session = world.create(1, 2, cooloff_s=10)
    world.now += SECOND
    world.store.run(end_masking_session, world.account, session.id, world.now)
    world.now += 10 * SECOND - 1
    assert world.create(1, 3).virtual_number == virtual(1)
    world.now += 1
    assert world.create(1, 4).virtual_number == virtual(0)


def test_clock_that_lags_behind_the_creators_ends_at_the_beginning(world: World) -> None:
    """A machine whose clock is slower than the creator's still ends the session, never before its start."""
    session = world.create()
    ended = world.store.run(end_masking_session, world.account, session.id, NOW - 400_000)
    assert isinstance(ended, MaskingSession)
    assert ended.ends_at == session.created_at


def test_clock_that_was_set_back_does_not_end_a_session_twice(world: World) -> None:
    """Ended is ended, whatever the clock says later."""
    session = world.create()
    world.now += 600 * SECOND
    assert isinstance(
        world.store.run(end_masking_session, world.account, session.id, world.now), MaskingSession
    )
    world.now -= 300 * SECOND
    again = world.store.run(end_masking_session, world.account, session.id, world.now)
    assert isinstance(again, SessionAlreadyExpired)
