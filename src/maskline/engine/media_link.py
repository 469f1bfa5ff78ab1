"""The client of a guard process: a `MediaRelay` over one Unix socket."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, cast

import structlog

from maskline.core.call_record import Side
from maskline.engine.media_types import (
    CALL_PATTERN,
    DigitPressed,
    Family,
    LiveRelay,
    MediaTimeout,
    PartyMedia,
    PlayFinished,
    RelayError,
    RelayEvent,
    RelayFull,
    RelayLost,
    RelayPorts,
    RelayRefused,
    RelayStats,
    RelayUnavailable,
    RelayUnknownCall,
)
from maskline.prompts.types import PromptFile

COMMAND_TIMEOUT_S: Final = 5.0  # an answer takes under 1 ms; a caller waits for a ring tone meanwhile
WAITING_MAX: Final = (
    10_000  # commands sent and not answered: five seconds at a rate no machine of ours reaches
)
ERRORS: Final[dict[str, type[RelayError]]] = {
    "full": RelayFull,
    "refused": RelayRefused,
    "unknown": RelayUnknownCall,
    "unavailable": RelayUnavailable,
}

_log = structlog.get_logger(__name__)
_encode = json.JSONEncoder(separators=(",", ":")).encode


class GuardLink(asyncio.Protocol):
    """A `MediaRelay` that outlives the guard: `connect_to` may be called again after a loss.

    While there is no connection every command raises `RelayUnavailable` at once. Commands of one turn of the
    event loop leave in one write.
    """

    def __init__(self, switch: str) -> None:
        self._switch = switch
        self._handler: Callable[[RelayEvent], None] = lambda _event: None
        self._transport: asyncio.WriteTransport | None = None
        self._waiting: dict[int, tuple[float, asyncio.Future[Any]]] = {}
        self._next_id = 0
        self._outgoing: list[str] = []
        self._received = b""
        self._watch: asyncio.TimerHandle | None = None
        self._is_leaving = False

    @property
    def is_connected(self) -> bool:
        """A guard is there."""
        return self._transport is not None

    def set_event_handler(self, handler: Callable[[RelayEvent], None]) -> None:
        """Call `handler` from the event loop for each event."""
        self._handler = handler

    async def connect_to(self, path: Path) -> None:
        """Connect, say who we are, and delete the calls an earlier process of this switch has left.

        Raises OSError where nobody listens, `RelayUnavailable`.
        """
        if self._transport is not None:
            raise RuntimeError("connected already")
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: self, str(path))
        self._watch = loop.call_later(1.0, self._watch_timeouts, loop)
        await self._request("hello", {"switch": self._switch})
        for live in await self.list():
            if live.switch == self._switch:
                await self.close(live.call)

    def disconnect(self) -> None:
        """Leave; the guard deletes our calls after a while. No event follows."""
        self._is_leaving = True
        if self._transport is not None:
            self._transport.close()

    async def open(
        self,
        call: str,
        a: PartyMedia | None,
        *,
        family_a: Family | None = None,
        family_b: Family = Family.V4,
    ) -> RelayPorts:
        """Reserve a port for each side."""
        party = None if a is None else _fields(a)
        fields = {"call": _checked(call), "a": party, "family_a": family_a, "family_b": family_b}
        address_a, port_a, address_b, port_b = await self._request("open", fields)
        return RelayPorts(address_a=address_a, port_a=port_a, address_b=address_b, port_b=port_b)

    async def connect(self, call: str, side: Side, party: PartyMedia, *, is_muted: bool = False) -> None:
        """Say who the party on `side` is, and whether what it sends is let in."""
        fields: dict[str, object] = {"call": _checked(call), "side": side, "party": _fields(party)}
        if is_muted:
            fields["is_muted"] = True
        await self._request("connect", fields)

    async def play(
        self, call: str, side: Side, prompt: PromptFile, *, tag: str, repeats: bool = False
    ) -> None:
        """Play to the party on `side`."""
        fields = {"stem": prompt.stem, "payload_type": prompt.payload_type, "tag": tag, "repeats": repeats}
        await self._request("play", {"call": _checked(call), "side": side, **fields})

    async def stop_playing(self, call: str, side: Side) -> None:
        """Let the party on `side` hear the far side again."""
        await self._request("stop_playing", {"call": _checked(call), "side": side})

    async def watch_digits(self, call: str, side: Side, payload_type: int, *, is_hidden: bool) -> None:
        """Report keys that the party on `side` presses."""
        fields = {"payload_type": payload_type, "is_hidden": is_hidden}
        await self._request("watch_digits", {"call": _checked(call), "side": side, **fields})

    async def start_recording(self, call: str, name: str) -> None:
        """Capture what both parties send."""
        await self._request("start_recording", {"call": _checked(call), "name": name})

    async def stop_recording(self, call: str) -> None:
        """End the capture."""
        await self._request("stop_recording", {"call": _checked(call)})

    async def hold(self, call: str, *, is_held: bool) -> None:
        """Allow long silence while held."""
        await self._request("hold", {"call": _checked(call), "is_held": is_held})

    async def close(self, call: str) -> None:
        """Delete the relay of a call."""
        await self._request("close", {"call": _checked(call)})

    async def list(self) -> tuple[LiveRelay, ...]:
        """List what the guard relays now."""
        rows = await self._request("list", {})
        return tuple(LiveRelay(call=call, age_s=age_s, switch=switch) for call, age_s, switch in rows)

    async def stats(self, call: str) -> RelayStats:
        """Packets of a call so far."""
        from_a, from_b, relayed, dropped = await self._request("stats", {"call": _checked(call)})
        return RelayStats(
            from_a_count=from_a, from_b_count=from_b, relayed_count=relayed, dropped_count=dropped
        )

    async def ping(self) -> None:
        """Learn whether the guard answers."""
        await self._request("ping", {})

    def _request(self, verb: str, fields: Mapping[str, object]) -> asyncio.Future[Any]:
        """Queue one command for the end of this turn of the loop."""
        if self._transport is None or len(self._waiting) >= WAITING_MAX:
            raise RelayUnavailable("no guard to ask")
        self._next_id += 1
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting[self._next_id] = (loop.time(), future)
        if not self._outgoing:
            loop.call_soon(self._flush)
        self._outgoing.append(_encode({"id": self._next_id, "op": verb, **fields}))
        return future

    def _flush(self) -> None:
        if self._transport is not None:
            self._outgoing.append("")
            self._transport.write("\n".join(self._outgoing).encode())
        self._outgoing.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's derive from nothing
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Called by the event loop: answers and events."""
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            number = message.get("id")
            if number is None:
                self._event(message)
                continue
            waiting = self._waiting.pop(number, None)
            if waiting is None or waiting[1].done():
                continue  # the caller was cancelled
            if "error" in message:
                waiting[1].set_exception(ERRORS[message["error"]](message["text"]))
            else:
                waiting[1].set_result(message["ok"])

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop: every relay is gone as far as we can tell."""
        self._transport = None
        if self._watch is not None:
            self._watch.cancel()
        waiting, self._waiting = self._waiting, {}
        for _, future in waiting.values():
            if not future.done():
                future.set_exception(RelayUnavailable("guard has gone"))
        if self._is_leaving:
            return
        _log.warning("media.guard_lost", error=type(error).__name__ if error else None)
        self._handler(RelayLost())

    def _event(self, message: dict[str, Any]) -> None:
        event = _read_event(message)
        if event is not None:
            self._handler(event)

    def _watch_timeouts(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give a guard up that owes an answer for too long."""
        if self._transport is None:
            return
        oldest = next(iter(self._waiting.values()), None)
        if oldest is not None and loop.time() - oldest[0] > COMMAND_TIMEOUT_S:
            _log.error("media.guard_hangs", waiting=len(self._waiting))
            self._transport.abort()
            return
        self._watch = loop.call_later(1.0, self._watch_timeouts, loop)


def _read_event(message: dict[str, Any]) -> RelayEvent | None:
    """Turn a line of the guard's into an event; None for one of a kind that we do not know."""
    match message.get("event"):
        case "media_timeout":
            return MediaTimeout(call=message["call"])
        case "play_finished":
            return PlayFinished(call=message["call"], side=message["side"], tag=message["tag"])
        case "digit":
            return DigitPressed(call=message["call"], side=message["side"], digit=message["digit"])
        case _:
            return None


def _checked(call: str) -> str:
    if CALL_PATTERN.fullmatch(call) is None:
        raise RelayRefused("call id not of our making")
    return call


def _fields(party: PartyMedia) -> tuple[str, int, tuple[str, ...], bool]:
    return (party.address, party.port, party.networks, party.is_behind_nat)
