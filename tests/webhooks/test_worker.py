import io
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from prometheus_client import CollectorRegistry
from tests.webhooks.ground import SLOW, STEPS, Ground, Receivers, Seen
from tests.world import peek, person

from maskline.core.masking import CallbackMethod, MaskingSession
from maskline.observability import configure_logging
from maskline.store.engine import Store
from maskline.store.setup import open_store
from maskline.testing.virtual_loop import VirtualTimeLoop
from maskline.webhooks import worker as module
from maskline.webhooks.metrics import WebhookMetrics
from maskline.webhooks.requests import build_request
from maskline.webhooks.worker import Pace
from maskline.workflows.deliveries import replay_dead_deliveries

FLAKY = ("silent", "reset", "500", "503", "404", "410", "lost", "cut")
HOUR_S = 3600.0

BRISK = Pace(poll_s=2.0, reclaim_every_s=20.0, prune_every_s=600.0)

Opener = Callable[[], Store]


@pytest.fixture
def open_copy(sqlite_template: Path, key_path: Path, tmp_path: Path) -> Iterator[Opener]:
    """Opens fresh copies of an empty database, one after the other."""
    opened: list[Store] = []

    def open_one() -> Store:
        path = tmp_path / f"{len(opened)}.db"
        shutil.copy(sqlite_template, path)
        opened.append(open_store(f"sqlite:///{path}", key_path))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def ground(open_copy: Opener) -> Iterator[Ground]:
    """A worker at work on virtual time."""
    made = Ground(open_copy(), VirtualTimeLoop())
    made.start()
    yield made
    made.close()


def _states(ground: Ground) -> dict[str, int]:
    rows = peek(ground.world.store, "SELECT state, count(*) FROM delivery GROUP BY state")
    return dict(rows)


def test_events_arrive_in_order_soon(ground: Ground) -> None:
    """Every step of a call reaches its callback and the account's endpoint, each within a quarter of a second."""
    ground.add_endpoint("hooks.example.com")
    session = ground.new_session("app.example.com")
    for step in range(len(STEPS)):
        ground.report(session, step)
        ground.wait(1.0)
    told = list(ground.told.values())
    for host in ("app.example.com", "hooks.example.com"):
        seen = [it for it in ground.receivers.seen if it.host == host and it.sequence > 1]
        assert [it.sequence for it in seen] == [2, 3, 4, 5, 6]
        assert all(it.at_s - at_s < 0.25 for it, at_s in zip(seen, told, strict=True))
    assert _states(ground) == {"delivered": 11}  # the endpoint also heard of the session itself


def test_an_event_nobody_hinted_at_is_seen_by_polling(ground: Ground) -> None:
    """A writer in another process wakes nobody; the next look finds its event."""
    ground.wait(10.0)
    session = ground.new_session("app.example.com")
    ground.worker.notify = lambda: None  # type: ignore[method-assign]
    ground.report(session, 0)
    ground.wait(module.POLL_S + 0.05)
    assert len(ground.receivers.seen) == 1


def test_get_callbacks_are_signed_with_their_query(ground: Ground) -> None:
    """The receiver verifies the URL it was called at."""
    ground.report(ground.new_session("app.example.com", callback_method=CallbackMethod.GET), 0)
    ground.wait(1.0)
    assert _states(ground) == {"delivered": 1}


def test_a_burst_of_calls_keeps_its_order(ground: Ground) -> None:
    """Many calls at once, each with all of its steps at once."""
    sessions = [ground.new_session("app.example.com") for _ in range(40)]
    for step in range(len(STEPS)):
        for session in sessions:
            ground.report(session, step)
    ground.wait(30.0)
    assert _states(ground) == {"delivered": 200}
    ground.check_order("app.example.com")
    ground.check_all_arrived("app.example.com", sessions)


@pytest.mark.parametrize("seed", range(5))
def test_a_receiver_that_fails_a_third_of_the_time_loses_nothing(open_copy: Opener, seed: int) -> None:
    """Time-outs, resets, errors, lost answers: everything arrives, in order, and what comes twice says the same."""
    chance = random.Random(seed)
    loop = VirtualTimeLoop()
    ground = Ground(open_copy(), loop, seed)
    ground.receivers.behave = lambda _all, host: (
        chance.choice(FLAKY) if host == "app.example.com" and chance.random() < 0.3 else "ok"
    )
    ground.add_endpoint("hooks.example.com")
    ground.start()
    sessions = [ground.new_session("app.example.com") for _ in range(20)]
    for step in range(len(STEPS)):
        for session in sessions:
            ground.report(session, step)
            ground.wait(chance.random())
    ground.wait(600)
    ground.kill()
    ground.start(SLOW)
    ground.wait(8 * HOUR_S)
    assert ground.unfinished_count() == 0
    assert set(_states(ground)) == {"delivered"}
    ground.check_order("app.example.com")
    for host in ("app.example.com", "hooks.example.com"):
        ground.check_all_arrived(host, sessions)
    ground.close()


def test_a_slow_receiver_delays_nobody_else(ground: Ground) -> None:
    """One receiver hangs for as long as it may; the others hear of everything as soon as before."""
    ground.receivers.behave = lambda _all, host: "silent" if host.startswith("slow") else "ok"
    slow = [ground.new_session(f"slow{index % 3}.example.com") for index in range(60)]
    fast = [ground.new_session(f"fast{index % 3}.example.com") for index in range(12)]
    for step in range(len(STEPS)):
        for session in (*slow, *fast):
            ground.report(session, step)
        ground.wait(1.0)
    ground.wait(1.0)
    seen = [it for it in ground.receivers.seen if it.host.startswith("fast")]
    assert len(seen) == len(fast) * len(STEPS)
    assert max(it.at_s - ground.told[it.call, it.sequence] for it in seen) < 0.5
    assert max(ground.receivers.busy_max[f"slow{index}.example.com"] for index in range(3)) <= 2


def test_many_slow_receivers_leave_room(ground: Ground) -> None:
    """However many receivers hang, places are left for one that answers."""
    ground.receivers.behave = lambda _all, host: "silent" if host.startswith("slow") else "ok"
    ground.report(ground.new_session("fast.example.com"), 0)
    ground.wait(1.0)  # it has shown that it answers
    for index in range(100):
        ground.report(ground.new_session(f"slow{index}.example.com"), 0)
    ground.wait(1.0)
    session = ground.new_session("fast.example.com")
    ground.report(session, 0)
    ground.wait(0.5)
    assert ground.receivers.seen[-1].call == session.id


def test_a_receiver_that_never_answers_is_given_up_after_72_hours(open_copy: Opener) -> None:
    """Tried to the end, then dead, listed, and sent again under the same id when somebody asks."""
    ground = Ground(open_copy(), VirtualTimeLoop())
    ground.receivers.behave = lambda _all, _host: "503"
    ground.add_endpoint("hooks.example.com")
    ground.start(SLOW)
    ground.new_session()
    ground.wait(73 * HOUR_S)
    attempts = ground.receivers.seen
    assert attempts[-1].at_s - attempts[0].at_s == pytest.approx(72 * HOUR_S, abs=120)
    assert 15 <= len(attempts) <= 30
    assert len({it.identity for it in attempts}) == 1
    assert peek(ground.world.store, "SELECT state, last_status, attempt_count FROM delivery") == [
        ("dead", 503, len(attempts))
    ]
    ground.receivers.behave = lambda _all, _host: "ok"
    assert ground.world.store.run(replay_dead_deliveries, None, ground.loop.now()) == 1
    ground.wait(120)
    assert ground.receivers.seen[-1].identity == attempts[0].identity
    assert _states(ground) == {"delivered": 1}
    ground.close()


def test_an_endpoint_that_is_gone_gets_nothing_more(ground: Ground) -> None:
    """After 410 nothing is sent there; a session's callback that says so is tried again."""
    ground.receivers.behave = lambda _all, _host: "410"
    ground.add_endpoint("hooks.example.com")
    ground.new_session()
    ground.wait(1.0)
    session = ground.new_session("app.example.com")
    ground.report(session, 0)
    ground.wait(60.0)
    assert [it.host for it in ground.receivers.seen].count("hooks.example.com") == 1
    assert [it.host for it in ground.receivers.seen].count("app.example.com") == 3


def test_while_the_database_is_away_nothing_is_lost(ground: Ground) -> None:
    """The worker comes back to it by itself; what was sent meanwhile may be sent twice."""
    session = ground.new_session("app.example.com")
    ground.report(session, 0)
    ground.wait(0.01)
    ground.direct.is_away = True
    ground.wait(100.0)
    ground.direct.is_away = False
    ground.report(session, 1)
    ground.wait(10.0)
    ground.check_all_arrived("app.example.com", [session])
    assert _states(ground) == {"delivered": 2}


def test_a_bug_in_one_attempt_costs_one_attempt(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong in making a request: the worker lives, and the delivery is tried again."""
    right = build_request

    def broken(*args: object, **kwargs: object) -> object:
        monkeypatch.setattr(module, "build_request", right)
        raise ZeroDivisionError

    monkeypatch.setattr(module, "build_request", broken)
    session = ground.new_session("app.example.com")
    ground.report(session, 0)
    ground.wait(1.0)
    assert peek(ground.world.store, "SELECT state, last_error FROM delivery") == [
        ("pending", "internal-error")
    ]
    ground.wait(10.0)
    assert _states(ground) == {"delivered": 1}


@pytest.mark.parametrize(
    ("event_count", "death_count"),
    [(2_000, 20), pytest.param(100_000, 200, marks=[pytest.mark.long, pytest.mark.timeout(3600)])],
)
def test_many_events_and_many_deaths(open_copy: Opener, event_count: int, death_count: int) -> None:
    """Thirty requests in a hundred fail, the worker is killed again and again: the ledgers agree in the end."""
    chance = random.Random(20)
    ground = Ground(open_copy(), VirtualTimeLoop(), 20)
    ground.receivers.behave = lambda _all, _host: chance.choice(FLAKY) if chance.random() < 0.3 else "ok"
    ground.start()
    sessions = [ground.new_session("app.example.com") for _ in range(event_count // 25)]
    deaths = set(chance.sample(range(event_count), death_count))
    for index in range(event_count):
        session = sessions[(index // len(STEPS)) % len(sessions)]
        ground.report(session, index % len(STEPS), call_id=f"{session.id[:30]}{index // (event_count // 5)}")
        if index % 10 == 0:
            ground.wait(0.1)
        if index in deaths:
            ground.kill()
            ground.start()
    ground.kill()
    ground.start(SLOW)
    for _ in range(20):
        if not ground.unfinished_count():
            break
        ground.wait(HOUR_S)
    assert _states(ground) == {"delivered": event_count}
    assert len(ground.receivers.accepted("app.example.com")) == event_count
    ground.check_all_arrived("app.example.com", sessions)
    ground.close()


@pytest.mark.parametrize("where", ["store", "receiver"])
def test_a_crash_at_any_point_loses_nothing(open_copy: Opener, where: str) -> None:
    """The worker dies before and after every use of the database and in every request; its successor goes on."""
    for point in range(200):
        ground = Ground(open_copy(), VirtualTimeLoop(), point)
        ground.add_endpoint("hooks.example.com")
        target = ground.direct if where == "store" else ground.receivers
        has_crashed: list[int] = []

        def crash(ground: Ground = ground, has_crashed: list[int] = has_crashed) -> None:
            has_crashed.append(1)
            ground.task.cancel()

        target.crash = crash
        target.crash_at = point
        ground.start()
        session = ground.new_session("app.example.com")
        for step in range(3):
            ground.report(session, step)
        ground.wait(2.0)
        if has_crashed:
            assert ground.task.done()
            ground.start()
            ground.wait(10.0)
        assert _states(ground) == {"delivered": 7}
        ground.check_order("app.example.com")
        for host in ("app.example.com", "hooks.example.com"):
            ground.check_all_arrived(host, [session])
        ground.close()
        if not has_crashed:
            assert point > 5
            return
    pytest.fail("the scenario has more points than the test looks at")


def test_a_worker_of_another_name_waits_for_the_leases(ground: Ground) -> None:
    """What a dead worker of another machine had is taken when its lease has lapsed."""
    ground.receivers.behave = lambda _all, _host: "silent"
    session = ground.new_session("app.example.com")
    ground.report(session, 0)
    ground.wait(1.0)
    ground.kill()
    ground.receivers.behave = lambda _all, _host: "ok"
    ground.start()
    ground.worker._worker_id = "other"
    ground.wait(module.LEASE_S - 5)
    assert ground.receivers.seen == []
    ground.wait(15)
    assert len(ground.receivers.seen) == 1


def test_metrics_count_attempts_and_lag(open_copy: Opener) -> None:
    """An operator sees how many attempts failed and how long events wait."""
    ground = Ground(open_copy(), VirtualTimeLoop())
    registry = CollectorRegistry()
    ground.start()
    ground.worker._metrics = WebhookMetrics(registry)
    answers = iter(["500", "ok"])
    ground.receivers.behave = lambda _all, _host: next(answers)
    ground.report(ground.new_session("app.example.com"), 0)
    ground.wait(20.0)

    def count(state: str) -> float | None:
        return registry.get_sample_value(
            "maskline_webhook_attempts_total", {"dialect": "plivo", "state": state}
        )

    assert (count("pending"), count("delivered")) == (1.0, 1.0)
    assert registry.get_sample_value("maskline_webhook_lag_seconds_count", {"dialect": "plivo"}) == 1.0
    ground.close()


def test_logs_name_nobody(ground: Ground) -> None:
    """Deliveries of every fate leave no number, URL or token in the log."""
    log = io.StringIO()
    writer = configure_logging(level="debug", is_json=True, stream=log)
    chance = random.Random(3)
    ground.receivers.behave = lambda _all, _host: chance.choice([*FLAKY, "ok"])
    ground.add_endpoint("hooks.example.com")
    session = ground.new_session("app.example.com")
    for step in range(len(STEPS)):
        ground.report(session, step)
    ground.wait(1200.0)
    writer.close()
    text = log.getvalue()
    assert "webhook.attempted" in text
    for index in (1, 2):
        assert person(index).reveal().removeprefix("+")[2:] not in text
    assert "example.com" not in text
    assert ground.receivers.token not in text
    assert "whsec_" not in text


class Turmoil(RuleBasedStateMachine):
    """Sessions, calls, receivers that come and go, workers that die, a database that is away."""

    open_store: Opener
    hosts = ("a.example.com", "b.example.com")

    def __init__(self) -> None:
        super().__init__()
        self.ground = Ground(type(self).open_store(), VirtualTimeLoop())
        self.conduct = dict.fromkeys(self.hosts, "ok")
        self.chance = random.Random(0)
        self.ground.receivers.behave = self._behave
        self.sessions: list[tuple[str, MaskingSession]] = []
        self.steps: dict[str, int] = {}
        self.ground.start(BRISK)
        self.is_running = True

    def _behave(self, _all: Receivers, host: str) -> str:
        conduct = self.conduct[host]
        if conduct == "flaky":
            return self.chance.choice(FLAKY) if self.chance.random() < 0.3 else "ok"
        return conduct

    @rule(host=st.sampled_from(hosts))
    def new_session(self, host: str) -> None:
        """A session with a callback."""
        if len(self.sessions) < 6:
            self.sessions.append((host, self.ground.new_session(host)))

    @precondition(lambda self: self.sessions)
    @rule(which=st.integers(0, 5), count=st.integers(1, 3))
    def step(self, which: int, count: int) -> None:
        """A call of a session goes on."""
        _, session = self.sessions[which % len(self.sessions)]
        for _ in range(count):
            step = self.steps.get(session.id, 0)
            self.steps[session.id] = step + 1
            self.ground.report(session, step % len(STEPS))

    @rule(host=st.sampled_from(hosts), conduct=st.sampled_from(["ok", "flaky", "silent", "503"]))
    def change_receiver(self, host: str, conduct: str) -> None:
        """A receiver breaks or is mended."""
        self.conduct[host] = conduct

    @rule(seconds=st.sampled_from([0.01, 0.3, 4.0, 31.0, 290.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.ground.wait(seconds)

    @precondition(lambda self: self.is_running)
    @rule()
    def kill(self) -> None:
        """The worker dies."""
        self.ground.kill()
        self.is_running = False

    @precondition(lambda self: not self.is_running)
    @rule()
    def restart(self) -> None:
        """Its successor begins."""
        self.ground.start(BRISK)
        self.is_running = True

    @rule(is_away=st.booleans())
    def change_database(self, is_away: bool) -> None:
        """The database goes or comes back."""
        self.ground.direct.is_away = is_away

    def teardown(self) -> None:
        """In the end, with everything mended, all that was ever reported has arrived, and in order."""
        self.ground.direct.is_away = False
        self.conduct = dict.fromkeys(self.hosts, "ok")
        if self.is_running:
            self.ground.kill()
        self.ground.start(SLOW)
        for _ in range(8):
            if not self.ground.unfinished_count():
                break
            self.ground.wait(HOUR_S)
        assert self.ground.unfinished_count() == 0
        for host in self.hosts:
            self.ground.check_order(host)
            mine = [session for its_host, session in self.sessions if its_host == host]
            self.ground.check_all_arrived(host, mine)
            assert all(it.call in {session.id for session in mine} for it in self._seen(host))
        self.ground.close()

    def _seen(self, host: str) -> list[Seen]:
        return [it for it in self.ground.receivers.seen if it.host == host]


def test_turmoil_loses_nothing(open_copy: Opener) -> None:
    """Whatever happens in whatever order: nothing is lost, no call's events change places, duplicates say the same."""
    Turmoil.open_store = staticmethod(open_copy)
    run_state_machine_as_test(
        Turmoil,
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
