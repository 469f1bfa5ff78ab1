"""Any order of plays, stops, arrivals and waits: when prompts start, end and are reported.

A model of the engine stands for the real one; `test_media_prompts.py` shows that the real one does the same.
"""

import math
import tempfile
from dataclasses import dataclass
from typing import cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from maskline.engine.media_engine import Engine, EngineError
from maskline.engine.media_prompts import (
    LEARN_POLL_S,
    LEARN_S_MAX,
    MARGIN_S,
    REPEATS_S_MAX,
    STALE_MAX,
    Playing,
    PromptFiles,
    Prompts,
)
from maskline.engine.media_registry import Port, Session
from maskline.engine.media_types import Family, PartyMedia, RelayRefused
from tests.engine.media_rig import make_prompt

DURATIONS_S = {"short": 0.1, "long": 7.0}
SIDES = st.sampled_from(["a", "b"])
PARTY = PartyMedia(address="192.0.2.1", port=4000)
BEHIND_NAT = PartyMedia(address="192.0.2.1", port=4000, is_behind_nat=True)


class ModelEngine:
    """Understands what prompts need of an engine."""

    def __init__(self) -> None:
        self.has_call = True
        self.players: dict[str, str] = {}  # side: the words of its P
        self.packet_counts = {"a": 0, "b": 0}

    def command(self, text: str) -> str:
        """Carry a command out."""
        verb, call, *words = text.split()
        if not self.has_call:
            raise EngineError("E50")
        assert call == "call"
        match verb, words:
            case "Q", [side, other]:
                return f"60 {self.packet_counts[side]} {self.packet_counts[other]} 0 0"
            case (("P1" | "P-1"), [path, "0", side, _]):
                self.players[side] = f"{verb} {path.rpartition('/')[2]}"
            case "S", [side, _]:
                self.players.pop(side, None)
            case _:
                raise AssertionError(text)
        return "0"


@dataclass(kw_only=True)
class Told:
    """A prompt the guard was told to play, as the test follows it."""

    tag: str
    name: str
    repeats: bool
    known_at: float = math.inf  # since when the party is known to the guard
    started_at: float = math.inf


class PromptsMachine(RuleBasedStateMachine):
    """One call, two sides."""

    @initialize()
    def begin(self) -> None:
        """Nobody is known, nothing plays."""
        self.directory = tempfile.TemporaryDirectory()
        for name, duration_s in DURATIONS_S.items():
            make_prompt(self.directory.name, name, tone_hz=440, duration_s=duration_s)
        self.now = 1000.0
        self.engine = ModelEngine()
        files = PromptFiles((self.directory.name,))
        self.prompts = Prompts(cast("Engine", self.engine), files, lambda: self.now)
        ports = {side: Port(Family.V4, 4 + 2 * index, 0, 0) for index, side in enumerate("ab")}
        self.session = Session("call", "switch", self.now, ports=ports)
        self.live: dict[str, Told] = {}
        self.tag_count = 0

    def teardown(self) -> None:
        """Called by Hypothesis."""
        if hasattr(self, "directory"):
            self.directory.cleanup()

    @rule(side=SIDES, party=st.sampled_from([PARTY, BEHIND_NAT]), is_muted=st.booleans())
    def connect(self, side: str, party: PartyMedia, *, is_muted: bool) -> None:
        """A party is made known, or known anew."""
        port = self.session.ports[side]
        port.party, port.is_muted = party, is_muted
        self.prompts.connected("call", side)
        self._note_known(side)
        self._run()

    @rule(side=SIDES)
    def send(self, side: str) -> None:
        """A party that is let in sends a packet."""
        port = self.session.ports[side]
        if port.party is not None and not port.is_muted:
            self.engine.packet_counts[side] += 1

    @rule(side=SIDES, name=st.sampled_from(sorted(DURATIONS_S)), repeats=st.booleans())
    def play(self, side: str, name: str, *, repeats: bool) -> None:
        """A prompt replaces what plays."""
        self.tag_count += 1
        told = Told(tag=f"t{self.tag_count}", name=name, repeats=repeats)
        playing = Playing(
            session=self.session,
            side=side,
            stem=f"{self.directory.name}/{name}",
            payload_type=0,
            tag=told.tag,
            repeats=repeats,
        )
        if not self.engine.has_call and self.session.ports[side].party is not None:
            with pytest.raises(EngineError):
                self.prompts.play(playing)
            self._close()
            return
        try:
            self.prompts.play(playing)
        except EngineError:  # what played before cannot be stopped in a call that has gone
            assert not self.engine.has_call
            self._close()
            return
        self.live[side] = told
        self._note_known(side)
        self._note_starts()
        assert (told.started_at == self.now) == self._is_reachable(side)

    @rule(side=SIDES)
    def play_what_is_not_there(self, side: str) -> None:
        """A refused prompt changes nothing."""
        if not self.engine.has_call:
            return
        playing = Playing(
            session=self.session,
            side=side,
            stem=f"{self.directory.name}/absent",
            payload_type=0,
            tag="refused",
            repeats=False,
        )
        before = dict(self.engine.players)
        with pytest.raises(RelayRefused):
            self.prompts.play(playing)
        assert self.engine.players == before

    @rule(side=SIDES)
    def stop(self, side: str) -> None:
        """What plays is stopped."""
        told = self.live.pop(side, None)
        if told is not None and told.started_at != math.inf and not self.engine.has_call:
            with pytest.raises(EngineError):
                self.prompts.stop("call", side)
            self._close()
            return
        self.prompts.stop("call", side)
        if told is not None:
            assert side not in self.engine.players

    @precondition(lambda self: self.engine.has_call and len(self.live) == 2)
    @rule()
    def lose_the_call(self) -> None:
        """The engine ends the call; the guard does not know yet."""
        self.engine.has_call = False
        self.engine.players.clear()

    @precondition(lambda self: len(self.live) == 2)
    @rule()
    def close(self) -> None:
        """The call ends, and another begins under its name."""
        self._close()

    @rule(seconds=st.sampled_from([0.0, 0.03, LEARN_POLL_S, 0.11, 1.0, 8.0, REPEATS_S_MAX]))
    def wait(self, seconds: float) -> None:
        """Time passes; the guard wakes whenever a prompt is due."""
        until = self.now + seconds
        wakes = 0
        while self.prompts.due_mono_s <= until:
            wakes += 1
            assert wakes <= 4 + 2 * (LEARN_S_MAX / LEARN_POLL_S + 2) + STALE_MAX + self.tag_count
            self.now = max(self.now, self.prompts.due_mono_s)
            self._run()
        self.now = until
        self._run()

    def _run(self) -> None:
        for playing in self.prompts.run_due(self.now):
            told = self.live.pop(playing.side)
            assert told.tag == playing.tag
            assert not told.repeats
            if self.engine.has_call:
                assert self.now >= told.started_at + DURATIONS_S[told.name] + MARGIN_S - 1e-6
            self.engine.players.pop(playing.side, None)
        self._note_starts()
        assert self.prompts.due_mono_s > self.now

    def _note_known(self, side: str) -> None:
        told, port = self.live.get(side), self.session.ports[side]
        if told is not None and port.party is not None:
            told.known_at = min(told.known_at, self.now)

    def _note_starts(self) -> None:
        for side, told in list(self.live.items()):
            words = f"P{-1 if told.repeats else 1} {told.name}"
            if told.started_at == math.inf and self.engine.players.get(side) == words:
                self._check_start(side, told)
                told.started_at = self.now
            is_over = self.now >= told.started_at + REPEATS_S_MAX
            if told.repeats and is_over and side not in self.engine.players:
                del self.live[side]

    def _check_start(self, side: str, told: Told) -> None:
        assert self._is_reachable(side) or self.now >= told.known_at + LEARN_S_MAX - 1e-6

    def _is_reachable(self, side: str) -> bool:
        port = self.session.ports[side]
        if port.party is None:
            return False
        return port.party is PARTY or port.is_muted or self.engine.packet_counts[side] > 0

    def _close(self) -> None:
        self.prompts.forget("call")
        self.live.clear()
        self.engine.players.clear()
        self.engine.packet_counts = {"a": 0, "b": 0}
        self.engine.has_call = True
        ports = {side: Port(Family.V4, 4 + 2 * index, 0, 0) for index, side in enumerate("ab")}
        self.session = Session("call", "switch", self.now, ports=ports)

    @invariant()
    def plays_what_it_should(self) -> None:
        """What has started plays, what has ended does not, and nobody waits for longer than allowed."""
        if not hasattr(self, "live") or not self.engine.has_call:
            return
        for side in "ab":
            told = self.live.get(side)
            if told is None:
                assert side not in self.engine.players
                continue
            assert (told.started_at != math.inf) == (side in self.engine.players)
            if told.started_at == math.inf:
                assert self.now <= told.known_at + LEARN_S_MAX + 2 * LEARN_POLL_S
            else:
                longest_s = REPEATS_S_MAX if told.repeats else DURATIONS_S[told.name] + MARGIN_S
                assert self.now < told.started_at + longest_s + 1e-6


PromptsMachine.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
test_prompts_machine = PromptsMachine.TestCase


def test_stopped_prompts_leave_no_timers() -> None:
    """Ten thousand prompts played and stopped are forgotten, though each would have gone on for minutes."""
    with tempfile.TemporaryDirectory() as directory:
        prompt = make_prompt(directory, "p", tone_hz=440, duration_s=1.0)
        engine = ModelEngine()
        prompts = Prompts(cast("Engine", engine), PromptFiles((directory,)), lambda: 0.0)
        session = Session("call", "switch", 0.0, ports={"a": Port(Family.V4, 4, 0, 0, PARTY)})
        for _ in range(10_000):
            prompts.play(
                Playing(session=session, side="a", stem=prompt.stem, payload_type=0, tag="t", repeats=True)
            )
            prompts.stop("call", "a")
        assert len(prompts._timers) <= STALE_MAX + 2
