"""A relay without sockets, held to the real one by `tests/engine/test_media_contract.py`."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field

from maskline.engine.media_client import (
    CALL_PATTERN,
    CANARY,
    NETWORKS_MAX,
    DigitPressed,
    Family,
    LiveRelay,
    MediaTimeout,
    PartyMedia,
    PlayFinished,
    RelayEvent,
    RelayFull,
    RelayLost,
    RelayPorts,
    RelayRefused,
    RelayStats,
    RelayUnavailable,
    RelayUnknownCall,
    Side,
)
from maskline.engine.media_types import DIGITS, PAYLOAD_TYPES, PLAYABLE, STEM_PATTERN
from maskline.prompts.types import PromptFile

ADDRESS_OF = {Family.V4: "127.0.0.1", Family.V6: "::1"}


@dataclass(frozen=True, slots=True)
class FakePlay:
    """A prompt that plays to one side."""

    prompt: PromptFile
    tag: str
    repeats: bool


@dataclass(frozen=True, slots=True)
class FakeWatch:
    """Whose keys are reported, and whether the far side is kept from them."""

    payload_type: int
    is_hidden: bool


@dataclass(slots=True)
class FakeSession:
    """What the fake remembers of a call; tests look at it."""

    opened_mono_s: float
    families: dict[Side, Family]
    ports: RelayPorts
    parties: dict[Side, PartyMedia] = field(default_factory=dict)
    is_held: bool = False
    muted: set[Side] = field(default_factory=set)
    playing: dict[Side, FakePlay] = field(default_factory=dict)
    watched: dict[Side, FakeWatch] = field(default_factory=dict)
    recording: str | None = None


class FakeRelay:
    """A `MediaRelay` in memory; `now` stands for the guard's monotonic clock.

    `log` holds every command that succeeded, as (verb, call). `recordings` names all captures that were started;
    while `is_disk_full` none can be. A prompt plays until a test finishes it.
    """

    def __init__(
        self,
        *,
        calls_max: int = 400,
        port_first: int = 20_000,
        switch: str = "switch",
        now: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.sessions: dict[str, FakeSession] = {}
        self.log: list[tuple[str, str]] = []
        self.recordings: list[str] = []
        self.is_disk_full = False
        self._calls_max = calls_max
        self._port_next = port_first
        self._switch = switch
        self._now = now
        self._is_up = True
        self._handler: Callable[[RelayEvent], None] = lambda _event: None

    def set_event_handler(self, handler: Callable[[RelayEvent], None]) -> None:
        """Call `handler` for each event a test causes."""
        self._handler = handler

    async def open(
        self,
        call: str,
        a: PartyMedia | None,
        *,
        family_a: Family | None = None,
        family_b: Family = Family.V4,
    ) -> RelayPorts:
        """Reserve the next two port pairs."""
        self._check(call)
        if call in self.sessions:
            raise RelayRefused("call is open already")
        if a is not None:
            family_a = _check_party(a, family_a)
        families = {Side.A: family_a or Family.V4, Side.B: family_b}
        if len(self.sessions) >= self._calls_max:
            raise RelayFull("cap reached")
        ports = RelayPorts(
            address_a=ADDRESS_OF[families[Side.A]],
            port_a=self._port_next,
            address_b=ADDRESS_OF[families[Side.B]],
            port_b=self._port_next + 2,
        )
        self._port_next += 4
        session = FakeSession(opened_mono_s=self._now(), families=families, ports=ports)
        if a is not None:
            session.parties[Side.A] = a
        self.sessions[call] = session
        self.log.append(("open", call))
        return ports

    async def connect(self, call: str, side: Side, party: PartyMedia, *, is_muted: bool = False) -> None:
        """Note the party."""
        session = self._session(call)
        _check_party(party, session.families[side])
        session.parties[side] = party
        if is_muted:
            session.muted.add(side)
        else:
            session.muted.discard(side)
        self.log.append(("connect", call))

    async def play(
        self, call: str, side: Side, prompt: PromptFile, *, tag: str, repeats: bool = False
    ) -> None:
        """Note what plays, in place of what did."""
        session = self._session(call)
        if prompt.payload_type not in PLAYABLE or STEM_PATTERN.fullmatch(prompt.stem) is None:
            raise RelayRefused("prompt cannot be played")
        if CALL_PATTERN.fullmatch(tag) is None:
            raise RelayRefused("tag malformed")
        session.playing[side] = FakePlay(prompt, tag, repeats)
        self.log.append(("play", call))

    async def stop_playing(self, call: str, side: Side) -> None:
        """Forget what plays."""
        self._session(call).playing.pop(side, None)
        self.log.append(("stop_playing", call))

    async def watch_digits(self, call: str, side: Side, payload_type: int, *, is_hidden: bool) -> None:
        """Note whose keys are reported."""
        session = self._session(call)
        if payload_type not in PAYLOAD_TYPES:
            raise RelayRefused("payload type out of range")
        session.watched[side] = FakeWatch(payload_type, is_hidden)
        self.log.append(("watch_digits", call))

    async def start_recording(self, call: str, name: str) -> None:
        """Note the name of the capture."""
        session = self._session(call)
        if CALL_PATTERN.fullmatch(name) is None or name in self.recordings:
            raise RelayRefused("name malformed or taken")
        if session.recording is not None:
            raise RelayRefused("call is recorded already")
        if self.is_disk_full:
            raise RelayRefused("capture cannot be made")
        session.recording = name
        self.recordings.append(name)
        self.log.append(("start_recording", call))

    async def stop_recording(self, call: str) -> None:
        """Note that the capture has ended."""
        self._session(call).recording = None
        self.log.append(("stop_recording", call))

    async def hold(self, call: str, *, is_held: bool) -> None:
        """Note whether the call is held."""
        self._session(call).is_held = is_held
        self.log.append(("hold", call))

    async def close(self, call: str) -> None:
        """Forget a call."""
        self._check(call)
        if self.sessions.pop(call, None) is not None:
            self.log.append(("close", call))

    async def list(self) -> tuple[LiveRelay, ...]:
        """List what is open."""
        self._check(None)
        return tuple(
            LiveRelay(call=call, age_s=self._now() - session.opened_mono_s, switch=self._switch)
            for call, session in self.sessions.items()
        )

    async def stats(self, call: str) -> RelayStats:
        """No packets flow here."""
        self._session(call)
        return RelayStats(from_a_count=0, from_b_count=0, relayed_count=0, dropped_count=0)

    def time_out(self, call: str) -> None:
        """Let a call die of silence."""
        del self.sessions[call]
        self._handler(MediaTimeout(call=call))

    def finish_play(self, call: str, side: Side) -> None:
        """Let the prompt that plays to a party come to its end. Raises KeyError where none plays or it repeats."""
        session = self.sessions[call]
        play = session.playing[side]
        if play.repeats:
            raise KeyError("a prompt that repeats has no end")
        del session.playing[side]
        self._handler(PlayFinished(call=call, side=side, tag=play.tag))

    def press(self, call: str, side: Side, digit: str) -> None:
        """Let a party press a key; nobody hears of it unless the party is watched and let in."""
        if digit not in DIGITS:
            raise ValueError("no key of a telephone")
        session = self.sessions[call]
        if side in session.watched and side in session.parties and side not in session.muted:
            self._handler(DigitPressed(call=call, side=side, digit=digit))

    def lose(self) -> None:
        """Let the guard die; it stays away until `restart`."""
        self._is_up = False
        self.sessions.clear()
        self._handler(RelayLost())

    def restart(self) -> None:
        """Bring an empty guard back."""
        self._is_up = True

    def _check(self, call: str | None) -> None:
        if call is not None and (CALL_PATTERN.fullmatch(call) is None or call == CANARY):
            raise RelayRefused("call id not of our making")
        if not self._is_up:
            raise RelayUnavailable("guard is gone")

    def _session(self, call: str) -> FakeSession:
        self._check(call)
        session = self.sessions.get(call)
        if session is None:
            raise RelayUnknownCall("call has no relay")
        return session


def _check_party(party: PartyMedia, family: Family | None) -> Family:
    """Refuse what the guard refuses; return the party's family."""
    try:
        address = ipaddress.ip_address(party.address)
        for network in party.networks:
            ipaddress.ip_network(network)
    except ValueError:
        raise RelayRefused("address or network malformed") from None
    if party.address != str(address):
        raise RelayRefused("address not in its canonical form")
    if address.is_multicast or party.address == "255.255.255.255" or getattr(address, "scope_id", None):
        raise RelayRefused("address is not unicast")
    if not 0 < party.port < 65_536 or len(party.networks) >= NETWORKS_MAX:
        raise RelayRefused("port out of range or too many networks")
    if family is not None and address.version != family:
        raise RelayRefused("address of the other family")
    return Family(address.version)
