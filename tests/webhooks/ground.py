"""A worker on virtual time: a real database, receivers that misbehave, and a ledger of what they saw."""

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from plivo.utils import validate_v3_signature
from standardwebhooks import Webhook
from tests.world import World, peek

from maskline.core.delivery import ORDER_WAIT_S, EndpointCreated, NewEndpoint
from maskline.core.events import EventKind, EventValue, NewEvent
from maskline.core.masking import MaskingSession
from maskline.outbound.types import (
    FailureReason,
    OutboundFailed,
    OutboundLimits,
    OutboundResponse,
)
from maskline.store.engine import Store, StoreUnavailableError
from maskline.testing.virtual_loop import VirtualTimeLoop
from maskline.webhooks.worker import DeliveryWorker, Pace
from maskline.workflows.report_event import report_event
from maskline.workflows.webhook_endpoints import create_endpoint

STEPS: Final[tuple[tuple[EventKind, dict[str, EventValue]], ...]] = (
    (EventKind.PARTY_RINGING, {"role": "second"}),
    (EventKind.PARTY_ANSWERED, {"role": "second"}),
    (EventKind.PARTY_ANSWERED, {"role": "first"}),
    (EventKind.PARTY_HUNG_UP, {"role": "first", "duration_s": 5, "reason": "caller-hung-up"}),
    (EventKind.PARTY_HUNG_UP, {"role": "second", "duration_s": 5, "reason": "caller-hung-up"}),
)
"""What a call reports, in order; the session's callback is told of every one."""

FAST: Final = Pace()
SLOW: Final = Pace(poll_s=60.0, reclaim_every_s=600.0, prune_every_s=3600.0)
"""For days of waiting: every look costs as much as it does in the world outside."""


class DirectStore:
    """Runs workflows on the spot, with a turn of the loop before and after, where a task may be cancelled.

    `crash_at` cancels the task that makes the so-many-th use of the store, before it if even and after it if odd.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_away = False
        self.use_count = 0
        self.crash_at: int | None = None
        self.crash: Callable[[], None] = lambda: None

    async def read(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return await self._use(lambda: self._store.read(work, *args, **kwargs))

    async def write(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return await self._use(lambda: self._store.run(work, *args, **kwargs))

    async def _use(self, work: Callable[[], Any]) -> Any:
        await self._perhaps_crash()
        if self.is_away:
            raise StoreUnavailableError
        result = work()
        await self._perhaps_crash()
        return result

    async def _perhaps_crash(self) -> None:
        if self.use_count == self.crash_at:
            self.crash()
        self.use_count += 1
        await asyncio.sleep(0)


class SentRequest(NamedTuple):
    """A request on its way."""

    method: str
    url: str
    host: str
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as a receiver saw it. `identity` is what it tells duplicates by, `call` the session: each has one."""

    at_s: float
    host: str
    identity: tuple[str, str]
    call: str
    sequence: int
    is_accepted: bool
    is_acknowledged: bool
    body: str


@dataclass
class Receivers:
    """All receivers at once, by host. `behave` says how one request goes; every signature is checked first."""

    loop: VirtualTimeLoop
    behave: Callable[["Receivers", str], str] = lambda _self, _host: "ok"
    token: str = ""
    secrets: dict[str, str] = field(default_factory=dict)  # of native endpoints, by host
    seen: list[Seen] = field(default_factory=list)
    busy: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    busy_max: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    request_count: int = 0
    crash_at: int | None = None
    crash: Callable[[], None] = lambda: None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        limits: OutboundLimits,
    ) -> OutboundResponse:
        host = str(urlsplit(url).hostname)
        self.busy[host] += 1
        self.busy_max[host] = max(self.busy_max[host], self.busy[host])
        try:
            conduct = await self._conduct(host, limits)
            self._note(SentRequest(method, url, host, headers, (body or b"").decode()), conduct)
            return await self._answer(conduct, limits)
        finally:
            self.busy[host] -= 1

    async def _conduct(self, host: str, limits: OutboundLimits) -> str:
        """Decide how this request goes; those that never get there end here."""
        self.request_count += 1
        if self.request_count - 1 == self.crash_at:
            self.crash()
        conduct = self.behave(self, host)
        if conduct == "silent":
            await asyncio.sleep(limits.total_s)
            raise OutboundFailed(FailureReason.TIMEOUT)
        await asyncio.sleep(0.02)
        if conduct == "reset":
            raise OutboundFailed(FailureReason.CONNECT)
        return conduct

    async def _answer(self, conduct: str, limits: OutboundLimits) -> OutboundResponse:
        match conduct:
            case "ok":
                return OutboundResponse(status=204, headers={}, body=b"")
            case "lost":  # taken in, and the answer never came
                await asyncio.sleep(limits.total_s)
                raise OutboundFailed(FailureReason.TIMEOUT)
            case "cut":  # taken in, and the answer was of the wrong length
                raise OutboundFailed(FailureReason.PROTOCOL)
            case status:
                return OutboundResponse(status=int(status), headers={}, body=b"no")

    def _note(self, request: SentRequest, conduct: str) -> None:
        host = request.host
        if host in self.secrets:
            event = _check_native(self.secrets[host], request)
            identity = (request.headers["webhook-id"], "")
            call, sequence = event["data"]["session_id"], event["data"]["sequence"]
        else:
            fields = _check_plivo(self.token, request)
            identity = (fields["SessionUUID"], fields["SequenceNumber"])
            call, sequence = fields["SessionUUID"], int(fields["SequenceNumber"])
        self.seen.append(
            Seen(
                at_s=self.loop.time(),
                host=host,
                identity=identity,
                call=call,
                sequence=sequence,
                is_accepted=conduct in ("ok", "lost", "cut"),
                is_acknowledged=conduct == "ok",
                body=request.body,
            )
        )

    def accepted(self, host: str) -> dict[tuple[str, str], Seen]:
        """What a receiver has taken in, each once, as it first came."""
        first: dict[tuple[str, str], Seen] = {}
        for it in self.seen:
            if it.host == host and it.is_accepted:
                known = first.setdefault(it.identity, it)
                assert known.sequence == it.sequence, "an id is of one event"
                assert known.body == it.body, "a duplicate says the same"
        return first


def _check_plivo(token: str, request: SentRequest) -> dict[str, str]:
    params = dict(parse_qsl(request.body, keep_blank_values=True))
    headers = request.headers
    assert validate_v3_signature(
        request.method,
        request.url,
        headers["X-Plivo-Signature-V3-Nonce"],
        token,
        headers["X-Plivo-Signature-V3"],
        dict(params),
    )
    return params or dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))


def _check_native(secret: str, request: SentRequest) -> Any:
    # `verify` compares with the machine's clock, which these tests do not run by; so its other half.
    headers = request.headers
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    signature = Webhook(secret).sign(headers["webhook-id"], at, request.body)
    assert signature == headers["webhook-signature"]
    return json.loads(request.body)


class Ground:
    """A world, its receivers, and a worker that can be killed and followed by another one."""

    def __init__(self, store: Store, loop: VirtualTimeLoop, seed: int = 1) -> None:
        self.loop = loop
        self.chance = random.Random(seed)
        self.world = World(store, number_count=3)
        self.world.now = loop.now()
        self.direct = DirectStore(store)
        self.receivers = Receivers(loop, token=self.world.account.token.reveal())
        self.session_count = 0
        self.told: dict[tuple[str, int], float] = {}  # when each step of a session was reported

    def start(self, pace: Pace = FAST) -> None:
        """Start a worker of the one name there is."""
        self.worker = DeliveryWorker(
            store=self.direct,
            http=self.receivers,
            clock=self.loop,
            random_bytes=self.chance.randbytes,
            worker_id="worker",
            public_url="https://maskline.example",
            mono_s=self.loop.time,
            pace=pace,
        )
        self.task = self.loop.create_task(self.worker.run())

    def kill(self) -> None:
        """Let the worker die where it stands: whatever it was about to do is not done."""
        self.task.cancel()
        self.loop.run_until_complete(asyncio.wait([self.task]))

    def wait(self, seconds: float) -> None:
        """Let virtual time pass with everything that happens in it."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def unfinished_count(self) -> int:
        """Events and deliveries that are still to be dealt with."""
        [(count,)] = peek(
            self.world.store,
            "SELECT (SELECT count(*) FROM delivery WHERE finished_at IS NULL)"
            " + (SELECT count(*) FROM outbox WHERE published_at IS NULL)",
        )
        return int(count)

    def close(self) -> None:
        """Stop everything."""
        self.kill()
        self.loop.close()

    def add_endpoint(self, host: str, *kinds: EventKind) -> EndpointCreated:
        """An endpoint of the account at `host`."""
        new = NewEndpoint(url=f"https://{host}/hook", kinds=frozenset(kinds))
        created = self.world.store.run(create_endpoint, self.world.account.id, new, self.loop.now())
        assert isinstance(created, EndpointCreated)
        self.receivers.secrets[host] = created.secret.reveal()
        return created

    def new_session(self, host: str | None = None, **given: Any) -> MaskingSession:
        """A session of two people nobody has met yet, with a callback at `host`."""
        self.session_count += 1
        self.world.now = self.loop.now()
        if host is not None:
            given["callback_url"] = f"https://{host}/cb?n={self.session_count}"
        return self.world.create(
            2 * self.session_count - 1, 2 * self.session_count, expires_in_s=86_400, **given
        )

    def report(self, session: MaskingSession, step: int, call_id: str | None = None) -> None:
        """One step of a call of the session."""
        kind, facts = STEPS[step]
        event = NewEvent(
            kind=kind,
            account_id=session.account_id,
            session_id=session.id,
            call_id=call_id or session.id,
            occurred_at=self.loop.now(),
            facts=dict(facts),
        )
        self.world.store.run(report_event, event, self.loop.now())
        [(sequence,)] = peek(
            self.world.store, "SELECT event_count FROM masking_session WHERE id = ?", session.id
        )
        self.told[session.id, int(sequence)] = self.loop.time()
        self.worker.notify()

    def check_order(self, host: str, pace: Pace = FAST) -> None:
        """No step is seen before the earlier ones of its call are acknowledged, or it has waited for five minutes."""
        acknowledged: dict[str, set[int]] = defaultdict(set)
        expected: dict[str, list[int]] = defaultdict(list)
        for call, sequence in self.told:
            expected[call].append(sequence)
        for it in self.receivers.seen:
            if it.host != host:
                continue
            waited_s = it.at_s - self.told[it.call, it.sequence]
            missing = {earlier for earlier in expected[it.call] if earlier < it.sequence} - acknowledged[
                it.call
            ]
            assert not missing or waited_s >= ORDER_WAIT_S, (it, missing)
            if it.is_acknowledged:
                acknowledged[it.call].add(it.sequence)

    def check_all_arrived(self, host: str, sessions: Iterable[MaskingSession]) -> None:
        """Every step of these sessions reached the receiver."""
        ids = {session.id for session in sessions}
        arrived = {(it.call, it.sequence) for it in self.receivers.accepted(host).values()}
        assert {key for key in self.told if key[0] in ids} <= arrived
