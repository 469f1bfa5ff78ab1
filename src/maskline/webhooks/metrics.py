"""Counters of deliveries; every label has few, fixed values."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from maskline.core.delivery import FinishedAttempt
from maskline.core.masking import MICROSECONDS

_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0)


class WebhookMetrics:
    """What one worker counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "maskline_webhook_attempts",
            "Attempts to deliver an event, by what became of the delivery.",
            ("dialect", "state"),
            registry=registry,
        )
        self._lag = Histogram(
            "maskline_webhook_lag_seconds",
            "Time from the event to the end of its first attempt.",
            ("dialect",),
            registry=registry,
            buckets=_BUCKETS_S,
        )
        self.busy = Gauge("maskline_webhook_requests", "Requests under way.", registry=registry)

    def count(self, attempt: FinishedAttempt, now: int) -> None:
        """Record one attempt that ended at `now` (µs UTC)."""
        dialect = attempt.delivery.dialect.value
        self._attempts.labels(dialect, attempt.state.value).inc()
        if attempt.delivery.attempt_count == 0:
            waited_s = max(0, now - attempt.delivery.event.occurred_at) / MICROSECONDS
            self._lag.labels(dialect).observe(waited_s)
