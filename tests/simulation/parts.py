"""The switch's neighbours as they are on a bad day: late, in any order, and under observation."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from maskline.core.call.state import CallState, Claim, Phase
from maskline.core.call_record import CallRecord, RefusedCall, Side
from maskline.engine.media_client import Family, PartyMedia, RelayPorts
from maskline.prompts.types import BuiltIn, PromptFile
from maskline.store.engine import Store
from maskline.testing.network import VirtualNetwork
from maskline.testing.prompts import FakePrompts
from maskline.testing.relay import FakeRelay
from maskline.testing.virtual_switch import InlineThreads, Pause

T = TypeVar("T")

JOINED = frozenset({Phase.JOINING, Phase.BRIDGED, Phase.ENDED})
"""Only then may one party hear the other: what was looked at last allowed it."""
ENTRY = frozenset(
    {Phase.PIN_PROMPTING, Phase.PIN_COLLECTING, Phase.PIN_CHECKING, Phase.PIN_CORRECTING, Phase.PIN_WAITING}
)
PLAYING = frozenset(
    {Phase.ANNOUNCING, Phase.PIN_PROMPTING, Phase.PIN_CORRECTING, Phase.PROMPTING, Phase.GREETING}
)
PLAYING_S_MAX = 30.0  # a prompt lasts six seconds here, and is got within eight: beyond that nobody plays any
PHASE_S_MAX = 50.0  # no phone rings for longer
SETTLED_S = 40.0  # from the bridge on: longer than an ACK that brings an answer is waited for


@dataclass(slots=True)
class Mood:
    """How long things take: mostly nothing worth speaking of, sometimes longer than anybody's patience."""

    dice: Random
    is_bad: bool

    def pause(self, usual_s: float, worst_s: float) -> Pause:
        """Draw a time."""
        if self.is_bad and self.dice.random() < 0.05:
            return Pause(self.dice.uniform(usual_s, worst_s))
        return Pause(self.dice.uniform(0.0, usual_s))


class SlowThreads(InlineThreads):
    """A database whose answers take time. What is asked happens at once, in order, as one writing thread does it.

    `accounts` counts how often each call's end was written.
    """

    def __init__(self, store: Store, mood: Mood) -> None:
        super().__init__(store)
        self._mood = mood
        self.accounts: Counter[str] = Counter()

    async def read(self, fn: Callable[..., T], *args: Any) -> T:
        """Read, and answer later: by then it may be true no more."""
        found = await super().read(fn, *args)
        await self._mood.pause(0.01, 10.0)
        return found

    look_up = read

    async def write(self, fn: Callable[..., T], *args: Any) -> T:
        """Write, and answer later."""
        done = await super().write(fn, *args)
        await self._mood.pause(0.02, 10.0)
        return done

    async def write_within(self, patience_s: float, fn: Callable[..., T], *args: Any) -> T:
        """Write, and answer later."""
        for ending in args:
            if isinstance(ending, CallRecord | RefusedCall):
                self.accounts[ending.call_id] += 1
        done = await super().write_within(patience_s, fn, *args)
        await self._mood.pause(0.02, 10.0)
        return done


class SlowPrompts(FakePrompts):
    """Prompts that have to be fetched first."""

    def __init__(self, mood: Mood) -> None:
        super().__init__()
        self._mood = mood

    async def fetch(self, url: str, codec: str) -> PromptFile:
        """Fetch, for longer than anybody waits now and then."""
        await self._mood.pause(0.5, 8.0)
        return await super().fetch(url, codec)

    async def built_in(self, name: BuiltIn, codec: str, *, country: str = "") -> PromptFile:
        """Take one from the disk, which may be busy."""
        await self._mood.pause(0.01, 1.0)
        return await super().built_in(name, codec, country=country)


@dataclass(slots=True)
class Watcher:
    """Looks at the relay after each change and notes what must not be."""

    network: VirtualNetwork
    state_of: Callable[[str], CallState | None]
    breaches: list[str] = field(default_factory=list)
    bridged_s: dict[str, float] = field(default_factory=dict)
    since_s: dict[str, tuple[Phase, float]] = field(default_factory=dict)
    open_count: int = 0
    phases: set[Phase] = field(default_factory=set)  # ever seen

    def look(self, relay: FakeRelay, call: str) -> None:
        """Look at one call as it stands now."""
        state, session = self.state_of(call), relay.sessions.get(call)
        if state is None or session is None:
            return
        self.phases.add(state.phase)
        self._look_at_patience(call, state)
        if Side.B in session.parties and Side.B not in session.muted and state.phase not in JOINED:
            self._note(call, state, "B is let in")
        for side in Side:
            is_heard = side.other in session.parties and side.other not in session.muted
            hears = is_heard and side in session.parties and side not in session.playing
            # A side that is not let in yet hears nothing either.
            is_early = state.phase not in JOINED or (side in session.muted and state.phase is not Phase.ENDED)
            if hears and is_early:
                self._note(call, state, f"{side} hears the other")
        watch = session.watched.get(Side.A)
        if state.phase in ENTRY and watch is not None and not watch.is_hidden:
            self._note(call, state, "keys of a PIN may be heard")
        if session.recording is not None and state.bridged_at is None:
            self._note(call, state, "is recorded")
        if state.phase is Phase.BRIDGED:
            since_s = self.bridged_s.setdefault(call, self.network.now)
            if self.network.now - since_s > SETTLED_S:
                self._look_at_talk(call, state, relay)

    def look_at_sessions(self, states: Iterable[CallState]) -> None:
        """Look whether each session has one call at most."""
        held = Counter(
            state.connect.session_id
            for state in states
            if state.connect is not None and state.claim is Claim.HELD and state.phase is not Phase.ENDED
        )
        self.breaches += [f"{session_id}: {count} calls" for session_id, count in held.items() if count > 1]

    def _look_at_patience(self, call: str, state: CallState) -> None:
        phase, since_s = self.since_s.get(call, (None, 0.0))
        if phase is not state.phase:
            self.since_s[call] = (state.phase, self.network.now)
            return
        if phase not in {Phase.BRIDGED, Phase.ENDED}:
            patience_s = PLAYING_S_MAX if phase in PLAYING else PHASE_S_MAX
            if self.network.now - since_s > patience_s:
                self._note(call, state, "waits for nothing")

    def _look_at_talk(self, call: str, state: CallState, relay: FakeRelay) -> None:
        session = relay.sessions[call]
        if session.playing:
            self._note(call, state, "a prompt plays on")
        if session.muted or len(session.parties) < len(Side):
            self._note(call, state, "somebody is not let in")
        if any(watch.is_hidden for watch in session.watched.values()):
            self._note(call, state, "keys do not pass")
        assert state.connect is not None
        if state.connect.is_recorded != (session.recording is not None):
            self._note(call, state, "is recorded, or not, against its session")

    def _note(self, call: str, state: CallState, what: str) -> None:
        self.breaches.append(f"{call} {state.phase}: {what}")


class PlayingRelay(FakeRelay):
    """A relay that answers late, whose prompts end by themselves, and whose callers press keys when asked."""

    def __init__(self, network: VirtualNetwork, mood: Mood, watcher: Watcher) -> None:
        super().__init__(now=lambda: network.now)
        self.network, self.mood, self.watcher = network, mood, watcher
        self.keys_of: Callable[[str], str] = lambda _call: ""

    async def _answer(self, call: str) -> None:
        self.watcher.look(self, call)
        await self.mood.pause(0.005, 4.0)

    async def open(
        self,
        call: str,
        a: PartyMedia | None,
        *,
        family_a: Family | None = None,
        family_b: Family = Family.V4,
    ) -> RelayPorts:
        """Open, and say so later."""
        ports = await super().open(call, a, family_a=family_a, family_b=family_b)
        self.watcher.open_count += 1
        await self._answer(call)
        return ports

    async def connect(self, call: str, side: Side, party: PartyMedia, *, is_muted: bool = False) -> None:
        """Connect, and say so later."""
        await super().connect(call, side, party, is_muted=is_muted)
        await self._answer(call)

    async def play(
        self, call: str, side: Side, prompt: PromptFile, *, tag: str, repeats: bool = False
    ) -> None:
        """Play, and come to an end after a while."""
        await super().play(call, side, prompt, tag=tag, repeats=repeats)
        if not repeats:
            later = self.network.now + self.mood.dice.uniform(0.1, 6.0)
            self.network.call_at(later, lambda: self._end(call, side, tag))
        if prompt.stem.endswith("pin"):
            for index, key in enumerate(self.keys_of(call)):
                at = self.network.now + 1.0 + 0.3 * index
                self.network.call_at(at, lambda key=key: self._press(call, key))  # type: ignore[misc]
        await self._answer(call)

    async def stop_playing(self, call: str, side: Side) -> None:
        """Stop, and say so later."""
        await super().stop_playing(call, side)
        await self._answer(call)

    async def watch_digits(self, call: str, side: Side, payload_type: int, *, is_hidden: bool) -> None:
        """Watch, and say so later."""
        await super().watch_digits(call, side, payload_type, is_hidden=is_hidden)
        await self._answer(call)

    async def start_recording(self, call: str, name: str) -> None:
        """Capture, and say so later."""
        await super().start_recording(call, name)
        await self._answer(call)

    async def close(self, call: str) -> None:
        """Close, and say so later."""
        self.watcher.open_count -= call in self.sessions
        await super().close(call)
        await self._answer(call)

    def lose(self) -> None:
        """Die, and every session with it."""
        self.watcher.open_count -= len(self.sessions)
        super().lose()

    def look_at_all(self) -> None:
        """Look at every call, though nothing was asked just now."""
        for call in tuple(self.sessions):
            self.watcher.look(self, call)

    def _end(self, call: str, side: Side, tag: str) -> None:
        session = self.sessions.get(call)
        if session is not None and (play := session.playing.get(side)) is not None and play.tag == tag:
            self.finish_play(call, side)

    def _press(self, call: str, key: str) -> None:
        if call in self.sessions:
            self.press(call, Side.A, key)
