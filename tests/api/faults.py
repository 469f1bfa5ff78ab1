"""Faults between a client and the service: what clients do on 5xx and on silence, and what reached us meanwhile."""

import json
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SEEN_MAX = 64  # requests remembered; a test looks at the last few


class Trouble(StrEnum):
    """What happens instead of an answer."""

    SILENCE = auto()  # nothing, until the client gives up
    LOST = auto()  # the service does its work, and the client is told 503


@dataclass(frozen=True)
class Fault:
    """An answer that is not the service's."""

    status: int
    body: bytes = b'{"api_id": "8dd7b81f-1cdc-4e5c-9999-123456789012", "error": "Internal server error."}'
    media_type: str = "application/json"


@dataclass
class Seen:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Faults:
    """ASGI middleware: one planned fault for each request while there are any; `seen` has the last requests."""

    plan: deque[Fault | Trouble] = field(default_factory=deque)
    seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=SEEN_MAX))

    def around(self, app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            seen = _note(scope)
            self.seen.append(seen)

            async def hear() -> Message:
                message = await receive()
                seen.body += message.get("body", b"")
                return message

            match self.plan.popleft() if self.plan else None:
                case None:
                    await app(scope, hear, send)
                case Fault() as fault:
                    await _drain(hear)
                    await _answer(send, fault)
                case Trouble.LOST:
                    await app(scope, hear, _drop)
                    await _answer(send, Fault(503))
                case Trouble.SILENCE:
                    while (await hear())["type"] != "http.disconnect":
                        pass

        return middleware

    def reset(self, *plan: Fault | Trouble) -> None:
        """Forget what was seen, and plan for what comes next."""
        self.seen.clear()
        self.plan = deque(plan)


def _note(scope: Scope) -> Seen:
    query = scope["query_string"].decode("latin-1")
    target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Seen(scope["method"], target, headers)


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body", False):
        pass


async def _drop(message: Message) -> None:
    pass


async def _answer(send: Send, fault: Fault) -> None:
    headers = [
        (b"content-type", fault.media_type.encode()),
        (b"content-length", str(len(fault.body)).encode()),
    ]
    await send({"type": "http.response.start", "status": fault.status, "headers": headers})
    await send({"type": "http.response.body", "body": fault.body})
