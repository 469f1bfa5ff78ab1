"""One episode: a switch, its carrier, some dozens of sessions and calls, and everything that can go wrong."""

import hashlib
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from structlog.testing import capture_logs

from maskline.core.call.state import CallState
from maskline.core.inventory import Account, NewAccount, NewNumbers, Target, TrunkSettings
from maskline.core.masking import MaskingSession, NewMaskingSession, PinSettings, SessionCreated
from maskline.core.numbers import DID, E164
from maskline.core.secret import Secret
from maskline.engine.call import Call
from maskline.engine.switch_settings import SwitchLimits
from maskline.prompts.types import PromptFailure
from maskline.store.engine import Store, parse_database_url
from maskline.store.keys import load_key_file
from maskline.store.setup import init_database
from maskline.testing.network import Address, Impairment, VirtualNetwork
from maskline.testing.virtual_switch import VirtualSwitch
from maskline.workflows.accounts import AccountExists, create_account
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.numbers import add_numbers
from maskline.workflows.trunks import TrunkExists, add_trunk
from tests.simulation.exchange import Exchange
from tests.simulation.parts import Mood, PlayingRelay, SlowPrompts, SlowThreads, Watcher

US_PER_S = 1_000_000
EPOCH_US = 1_800_000_000 * US_PER_S
SWITCH: Address = ("192.0.2.1", 5060)
CARRIER = "198.51.100.7"
PORTS = (6001, 6002)
NUMBER_COUNT = 6
SPAN_S = 300.0  # in which everything begins
SETTLE_S = 700.0  # longer than the longest call, and than every timer after it
DELETION_S_MAX = 40.0  # from a call on, and then it may be ringing, talking or over
FORGET_S = 500.0  # until a peer that missed the end of its call has asked whether it stands
DATABASE, KEY = "maskline.db", "maskline.key"
PROMPT_URLS = tuple(f"https://a.example/{index}.mp3" for index in range(4))


class NotingCalls(dict[str, Call]):
    """A switch's calls, with a list of all there ever were."""

    def __init__(self) -> None:
        super().__init__()
        self.started: set[str] = set()

    def __setitem__(self, call_id: str, call: Call) -> None:
        self.started.add(call_id)
        super().__setitem__(call_id, call)


def make_template(directory: Path) -> None:
    """Put an empty database into `directory`, to be copied for every episode."""
    init_database(f"sqlite:///{directory / DATABASE}", directory / KEY)


@dataclass(slots=True)
class Episode:
    """A seed's worth of calls. `run` it once, then look at `store` and `network`."""

    seed: int
    template: Path
    directory: Path
    call_count: int = 40
    network: VirtualNetwork = field(init=False)
    store: Store = field(init=False)
    account: Account = field(init=False)
    node: VirtualSwitch = field(init=False)
    relay: PlayingRelay = field(init=False)
    watcher: Watcher = field(init=False)
    exchanges: list[Exchange] = field(default_factory=list)
    sessions: list[MaskingSession] = field(default_factory=list)
    virtual_numbers: tuple[DID, ...] = ()
    people: list[str] = field(default_factory=list)
    deleted_at: dict[str, int] = field(default_factory=dict)
    breaches: list[str] = field(default_factory=list)
    logs: list[MutableMapping[str, Any]] = field(default_factory=list)
    jump_us: int = 0  # the sum of all jumps' sizes
    _dice: Random = field(init=False)
    _epoch_shift_us: int = 0
    crash_count: int = 0
    accounts: Counter[str] = field(default_factory=Counter)  # how often the end of each of these was written
    started: set[str] = field(default_factory=set)  # the calls that the last switch began
    _pins: dict[DID, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))

    def run(self) -> None:
        """Let it all happen."""
        with capture_logs() as self.logs:
            self._run()

    def _run(self) -> None:
        self._build()
        for _ in range(self.call_count):
            self._at(self._dice.uniform(0.0, SPAN_S), self._begin_call)
        for happening, chance in (
            (self._crash_exchange, 0.4),
            (self._crash_switch, 0.3),
            (self._lose_relay, 0.2),
            (self._jump_clock, 0.4),
        ):
            if self._dice.random() < chance:
                self._at(self._dice.uniform(10.0, SPAN_S), happening)
        for half in range(int(SPAN_S + DELETION_S_MAX) * 2 + 2):
            self._at(half / 2, self._keep_house)
            if half % 20 == 0:
                self._at(half / 2, self._keep_leases)
        self.network.run(until=SPAN_S + SETTLE_S)
        self.node.switch.stop()
        self.network.run(until=SPAN_S + SETTLE_S + FORGET_S)

    def close(self) -> None:
        """Let the database go."""
        self.store.close()

    def digest(self) -> str:
        """A fingerprint of everything that was sent and every record that was written."""
        found = hashlib.sha256(self.network.render_transcript())
        told = "call_id, session_id, role, started_at, ringing_at, answered_at, bridged_at, ended_at, reason"
        for row in self.rows(f"SELECT {told} FROM call_record ORDER BY call_id"):
            found.update(repr(row).encode())
        return found.hexdigest()

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """Ask the database."""
        with sqlite3.connect(str(self.store.url.database)) as raw:
            return raw.execute(statement).fetchall()

    # --- the world ------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._dice = dice = Random(self.seed)
        impairment = Impairment(
            loss=dice.choice([0.0, 0.02, 0.1, 0.3]),
            duplication=dice.choice([0.0, 0.1]),
            delay_s_max=dice.choice([0.001, 0.05, 0.4, 1.5]),
        )
        self.network = VirtualNetwork(seed=self.seed, impairment=impairment)
        for name in (DATABASE, KEY):
            shutil.copy(self.template / name, self.directory / name)
        url = parse_database_url(f"sqlite:///{self.directory / DATABASE}")
        drawn = Random(self.seed + 1)
        self.store = Store(url, load_key_file(self.directory / KEY), random_bytes=drawn.randbytes)
        account = self.store.run(create_account, NewAccount(name="acme"), EPOCH_US)
        assert not isinstance(account, AccountExists)
        self.account = account
        trunk = self.store.run(
            add_trunk,
            TrunkSettings(
                name="carrier",
                targets=tuple(Target(host=CARRIER, port=port, priority=port) for port in PORTS),
                accept=(f"{CARRIER}/32",),
                max_calls=dice.choice([None, None, 6]),
            ),
            EPOCH_US,
        )
        assert not isinstance(trunk, TrunkExists)
        self.virtual_numbers = tuple(DID(f"+91224937{index:04}") for index in range(NUMBER_COUNT))
        new = NewNumbers(numbers=self.virtual_numbers, account_id=account.id, trunk_id=trunk.id)
        self.store.run(add_numbers, new, EPOCH_US)
        self._start_switch()
        for port in PORTS:
            seeded = Random(dice.random())
            self.exchanges.append(Exchange(self.network, (CARRIER, port), SWITCH, seeded))

    def _start_switch(self) -> None:
        mood = Mood(Random(self._dice.random()), is_bad=self._dice.random() < 0.5)
        self.watcher = Watcher(self.network, self._state_of, self.breaches)
        self.relay = PlayingRelay(self.network, mood, self.watcher)
        self.relay.keys_of = self._keys
        prompts, threads = SlowPrompts(mood), SlowThreads(self.store, mood)
        prompts.fail(PROMPT_URLS[0], PromptFailure.NOT_FOUND)
        self.node = VirtualSwitch(
            self.network,
            self.store,
            address=SWITCH,
            epoch_us=EPOCH_US + self._epoch_shift_us,
            seed=self._dice.getrandbits(32),
            limits=SwitchLimits(call_count_max=self._dice.choice([400, 400, 5])),
            relay=self.relay,
            prompts=prompts,
            threads=threads,
        )
        self.accounts = threads.accounts
        calls = NotingCalls()
        self.node.switch.calls, self.started = calls, calls.started

    def _state_of(self, call_id: str) -> CallState | None:
        call = self.node.switch.calls.get(call_id)
        return None if call is None else call.state

    def _keys(self, call_id: str) -> str:
        """What a caller who is asked for a PIN presses: mostly one of its number's."""
        dice, call = self.relay.mood.dice, self.node.switch.calls.get(call_id)
        pins = [] if call is None else self._pins[call.plan.number]
        first, second = dice.choice(pins) if pins else ("0000", "1111")
        return dice.choice([first + "#", second + "#", first, "12*" + second + "#", "31415#", "#", ""])

    # --- what happens ---------------------------------------------------------------------------------------

    def _at(self, second: float, action: Callable[[], None]) -> None:
        self.network.call_at(second, action)

    def _begin_call(self) -> None:
        """Make a session of some kind, or take an older one, and let somebody dial."""
        dice = self._dice
        if not self.sessions or dice.random() < 0.75:
            self._make_session()
        if not self.sessions:
            return
        session = dice.choice(self.sessions[-5:])
        parties = [number.reveal() for number in (session.first, session.second) if number is not None]
        stranger = self._person()
        caller = dice.choice([*parties, *parties, *parties, stranger])
        dice.choice(self.exchanges).dial(caller, session.virtual_number)
        if dice.random() < 0.1:
            later = self.network.now + dice.uniform(0.0, DELETION_S_MAX)
            self._at(later, lambda: self._delete(session))

    def _make_session(self) -> None:
        dice = self._dice
        first = second = E164(self._person())
        while second == first:
            second = E164(self._person())
        kind = dice.choice(
            ["plain"] * 4 + ["prompts", "pin", "forced", "unknown", "lone", "lone pin", "order"]
        )
        count = len(self.sessions)
        pins = (f"{count:04}1", f"{count:04}2")
        pin = None
        if kind in {"pin", "forced", "lone pin"}:
            pin = PinSettings(
                first=Secret(pins[0]),
                second=Secret(pins[1]),
                retry_count=dice.randrange(3),
                is_forced=kind == "forced",
            )
        new = NewMaskingSession(
            first=first,
            second=None if kind in {"lone", "lone pin"} else second,
            is_single_party=True if kind in {"lone", "lone pin"} else None,
            expires_in_s=dice.choice([60, 60, 1800]),
            ring_timeout_s=dice.choice([5, 20, 45]),
            call_time_limit_s=dice.choice([60, 14_400]),
            cooloff_s=dice.choice([0, 30]),
            is_recorded=dice.random() < 0.3,
            callback_url=dice.choice(["", "https://a.example/events"]),
            first_play_url=dice.choice(PROMPT_URLS) if kind in {"prompts", "order"} else "",
            second_play_url=dice.choice(PROMPT_URLS) if kind in {"prompts", "order", "pin"} else "",
            unknown_caller_url=dice.choice(PROMPT_URLS) if kind == "unknown" else "",
            calls_first=kind == "order",
            pin=pin,
        )
        created = self.store.run(create_masking_session, self.account, new, self.node.runner.now_us())
        if isinstance(created, SessionCreated):
            self.sessions.append(created.session)
            if pin is not None:
                self._pins[created.session.virtual_number].append(pins)

    def _person(self) -> str:
        if self.people and self._dice.random() < 0.4:
            return self._dice.choice(self.people)
        number = f"+9198{self._dice.randrange(10**8):08}"
        self.people.append(number)
        return number

    def _delete(self, session: MaskingSession) -> None:
        now = self.node.runner.now_us()
        self.store.run(end_masking_session, self.account, session.id, now)
        self.deleted_at.setdefault(session.id, now)

    def _keep_house(self) -> None:
        self.relay.look_at_all()
        if not self.jump_us:  # which may end a lease before its time
            self.watcher.look_at_sessions(call.state for call in self.node.switch.calls.values())
        self.node.see_revocations()
        if self.node.switch.room_count:
            self.node.place_orders()

    def _keep_leases(self) -> None:
        self.node.keep_leases()

    def _crash_exchange(self) -> None:
        exchange = self._dice.choice(self.exchanges)
        exchange.crash()
        self._at(self.network.now + self._dice.uniform(1.0, 60.0), exchange.restart)

    def _crash_switch(self) -> None:
        """The process dies and another takes its place; the relay's process dies with it."""
        self.crash_count += 1
        self.relay.sessions.clear()
        self._epoch_shift_us = self.node.runner.epoch_us - EPOCH_US
        self.network.detach(SWITCH)
        self._start_switch()
        self.node.start()

    def _lose_relay(self) -> None:
        self.relay.lose()
        self._at(self.network.now + self._dice.uniform(0.05, 3.0), self.relay.restart)

    def _jump_clock(self) -> None:
        size_s = self._dice.choice([2.0, 30.0, 4_000.0]) * self._dice.choice([-1, 1])
        by_us = round(size_s * US_PER_S)
        self.jump_us += abs(by_us)
        self.node.runner.set_clock(by_us)
