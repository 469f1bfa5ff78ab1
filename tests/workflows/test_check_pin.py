from collections.abc import Iterator
from typing import Any

import pytest
from tests.world import SECOND, World, peek, person, poke, virtual

from maskline.core.inventory import NewAccount
from maskline.core.masking import PinSettings, Role
from maskline.core.numbers import E164
from maskline.core.pin import CALLER_LIMIT, NUMBER_LIMIT, PIN_LIMITS, PinLimits, TryLimit
from maskline.core.routing import (
    AskPin,
    Connect,
    PinAccepted,
    PinDialogue,
    PinLocked,
    PinOutcome,
    PinStanding,
    PinWrong,
    RefusalReason,
    Refuse,
    decide_route,
)
from maskline.core.secret import Secret
from maskline.store.engine import Store
from maskline.workflows.check_pin import check_pin, forget_pin_tries
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.numbers import remove_number
from maskline.workflows.route_call import route_call

FIRST_PIN, SECOND_PIN, WRONG_PIN = "1234", "5678", "0000"
PIN = PinSettings(first=Secret(FIRST_PIN), second=Secret(SECOND_PIN))
FORCED = PinSettings(first=Secret(FIRST_PIN), second=Secret(SECOND_PIN), is_forced=True)
STRANGER = person(77)


def ask(world: World, caller: E164 | None) -> PinDialogue:
    """What the caller is asked on the first number."""
    facts = world.store.read(route_call, virtual(0), caller, world.now)
    decision = decide_route(facts, caller, world.now)
    assert isinstance(decision, AskPin), decision
    return decision.dialogue


def enter(
    world: World,
    digits: str,
    caller: E164 | None = STRANGER,
    dialogue: PinDialogue | None = None,
    **given: Any,
) -> PinOutcome:
    """What becomes of a PIN."""
    return world.store.run(
        check_pin,
        number=virtual(0),
        caller=caller,
        digits=Secret(digits),
        dialogue=dialogue or ask(world, caller),
        now=world.now,
        **given,
    )


def accepted(outcome: PinOutcome) -> Connect:
    """The connection of a right PIN."""
    assert isinstance(outcome, PinAccepted), outcome
    return outcome.connect


@pytest.mark.parametrize(
    ("digits", "role", "callee", "plays"),
    [
        (FIRST_PIN, Role.FIRST, 2, ("https://a.test/1", "https://a.test/2")),
        (SECOND_PIN, Role.SECOND, 1, ("https://a.test/2", "https://a.test/1")),
    ],
)
def test_whoever_enters_a_partys_pin_stands_for_it(
    world: World, digits: str, role: Role, callee: int, plays: tuple[str, str]
) -> None:
    """A stranger, or somebody without a number, reaches the other party and hears what the first would."""
    session = world.create(
        pin=PIN, first_play_url="https://a.test/1", second_play_url="https://a.test/2", is_recorded=True
    )
    for caller in (STRANGER, None):
        connect = accepted(enter(world, digits, caller))
        assert (connect.session_id, connect.caller_role, connect.callee) == (session.id, role, person(callee))
        assert (connect.presented, connect.trunk_id) == (virtual(0), world.trunk.id)
        assert (connect.caller_play_url, connect.callee_play_url) == plays
        assert connect.is_recorded
        assert connect.pin is PinStanding.ACCEPTED


def test_pin_of_any_session_on_the_number_counts(world: World) -> None:
    """The dialogue is that of the newest session; the PIN may be that of an older one."""
    older = world.create(1, 2, pin=PIN)
    newer = world.create(3, 4, pin=PinSettings(first=Secret("1111"), second=Secret("2222"), retry_count=5))
    dialogue = ask(world, STRANGER)
    assert (dialogue.session_id, dialogue.retry_count) == (newer.id, 5)
    assert accepted(enter(world, FIRST_PIN, dialogue=dialogue)).session_id == older.id


def test_wrong_pins_and_none_at_all(world: World) -> None:
    """Digits of no session, too many, too few or none are wrong; silence is no guess and is not counted."""
    world.create(pin=PIN)
    for digits in (WRONG_PIN, FIRST_PIN + "0", ""):
        assert enter(world, digits) == PinWrong()
    assert peek(world.store, "SELECT wrong_count FROM pin_try ORDER BY subject") == [(2,), (2,)]


def test_pin_of_a_session_that_is_over_is_wrong(world: World) -> None:
    """By its clock, by request, and on a number that was taken away, to the microsecond."""
    session = world.create(pin=PIN, cooloff_s=600)
    dialogue = ask(world, STRANGER)
    world.now = session.ends_at - 1
    assert isinstance(enter(world, FIRST_PIN, dialogue=dialogue), PinAccepted)
    world.now += 1
    assert enter(world, FIRST_PIN, dialogue=dialogue) == PinWrong()
    world.now -= 1
    world.store.run(end_masking_session, world.account, session.id, world.now)
    assert enter(world, FIRST_PIN, dialogue=dialogue) == PinWrong()
    world.store.run(remove_number, virtual(0), is_forced=True, now=world.now)
    assert enter(world, FIRST_PIN, dialogue=dialogue) == PinWrong()


def test_pin_of_another_accounts_session_is_wrong(store: Store) -> None:
    """A number shows only for the account that leases it (I7)."""
    world = World(store, number_count=1)
    world.create(pin=PIN)
    dialogue = ask(world, STRANGER)
    poke(
        store,
        "UPDATE number_lease SET account_id = ?",
        World(store, number_count=0, account=NewAccount(name="O")).account.id,
    )
    assert enter(world, FIRST_PIN, dialogue=dialogue) == PinWrong()


# --- limits of strangers --------------------------------------------------------------------------------------


def test_three_wrong_ones_lock_a_caller_for_the_rest_of_its_window(world: World) -> None:
    """The fourth is not looked at, even if it is right, until ten minutes after the first."""
    world.create(pin=PIN)
    dialogue = ask(world, STRANGER)
    opened_at = world.now
    for _ in range(CALLER_LIMIT.wrong_count_max):
        assert enter(world, WRONG_PIN, dialogue=dialogue) == PinWrong()
        world.now += SECOND
    assert enter(world, FIRST_PIN, dialogue=dialogue) == PinLocked()
    assert isinstance(enter(world, FIRST_PIN, person(78), dialogue), PinAccepted)  # others are not
    world.now = opened_at + CALLER_LIMIT.window_s * SECOND - 1
    assert enter(world, FIRST_PIN, dialogue=dialogue) == PinLocked()
    world.now += 1
    assert isinstance(enter(world, FIRST_PIN, dialogue=dialogue), PinAccepted)


def test_locked_is_refused_like_anybody(world: World) -> None:
    """A locked caller hears what callers of a free number hear; the reason is for the record."""
    world.create(pin=PIN)
    dialogue = ask(world, STRANGER)
    for prompt in ("", "https://a.test/refused.mp3", "built-in"):
        poke(world.store, "DELETE FROM pin_try")
        poke(world.store, "UPDATE account SET refusal_prompt_url = ?", prompt)
        for _ in range(CALLER_LIMIT.wrong_count_max):
            enter(world, WRONG_PIN, dialogue=dialogue)
        locked, free = (
            decide_route(
                world.store.read(route_call, virtual(index), STRANGER, world.now), STRANGER, world.now
            )
            for index in (0, 1)
        )
        assert type(locked) is type(free)
        assert not isinstance(locked, Connect | AskPin)
        assert not isinstance(free, Connect | AskPin)
        assert (locked.reason, free.reason) == (RefusalReason.PIN_LOCKED, RefusalReason.NO_SESSION)
        assert getattr(locked, "url", None) == getattr(free, "url", None)
        assert isinstance(locked, Refuse) is (prompt == "")


def test_right_one_forgets_the_wrong_ones(world: World) -> None:
    """Who knows a PIN is not locked for having mistyped it; the number's count stays."""
    world.create(pin=PIN)
    for _ in range(3):
        for _ in range(CALLER_LIMIT.wrong_count_max - 1):
            assert enter(world, WRONG_PIN) == PinWrong()
        assert isinstance(enter(world, FIRST_PIN), PinAccepted)
    assert peek(world.store, "SELECT wrong_count FROM pin_try WHERE subject = 'anyone'") == [(6,)]


def test_withheld_callers_are_one_caller(world: World) -> None:
    """Nobody gets more tries by not saying who it is."""
    world.create(pin=PIN)
    dialogue = ask(world, None)
    outcomes = [enter(world, WRONG_PIN, None, dialogue) for _ in range(4)]
    assert outcomes == [PinWrong()] * 3 + [PinLocked()]


def wrong_callers(world: World, dialogue: PinDialogue, count: int) -> Iterator[PinOutcome]:
    """Wrong PINs of ever different callers."""
    for index in range(count):
        yield enter(world, WRONG_PIN, person(1000 + index), dialogue)


def test_number_is_locked_for_strangers_with_one_alarm(world: World) -> None:
    """Sixty wrong ones an hour, from whomever, lock it for all strangers until the hour is over; a party calls on."""
    session = world.create(pin=PIN, expires_in_s=86_400)
    dialogue = ask(world, STRANGER)
    opened_at = world.now
    outcomes = list(wrong_callers(world, dialogue, NUMBER_LIMIT.wrong_count_max + 5))
    assert outcomes == [PinWrong()] * NUMBER_LIMIT.wrong_count_max + [PinLocked()] * 5
    assert enter(world, FIRST_PIN, STRANGER, dialogue) == PinLocked()
    facts = world.store.read(route_call, virtual(0), STRANGER, world.now)
    assert decide_route(facts, STRANGER, world.now) == Refuse(reason=RefusalReason.PIN_LOCKED)
    facts = world.store.read(route_call, virtual(0), person(1), world.now)
    assert isinstance(decide_route(facts, person(1), world.now), Connect)

    def alarms() -> list[tuple[Any, ...]]:
        return peek(
            world.store, "SELECT session_id, sequence, facts FROM outbox WHERE kind = 'number.pin_alarm'"
        )

    until = opened_at + NUMBER_LIMIT.window_s * SECOND
    facts_text = f'{{"wrong_count":60,"locked_until":{until}}}'
    assert alarms() == [(session.id, 2, facts_text)]
    world.now = until
    list(wrong_callers(world, dialogue, NUMBER_LIMIT.wrong_count_max))
    assert len(alarms()) == 2


def test_limits_are_arguments(world: World) -> None:
    """Other limits give other outcomes."""
    world.create(pin=PIN)
    limits = PinLimits(caller=TryLimit(wrong_count_max=1, window_s=1))
    dialogue = ask(world, STRANGER)
    assert enter(world, WRONG_PIN, limits=limits) == PinWrong()
    assert enter(world, FIRST_PIN, dialogue=dialogue, limits=limits) == PinLocked()
    world.now += SECOND
    assert isinstance(enter(world, FIRST_PIN, dialogue=dialogue, limits=limits), PinAccepted)


def test_tries_are_forgotten_when_they_count_no_more(world: World) -> None:
    """Nothing of who tried is kept longer than it is needed."""
    world.create(pin=PIN)
    enter(world, WRONG_PIN)
    world.now += NUMBER_LIMIT.window_s * SECOND - 1
    assert world.store.run(forget_pin_tries, world.now) == 0
    world.now += 1
    assert world.store.run(forget_pin_tries, world.now) == 2
    assert peek(world.store, "SELECT count(*) FROM pin_try") == [(0,)]


def test_tries_of_parties_are_forgotten_with_their_session(world: World) -> None:
    """They count as long as the session lives, and not after it."""
    session = world.create(pin=FORCED)
    enter(world, WRONG_PIN, person(1))
    world.now = session.ends_at - 1
    assert world.store.run(forget_pin_tries, world.now) == 0
    assert world.store.run(forget_pin_tries, session.ends_at) == 1
    assert peek(world.store, "SELECT count(*) FROM party_pin_try") == [(0,)]


def test_no_pin_and_no_number_is_stored(world: World) -> None:
    """Tries are kept by reference; what was entered is not kept at all."""
    world.create(pin=PIN)
    enter(world, "4711")
    rows = peek(world.store, "SELECT * FROM pin_try") + peek(world.store, "SELECT facts FROM outbox")
    assert "4711" not in str(rows)
    assert STRANGER.reveal().removeprefix("+") not in str(rows)


# --- force mode -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("caller", "role", "callee"), [(1, Role.FIRST, 2), (2, Role.SECOND, 1)])
@pytest.mark.parametrize("digits", [FIRST_PIN, SECOND_PIN])
def test_forced_party_keeps_its_role(world: World, caller: int, role: Role, callee: int, digits: str) -> None:
    """Its phone says who it is, so either PIN of its session leads to the other party, never to itself."""
    session = world.create(pin=FORCED)
    dialogue = ask(world, person(caller))
    assert (dialogue.session_id, dialogue.forced_role) == (session.id, role)
    connect = accepted(enter(world, digits, person(caller)))
    assert (connect.caller_role, connect.callee, connect.pin) == (role, person(callee), PinStanding.ACCEPTED)


def test_forced_party_needs_a_pin_of_its_own_session(world: World) -> None:
    """Another session's PIN on the same number, which would do for a stranger, does not."""
    world.create(pin=FORCED)
    world.create(3, 4, pin=PinSettings(first=Secret("1111"), second=Secret("2222")))
    assert enter(world, "1111", person(1)) == PinWrong()
    assert isinstance(enter(world, "1111", STRANGER), PinAccepted)


def test_forced_party_is_delayed_twice_as_long_each_time(world: World) -> None:
    """A minute after a dialogue's worth of wrong ones, then two; nobody else waits, and a right one forgets them."""
    world.create(pin=FORCED)
    dialogue = ask(world, person(1))
    for delay_s in (60, 120, 240):
        for _ in range(dialogue.retry_count + 1):
            assert enter(world, WRONG_PIN, person(1)) == PinWrong()
        world.now += delay_s * SECOND - 1
        assert enter(world, FIRST_PIN, person(1)) == PinLocked()
        assert isinstance(enter(world, SECOND_PIN, person(2)), PinAccepted)
        world.now += 1
    assert enter(world, "", person(1)) == PinWrong()
    assert isinstance(enter(world, FIRST_PIN, person(1)), PinAccepted)
    assert enter(world, WRONG_PIN, person(1)) == PinWrong()
    assert isinstance(enter(world, FIRST_PIN, person(1)), PinAccepted)
    assert peek(world.store, "SELECT count(*) FROM pin_try") == [(0,)]  # strangers' counts are not touched


def test_locked_number_does_not_keep_a_forced_party_out(world: World) -> None:
    """What strangers did counts for strangers."""
    world.create(pin=FORCED)
    dialogue = ask(world, STRANGER)
    list(wrong_callers(world, dialogue, NUMBER_LIMIT.wrong_count_max))
    assert isinstance(enter(world, FIRST_PIN, person(1)), PinAccepted)


# --- one party ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second", "registered"), [(1, None, 1), (None, 2, 2)])
def test_either_pin_leads_any_stranger_to_the_one_party(
    world: World, first: int | None, second: int | None, registered: int
) -> None:
    """Both PINs of a one-party session are for whoever calls, and who calls stands for the missing party."""
    session = world.create(
        first,
        second,
        pin=PIN,
        is_single_party=True,
        first_play_url="https://a.test/1",
        second_play_url="https://a.test/2",
    )
    for digits in (FIRST_PIN, SECOND_PIN):
        connect = accepted(enter(world, digits))
        assert (connect.session_id, connect.callee) == (session.id, person(registered))
        assert connect.caller_role is Role.ANYONE
        assert connect.callee_play_url == f"https://a.test/{registered}"


def test_forced_one_party_reaches_its_last_caller_by_pin(world: World) -> None:
    """Without one it is refused before it is asked."""
    session = world.create(1, None, pin=FORCED)
    facts = world.store.read(route_call, virtual(0), person(1), world.now)
    assert decide_route(facts, person(1), world.now) == Refuse(reason=RefusalReason.NO_COUNTERPART)
    world.be_called(session, STRANGER, "c1")
    connect = accepted(enter(world, SECOND_PIN, person(1)))
    assert (connect.caller_role, connect.callee) == (Role.FIRST, STRANGER)


def test_last_caller_withheld_in_the_middle_of_a_dialogue(world: World) -> None:
    """When meanwhile nobody is there to be called back, the right PIN leads nowhere."""
    session = world.create(1, None, pin=FORCED)
    world.be_called(session, STRANGER, "c1")
    dialogue = ask(world, person(1))
    world.be_called(session, None, "c2")
    assert enter(world, FIRST_PIN, person(1), dialogue) == PinWrong()


def test_defaults_are_the_documented_ones() -> None:
    """Three in ten minutes, sixty an hour, a minute doubling to an hour."""
    assert (PIN_LIMITS.caller, PIN_LIMITS.number) == (TryLimit(3, 600), TryLimit(60, 3600))
    assert (PIN_LIMITS.delay_s, PIN_LIMITS.delay_s_max) == (60, 3600)
