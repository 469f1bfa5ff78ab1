"""Counters of the HTTP side; every label has few, fixed values."""

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class HTTPMetrics:
    """`operation` is the name of a handler, never a path; `status` one of the few statuses answered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("dialect", "operation")
        self._requests = Counter(
            "maskline_http_requests", "Answered requests.", (*labels, "status"), registry=registry
        )
        self._durations = Histogram(
            "maskline_http_request_seconds",
            "Time from the parsed head of a request to its answer.",
            labels,
            registry=registry,
            buckets=_BUCKETS_S,
        )

    def count(self, dialect: str, operation: str, status: int, duration_s: float) -> None:
        """Record one answered request."""
        self._requests.labels(dialect, operation, str(status)).inc()
        self._durations.labels(dialect, operation).observe(duration_s)
