"""Asks every target by OPTIONS whether it is there, and notes the answers in the trunk table.

Nothing here waits: `tick` is called every second and says what to send, `answered` takes what came of it. A target
that is silent for a few seconds has failed that check; its answer, should it still come, counts as one.

Source: RFC 3261 section 11; the numbers are the usual ones of carriers' session border controllers.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog

from maskline.core.inventory import Trunk
from maskline.core.targets import TargetAddress, is_alive
from maskline.engine.trunk_requests import TrunkRequests
from maskline.engine.trunk_table import TrunkTable
from maskline.sip.events import RequestAnswered, RequestID
from maskline.sip.user_agent_types import OutgoingRequest

_log = structlog.get_logger(__name__)

CHECK_EVERY_S: Final = 30.0
RECHECK_S: Final = 5.0
"""After a first failure: a target that is gone is known to be within 15 s of the check that missed it."""
ANSWER_TIMEOUT_S: Final = 4.0
"""As long as a call would wait for it; the user agent goes on repeating the request for 32 s."""
CHECKS_PER_TICK_MAX: Final = 50
"""So that hundreds of targets are not asked in one burst."""

Place = tuple[str, str, int]


class TargetState(NamedTuple):
    """How one address of a trunk does, for people."""

    trunk: str
    target: str
    is_healthy: bool
    is_checked: bool


@dataclass(slots=True)
class _Check:
    address: TargetAddress
    due_mono_s: float
    sent_mono_s: float = 0.0
    request: RequestID | None = None
    is_missed: bool = False


class TrunkHealth:
    """The health checks of all targets of calls. Instants are monotonic seconds."""

    def __init__(self, table: TrunkTable, requests: TrunkRequests) -> None:
        self._table = table
        self._requests = requests
        self._checks: dict[Place, _Check] = {}
        self._asked: dict[RequestID, _Check] = {}

    def tick(self, now: float) -> list[tuple[TargetAddress, OutgoingRequest]]:
        """Note who is overdue and return what to send now; each is to be told of by `sent`."""
        self._take_over(now)
        for check in self._checks.values():
            if (
                check.request is not None
                and not check.is_missed
                and now >= check.sent_mono_s + ANSWER_TIMEOUT_S
            ):
                check.is_missed = True
                self._failed(check, now)
        due = [check for check in self._checks.values() if check.due_mono_s <= now][:CHECKS_PER_TICK_MAX]
        found = []
        for check in due:
            check.due_mono_s = now + CHECK_EVERY_S
            request = self._requests.options(check.address)
            if request is not None:
                found.append((check.address, request))
        return found

    def sent(self, address: TargetAddress, request: RequestID, now: float) -> None:
        """Learn the number of a request that `tick` returned."""
        check = self._checks[address.place]
        if check.request is not None:  # an answer to the one before is of no interest any more
            self._asked.pop(check.request, None)
        check.request, check.sent_mono_s, check.is_missed = request, now, False
        self._asked[request] = check

    def answered(self, event: RequestAnswered, now: float) -> bool:
        """Take the end of a request; False when it was none of ours."""
        check = self._asked.pop(event.request, None)
        if check is None:
            return False
        check.request = None
        if self._checks.get(check.address.place) is not check:
            return True  # the target is gone
        if is_alive(event.status):
            self._succeeded(check, now)
        elif not check.is_missed:
            self._failed(check, now, retry_after_s=event.retry_after_s)
        return True

    def states(self, now: float) -> tuple[TargetState, ...]:
        """Tell how every target of every trunk does, in the trunks' order."""
        return tuple(
            TargetState(
                trunk=trunk.name,
                target=f"{address.name} ({address.transport.value} {address.host} {address.port})",
                is_healthy=self._table.is_healthy(address, now),
                is_checked=trunk.has_health_check,
            )
            for trunk in self._table.trunks
            for address in _addresses(self._table, trunk)
        )

    def _take_over(self, now: float) -> None:
        """Check what the trunks lead to at present, and nothing else; what is new is checked at once."""
        wanted = {
            address.place: address
            for trunk in self._table.trunks
            if trunk.has_health_check
            for address in _addresses(self._table, trunk)
        }
        if wanted.keys() != self._checks.keys():
            self._checks = {
                place: self._checks.get(place) or _Check(address, now) for place, address in wanted.items()
            }

    def _succeeded(self, check: _Check, now: float) -> None:
        was_healthy = self._table.is_healthy(check.address, now)
        self._table.note_success(check.address, is_call=False)
        self._log_change(check, now, was_healthy=was_healthy)

    def _failed(self, check: _Check, now: float, *, retry_after_s: int | None = None) -> None:
        was_healthy = self._table.is_healthy(check.address, now)
        self._table.note_failure(check.address, now, retry_after_s=retry_after_s)
        self._log_change(check, now, was_healthy=was_healthy)
        if self._table.is_healthy(check.address, now):
            check.due_mono_s = now + RECHECK_S

    def _log_change(self, check: _Check, now: float, *, was_healthy: bool) -> None:
        is_healthy = self._table.is_healthy(check.address, now)
        if is_healthy is not was_healthy:
            level = _log.info if is_healthy else _log.warning
            level(
                "trunk.target_changed",
                target=check.address.name,
                address=check.address.host,
                is_healthy=is_healthy,
            )


def _addresses(table: TrunkTable, trunk: Trunk) -> tuple[TargetAddress, ...]:
    return tuple(address for target in trunk.targets for address in table.addresses(target))
