from dataclasses import replace

import pytest
from tests.world import NOW, SECOND, World, peek

from maskline.core.delivery import DeliveryState, FinishedAttempt, LeasedDelivery, LeasePlan, NewEndpoint
from maskline.workflows.finish_delivery import finish_delivery
from maskline.workflows.take_deliveries import take_deliveries
from maskline.workflows.webhook_endpoints import create_endpoint

PLAN = LeasePlan(
    worker_id="worker",
    lease_until=NOW + 60 * SECOND,
    total_max=10,
    cautious_max=10,
    free={},
    free_default=10,
    trusted=frozenset(),
)
STANDING = (
    "SELECT state, attempt_count, next_at, first_attempt_at, last_attempt_at, finished_at, last_status, last_error"
    " FROM delivery"
)


def _leased(world: World) -> LeasedDelivery:
    world.store.run(create_endpoint, world.account.id, NewEndpoint(url="https://a.example/"), NOW)
    world.create()
    [delivery] = world.store.run(take_deliveries, PLAN, NOW).leased
    return delivery


def _failed(delivery: LeasedDelivery) -> FinishedAttempt:
    return FinishedAttempt(
        delivery=delivery,
        state=DeliveryState.PENDING,
        started_at=NOW + 1,
        status=500,
        error="http-status",
        retry_at=NOW + 5 * SECOND,
    )


def test_a_failure_is_noted_and_comes_back(world: World) -> None:
    """What was answered, when, and when the next attempt is."""
    assert world.store.run(finish_delivery, _failed(_leased(world)), NOW + 2)
    assert peek(world.store, STANDING) == [
        ("pending", 1, NOW + 5 * SECOND, NOW + 1, NOW + 1, None, 500, "http-status")
    ]


@pytest.mark.parametrize(
    ("state", "status", "error"),
    [(DeliveryState.DELIVERED, 204, None), (DeliveryState.DEAD, None, "timeout")],
)
def test_an_end_is_an_end(world: World, state: DeliveryState, status: int | None, error: str | None) -> None:
    """Delivered or dead, with the instant; the first attempt's instant stays."""
    world.store.run(finish_delivery, _failed(_leased(world)), NOW + 2)
    [again] = world.store.run(
        take_deliveries, replace(PLAN, lease_until=NOW + 99 * SECOND), NOW + 5 * SECOND
    ).leased
    attempt = FinishedAttempt(
        delivery=again, state=state, started_at=NOW + 6 * SECOND, status=status, error=error
    )
    assert world.store.run(finish_delivery, attempt, NOW + 7 * SECOND)
    assert peek(world.store, STANDING) == [
        (
            state.value,
            2,
            NOW + 5 * SECOND,
            NOW + 1,
            NOW + 6 * SECOND,
            NOW + 7 * SECOND,
            status,
            error,
        )
    ]


def test_an_outcome_counts_once(world: World) -> None:
    """Writing it a second time changes nothing: the lease is gone."""
    attempt = _failed(_leased(world))
    assert world.store.run(finish_delivery, attempt, NOW + 2)
    before = peek(world.store, STANDING)
    assert not world.store.run(finish_delivery, attempt, NOW + 3)
    assert peek(world.store, STANDING) == before
