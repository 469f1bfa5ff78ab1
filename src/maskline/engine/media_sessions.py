"""Opens, connects and closes relayed calls: engine commands and socket filters in the one safe order.

The engine completes a session with its second port and from then on learns addresses from packets. So the port
of side B is opened first and closed to everything while the session is still incomplete; side A's comes second,
fixed to A's signalled host unless A's port must be learned. Where it must, whatever came in before the filter is
thrown away, and a session that counts a packet by then is given up and opened again.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from maskline.engine.media_captures import Captures
from maskline.engine.media_engine import LABEL, Engine, EngineError
from maskline.engine.media_filters import (
    DROP_ALL,
    discard_queued,
    local_port,
    rtp_program,
)
from maskline.engine.media_parties import UNKNOWN, PartyCheck, allowed_networks
from maskline.engine.media_prompts import Playing, PromptFiles, Prompts
from maskline.engine.media_registry import OTHER, Port, Registry, Session
from maskline.engine.media_types import (
    CALL_PATTERN,
    CANARY,
    PAYLOAD_TYPES,
    EngineSettings,
    Family,
    PartyMedia,
    RelayFull,
    RelayPorts,
    RelayRefused,
    RelayStats,
    RelayUnknownCall,
)

TTL_SETUP_S: Final = 180  # longer than any ring timeout: nobody sends while the far side rings
TTL_HELD_S: Final = 7200  # a held call is silent
OPEN_TRIES_MAX: Final = (
    8  # each skips a port that rests or was found talking; then the next is taken as it is
)
NOTICE_TIMEOUT: Final = "T:"
NOTICE_DIGIT: Final = "D:"


class Sessions:
    """The calls of one engine. Methods raise the errors of `MediaRelay`."""

    def __init__(
        self, engine: Engine, registry: Registry, settings: EngineSettings, clock: Callable[[], float]
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._settings = settings
        self._clock = clock
        self.prompts = Prompts(engine, PromptFiles(settings.prompt_dirs), clock)
        self._captures = Captures(engine, Path(settings.spool))
        self._check = PartyCheck(settings)

    def open(
        self, call: str, switch: str, a: PartyMedia | None, family_a: Family | None, family_b: Family
    ) -> RelayPorts:
        """Open both ports of a call; B's lets nothing in, nor does A's while `a` is None."""
        if CALL_PATTERN.fullmatch(call) is None or call == CANARY:
            raise RelayRefused("call id not of our making")
        if a is not None:
            family = self._check.family(a)
            if family_a not in {None, family}:
                raise RelayRefused("address of the other family")
            family_a = family
            if a.address == UNKNOWN[family]:
                a = None  # a call that begins on hold: where A is will be said later
        families = {"a": family_a or Family.V4, "b": family_b}
        if any(family not in self._settings.bind for family in families.values()):
            raise RelayRefused("no address of that family")
        self._registry.admit(call)
        session = self._open_rested(call, switch, a, families)
        self._registry.add(session)
        advertise = self._settings.advertise
        return RelayPorts(
            address_a=advertise[families["a"]],
            port_a=session.ports["a"].number,
            address_b=advertise[families["b"]],
            port_b=session.ports["b"].number,
        )

    def _open_rested(
        self, call: str, switch: str, a: PartyMedia | None, families: dict[str, Family]
    ) -> Session:
        for attempt in range(OPEN_TRIES_MAX):
            session = Session(call, switch, self._clock())
            try:
                is_clean = self._open_pair(session, a, families)
            except (RelayFull, EngineError):
                self._delete(session)
                raise
            if is_clean and (attempt == OPEN_TRIES_MAX - 1 or not self._rests(session)):
                return session
            self._delete(session)
        raise RelayFull("no quiet port found")

    def _open_pair(self, session: Session, a: PartyMedia | None, families: dict[str, Family]) -> bool:
        """Open B's port, then A's; return False if a packet came in before A's filter."""
        call = session.call
        address, port = (UNKNOWN[families["a"]], 0) if a is None else (a.address, a.port)
        mode = _mode(a)
        six_a, six_b = (_six(families[side]) for side in ("a", "b"))
        label_a, label_b = (LABEL[families[side]] for side in ("a", "b"))
        notice = f"{self._engine.notice_target} {NOTICE_TIMEOUT}{call}"
        number, rtp, rtcp = self._engine.open_sockets(
            f"U{mode}{six_a}l{{{label_b}}} {call} {address} {port} a b {notice}"
        )
        session.ports["b"] = Port(families["b"], number, rtp, rtcp)
        self._close_port(session.ports["b"])
        number, rtp, rtcp = self._engine.open_sockets(
            f"L{six_b}l{{{label_a}}} {call} {UNKNOWN[families['b']]} 0 a b && S ttl={TTL_SETUP_S}"
        )
        opened = Port(families["a"], number, rtp, rtcp, a)
        session.ports["a"] = opened
        if a is not None and mode:  # the engine itself minds the host: nothing to wait for
            DROP_ALL.attach(rtcp)
            self._let_in(opened, a)
            return True
        self._close_port(opened)
        if self._stats(call).from_a_count:
            return False
        if a is not None:
            self._let_in(opened, a)
        return True

    def _close_port(self, port: Port) -> None:
        DROP_ALL.attach(port.rtcp)
        DROP_ALL.attach(port.rtp)
        discard_queued(port.rtcp)
        discard_queued(port.rtp)

    def _let_in(self, port: Port, party: PartyMedia) -> None:
        _, networks = allowed_networks(party.address, party.networks)
        recent = self._registry.recent_endpoints(port.family, port.number, self._clock())
        banned = tuple(each for each in recent if each != (party.address, party.port))
        rtp_program(networks, banned).attach(port.rtp)

    def _rests(self, session: Session) -> bool:
        """Say whether a port was in use just now, as long as skipping it is likely to find a better one."""
        pairs = (self._settings.port_last - self._settings.port_first + 1) // 2
        if self._registry.resting_count > pairs // 4:
            return False
        now = self._clock()
        return any(self._registry.recent_endpoints(p.family, p.number, now) for p in session.ports.values())

    def connect(self, call: str, side: str, party: PartyMedia, *, is_muted: bool = False) -> None:
        """Let a party in at its port unless it is muted, and tell the engine where its audio goes.

        An unspecified address (hold of old) leaves the party where it was.
        """
        session = self._session(call)
        port = session.ports[side]
        if self._check.family(party) is not port.family:
            raise RelayRefused("address of the other family")
        if party.address == UNKNOWN[port.family]:
            if port.party is None or port.is_muted == is_muted:
                return
            party = port.party
        if not self._registry.owns(session, port) or local_port(port.rtp) != port.number:
            raise self._vanished(session)
        if is_muted:
            DROP_ALL.attach(port.rtp)
        else:
            self._let_in(port, party)
        port.party, port.is_muted = party, is_muted
        is_connected = all(each.party is not None and not each.is_muted for each in session.ports.values())
        far = session.ports[OTHER[side]]
        ttl = TTL_HELD_S if session.is_held else self._settings.ttl_s if is_connected else TTL_SETUP_S
        answer = self._engine.open_port(
            f"U{_mode(party)}{_six(port.family)}l{{{LABEL[far.family]}}} {call} {party.address} {party.port}"
            f" {side} {OTHER[side]} {self._engine.notice_target} {NOTICE_TIMEOUT}{call} && S ttl={ttl}"
        )
        if answer != far.number:  # the engine had forgotten the call and has just begun another
            raise self._vanished(session)
        session.is_connected = is_connected
        self.prompts.connected(call, side)

    def play(
        self, call: str, side: str, *, stem: str, payload_type: int, tag: str, repeats: bool = False
    ) -> None:
        """Play a prompt to the party on a side, as soon as it can hear it."""
        session = self._session(call)
        if side not in OTHER or CALL_PATTERN.fullmatch(tag) is None:
            raise RelayRefused("side or tag malformed")
        with self._engine_knows(session):
            self.prompts.play(
                Playing(
                    session=session,
                    side=side,
                    stem=stem,
                    payload_type=payload_type,
                    tag=tag,
                    repeats=repeats,
                )
            )

    def stop_playing(self, call: str, side: str) -> None:
        """End the prompt to a side, if there is one."""
        session = self._session(call)
        with self._engine_knows(session):
            self.prompts.stop(call, side)

    def watch_digits(self, call: str, side: str, payload_type: int, *, is_hidden: bool) -> None:
        """Have the keys of a side's party reported; the watch stays when the party is connected anew."""
        session = self._session(call)
        if side not in OTHER or payload_type not in PAYLOAD_TYPES:
            raise RelayRefused("side or payload type out of range")
        watch = f"M3:1 {NOTICE_DIGIT}{call}:{side} {payload_type}{' h' if is_hidden else ''}"
        with self._engine_knows(session):
            self._engine.command(f"Q {call} {side} {OTHER[side]} && {watch}")

    def start_recording(self, call: str, name: str) -> None:
        """Capture what both parties send."""
        session = self._session(call)
        with self._engine_knows(session):
            self._captures.start(session, name)

    def stop_recording(self, call: str) -> None:
        """End the capture, if there is one."""
        session = self._session(call)
        with self._engine_knows(session):
            self._captures.stop(session)

    @contextlib.contextmanager
    def _engine_knows(self, session: Session) -> Iterator[None]:
        """Take an engine's error for the end of a call that it has ended itself."""
        try:
            yield
        except EngineError:
            raise self._vanished(session) from None

    def hold(self, call: str, *, is_held: bool) -> None:
        """Set how long the call may be silent."""
        session = self._session(call)
        normal = self._settings.ttl_s if session.is_connected else TTL_SETUP_S
        ttl = TTL_HELD_S if is_held else normal
        with self._engine_knows(session):
            self._engine.command(f"Q {call} a b && S ttl={ttl}")
        session.is_held = is_held

    def stats(self, call: str) -> RelayStats:
        """Count packets."""
        with self._engine_knows(self._session(call)):
            return self._stats(call)

    def _stats(self, call: str) -> RelayStats:
        _, from_a, from_b, relayed, dropped = map(int, self._engine.command(f"Q {call} a b").split())
        return RelayStats(
            from_a_count=from_a, from_b_count=from_b, relayed_count=relayed, dropped_count=dropped
        )

    def close(self, call: str) -> bool:
        """Delete a call; return whether there was one. `Engine.release_ports` must follow."""
        session = self._registry.sessions.get(call)
        if session is None:
            return False
        self._registry.remove(session, self._clock())
        self._delete(session)
        return True

    def ended(self, call: str) -> Session | None:
        """Strike out a call that the engine has ended itself; return it."""
        session = self._registry.sessions.get(call)
        if session is not None:
            self._registry.remove(session, self._clock())
            self._forget(session)
        return session

    def _session(self, call: str) -> Session:
        session = self._registry.sessions.get(call)
        if session is None:
            raise RelayUnknownCall("call has no relay")
        return session

    def _vanished(self, session: Session) -> RelayUnknownCall:
        self._registry.remove(session, self._clock())
        self._delete(session)
        return RelayUnknownCall("call has timed out")

    def _delete(self, session: Session) -> None:
        with contextlib.suppress(EngineError):  # E50: the engine has ended it already
            self._engine.command(f"D {session.call} a b")
        self._forget(session)

    def _forget(self, session: Session) -> None:
        self.prompts.forget(session.call)
        self._engine.forget_sockets(fd for port in session.ports.values() for fd in (port.rtp, port.rtcp))


def _mode(party: PartyMedia | None) -> str:
    """`A`: only the signalled host, answers to the signalled port. Else the engine learns the address."""
    return "" if party is None or party.is_behind_nat or party.networks else "A"


def _six(family: Family) -> str:
    return "6" if family is Family.V6 else ""
