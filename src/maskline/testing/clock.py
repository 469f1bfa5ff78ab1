"""A clock that stands still until it is told."""


class ManualClock:
    """Implements `maskline.clock.Clock`; starts at 2026-01-01 00:00:00 UTC unless told otherwise."""

    def __init__(self, start: int = 1_767_225_600_000_000) -> None:
        self._now = start

    def now(self) -> int:
        """Microseconds since 1970 in UTC."""
        return self._now

    def advance(self, *, s: float = 0, us: int = 0) -> None:
        """Let time pass; it never runs backwards."""
        step = round(s * 1_000_000) + us
        assert step >= 0, "time does not run backwards"
        self._now += step
