from dataclasses import replace
from typing import Any

import pytest
from tests.world import SECOND, World, person, poke, virtual

from maskline.core.call_record import CallClaimed
from maskline.core.inventory import NewAccount
from maskline.core.masking import PinSettings, Role
from maskline.core.numbers import E164
from maskline.core.routing import (
    Announce,
    AskPin,
    Connect,
    PinDialogue,
    PinStanding,
    RefusalReason,
    Refuse,
    RouteDecision,
    RouteFacts,
    decide_route,
)
from maskline.store.engine import Store
from maskline.workflows.accounts import change_account
from maskline.workflows.claim_call import claim_call
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.finish_call import finish_call
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
        callee_role=Role.SECOND,
        callee=person(2),
        presented=virtual(0),
        trunk_id=world.trunk.id,
        ends_at=session.ends_at,
        ring_timeout_s=20,
        call_time_limit_s=100,
        is_recorded=True,
    )
    assert _route(world, person(2)) == replace(
        first, caller_role=Role.SECOND, callee_role=Role.FIRST, callee=person(1)
    )


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


# --- strangers ------------------------------------------------------------------------------------------------

HEARD = "https://a.test/unknown.mp3"
PIN = PinSettings(is_generated=True, prompt_url="https://a.test/pin.mp3", incorrect_url="", retry_count=3)
WRONG_FIRST = PinSettings(is_generated=True, length=9)


@pytest.mark.parametrize("caller", [person(9), None], ids=["stranger", "withheld"])
def test_strangers_are_asked_for_a_pin_before_they_hear_anything(world: World, caller: E164 | None) -> None:
    """A live session with PIN goes before one that plays, whichever is newer; of several the newest asks."""
    world.create(1, 2, unknown_caller_url=HEARD)
    heard = _route(world, caller)
    assert isinstance(heard, Announce)
    assert heard.url == HEARD
    world.create(3, 4, pin=WRONG_FIRST)
    world.now += 1
    session = world.create(5, 6, pin=PIN, callback_url="https://a.test/events")
    world.now += 1
    world.create(7, 8, unknown_caller_url=HEARD)
    assert _route(world, caller) == AskPin(
        dialogue=PinDialogue(
            session_id=session.id,
            account_id=world.account.id,
            prompt_url="https://a.test/pin.mp3",
            incorrect_url="",
            retry_count=3,
            retry_wait_s=5,
            is_reported=True,
        ),
        number=virtual(0),
        trunk_id=world.trunk.id,
    )


def test_newest_live_session_that_plays_is_heard(world: World) -> None:
    """Sessions that are over, or play nothing, do not count; the reason tells a withheld number from an unknown."""
    world.create(1, 2, unknown_caller_url=HEARD)
    world.now += 1
    newer = world.create(3, 4, unknown_caller_url="https://a.test/newer.mp3")
    world.now += 1
    world.create(5, 6)
    decision = _route(world, person(9))
    assert decision == Announce(
        url="https://a.test/newer.mp3",
        reason=RefusalReason.NO_SESSION,
        account_id=world.account.id,
        session_id=newer.id,
        number=virtual(0),
        trunk_id=world.trunk.id,
    )
    assert _route(world, None) == replace(decision, reason=RefusalReason.NO_CALLER)
    world.store.run(end_masking_session, world.account, newer.id, world.now)
    found = _route(world, person(9))
    assert isinstance(found, Announce)
    assert found.url == HEARD


@pytest.mark.parametrize(("offset_us", "kind"), [(-1, AskPin), (0, Refuse), (1, Refuse)])
def test_strangers_too_go_by_the_clock(world: World, offset_us: int, kind: type) -> None:
    """At its end a session asks nobody any more, tidied up or not."""
    session = world.create(pin=PIN)
    world.now = session.ends_at + offset_us
    assert isinstance(_route(world, person(9)), kind)


@pytest.mark.parametrize(
    ("setting", "url"), [("built-in", ""), ("https://a.test/closed", "https://a.test/closed")]
)
def test_all_refused_callers_hear_the_same(world: World, setting: str, url: str) -> None:
    """Unknown caller, withheld number, free number, ended session: one prompt for all."""
    session = world.create(1, 2)
    over = world.create(3, 4, expires_in_s=60)
    world.store.run(change_account, world.account, refusal_prompt_url=setting)
    world.now = over.ends_at
    heard = [
        _route(world, person(9)),
        _route(world, None),
        _route(world, person(1), virtual(1)),
        _route(world, person(3)),
    ]
    assert session.virtual_number == over.virtual_number
    assert [it.url if isinstance(it, Announce) else it for it in heard] == [url] * 4
    assert {it.session_id for it in heard if isinstance(it, Announce)} == {None}
    assert isinstance(_route(world, E164(virtual(1))), Refuse)  # a loop is never answered
    assert isinstance(_route(world, person(1), "+442079460000"), Refuse)


def test_account_without_lease_has_no_prompt(world: World) -> None:
    """A number that is nobody's refuses for nobody."""
    world.store.run(change_account, world.account, refusal_prompt_url="built-in")
    poke(world.store, "UPDATE number_lease SET ended_at = started_at")
    assert _route(world, person(9)) == Refuse(reason=RefusalReason.NOT_LEASED)


# --- registered parties ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("caller", [1, 2])
def test_pin_lets_registered_parties_through_unless_forced(world: World, caller: int) -> None:
    """They need none, and are said to be authorised; forced, they are asked in their role."""
    session = world.create(pin=PIN)
    decision = _route(world, person(caller))
    assert isinstance(decision, Connect)
    assert decision.pin is PinStanding.AUTHORIZED
    world.store.run(end_masking_session, world.account, session.id, world.now)
    forced = world.create(pin=replace(PIN, is_forced=True))
    asked = _route(world, person(caller))
    assert isinstance(asked, AskPin)
    assert asked.dialogue.forced_role is (Role.FIRST if caller == 1 else Role.SECOND)
    assert (asked.dialogue.session_id, asked.dialogue.retry_count) == (forced.id, 3)


@pytest.mark.parametrize(
    "given",
    [
        {"callback_url": "https://a.test/"},
        {"recording_callback_url": "https://a.test/"},
        {"has_webhooks": True},
        {},
    ],
)
def test_steps_are_told_where_somebody_listens(world: World, given: dict[str, Any]) -> None:
    """A callback of the session, or any webhook of the account, makes a call's steps worth writing."""
    if given.pop("has_webhooks", False):
        poke(world.store, "UPDATE account SET has_webhooks = (1 = 1)")
        expected = True
    else:
        expected = bool(given)
    world.create(**given)
    decision = _route(world, person(1))
    assert isinstance(decision, Connect)
    assert decision.is_reported is expected


@pytest.mark.parametrize(("first", "second", "role"), [(1, None, Role.FIRST), (None, 1, Role.SECOND)])
def test_one_party_calls_its_last_caller_back(
    world: World, first: int | None, second: int | None, role: Role
) -> None:
    """Whoever called last as a stranger is reached; if that was nobody, nobody is, and its own calls do not count."""
    session = world.create(first, second)
    assert _route(world, person(1)) == Refuse(reason=RefusalReason.NO_COUNTERPART)
    for index, caller in enumerate((person(20), person(21))):
        world.be_called(session, caller, f"c{index}")
    decision = _route(world, person(1))
    assert isinstance(decision, Connect)
    assert (decision.callee, decision.caller_role) == (person(21), role)
    back = world.new_call(session, "back", caller=person(1), callee=person(21), role=role)
    assert isinstance(world.store.run(claim_call, back, world.now), CallClaimed)
    world.store.run(
        finish_call,
        world.record(session, "back", caller=person(1), callee=person(21), role=role),
        world.now,
    )
    again = _route(world, person(1))
    assert isinstance(again, Connect)
    assert again.callee == person(21)
    world.be_called(session, None, "withheld")
    assert _route(world, person(1)) == Refuse(reason=RefusalReason.NO_COUNTERPART)


def test_erased_stranger_is_not_called_back(world: World) -> None:
    """What was erased cannot be dialled."""
    session = world.create(1, None)
    world.be_called(session, person(20))
    poke(
        world.store,
        "UPDATE party SET sealed = NULL WHERE ref = ?",
        world.store.read(lambda tx: tx.keys.ref(person(20))),
    )
    assert _route(world, person(1)) == Refuse(reason=RefusalReason.NO_COUNTERPART)
