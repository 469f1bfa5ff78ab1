from dataclasses import replace
from typing import Any

import pytest
from tests.world import NOW, SECOND, World, peek, person, poke, virtual

from maskline.core.allocation import ExhaustionReason, PoolExhausted
from maskline.core.inventory import AllocationPolicy, CooloffScope, NewAccount, Subaccount
from maskline.core.masking import (
    CallbackMethod,
    NewMaskingSession,
    PartyIsVirtual,
    PinSettings,
    RecordFormat,
    Role,
    SessionCreated,
)
from maskline.core.numbers import E164
from maskline.core.pin import PinLimits, TryLimit
from maskline.core.secret import Secret
from maskline.store.engine import Store
from maskline.workflows.accounts import change_account, create_subaccount
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.load_masking_session import load_masking_session


def _exhausted(result: object) -> ExhaustionReason:
    assert isinstance(result, PoolExhausted)
    return result.reason


def test_new_session_has_the_defaults(world: World) -> None:
    """What is not given takes the documented defaults, and the session reads back as it was answered."""
    session = world.create(1, 2)
    assert (session.first, session.second, session.virtual_number) == (person(1), person(2), virtual(0))
    assert (session.created_at, session.modified_at, session.ends_at) == (NOW, NOW, NOW + 1800 * SECOND)
    assert (session.call_time_limit_s, session.ring_timeout_s, session.cooloff_s) == (14_400, 45, 0)
    assert (session.record_format, session.callback_method) == (RecordFormat.MP3, CallbackMethod.POST)
    assert (session.is_recorded, session.pin, session.is_single_party) == (False, None, None)
    assert world.store.read(load_masking_session, world.account, session.id) == session


def test_new_session_has_what_was_given(world: World) -> None:
    """Every setting is stored as it was given."""
    given: dict[str, Any] = {
        "expires_in_s": 60,
        "call_time_limit_s": 100,
        "ring_timeout_s": 20,
        "is_recorded": True,
        "record_format": RecordFormat.WAV,
        "recording_callback_url": "https://a.example/r",
        "recording_callback_method": CallbackMethod.GET,
        "callback_url": "https://a.example/c",
        "callback_method": CallbackMethod.GET,
        "first_play_url": "https://a.example/1.mp3",
        "second_play_url": "https://a.example/2.mp3",
        "unknown_caller_url": "https://a.example/u.mp3",
        "calls_first": True,
        "is_geomatched": False,
        "is_single_party": False,
        "cooloff_s": 7,
    }
    session = world.create(**given)
    assert session.ends_at == NOW + 60 * SECOND
    assert {name: getattr(session, name) for name in given if name != "expires_in_s"} == {
        name: value for name, value in given.items() if name != "expires_in_s"
    }


def test_first_fit_gives_a_party_one_number_after_the_other(world: World) -> None:
    """Sessions of one party take numbers in inventory order; a pair of strangers to them starts anew."""
    numbers = [world.create(1, other).virtual_number for other in (2, 3, 4)]
    assert numbers == [virtual(0), virtual(1), virtual(2)]
    assert world.create(5, 6).virtual_number == virtual(0)


def test_first_fit_takes_the_number_that_both_lack(world: World) -> None:
    """A number on which either party lives is passed over."""
    world.create(1, 2)
    world.create(3, 4)
    assert world.create(1, 4).virtual_number == virtual(1)


def test_exhausted_pool_says_how_many_numbers_would_do(world: World) -> None:
    """With a party on all three numbers a fourth would have been enough, and nothing is stored."""
    for other in (2, 3, 4):
        world.create(1, other)
    assert world.ask(1, 5) == PoolExhausted(reason=ExhaustionReason.PARTIES_BUSY, needed=4)
    assert peek(world.store, "SELECT count(*) FROM masking_session") == [(3,)]
    assert peek(world.store, "SELECT count(*) FROM outbox") == [(3,)]


def test_account_without_numbers(store: Store) -> None:
    """An account that leases nothing gets nothing, even with another account's numbers idle."""
    World(store)
    poor = World(store, number_count=0, account=NewAccount(name="Poor"))
    assert poor.ask() == PoolExhausted(reason=ExhaustionReason.NO_NUMBERS, needed=1)


def test_geomatch_wants_the_first_partys_country(world: World) -> None:
    """The number has the country of the first party, unless geomatch is off."""
    world.add_numbers(virtual(0, country="US"))
    new = NewMaskingSession(first=person(1, country="US"), second=person(2))
    created = world.store.run(create_masking_session, world.account, new, world.now)
    assert isinstance(created, SessionCreated)
    assert created.session.virtual_number == virtual(0, country="US")
    french = replace(new, first=E164("+33612345678"))
    refused = world.store.run(create_masking_session, world.account, french, world.now)
    assert refused == PoolExhausted(reason=ExhaustionReason.NO_COUNTRY_MATCH, needed=1)
    anywhere = world.store.run(
        create_masking_session, world.account, replace(french, is_geomatched=False), world.now
    )
    assert isinstance(anywhere, SessionCreated)


def test_parties_are_people_not_virtual_numbers(world: World) -> None:
    """A virtual number of ours, anybody's, is refused as a party of either role."""
    ours = E164(virtual(1))
    for new, role in (
        (NewMaskingSession(first=ours, second=person(1)), Role.FIRST),
        (NewMaskingSession(first=person(1), second=ours), Role.SECOND),
    ):
        assert world.store.run(create_masking_session, world.account, new, world.now) == PartyIsVirtual(
            role=role
        )


def test_same_pair_updates_the_live_session(world: World) -> None:
    """A repeated create is the same session: given settings replace, absent ones stay, the end moves."""
    before = world.create(
        expires_in_s=600, ring_timeout_s=20, callback_url="https://a.example/", cooloff_s=5, is_recorded=True
    )
    world.now += 12 * SECOND
    result = world.ask(call_time_limit_s=90, cooloff_s=9, calls_first=False, is_recorded=False)
    assert isinstance(result, SessionCreated)
    assert not result.is_new
    assert result.session == replace(
        before,
        modified_at=world.now,
        ends_at=world.now + 1800 * SECOND,
        call_time_limit_s=90,
        is_recorded=False,
    )
    assert result.session.duration_s == 1812
    assert peek(world.store, "SELECT DISTINCT end_at, free_at FROM binding") == [
        (result.session.ends_at, result.session.ends_at + 5 * SECOND)
    ]


def test_reversed_pair_is_another_session(world: World) -> None:
    """B with A is not A with B, and needs a number of its own."""
    assert world.create(1, 2).virtual_number == virtual(0)
    assert world.create(2, 1).virtual_number == virtual(1)


def test_same_pair_of_a_subaccount_is_another_session(world: World) -> None:
    """A pair is unique within its account and sub-account, and a sub-account uses only its own numbers."""
    subaccount = world.store.run(create_subaccount, world.account, "North", world.now)
    assert isinstance(subaccount, Subaccount)
    plain = world.create(1, 2)
    assert _exhausted(world.ask(1, 2, subaccount_id=subaccount.id)) is ExhaustionReason.NO_NUMBERS
    world.add_numbers(virtual(7), subaccount_id=subaccount.id)
    own = world.create(1, 2, subaccount_id=subaccount.id)
    assert own.id != plain.id
    assert own.virtual_number == virtual(7)
    assert own.subaccount_auth_id == subaccount.auth_id


@pytest.mark.parametrize(("offset_us", "is_new"), [(-1, False), (0, True), (1, True)])
def test_pair_is_free_again_at_the_end(world: World, offset_us: int, is_new: bool) -> None:
    """Until the microsecond before its end the session is updated; from the end on there is a new one."""
    old = world.create(expires_in_s=60)
    world.now = old.ends_at + offset_us
    result = world.ask()
    assert isinstance(result, SessionCreated)
    assert result.is_new is is_new
    assert (result.session.id != old.id) is is_new
    assert result.session.virtual_number == virtual(0)


@pytest.mark.parametrize(("offset_us", "number"), [(-1, virtual(1)), (0, virtual(0)), (1, virtual(0))])
def test_number_is_free_again_after_the_cooloff(world: World, offset_us: int, number: str) -> None:
    """An ended binding occupies its place until its cool-off has passed, to the microsecond."""
    old = world.create(expires_in_s=60, cooloff_s=30)
    world.now = old.ends_at + 30 * SECOND + offset_us
    assert world.create(1, 3).virtual_number == number


def test_cooloff_keeps_strangers_to_the_pair_off_only_when_the_account_says_so(store: Store) -> None:
    """Cool-off is of the parties; with the scope `number` it is everybody's."""
    for scope, number in ((CooloffScope.PARTY, 0), (CooloffScope.NUMBER, 1)):
        account = NewAccount(name=scope.value, cooloff_scope=scope)
        world = World(store, number_count=0, account=account)
        base = 10 if scope is CooloffScope.NUMBER else 20
        world.add_numbers(virtual(base), virtual(base + 1))
        old = world.create(1, 2, expires_in_s=60, cooloff_s=30)
        assert world.create(8, 9).virtual_number == virtual(base)  # a live session does not cool
        world.now = old.ends_at
        assert world.create(3, 4).virtual_number == virtual(base + number)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (AllocationPolicy.FIRST_FIT, [0, 0, 0]),
        (AllocationPolicy.STICKY, [0, 1, 1]),
        (AllocationPolicy.SPREAD, [0, 1, 2]),
    ],
)
def test_policies(store: Store, policy: AllocationPolicy, expected: list[int]) -> None:
    """The account's policy chooses among the free numbers from what the parties had before."""
    world = World(store, account=NewAccount(name="Acme", policy=policy))
    numbers = [world.create(1, 2).virtual_number]
    world.now += SECOND
    if policy is AllocationPolicy.STICKY:  # the pair's own number moves to the second
        world.store.run(end_masking_session, world.account, _only_session(world), world.now)
        world.create(1, 3)
        numbers.append(world.create(1, 2).virtual_number)
        world.now += 3600 * SECOND
    else:
        world.now += 3600 * SECOND
        numbers.append(world.create(1, 2).virtual_number)
        world.now += 3600 * SECOND
    numbers.append(world.create(1, 2).virtual_number)
    assert numbers == [virtual(index) for index in expected]


def _only_session(world: World) -> str:
    [(id_,)] = peek(world.store, "SELECT id FROM masking_session")
    return str(id_)


def test_given_pins_are_unique_on_a_number(world: World) -> None:
    """A PIN that is taken on a number moves the session to the next one."""
    pins = PinSettings(first=Secret("1111"), second=Secret("2222"))
    other = PinSettings(first=Secret("2222"), second=Secret("3333"))
    assert world.create(1, 2, pin=pins).virtual_number == virtual(0)
    assert world.create(3, 4, pin=other).virtual_number == virtual(1)
    assert world.create(5, 6, pin=pins).virtual_number == virtual(2)
    assert _exhausted(world.ask(7, 8, pin=other)) is ExhaustionReason.PINS_TAKEN


def test_one_party_session_with_one_pin_gets_another(world: World) -> None:
    """Where only one PIN is given, the other is drawn, and differs."""
    session = world.create(1, None, is_single_party=True, pin=PinSettings(first=Secret("1111")))
    assert session.pin is not None
    assert session.pin.first == Secret("1111")
    assert session.pin.second is not None
    assert session.pin.second != session.pin.first


def test_pin_is_free_again_after_the_cooloff_of_whoever_had_it(world: World) -> None:
    """A lapsed PIN of other people is no clash, though nobody has tidied up."""
    pins = PinSettings(first=Secret("1111"), second=Secret("2222"))
    old = world.create(1, 2, pin=pins, cooloff_s=5)
    world.now = old.ends_at + 5 * SECOND - 1
    assert world.create(3, 4, pin=pins).virtual_number == virtual(1)
    world.now += 1
    assert world.create(5, 6, pin=pins).virtual_number == virtual(0)


@pytest.mark.parametrize("length", [4, 15])
def test_generated_pins(world: World, length: int) -> None:
    """Two different PINs of the asked length are drawn and can be read back."""
    session = world.create(pin=PinSettings(is_generated=True, length=length))
    assert session.pin is not None
    assert session.pin.first is not None
    assert session.pin.second is not None
    first, second = session.pin.first.reveal(), session.pin.second.reveal()
    assert first != second
    assert first.isdecimal()
    assert (len(first), len(second)) == (length, length)


def test_one_party_session_is_alone_with_strangers_on_its_number(world: World) -> None:
    """At most one open session is on a number, and none beside one that asks strangers for a PIN."""
    assert world.create(1, None).virtual_number == virtual(0)
    assert world.create(None, 2).virtual_number == virtual(1)
    pins = PinSettings(is_generated=True)
    assert world.create(3, 4, pin=pins).virtual_number == virtual(2)
    assert world.create(5, 6, unknown_caller_url="https://a.example/u.mp3").virtual_number == virtual(2)
    assert _exhausted(world.ask(7, None)) is ExhaustionReason.STRANGERS_CLASH
    assert world.create(7, None, pin=pins).virtual_number == virtual(2)
    assert world.create(8, 9).virtual_number == virtual(0)  # a plain session minds nobody


def test_stranger_rule_is_the_reason_when_it_alone_stands_in_the_way(store: Store) -> None:
    """A pool whose free number answers strangers otherwise is reported as such."""
    world = World(store, number_count=1)
    world.create(1, 2, pin=PinSettings(is_generated=True))
    assert _exhausted(world.ask(3, None)) is ExhaustionReason.STRANGERS_CLASH


def test_first_party_is_called_again_only_after_a_pause(world: World) -> None:
    """A repeated create owes a call only when none runs and none was started in the last 30 s."""
    calls = []
    for offset_s in (0, 1, 29, 31):
        world.now = NOW + offset_s * SECOND
        result = world.ask(calls_first=True)
        assert isinstance(result, SessionCreated)
        calls.append(result.should_call_first)
    assert calls == [True, False, False, True]
    world.now += 60 * SECOND
    running = world.create(1, 2)
    world.claim(running)
    result = world.ask(calls_first=True)
    assert isinstance(result, SessionCreated)
    assert not result.should_call_first


def test_events_are_written_with_the_change(world: World) -> None:
    """Creation and update each leave one event, numbered in the session's sequence, naming no number."""
    session = world.create()
    world.ask()
    rows = peek(world.store, "SELECT kind, sequence, session_id, facts FROM outbox ORDER BY id")
    assert [(kind, sequence, id_) for kind, sequence, id_, _ in rows] == [
        ("session.created", 1, session.id),
        ("session.updated", 2, session.id),
    ]
    assert not any("98000000" in facts for *_, facts in rows)


def test_health_and_draining_are_respected(world: World) -> None:
    """An unhealthy number and a draining one get no session."""
    poke(world.store, "UPDATE virtual_number SET health = 'unhealthy' WHERE number = ?", virtual(0))
    poke(world.store, "UPDATE virtual_number SET draining_at = 1 WHERE number = ?", virtual(1))
    assert world.create(1, 2).virtual_number == virtual(2)


def test_strict_pins_are_hard_to_guess(store: Store) -> None:
    """A number takes PIN sessions as long as a day of guessing has at most 1 %: three of six digits, then the next."""
    world = World(store, number_count=2)
    plain = world.account
    strict = store.run(change_account, plain, has_strict_pins=True)

    def ask(index: int, pin: PinSettings | None) -> object:
        return world.ask(index, 100 + index, account=strict, pin=pin, expires_in_s=60)

    six = PinSettings(is_generated=True, length=6)
    taken = [ask(index, six) for index in range(6)]
    assert [it.session.virtual_number for it in taken if isinstance(it, SessionCreated)] == [
        virtual(0)
    ] * 3 + [virtual(1)] * 3
    assert _exhausted(ask(10, six)) is ExhaustionReason.PINS_GUESSABLE
    given = PinSettings(first=Secret("1234567890"), second=Secret("12345678901"))
    assert isinstance(ask(11, given), SessionCreated)
    assert isinstance(ask(12, None), SessionCreated)
    world.now += 60 * SECOND
    assert _exhausted(ask(13, PinSettings(is_generated=True, length=4))) is ExhaustionReason.PINS_GUESSABLE
    assert isinstance(ask(14, six), SessionCreated)
    assert isinstance(world.ask(15, 115, account=plain, pin=PinSettings(is_generated=True)), SessionCreated)


def test_strict_pins_go_by_the_limits_in_force(store: Store) -> None:
    """Where fewer tries are put up with, a number takes more PINs, and fewer where more are."""
    world = World(store, number_count=1)
    strict = store.run(change_account, world.account, has_strict_pins=True)
    pin = PinSettings(is_generated=True, length=4)
    new = NewMaskingSession(first=person(1), second=person(2), pin=pin, expires_in_s=60)
    four_an_hour = PinLimits(number=TryLimit(wrong_count_max=4, window_s=3600))
    once_a_day = PinLimits(number=TryLimit(wrong_count_max=1, window_s=86_400))
    assert isinstance(store.run(create_masking_session, strict, new, world.now, four_an_hour), PoolExhausted)
    assert isinstance(store.run(create_masking_session, strict, new, world.now, once_a_day), SessionCreated)


def test_clock_that_was_set_back_ends_no_session_before_it_began(world: World) -> None:
    """A repeated creation an hour before the first one is answered like any other."""
    session = world.create()
    world.now -= 3_600 * SECOND
    again = world.create()
    assert again.id == session.id
    assert again.ends_at >= session.created_at
