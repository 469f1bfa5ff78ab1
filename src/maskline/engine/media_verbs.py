"""Commands of a client of the guard, as they stand in its requests: checked, carried out, answered.

A request that lacks a field or has one of another kind raises KeyError, TypeError, ValueError or AttributeError.
"""

from collections.abc import Callable
from typing import Any

from maskline.engine.media_registry import Registry
from maskline.engine.media_sessions import Sessions
from maskline.engine.media_types import Family, PartyMedia, RelayRefused

Request = dict[str, Any]
Verb = Callable[[str, Request], object]


class Verbs:
    """What may be asked for. `table` maps the word of a request to what takes (switch, request)."""

    def __init__(self, sessions: Sessions, registry: Registry, clock: Callable[[], float]) -> None:
        self._sessions = sessions
        self._registry = registry
        self._clock = clock
        self.table: dict[str, Verb] = {
            "open": self._open,
            "connect": self._connect,
            "play": self._play,
            "stop_playing": lambda _, request: sessions.stop_playing(request["call"], request["side"]),
            "watch_digits": self._watch_digits,
            "start_recording": lambda _, request: sessions.start_recording(request["call"], request["name"]),
            "stop_recording": lambda _, request: sessions.stop_recording(request["call"]),
            "hold": lambda _, request: sessions.hold(request["call"], is_held=bool(request["is_held"])),
            "close": lambda _, request: sessions.close(request["call"]),
            "list": self._list,
            "stats": self._stats,
            "ping": lambda _switch, _request: None,
        }

    def _open(self, switch: str, request: Request) -> object:
        party = request["a"]
        family_a = request["family_a"]
        ports = self._sessions.open(
            request["call"],
            switch,
            None if party is None else _party(party),
            None if family_a is None else Family(family_a),
            Family(request["family_b"]),
        )
        return (ports.address_a, ports.port_a, ports.address_b, ports.port_b)

    def _connect(self, _: str, request: Request) -> object:
        self._sessions.connect(
            request["call"],
            request["side"],
            _party(request["party"]),
            is_muted=bool(request.get("is_muted", False)),
        )
        return None

    def _play(self, _: str, request: Request) -> object:
        self._sessions.play(
            request["call"],
            request["side"],
            stem=request["stem"],
            payload_type=request["payload_type"],
            tag=request["tag"],
            repeats=bool(request["repeats"]),
        )
        return None

    def _watch_digits(self, _: str, request: Request) -> object:
        payload_type = request["payload_type"]
        if type(payload_type) is not int:
            raise RelayRefused("payload type malformed")
        self._sessions.watch_digits(
            request["call"], request["side"], payload_type, is_hidden=bool(request["is_hidden"])
        )
        return None

    def _list(self, _switch: str, _request: Request) -> object:
        return [(live.call, live.age_s, live.switch) for live in self._registry.list(self._clock())]

    def _stats(self, _: str, request: Request) -> object:
        stats = self._sessions.stats(request["call"])
        return (stats.from_a_count, stats.from_b_count, stats.relayed_count, stats.dropped_count)


def _party(fields: list[Any]) -> PartyMedia:
    address, port, networks, is_behind_nat = fields
    if not isinstance(address, str) or type(port) is not int:
        raise RelayRefused("party malformed")
    return PartyMedia(
        address=address, port=port, networks=tuple(map(str, networks)), is_behind_nat=bool(is_behind_nat)
    )
