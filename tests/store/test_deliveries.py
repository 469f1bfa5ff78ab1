import json

import pytest
from tests.world import NOW, SECOND, World, peek, poke

from maskline.core.delivery import Dialect, Receiver
from maskline.core.masking import CallbackMethod
from maskline.store import deliveries, outbox
from maskline.store.engine import Tx
from maskline.store.statement import Database

URL = "https://a.example/"


def _insert(world: World, count: int, receiver: str = "r1") -> list[int]:
    """Deliveries of as many sessions to one receiver; their ids."""
    for _ in range(count):
        taken = len(peek(world.store, "SELECT id FROM masking_session"))
        world.create(2 * taken + 1, 2 * taken + 2)

    def make(tx: Tx) -> None:
        for event, _ in outbox.load_unpublished(tx, 1000):
            to = Receiver(
                key=receiver, dialect=Dialect.PLIVO, endpoint_id=None, url=URL, method=CallbackMethod.POST
            )
            deliveries.insert_delivery(tx, event, to, NOW)
            outbox.mark_published(tx, event.id, event.id, NOW)

    world.store.run(make)
    return [row[0] for row in peek(world.store, "SELECT id FROM delivery WHERE receiver = ?", receiver)]


def test_a_delivery_is_due_at_once_and_given_up_after_72_hours(world: World) -> None:
    """Its order goes by its call or, without one, by its session."""
    [_] = _insert(world, 1)
    [(order_key, state, next_at, give_up_at)] = peek(
        world.store, "SELECT order_key, state, next_at, give_up_at FROM delivery"
    )
    [(session_id,)] = peek(world.store, "SELECT id FROM masking_session")
    assert (order_key, state, next_at) == (session_id, "pending", NOW)
    assert give_up_at - NOW == 72 * 3600 * SECOND


def test_due_receivers_are_found_by_who_waited_longest(world: World) -> None:
    """Each once, however many deliveries it has; not those whose time has not come, nor those in hand or done."""
    for receiver, next_at, lease_until, finished_at in (
        ("late", NOW, None, None),
        ("early", NOW - 5, None, None),
        ("future", NOW + 1, None, None),
        ("leased", NOW, NOW + 9, None),
        ("done", NOW, None, NOW),
    ):
        _insert(world, 2, receiver)
        poke(
            world.store,
            "UPDATE delivery SET next_at = ?, lease_until = ?, leased_by = ?, finished_at = ?, state = ?"
            " WHERE receiver = ?",
            next_at,
            lease_until,
            None if lease_until is None else "w",
            finished_at,
            "leased" if lease_until else "delivered" if finished_at else "pending",
            receiver,
        )
    assert world.store.read(deliveries.load_due_receivers, NOW) == ("early", "late")
    assert world.store.read(deliveries.load_due_receivers, NOW - 6) == ()


def test_a_round_looks_at_a_bounded_number_of_receivers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that waited longest are among them."""
    _insert(world, 1)
    [row] = peek(world.store, "SELECT min(event_id) FROM delivery")
    columns = (
        "message_id, event_id, account_id, dialect, receiver, order_key, url, method, state, attempt_count,"
        " created_at, next_at, give_up_at"
    )
    for index in range(deliveries.DUE_RECEIVER_COUNT_MAX + 10):
        poke(
            world.store,
            f"INSERT INTO delivery ({columns})"
            " SELECT ?, event_id, account_id, dialect, ?, order_key, url, method, state, attempt_count,"
            " created_at, next_at - ?, give_up_at FROM delivery WHERE event_id = ? AND receiver = 'r1'",
            f"m{index}",
            f"r{index + 100}",
            index + 1,
            row[0],
        )
    found = world.store.read(deliveries.load_due_receivers, NOW)
    assert len(found) == deliveries.DUE_RECEIVER_COUNT_MAX
    assert found[0] == f"r{deliveries.DUE_RECEIVER_COUNT_MAX + 109}"


@pytest.mark.parametrize("count_max", [1, 2, 10])
def test_a_lease_takes_as_many_as_there_are_places(world: World, count_max: int) -> None:
    """In the order in which they are due."""
    ids = _insert(world, 3)
    rows = world.store.run(
        deliveries.lease_due, "r1", count_max=count_max, worker_id="w", lease_until=NOW + 1, now=NOW
    )
    assert [row.id for row in rows] == ids[:count_max]
    leased = peek(world.store, "SELECT id FROM delivery WHERE state = 'leased' AND leased_by = 'w'")
    assert sorted(row[0] for row in leased) == ids[:count_max]


def test_cancelled_deliveries_are_over(world: World) -> None:
    """And say why."""
    [id_] = _insert(world, 1)
    world.store.run(deliveries.cancel, id_, "endpoint-disabled", NOW)
    assert peek(world.store, "SELECT state, last_error, finished_at FROM delivery") == [
        ("cancelled", "endpoint-disabled", NOW)
    ]


@pytest.mark.parametrize("name", ["_SELECT_DUE_RECEIVERS", "_LEASE", "_HOLD_FOLLOWERS", "_RECLAIM_LAPSED"])
def test_what_runs_all_the_time_is_found_by_indexes(world: World, name: str) -> None:
    """However many deliveries there are: no statement of a round walks over all of them."""
    if world.store.database is not Database.SQLITE:
        pytest.skip("small tables are scanned by PostgreSQL whatever their indexes")
    compiled = getattr(deliveries, name).compiled(Database.SQLITE)
    params = compiled.bind(dict.fromkeys(compiled.parameters, 1))

    def explain(tx: Tx) -> str:
        rows = tx._raw.execute(f"EXPLAIN QUERY PLAN {compiled.text}", params).fetchall()
        return json.dumps([row[3] for row in rows])

    plan = world.store.read(explain)
    assert not any(f"SCAN {table}" in plan for table in ("delivery", "mine", "earlier", "next_one"))
