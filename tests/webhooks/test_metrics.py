from prometheus_client import CollectorRegistry
from tests.webhooks.builders import NOW, SECOND, a_delivery

from maskline.core.delivery import DeliveryState, FinishedAttempt
from maskline.webhooks.metrics import WebhookMetrics


def test_only_first_attempts_count_for_the_lag() -> None:
    """Every attempt is counted by what became of its delivery; how late an event was is seen at its first."""
    registry = CollectorRegistry()
    metrics = WebhookMetrics(registry)
    for attempt_count in (0, 1):
        attempt = FinishedAttempt(
            delivery=a_delivery(attempt_count=attempt_count),
            state=DeliveryState.DELIVERED,
            started_at=NOW,
            status=200,
            error=None,
        )
        metrics.count(attempt, NOW + SECOND // 10)
    labels = {"dialect": "plivo", "state": "delivered"}
    assert registry.get_sample_value("maskline_webhook_attempts_total", labels) == 2.0
    assert registry.get_sample_value("maskline_webhook_lag_seconds_count", {"dialect": "plivo"}) == 1.0
    assert registry.get_sample_value("maskline_webhook_lag_seconds_sum", {"dialect": "plivo"}) == 0.1
