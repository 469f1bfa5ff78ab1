from dataclasses import replace
from typing import Any

import pytest
from tests.world import NOW, SECOND, World, peek, person, poke

from maskline.core.delivery import (
    DeliveryState,
    EndpointCreated,
    FinishedAttempt,
    LeasedDelivery,
    LeasePlan,
    NewEndpoint,
    receiver_key,
)
from maskline.core.events import EventKind, NewEvent
from maskline.core.inventory import Subaccount
from maskline.core.masking import MaskingSession
from maskline.core.recording import RecordingNotFound
from maskline.store import deliveries
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.finish_delivery import finish_delivery, reclaim_deliveries, reclaim_own_deliveries
from maskline.workflows.recordings import load_linked_recording
from maskline.workflows.report_event import report_event
from maskline.workflows.take_deliveries import has_delivery_work, publish_events, take_deliveries
from maskline.workflows.webhook_endpoints import create_endpoint, remove_endpoint

URL = "https://app.example.com/cb"
LEASE_US = 60 * SECOND


def _plan(now: int = NOW, **changed: Any) -> LeasePlan:
    plan = LeasePlan(
        worker_id="worker",
        lease_until=now + LEASE_US,
        total_max=10,
        cautious_max=10,
        free={},
        free_default=10,
        trusted=frozenset(),
    )
    return replace(plan, **changed)


def _take(world: World, now: int = NOW, **changed: Any) -> tuple[LeasedDelivery, ...]:
    return world.store.run(take_deliveries, _plan(now, **changed), now).leased


def _step(world: World, session: MaskingSession, role: str = "first", call_id: str = "c1") -> None:
    event = NewEvent(
        kind=EventKind.PARTY_ANSWERED,
        account_id=session.account_id,
        session_id=session.id,
        call_id=call_id,
        occurred_at=NOW,
        facts={"role": role},
    )
    world.store.run(report_event, event, NOW)


def _endpoint(world: World, *kinds: EventKind, sends_numbers: bool = False) -> EndpointCreated:
    new = NewEndpoint(url="https://hooks.example.com/", kinds=frozenset(kinds), sends_numbers=sends_numbers)
    created = world.store.run(create_endpoint, world.account.id, new, NOW)
    assert isinstance(created, EndpointCreated)
    return created


def _fail(world: World, delivery: LeasedDelivery, now: int, retry_at: int) -> bool:
    attempt = FinishedAttempt(
        delivery=delivery,
        state=DeliveryState.PENDING,
        started_at=now,
        status=500,
        error="http-status",
        retry_at=retry_at,
    )
    return world.store.run(finish_delivery, attempt, now)


def _deliver(world: World, delivery: LeasedDelivery, now: int = NOW) -> bool:
    attempt = FinishedAttempt(
        delivery=delivery, state=DeliveryState.DELIVERED, started_at=now, status=200, error=None
    )
    return world.store.run(finish_delivery, attempt, now)


def test_an_event_becomes_a_delivery_to_its_sessions_callback(world: World) -> None:
    """The callback that the session names gets what it knows; the outbox row is published."""
    session = world.create(callback_url=URL)
    world.claim(session)
    _step(world, session)
    [delivery] = _take(world)
    assert (delivery.url, delivery.method, delivery.receiver) == (
        URL,
        "POST",
        receiver_key(world.account.id, URL),
    )
    assert delivery.event.kind is EventKind.PARTY_ANSWERED
    assert (delivery.facts.caller, delivery.facts.callee) == (session.first, session.second)
    assert delivery.facts.account_token == delivery.facts.owner_token == world.account.token
    assert peek(world.store, "SELECT count(*) FROM outbox WHERE published_at IS NULL") == [(0,)]


def test_a_session_without_callback_is_told_to_nobody(world: World) -> None:
    """Its events are published without deliveries."""
    _step(world, world.create())
    assert world.store.read(has_delivery_work, NOW)
    taken = world.store.run(take_deliveries, _plan(), NOW)
    assert (taken.published_count, taken.leased) == (2, ())
    assert not world.store.read(has_delivery_work, NOW)


def test_callbacks_are_those_of_the_moment(world: World) -> None:
    """A callback given by a later update gets the events not published yet."""
    session = world.create()
    _step(world, session)
    world.create(callback_url=URL)
    assert [it.event.kind for it in _take(world)] == [EventKind.PARTY_ANSWERED]


def test_a_subaccounts_session_is_signed_with_its_token(world: World) -> None:
    """The owner of the session signs, and the account as its parent."""
    subaccount = world.store.run(create_subaccount, world.account, "branch", NOW)
    assert isinstance(subaccount, Subaccount)
    number = world.create().virtual_number
    poke(world.store, "UPDATE number_lease SET subaccount_id = ?", subaccount.id)
    session = world.create(3, 4, callback_url=URL, subaccount_id=subaccount.id)
    assert session.virtual_number == number
    _step(world, session)
    [delivery] = _take(world)
    assert delivery.facts.owner_token == subaccount.token
    assert delivery.facts.account_token == world.account.token


@pytest.mark.parametrize("links_s", [0, 3600])
def test_a_completed_recording_comes_with_a_link_if_so_set(world: World, links_s: int) -> None:
    """The link is of the account, for that file, and works from the attempt on."""
    session = world.create(recording_callback_url=URL)
    event = NewEvent(
        kind=EventKind.RECORDING_COMPLETED,
        account_id=session.account_id,
        session_id=session.id,
        call_id=None,
        occurred_at=NOW,
        facts={"recording_id": "e" * 32, "format": "wav"},
    )
    world.store.run(report_event, event, NOW)
    [delivery] = world.store.run(take_deliveries, _plan(), NOW, recording_links_s=links_s).leased
    link = delivery.facts.recording_link
    if not links_s:
        assert link is None
        return
    assert link is not None
    assert (link.auth_id, link.recording_id, link.format, link.expires_s) == (
        world.account.auth_id,
        "e" * 32,
        "wav",
        NOW // SECOND + links_s,
    )
    assert isinstance(
        world.store.read(load_linked_recording, link, NOW), RecordingNotFound
    )  # genuine, no file


def test_endpoints_get_what_they_ask_for(world: World) -> None:
    """An endpoint without a filter gets every event, one with a filter only those."""
    every, some = _endpoint(world), _endpoint(world, EventKind.PARTY_ANSWERED)
    _step(world, world.create())
    got = {(it.receiver, it.event.kind) for it in _take(world)}
    assert got == {
        (every.endpoint.id, EventKind.SESSION_CREATED),
        (every.endpoint.id, EventKind.PARTY_ANSWERED),
        (some.endpoint.id, EventKind.PARTY_ANSWERED),
    }


def test_a_removed_endpoints_deliveries_are_cancelled(world: World) -> None:
    """What was still to be sent there is cancelled when its turn comes, and says why."""
    created = _endpoint(world)
    world.create()
    world.store.run(publish_events, NOW)
    world.store.run(remove_endpoint, world.account.id, created.endpoint.id, NOW)
    assert _take(world) == ()
    assert peek(world.store, "SELECT state, last_error, finished_at FROM delivery") == [
        ("cancelled", "endpoint-disabled", NOW)
    ]


def test_a_party_that_cannot_be_unsealed_holds_up_nobody(world: World) -> None:
    """A row damaged behind our back is put aside; the rest goes on."""
    broken, whole = world.create(1, 2, callback_url=URL), world.create(3, 4, callback_url=URL)
    for session, call_id in ((broken, "c1"), (whole, "c2")):
        world.claim(session, call_id)
        _step(world, session, call_id=call_id)
    [(ref,)] = peek(world.store, "SELECT first_ref FROM masking_session WHERE id = ?", broken.id)
    poke(world.store, "UPDATE party SET sealed = ? WHERE ref = ?", b"not sealed by us", ref)
    assert [it.event.session_id for it in _take(world)] == [whole.id]
    assert peek(world.store, "SELECT state, last_error FROM delivery ORDER BY id LIMIT 1") == [
        ("cancelled", "seal-broken")
    ]


def test_an_erased_party_is_told_without_number(world: World) -> None:
    """What was erased is not told, and the event still is."""
    session = world.create(callback_url=URL)
    world.claim(session)
    _step(world, session)
    poke(world.store, "UPDATE party SET sealed = NULL")
    [delivery] = _take(world)
    assert (delivery.facts.caller, delivery.facts.callee) == (None, None)


def test_events_of_one_call_are_leased_one_by_one(world: World) -> None:
    """The next one is leased when the earlier one is delivered, and not before."""
    session = world.create(callback_url=URL)
    _step(world, session, "first")
    _step(world, session, "second")
    [first] = _take(world)
    assert _take(world) == ()
    assert _deliver(world, first)
    [second] = _take(world)
    assert second.event.sequence == first.event.sequence + 1


def test_other_calls_do_not_wait(world: World) -> None:
    """Order is kept within a call, not between calls."""
    session = world.create(callback_url=URL)
    for call_id in ("c1", "c2"):
        for role in ("first", "second"):
            _step(world, session, role, call_id)
    assert {it.event.call_id for it in _take(world)} == {"c1", "c2"}


@pytest.mark.parametrize(("offset_us", "count"), [(-1, 0), (0, 1)])
def test_nobody_waits_longer_than_five_minutes(world: World, offset_us: int, count: int) -> None:
    """From then on the sequence number tells the order."""
    session = world.create(callback_url=URL)
    _step(world, session, "first")
    _step(world, session, "second")
    [first] = _take(world)
    _fail(world, first, NOW, NOW + 3600 * SECOND)
    assert len(_take(world, NOW + 300 * SECOND + offset_us)) == count


@pytest.mark.parametrize(("offset_us", "count"), [(-1, 0), (0, 1)])
def test_a_failed_delivery_comes_back_at_its_instant(world: World, offset_us: int, count: int) -> None:
    """Not before it, and before those that wait for it."""
    session = world.create(callback_url=URL)
    _step(world, session, "first")
    _step(world, session, "second")
    [first] = _take(world)
    _fail(world, first, NOW, NOW + 5 * SECOND)
    again = _take(world, NOW + 5 * SECOND + offset_us)
    assert len(again) == count
    assert all((it.message_id, it.attempt_count) == (first.message_id, 1) for it in again)


def test_places_are_given_by_receiver(world: World) -> None:
    """A receiver gets as many as it may have, unknown ones as many together as they may."""
    for index in range(8):
        url = f"https://{'a' if index < 4 else 'b'}.example.com/{index}"
        _step(world, world.create(2 * index + 1, 2 * index + 2, callback_url=url), call_id=f"c{index}")
    key_a = receiver_key(world.account.id, "https://a.example.com/")
    key_b = receiver_key(world.account.id, "https://b.example.com/")

    def counts(**changed: Any) -> tuple[int, int]:
        poke(world.store, "UPDATE delivery SET state = 'pending', lease_until = NULL, leased_by = NULL")
        receivers = [it.receiver for it in _take(world, **changed)]
        return receivers.count(key_a), receivers.count(key_b)

    assert counts() == (4, 4)
    assert counts(free={key_a: 1}, free_default=3) == (1, 3)
    assert sum(counts(total_max=5)) == 5
    assert sum(counts(cautious_max=3)) == 3
    assert counts(cautious_max=0, trusted=frozenset({key_b})) == (0, 4)
    assert counts(total_max=0) == (0, 0)


def test_whoever_has_waited_longest_comes_first(world: World) -> None:
    """With few places left, a receiver that was always busy does not take them all."""
    for index, host in enumerate(("late", "early")):
        _step(
            world,
            world.create(2 * index + 1, 2 * index + 2, callback_url=f"https://{host}.example.com/"),
            call_id=f"c{index}",
        )
    world.store.run(publish_events, NOW)
    key = receiver_key(world.account.id, "https://early.example.com/")
    poke(world.store, "UPDATE delivery SET next_at = next_at - 1 WHERE receiver = ?", key)
    assert [it.receiver for it in _take(world, total_max=1)] == [key]


def test_only_one_worker_leases_a_delivery(world: World) -> None:
    """What is leased is nobody else's until the lease lapses."""
    _step(world, world.create(callback_url=URL))
    assert len(_take(world)) == 1
    assert _take(world, worker_id="other") == ()


@pytest.mark.parametrize(("offset_us", "count"), [(-1, 0), (0, 1)])
def test_a_lapsed_lease_is_taken_back(world: World, offset_us: int, count: int) -> None:
    """A worker that died loses what it had, and its outcome counts no more."""
    _step(world, world.create(callback_url=URL))
    [lost] = _take(world)
    later = NOW + LEASE_US + offset_us
    assert world.store.run(reclaim_deliveries, later) == count
    if count:
        [taken] = _take(world, later, worker_id="other")
        assert (taken.message_id, taken.attempt_count) == (lost.message_id, 1)
        assert not _deliver(world, lost, later)
        assert _deliver(world, taken, later)


def test_a_successor_takes_over_at_once(world: World) -> None:
    """A worker of the same name needs not wait for the leases of the one that died."""
    _step(world, world.create(callback_url=URL))
    [lost] = _take(world)
    assert world.store.run(reclaim_own_deliveries, "other", NOW) == 0
    assert world.store.run(reclaim_own_deliveries, "worker", NOW) == 1
    assert [it.message_id for it in _take(world)] == [lost.message_id]


def test_an_endpoint_that_is_gone_is_disabled(world: World) -> None:
    """Nothing more is made for it, and the account's row says so to those who route calls."""
    _endpoint(world)
    world.create(1, 2)
    [delivery] = _take(world)
    attempt = FinishedAttempt(
        delivery=delivery,
        state=DeliveryState.DEAD,
        started_at=NOW,
        status=410,
        error="gone",
        is_gone=True,
    )
    assert peek(world.store, "SELECT has_webhooks FROM account") in ([(1,)], [(True,)])
    assert world.store.run(finish_delivery, attempt, NOW)
    assert peek(world.store, "SELECT has_webhooks FROM account") in ([(0,)], [(False,)])
    world.create(3, 4)
    assert _take(world) == ()
    assert peek(world.store, "SELECT state, last_status, last_error FROM delivery") == [("dead", 410, "gone")]


def test_somebody_else_publishing_is_waited_for(world: World) -> None:
    """Two publishers at once would put a call's events out of order; the second one leaves it to the first."""
    if world.store.database != "postgresql":
        pytest.skip("SQLite has one writer")
    _step(world, world.create(callback_url=URL))
    with world.store.transaction() as tx:
        assert deliveries.lock_publisher(tx)
        assert world.store.run(publish_events, NOW) == 0
    assert world.store.run(publish_events, NOW) == 2


def test_one_event_reaches_one_receiver_once(world: World) -> None:
    """The database itself refuses a second delivery of an event to a receiver."""
    _step(world, world.create(callback_url=URL))
    world.store.run(publish_events, NOW)
    poke(world.store, "UPDATE outbox SET published_at = NULL")
    with pytest.raises(Exception, match=r"(?i)unique"):
        world.store.run(publish_events, NOW)


def test_no_number_is_in_the_rows(world: World) -> None:
    """Deliveries name nobody; numbers are unsealed for the moment of the attempt."""
    session = world.create(callback_url=URL)
    world.claim(session)
    _step(world, session)
    _take(world)
    for table in ("delivery", "outbox"):
        text = repr(peek(world.store, f"SELECT * FROM {table}"))
        assert person(1).reveal().removeprefix("+") not in text
        assert person(2).reveal().removeprefix("+") not in text
