"""Looks after the trunks of one switch every second: health of their targets, registrations."""

from collections.abc import Callable

from maskline.engine.ports import SwitchClock
from maskline.engine.registrations import Registrations, RegistrationState
from maskline.engine.switch_settings import SwitchSettings
from maskline.engine.trunk_health import TargetState, TrunkHealth
from maskline.engine.trunk_requests import TrunkRequests
from maskline.engine.trunk_table import TrunkTable
from maskline.sip.events import RequestAnswered
from maskline.sip.user_agent import UserAgent


class TrunkWatch:
    """Sends what is due through the switch's user agent; `pump` lets it out. `random_bytes` as the switch's."""

    def __init__(
        self,
        table: TrunkTable,
        user_agent: UserAgent,
        settings: SwitchSettings,
        *,
        clock: SwitchClock,
        random_bytes: Callable[[int], bytes],
        pump: Callable[[], None],
    ) -> None:
        requests = TrunkRequests(local=settings.local, host_towards=settings.host_towards)
        self._user_agent = user_agent
        self._clock = clock
        self._pump = pump
        self._health = TrunkHealth(table, requests)
        self._registrations = Registrations(
            table,
            requests,
            random=lambda: int.from_bytes(random_bytes(4)) / 2**32,
            new_call_id=lambda: random_bytes(16).hex(),
        )

    def tick(self) -> None:
        """Send what is due; called every second."""
        now = self._clock.mono_s()
        for address, request in self._health.tick(now):
            self._health.sent(address, self._user_agent.send_request(request, now), now)
        self._register(now)
        self._pump()

    def answered(self, event: RequestAnswered) -> None:
        """Take the end of a request, as the switch tells of it."""
        now = self._clock.mono_s()
        if not self._health.answered(event, now):
            self._registrations.answered(event, now)

    def stop(self) -> None:
        """Take the registrations back; the answers are worth a moment's wait while `is_busy`."""
        self._registrations.stop()
        self._register(self._clock.mono_s())
        self._pump()

    @property
    def is_busy(self) -> bool:
        """Whether answers to REGISTER are waited for."""
        return self._registrations.is_busy

    def targets(self) -> tuple[TargetState, ...]:
        """Tell how every target does."""
        return self._health.states(self._clock.mono_s())

    def registrations(self) -> tuple[RegistrationState, ...]:
        """Tell how every registration does."""
        return self._registrations.states(self._clock.mono_s())

    def _register(self, now: float) -> None:
        for binding, request in self._registrations.tick(now):
            self._registrations.sent(binding, self._user_agent.send_request(request, now))
