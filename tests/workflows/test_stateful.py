"""The real database against a dictionary: whatever is done in whatever order, both say the same."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

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
from tests.workflows.history import broken_sequences, double_bookings, double_calls
from tests.world import SECOND, World, person, virtual

from maskline.core.allocation import PoolExhausted
from maskline.core.call_record import CallClaimed, SessionBusy, SessionEnded
from maskline.core.masking import MaskingSession, SessionAlreadyExpired, SessionCreated
from maskline.core.routing import Connect, decide_route
from maskline.store import schema
from maskline.store.engine import Store
from maskline.store.setup import open_store
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.expire_masking_sessions import expire_masking_sessions, release_lapsed_bindings
from maskline.workflows.finish_call import finish_call
from maskline.workflows.route_call import route_call

NUMBER_COUNT: Final = 3
PEOPLE = st.integers(1, 5)
LEASE_S: Final = 30


class _Live(NamedTuple):
    """What the model knows of a session."""

    first: int
    second: int
    number: int
    start_at: int
    end_at: int
    cooloff_s: int

    def free_at(self) -> int:
        return self.end_at + self.cooloff_s * SECOND


class Comparison(RuleBasedStateMachine):
    """Create, repeat, end, expire, tidy, call, finish, and let time pass."""

    open_store: Callable[[], Store]

    def __init__(self) -> None:
        super().__init__()
        self.store = type(self).open_store()
        self.world = World(self.store, number_count=NUMBER_COUNT)
        self.model: dict[str, _Live] = {}
        self.sessions: dict[str, MaskingSession] = {}
        self.calls: dict[str, tuple[str, int]] = {}  # session -> call, lease
        self.expired: set[str] = set()
        self.ended: set[str] = set()
        self.call_count = 0

    def teardown(self) -> None:
        self.store.close()

    @property
    def now(self) -> int:
        return self.world.now

    @staticmethod
    def _draw(data: st.DataObject, found: Mapping[str, object]) -> str:
        """Choose by place, since ids differ from run to run."""
        return list(found)[data.draw(st.integers(0, len(found) - 1))]

    def _occupied(self, *people: int) -> set[int]:
        return {
            it.number
            for it in self.model.values()
            if it.free_at() > self.now and {it.first, it.second} & set(people)
        }

    @rule(
        first=PEOPLE,
        second=PEOPLE,
        expires_in_s=st.sampled_from([60, 61, 90]),
        cooloff_s=st.sampled_from([0, 1, 40]),
    )
    def create(self, first: int, second: int, expires_in_s: int, cooloff_s: int) -> None:
        if first == second:
            return
        pair = [
            id_
            for id_, it in self.model.items()
            if (it.first, it.second) == (first, second) and self.now < it.end_at
        ]
        result = self.world.ask(first, second, expires_in_s=expires_in_s, cooloff_s=cooloff_s)
        end_at = self.now + expires_in_s * SECOND
        if pair:
            assert isinstance(result, SessionCreated)
            assert (result.is_new, [result.session.id]) == (False, pair)
            self.model[pair[0]] = self.model[pair[0]]._replace(end_at=end_at)
        else:
            free = sorted(set(range(NUMBER_COUNT)) - self._occupied(first, second))
            if not free:
                assert isinstance(result, PoolExhausted)
                assert result.needed == NUMBER_COUNT + 1
                return
            assert isinstance(result, SessionCreated)
            assert (result.is_new, result.session.virtual_number) == (True, virtual(free[0]))
            self.model[result.session.id] = _Live(first, second, free[0], self.now, end_at, cooloff_s)
        self.sessions[result.session.id] = result.session

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

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def call(self, data: st.DataObject) -> None:
        id_ = self._draw(data, self.model)
        self.call_count += 1
        call_id = f"c{self.call_count}"
        result = self.world.claim(self.sessions[id_], call_id)
        if self.now >= self.model[id_].end_at:
            assert result == SessionEnded()
        elif id_ in self.calls and self.now < self.calls[id_][1]:
            assert result == SessionBusy()
        else:
            assert result == CallClaimed(ends_at=self.model[id_].end_at)
            self.calls[id_] = (call_id, self.now + LEASE_S * SECOND)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        id_ = self._draw(data, self.calls)
        call_id, _ = self.calls.pop(id_)
        self.store.run(finish_call, self.world.record(self.sessions[id_], call_id), self.now)

    @rule(
        step=st.sampled_from(
            [1, SECOND, 29 * SECOND, 30 * SECOND, 59 * SECOND + 999_999, 60 * SECOND, 100 * SECOND]
        )
    )
    def let_time_pass(self, step: int) -> None:
        self.world.now += step

    @rule(caller=PEOPLE, number=st.integers(0, NUMBER_COUNT - 1))
    def route(self, caller: int, number: int) -> None:
        facts = self.store.read(route_call, virtual(number), person(caller), self.now)
        decision = decide_route(facts, person(caller), self.now)
        expected = [
            (id_, it.second if it.first == caller else it.first)
            for id_, it in self.model.items()
            if it.number == number and caller in {it.first, it.second} and it.start_at <= self.now < it.end_at
        ]
        found = [(decision.session_id, decision.callee)] if isinstance(decision, Connect) else []
        assert found == [(id_, person(callee)) for id_, callee in expected]

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
    _check(_sqlite(sqlite_template, tmp_path, key_path), examples=40, steps=40)


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

    _check(open_it, examples=12, steps=30)
