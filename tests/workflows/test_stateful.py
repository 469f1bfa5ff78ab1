"""The real database against a dictionary: whatever is done in whatever order, both say the same."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.workflows.dictionary import KINDS, WITHHELD, Kind, Live, Places
from tests.workflows.history import broken_sequences, double_bookings, double_calls
from tests.world import SECOND, World, person, virtual

from maskline.core.allocation import PoolExhausted
from maskline.core.call_record import CallClaimed, SessionBusy, SessionEnded
from maskline.core.masking import (
    MaskingSession,
    PartyOccupied,
    PinSettings,
    Role,
    SessionAlreadyExpired,
    SessionChanges,
    SessionCreated,
)
from maskline.core.numbers import E164
from maskline.core.pin import (
    PartyTries,
    PinLimits,
    TryLimit,
    TryWindow,
    count_wrong,
    decide_wait_until,
    is_locked,
)
from maskline.core.routing import (
    Announce,
    AskPin,
    Connect,
    PinAccepted,
    PinLocked,
    PinStanding,
    PinWrong,
    RefusalReason,
    Refuse,
    RouteDecision,
    decide_route,
)
from maskline.core.secret import Secret
from maskline.store import schema
from maskline.store.engine import Store
from maskline.store.setup import open_store
from maskline.workflows.check_pin import check_pin, forget_pin_tries
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.expire_masking_sessions import expire_masking_sessions, release_lapsed_bindings
from maskline.workflows.finish_call import finish_call
from maskline.workflows.route_call import route_call
from maskline.workflows.take_call_orders import ORDER_PATIENCE_S, take_call_orders
from maskline.workflows.update_masking_session import update_masking_session

NUMBER_COUNT: Final = 3
PAIRS = st.sampled_from(list(permutations(range(1, 5), 2)))
CALLERS = st.sampled_from([0, 1, 2, 3, 4, 8, 9])
NUMBERS = st.integers(0, NUMBER_COUNT - 1)
LEASE_S: Final = 30


LIMITS: Final = PinLimits(caller=TryLimit(2, 90), number=TryLimit(5, 200))
"""So small that a few tries meet them."""


def _person(index: int) -> E164 | None:
    return None if index == WITHHELD else person(index)


class Comparison(RuleBasedStateMachine):
    """Create, repeat, end, expire, tidy, call, finish, and let time pass."""

    open_store: Callable[[], Store]

    def __init__(self) -> None:
        super().__init__()
        self.store = type(self).open_store()
        self.world = World(self.store, number_count=NUMBER_COUNT)
        self.places = Places()
        self.model = self.places.sessions
        self.sessions: dict[str, MaskingSession] = {}
        self.calls: dict[str, tuple[str, int, int, bool]] = {}  # session -> call, lease, caller, a stranger's
        self.orders: list[tuple[str, int]] = []  # session, since when
        self.tries: dict[tuple[int, int | str], TryWindow] = {}  # number, caller or all -> window
        self.party_tries: dict[tuple[str, Role], PartyTries] = {}
        self.expired: set[str] = set()
        self.ended: set[str] = set()
        self.call_count = 0
        self.placed_count = 0

    def teardown(self) -> None:
        self.store.close()

    @property
    def now(self) -> int:
        return self.world.now

    @staticmethod
    def _draw(data: st.DataObject, found: Mapping[str, object]) -> str:
        """Choose by place, since ids differ from run to run."""
        return list(found)[data.draw(st.integers(0, len(found) - 1))]

    def _place(self) -> tuple[int, int]:
        self.placed_count += 1
        return (self.now, self.placed_count)

    @rule(
        pair_=PAIRS,
        kind=KINDS,
        calls_first=st.booleans(),
        expires_in_s=st.sampled_from([60, 61, 90]),
        cooloff_s=st.sampled_from([0, 1, 40]),
    )
    def create(
        self, *, pair_: tuple[int, int], kind: Kind, calls_first: bool, expires_in_s: int, cooloff_s: int
    ) -> None:
        first, second = pair_[0], None if kind.is_single else pair_[1]
        pair = [
            id_
            for id_, it in self.model.items()
            if (it.first, it.second) == (first, second) and self.now < it.end_at
        ]
        serial = len(self.model)
        pins = (f"1{serial:06}", f"2{serial:06}")
        result = self.world.ask(
            first,
            second,
            expires_in_s=expires_in_s,
            cooloff_s=cooloff_s,
            calls_first=calls_first and not pair,
            unknown_caller_url="https://a.test/heard" if kind.is_heard else "",
            is_single_party=kind.is_single,
            pin=PinSettings(first=Secret(pins[0]), second=Secret(pins[1]), is_forced=kind.is_forced)
            if kind.has_pin
            else None,
        )
        end_at = self.now + expires_in_s * SECOND
        if pair:
            assert isinstance(result, SessionCreated)
            assert (result.is_new, [result.session.id]) == (False, pair)
            self.model[pair[0]] = self.model[pair[0]]._replace(end_at=end_at)
        else:
            free = [
                number
                for number in range(NUMBER_COUNT)
                if self.places.can_take(self.now, number, first, second, kind)
            ]
            if not free:
                assert isinstance(result, PoolExhausted)
                assert result.needed == NUMBER_COUNT + 1
                return
            assert isinstance(result, SessionCreated)
            assert (result.is_new, result.session.virtual_number) == (True, virtual(free[0]))
            self.model[result.session.id] = Live(
                first, second, free[0], self.now, end_at, cooloff_s, kind, pins
            )._replace(placed=self._place(), is_changeable=kind.is_single)
            assert result.should_call_first is (calls_first and second is not None)
            if result.should_call_first:
                self.orders.append((result.session.id, self.now))
        self.sessions[result.session.id] = result.session

    @precondition(lambda self: self.model)
    @rule(
        data=st.data(),
        expires_in_s=st.sampled_from([None, None, 60, 90]),
        first=st.sampled_from([None, None, 1, 2, 3, 4]),
        second=st.sampled_from([None, 1, 2, 3, 4]),
    )
    def update(
        self, data: st.DataObject, expires_in_s: int | None, first: int | None, second: int | None
    ) -> None:
        id_ = self._draw(data, self.model)
        it = self.model[id_]
        changes = SessionChanges(
            first=None if first is None else person(first),
            second=None if second is None else person(second),
            expires_in_s=expires_in_s,
        )
        result = self.store.run(update_masking_session, self.world.account, id_, changes, self.now)
        if self.now >= it.end_at:
            assert result == SessionAlreadyExpired()
            return
        after = it._replace(placed=self._place())
        if it.is_changeable:
            after = after._replace(first=first or it.first, second=second or it.second)
        if self.places.is_refused(self.now, id_, it, after):
            assert isinstance(result, PartyOccupied)
            return
        assert isinstance(result, MaskingSession)
        self.places.leave(self.now, id_, it, after)
        if (it.first, it.second) == (after.first, after.second):
            after = after._replace(placed=it.placed)
        if after.second is not None:
            after = after._replace(kind=it.kind._replace(is_single=False))
        if expires_in_s is not None:
            after = after._replace(end_at=self.now + expires_in_s * SECOND)
        self.model[id_] = after
        self.sessions[id_] = result
        assert (result.ends_at, result.first) == (after.end_at, person(after.first))
        assert result.second == (None if after.second is None else person(after.second))

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        id_ = self._draw(data, self.model)
        result = self.store.run(end_masking_session, self.world.account, id_, self.now)
        if self.now < self.model[id_].end_at:
            assert isinstance(result, MaskingSession)
            self.model[id_] = self.model[id_]._replace(end_at=self.now)
            self.ended.add(id_)
        else:
            assert result == SessionAlreadyExpired()

    @rule()
    def expire(self) -> None:
        due = {id_ for id_, it in self.model.items() if it.end_at <= self.now} - self.expired - self.ended
        assert set(self.store.run(expire_masking_sessions, self.now)) == due
        self.expired |= due

    @rule()
    def tidy(self) -> None:
        self.store.run(release_lapsed_bindings, self.now)
        self.store.run(forget_pin_tries, self.now, LIMITS)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), stranger=st.sampled_from([WITHHELD, 8, 9]))
    def call(self, data: st.DataObject, stranger: int) -> None:
        id_ = self._draw(data, self.model)
        it = self.model[id_]
        self.call_count += 1
        call_id = f"c{self.call_count}"
        caller = stranger if it.kind.is_single else it.first
        result = self.world.claim(self.sessions[id_], call_id, caller=_person(caller))
        if self.now >= it.end_at:
            assert result == SessionEnded()
        elif id_ in self.calls and self.now < self.calls[id_][1]:
            assert result == SessionBusy()
        else:
            assert result == CallClaimed(ends_at=it.end_at)
            self.calls[id_] = (call_id, self.now + LEASE_S * SECOND, caller, it.kind.is_single)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        id_ = self._draw(data, self.calls)
        call_id, _, caller, was_single = self.calls.pop(id_)
        record = self.world.record(self.sessions[id_], call_id, caller=_person(caller))
        if was_single:
            record = replace(record, callee=person(self.model[id_].first), role=Role.ANYONE)
            self.model[id_] = self.model[id_]._replace(last_caller=caller or None)
        self.store.run(finish_call, record, self.now)

    @precondition(lambda self: self.orders)
    @rule()
    def take_orders(self) -> None:
        taken = self.store.run(take_call_orders, "switch-1", self.now)
        expected = [
            id_
            for id_, at in self.orders
            if self.now < self.model[id_].end_at and self.now - at <= ORDER_PATIENCE_S * SECOND
        ]
        assert [order.connect.session_id for order in taken] == expected
        assert [order.first for order in taken] == [person(self.model[id_].first) for id_ in expected]
        self.orders = []

    @rule(
        step=st.sampled_from(
            [1, SECOND, 29 * SECOND, 30 * SECOND, 59 * SECOND + 999_999, 60 * SECOND, 100 * SECOND]
        )
    )
    def let_time_pass(self, step: int) -> None:
        self.world.now += step

    def _live_on(self, number: int) -> dict[str, Live]:
        """The live sessions of a number, the newest last."""
        return {
            id_: it
            for id_, it in sorted(self.model.items(), key=lambda item: item[1].placed)
            if it.number == number and it.start_at <= self.now < it.end_at
        }

    def _decide(self, caller: int, number: int) -> RouteDecision:
        facts = self.store.read(route_call, virtual(number), _person(caller), self.now)
        return decide_route(facts, _person(caller), self.now, LIMITS)

    @rule(caller=CALLERS, number=NUMBERS)
    def route(self, caller: int, number: int) -> None:
        decision = self._decide(caller, number)
        live = self._live_on(number)
        for id_, it in live.items():
            if (role := it.role_of(caller)) is not None:
                self._expect_party(decision, id_, role)
                return
        for id_, it in live.items():
            if it.kind.is_open:
                assert isinstance(decision, Connect)
                assert (decision.session_id, decision.caller_role) == (id_, Role.ANYONE)
                assert decision.callee == person(it.first)
                return
        asking = [id_ for id_, it in live.items() if it.kind.has_pin]
        heard = [id_ for id_, it in live.items() if it.kind.is_heard]
        if asking and self._is_locked(caller, number):
            assert decision == Refuse(reason=RefusalReason.PIN_LOCKED)
        elif asking:
            assert isinstance(decision, AskPin)
            assert (decision.dialogue.session_id, decision.dialogue.forced_role) == (asking[-1], None)
        elif heard:
            assert isinstance(decision, Announce)
            assert decision.session_id == heard[-1]
        else:
            unknown = RefusalReason.NO_CALLER if caller == WITHHELD else RefusalReason.NO_SESSION
            assert decision == Refuse(reason=unknown)

    def _expect_party(self, decision: RouteDecision, id_: str, role: Role) -> None:
        it = self.model[id_]
        other = it.other(role)
        if other is None:
            assert decision == Refuse(reason=RefusalReason.NO_COUNTERPART)
        elif it.kind.is_forced:
            assert isinstance(decision, AskPin)
            assert (decision.dialogue.session_id, decision.dialogue.forced_role) == (id_, role)
        else:
            assert isinstance(decision, Connect)
            assert (decision.session_id, decision.caller_role, decision.callee) == (id_, role, person(other))
            assert decision.pin is (PinStanding.AUTHORIZED if it.kind.has_pin else PinStanding.OFF)

    def _is_locked(self, caller: int, number: int) -> bool:
        return is_locked(self.tries.get((number, caller)), LIMITS.caller, self.now) or is_locked(
            self.tries.get((number, "all")), LIMITS.number, self.now
        )

    @precondition(lambda self: any(it.kind.has_pin for it in self.model.values()))
    @rule(caller=CALLERS, data=st.data(), rights=st.lists(st.booleans(), min_size=1, max_size=4))
    def enter_pins(self, caller: int, data: st.DataObject, rights: list[bool]) -> None:
        id_ = self._draw(data, {id_: it for id_, it in self.model.items() if it.kind.has_pin})
        for is_right in rights:
            self._enter_pin(caller, self.model[id_].number, data, is_right=is_right)

    def _enter_pin(self, caller: int, number: int, data: st.DataObject, *, is_right: bool) -> None:
        decision = self._decide(caller, number)
        if not isinstance(decision, AskPin):
            return
        dialogue = decision.dialogue
        which = data.draw(st.integers(0, 1))
        on_number = {id_: it for id_, it in self._live_on(number).items() if it.kind.has_pin}
        opened = self._draw(data, on_number)
        digits = on_number[opened].pins[which] if is_right else "00000000"
        outcome = self.store.run(
            check_pin,
            number=virtual(number),
            caller=_person(caller),
            digits=Secret(digits),
            dialogue=dialogue,
            now=self.now,
            limits=LIMITS,
        )
        it = on_number[opened]
        if dialogue.forced_role is not None:
            role, is_right = dialogue.forced_role, is_right and opened == dialogue.session_id
            expected_wait = self._count_party(
                dialogue.session_id, role, dialogue.retry_count, is_right=is_right
            )
            if expected_wait:
                assert outcome == PinLocked()
                return
        else:
            role = Role.ANYONE if it.kind.is_single else (Role.FIRST, Role.SECOND)[which]
            self._count_stranger(caller, number, is_right=is_right)
        if not is_right:
            assert outcome == PinWrong()
            return
        other = it.other(role)
        assert other is not None
        assert isinstance(outcome, PinAccepted)
        connect = outcome.connect
        assert (connect.session_id, connect.caller_role, connect.callee) == (opened, role, person(other))

    def _count_party(self, id_: str, role: Role, retry_count: int, *, is_right: bool) -> bool:
        """Count a party's try; True when it has to wait instead."""
        tries = self.party_tries.get((id_, role))
        if self.now < decide_wait_until(tries, retry_count=retry_count, limits=LIMITS):
            return True
        if is_right:
            self.party_tries.pop((id_, role), None)
        else:
            self.party_tries[id_, role] = PartyTries(1 + (tries.wrong_count if tries else 0), self.now)
        return False

    def _count_stranger(self, caller: int, number: int, *, is_right: bool) -> None:
        if is_right:
            self.tries.pop((number, caller), None)
            return
        for subject, limit in ((caller, LIMITS.caller), ("all", LIMITS.number)):
            window = self.tries.get((number, subject))
            self.tries[number, subject] = count_wrong(window, limit, self.now)

    @invariant()
    def nothing_is_booked_twice(self) -> None:
        assert double_bookings(self.store) == []
        assert double_calls(self.store) == []
        assert broken_sequences(self.store) == []


def _check(open_it: Callable[[], Store], *, examples: int, steps: int) -> None:
    machine = type("Comparison", (Comparison,), {"open_store": staticmethod(open_it)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def _sqlite(template: Path, directory: Path, key_path: Path) -> Callable[[], Store]:
    def open_it() -> Store:
        path = directory / "run.db"
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        shutil.copy(template, path)
        return open_store(f"sqlite:///{path}", key_path)

    return open_it


def test_sqlite_agrees_with_a_dictionary(sqlite_template: Path, tmp_path: Path, key_path: Path) -> None:
    """Any sequence of workflows gives what a few lines of Python say it must."""
    _check(_sqlite(sqlite_template, tmp_path, key_path), examples=150, steps=60)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_sqlite_agrees_with_a_dictionary_for_long(
    sqlite_template: Path, tmp_path: Path, key_path: Path
) -> None:
    """The same over fifty thousand operations."""
    _check(_sqlite(sqlite_template, tmp_path, key_path), examples=500, steps=100)


def test_postgresql_agrees_with_a_dictionary(postgresql_url: str, key_path: Path) -> None:
    """The same on PostgreSQL, with fewer steps."""
    tables = ", ".join(name for name in schema.metadata.tables if name != "meta")

    def open_it() -> Store:
        store = open_store(postgresql_url, key_path)
        store.run(lambda tx: tx.command(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
        return store

    _check(open_it, examples=25, steps=40)
