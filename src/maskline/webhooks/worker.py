"""The worker: takes what is due, makes the requests, writes what came of them.

It keeps nothing that matters: a worker that dies leaves leases, which its successor of the same name takes
back at once and any other one when they lapse. So every event is delivered at least once, under one id.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from maskline.clock import Clock
from maskline.core.delivery import DeliveryState, FinishedAttempt, LeasedDelivery
from maskline.core.masking import MICROSECONDS
from maskline.errors import AppError
from maskline.outbound.types import (
    FailureReason,
    OutboundFailed,
    OutboundLimits,
    OutboundRefused,
    RefusalReason,
)
from maskline.workflows.deliveries import prune_deliveries
from maskline.workflows.finish_delivery import finish_delivery, reclaim_deliveries, reclaim_own_deliveries
from maskline.workflows.take_deliveries import has_delivery_work, take_deliveries

from .metrics import WebhookMetrics
from .ports import OutboundHTTP, StoreThreads
from .requests import NONCE_BYTES, build_request
from .schedule import Answered, Outcome, Unanswered, decide_attempt
from .slots import Slots
from .target import TOTAL_MS_MAX, RetryCause, parse_callback_target

_log = structlog.get_logger(__name__)

POLL_S: Final = 0.1
"""How soon an event is seen that nobody gave a hint of: most of the lag of a quiet service. A look takes 0.1 ms."""
LEASE_S: Final = TOTAL_MS_MAX / 1000 + 35
"""The longest request and half a minute for writing down what came of it."""
RECLAIM_EVERY_S: Final = 5.0
PRUNE_EVERY_S: Final = 60.0
PRUNE_ROUND_COUNT_MAX: Final = 20
"""Batches in a row; 20,000 rows a minute are more than the service can make in the long run."""
FAILURE_PAUSE_S: Final = 1.0
"""After a round that failed; the database may be away for a while."""
RESPONSE_BYTES_MAX: Final = 16_384
"""Read of an answer, and thrown away: enough for a connection to be used again."""
WRITE_ATTEMPT_COUNT_MAX: Final = 5
"""Tries to write down an outcome; after that the lease lapses and the delivery is made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often the worker looks for what nobody told it of. Seconds."""

    poll_s: float = POLL_S
    reclaim_every_s: float = RECLAIM_EVERY_S
    prune_every_s: float = PRUNE_EVERY_S


_PACE: Final = Pace()
_CONNECT_FAILURES: Final = frozenset({FailureReason.DNS, FailureReason.CONNECT, FailureReason.TLS})
_FINAL_REFUSALS: Final = frozenset({RefusalReason.URL, RefusalReason.SCHEME, RefusalReason.PORT})


class DeliveryWorker:
    """Delivers events until `run` is cancelled; `notify` wakes it. For one event loop.

    `worker_id` is this worker's among all of the database, and its successor's. Completed recordings are told
    with links that work without credentials for `recording_links_s`; 0: with such that need them.
    """

    def __init__(
        self,
        *,
        store: StoreThreads,
        http: OutboundHTTP,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        worker_id: str,
        public_url: str,
        recording_links_s: int = 0,
        registry: CollectorRegistry | None = None,
        slots: Slots | None = None,
        pace: Pace = _PACE,
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._http = http
        self._clock = clock
        self._random_bytes = random_bytes
        self._worker_id = worker_id
        self._public_url = public_url
        self._recording_links_s = recording_links_s
        self._metrics = WebhookMetrics(registry or CollectorRegistry())
        self._slots = slots or Slots()
        self._pace = pace
        self._mono_s = mono_s
        self._wake = asyncio.Event()

    def notify(self) -> None:
        """Look at once: an event was written or a delivery replayed."""
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled; requests under way are dropped then, and made again by the successor."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._housekeep(self._pace.reclaim_every_s, self._reclaim))
            group.create_task(self._housekeep(self._pace.prune_every_s, self._prune))
            has_taken_over = False
            while True:
                try:
                    if not has_taken_over:
                        await self._take_over()
                        has_taken_over = True
                    did_something = await self._round(group)
                except Exception as error:  # noqa: BLE001  # whatever it was, the next round may be better
                    _report("webhooks.round_failed", error)
                    await asyncio.sleep(FAILURE_PAUSE_S)
                    continue
                if not did_something:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._pace.poll_s):
                            await self._wake.wait()

    async def _take_over(self) -> None:
        count = await self._store.write(reclaim_own_deliveries, self._worker_id, self._clock.now())
        if count:
            _log.warning("webhooks.taken_over", delivery_count=count)

    async def _round(self, group: asyncio.TaskGroup) -> bool:
        """Take what there are places for; False when there was nothing."""
        self._wake.clear()  # before looking: what is written from now on wakes us again
        if not await self._store.read(has_delivery_work, self._clock.now()):
            return False
        now = self._clock.now()
        plan = self._slots.plan(self._worker_id, now + round(LEASE_S * MICROSECONDS), self._mono_s())
        published_count, leased = await self._store.write(
            take_deliveries, plan, now, recording_links_s=self._recording_links_s
        )
        for delivery in leased:
            started_mono_s = self._mono_s()
            self._slots.take(delivery.receiver, started_mono_s)
            group.create_task(self._deliver(delivery, started_mono_s))
        return bool(published_count or leased)

    async def _deliver(self, delivery: LeasedDelivery, started_mono_s: float) -> None:
        self._metrics.busy.inc()
        started_at = self._clock.now()
        outcome: Outcome = Unanswered(error="internal-error", cause=RetryCause.OTHER)
        try:
            outcome = await self._request(delivery, started_at)
        except Exception:  # noqa: BLE001  # a bug costs one attempt, not the worker
            _log.exception("webhook.failed", delivery_id=delivery.message_id)
        finally:
            self._metrics.busy.dec()
            self._slots.give_back(
                delivery.receiver,
                started_mono_s,
                self._mono_s(),
                was_answered=isinstance(outcome, Answered),
            )
        attempt = decide_attempt(
            delivery,
            parse_callback_target(delivery.url),
            outcome,
            started_at=started_at,
            now=self._clock.now(),
            chance=int.from_bytes(self._random_bytes(4)) / 2**32,
        )
        await self._write_down(attempt)
        self._wake.set()  # a place is free, and the call's next event may be sent

    async def _request(self, delivery: LeasedDelivery, started_at: int) -> Outcome:
        request = build_request(
            delivery,
            public_url=self._public_url,
            random=self._random_bytes(NONCE_BYTES),
            now=started_at,
        )
        target = request.target
        limits = OutboundLimits(
            total_s=target.total_s,
            connect_s=target.connect_s,
            read_s=target.read_s,
            response_bytes_max=RESPONSE_BYTES_MAX,
            cuts_body=True,
        )
        try:
            response = await self._http.request(
                request.method, request.url, headers=request.headers, body=request.body, limits=limits
            )
        except OutboundRefused as error:
            return Unanswered(
                error=f"refused-{error.reason.value}",
                cause=RetryCause.CONNECT,
                is_final=error.reason in _FINAL_REFUSALS,
            )
        except OutboundFailed as error:
            is_connect = error.reason in _CONNECT_FAILURES
            return Unanswered(
                error=error.reason.value, cause=RetryCause.CONNECT if is_connect else RetryCause.READ
            )
        return Answered(status=response.status, retry_after=response.headers.get("retry-after"))

    async def _write_down(self, attempt: FinishedAttempt) -> None:
        delivery = attempt.delivery
        self._metrics.count(attempt, self._clock.now())
        log = _log.debug if attempt.state is DeliveryState.DELIVERED else _log.info
        log(
            "webhook.attempted",
            delivery_id=delivery.message_id,
            session_id=delivery.event.session_id,
            kind=delivery.event.kind.value,
            state=attempt.state.value,
            status=attempt.status,
            error=attempt.error,
            attempt_count=delivery.attempt_count + 1,
        )
        for _ in range(WRITE_ATTEMPT_COUNT_MAX):
            try:
                is_kept = await self._store.write(finish_delivery, attempt, self._clock.now())
            except Exception as error:  # noqa: BLE001  # the lease says for how long it matters
                _report("webhook.unwritten", error, delivery_id=delivery.message_id)
                await asyncio.sleep(FAILURE_PAUSE_S)
                continue
            if not is_kept:
                _log.warning("webhook.lease_lost", delivery_id=delivery.message_id)
            return

    async def _housekeep(self, period_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(period_s)
            try:
                await work()
            except Exception as error:  # noqa: BLE001  # the next time may be better
                _report("webhooks.housekeeping_failed", error)

    async def _reclaim(self) -> None:
        count = await self._store.write(reclaim_deliveries, self._clock.now())
        if count:
            _log.warning("webhooks.reclaimed", delivery_count=count)
            self._wake.set()

    async def _prune(self) -> None:
        for _ in range(PRUNE_ROUND_COUNT_MAX):
            if not await self._store.write(prune_deliveries, self._clock.now()):
                return


def _report(event: str, error: Exception, **context: str) -> None:
    """Log a failure: one line when the database cannot be used, which may last, and all there is of a bug."""
    if isinstance(error, AppError):
        _log.warning(event, code=error.code, **context)
    else:
        _log.error(event, exc_info=error, **context)
