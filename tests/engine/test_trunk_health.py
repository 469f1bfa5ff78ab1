"""When targets are asked, and what their answers mean."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.inventory import Target, Trunk
from maskline.engine.trunk_health import (
    ANSWER_TIMEOUT_S,
    CHECK_EVERY_S,
    CHECKS_PER_TICK_MAX,
    RECHECK_S,
    TrunkHealth,
)
from maskline.engine.trunk_requests import TrunkRequests
from maskline.engine.trunk_table import TrunkTable
from maskline.sip.events import RequestAnswered, RequestID

FIRST, SECOND = Target(host="192.0.2.1"), Target(host="192.0.2.2", port=5080)
TRUNK = Trunk(id=1, created_at=0, name="one", targets=(FIRST, SECOND))


class Scene:
    """Health checks whose requests are answered by hand, or by `answers` (status by host) at once."""

    def __init__(self, *trunks: Trunk) -> None:
        self.table = TrunkTable()
        self.table.replace(trunks or (TRUNK,))
        self.health = TrunkHealth(
            self.table,
            TrunkRequests(local={("udp", False): ("10.0.0.1", 5060)}, host_towards=lambda _: "10.0.0.1"),
        )
        self.now = 0.0
        self.asked: list[tuple[float, str]] = []
        self.answers: dict[str, int | None] = {}
        self.waiting: dict[str, RequestID] = {}

    def run(self, seconds: float) -> None:
        """Let time pass, a tick each second, the first at once."""
        end = self.now + seconds
        while self.now < end:
            self.tick()
            self.now += 1.0

    def tick(self) -> None:
        for address, _request in self.health.tick(self.now):
            number = RequestID(len(self.asked))
            self.asked.append((self.now, address.host))
            self.health.sent(address, number, self.now)
            self.waiting[address.host] = number
            status = self.answers.get(address.host, 200)
            if status is not None:
                self.answer(address.host, status)

    def answer(self, host: str, status: int, retry_after_s: int | None = None) -> None:
        event = RequestAnswered(request=self.waiting[host], status=status, retry_after_s=retry_after_s)
        assert self.health.answered(event, self.now)

    def is_healthy(self, target: Target = FIRST) -> bool:
        (address,) = self.table.addresses(target)
        return self.table.is_healthy(address, self.now)


def test_every_target_is_asked_at_once_and_then_twice_a_minute() -> None:
    """Each for itself."""
    scene = Scene()
    scene.run(61)
    for target in (FIRST, SECOND):
        assert [at for at, host in scene.asked if host == target.host] == [
            0,
            CHECK_EVERY_S,
            2 * CHECK_EVERY_S,
        ]


def test_a_trunk_may_do_without() -> None:
    """Its targets are asked nothing; a machine that another trunk has checked is asked once."""
    scene = Scene(replace(TRUNK, has_health_check=False), replace(TRUNK, id=2, name="two", targets=(FIRST,)))
    scene.run(1)
    assert scene.asked == [(0, FIRST.host)]


def test_silence_is_noticed_within_seconds() -> None:
    """One silent check is repeated soon; the second makes the target unhealthy, the first answer healthy again."""
    scene = Scene()
    scene.answers[FIRST.host] = None
    scene.run(ANSWER_TIMEOUT_S + 1)
    assert scene.is_healthy()
    scene.run(RECHECK_S + ANSWER_TIMEOUT_S)
    assert not scene.is_healthy()
    assert scene.is_healthy(SECOND)
    scene.answers[FIRST.host] = 200
    scene.run(CHECK_EVERY_S)
    assert scene.is_healthy()


def test_a_target_that_stays_silent_stays_unhealthy() -> None:
    """Each check renews what is known; asking goes on at the usual pace."""
    scene = Scene()
    scene.answers[FIRST.host] = None
    scene.run(20)
    count = len(scene.asked)
    for _ in range(600):
        scene.run(1)
        assert not scene.is_healthy()
    assert len(scene.asked) - count <= 2 * 600 / CHECK_EVERY_S + 2


def test_an_answer_that_comes_late_is_an_answer() -> None:
    """A slow target was counted as failing once; then it is healthy. The 408 of the same request changes nothing."""
    scene = Scene(replace(TRUNK, targets=(FIRST,)))
    scene.answers[FIRST.host] = None
    scene.run(5)
    first = scene.waiting[FIRST.host]
    scene.answer(FIRST.host, 200)
    scene.run(5)
    assert scene.is_healthy()
    scene.run(4)
    scene.waiting[FIRST.host] = first
    assert not scene.health.answered(RequestAnswered(request=first, status=408), scene.now)
    assert scene.is_healthy()


def test_the_end_of_a_missed_check_is_not_a_second_failure() -> None:
    """The user agent gives up long after we did."""
    scene = Scene(replace(TRUNK, targets=(FIRST,)))
    scene.answers[FIRST.host] = None
    scene.run(5)
    scene.answer(FIRST.host, 408)
    assert scene.is_healthy()


@pytest.mark.parametrize(
    ("status", "is_alive"), [(404, True), (405, True), (480, True), (408, False), (500, False)]
)
def test_answers_that_show_life(status: int, is_alive: bool) -> None:
    """A target that does not know OPTIONS, or us, is there."""
    scene = Scene()
    scene.answers[FIRST.host] = status
    scene.run(2 * CHECK_EVERY_S)
    assert scene.is_healthy() is is_alive


def test_a_target_that_is_busy_is_left_alone_for_so_long() -> None:
    """503 with Retry-After; the answers to OPTIONS meanwhile do not shorten it."""
    scene = Scene(replace(TRUNK, targets=(FIRST,)))
    scene.answers[FIRST.host] = None
    scene.tick()
    scene.answer(FIRST.host, 503, retry_after_s=45)
    scene.answers[FIRST.host] = 200
    scene.run(44)
    assert not scene.is_healthy()
    scene.run(2)
    assert scene.is_healthy()


def test_targets_come_and_go() -> None:
    """A new one is asked at the next tick, one that is gone no more; its late answer harms nobody."""
    scene = Scene(replace(TRUNK, targets=(FIRST,)))
    scene.answers[FIRST.host] = None
    scene.run(1)
    scene.table.replace((replace(TRUNK, targets=(SECOND,)),))
    scene.run(1)
    assert scene.asked == [(0, FIRST.host), (1, SECOND.host)]
    scene.answer(FIRST.host, 200)
    scene.run(60)
    assert {host for at, host in scene.asked if at > 1} == {SECOND.host}


def test_answers_to_others_are_not_ours() -> None:
    """They are left to whoever asked."""
    assert not Scene().health.answered(RequestAnswered(request=RequestID(99), status=200), 0.0)


def test_hundreds_of_targets_are_not_asked_in_one_burst() -> None:
    """The rest follows a second later."""
    trunks = tuple(
        replace(
            TRUNK, id=index, name=str(index), targets=(Target(host=f"192.0.{index // 250}.{index % 250}"),)
        )
        for index in range(CHECKS_PER_TICK_MAX + 7)
    )
    scene = Scene(*trunks)
    scene.run(2)
    assert [at for at, _ in scene.asked].count(0) == CHECKS_PER_TICK_MAX
    assert len(scene.asked) == len(trunks)


def test_targets_out_of_reach_are_not_asked() -> None:
    """Without a socket of that family there is nothing to learn."""
    scene = Scene(replace(TRUNK, targets=(Target(host="2001:db8::1"),)))
    scene.run(40)
    assert scene.asked == []


def test_states_for_people() -> None:
    """Every target of every trunk, with how it does."""
    scene = Scene(TRUNK, replace(TRUNK, id=2, name="two", targets=(SECOND,), has_health_check=False))
    scene.answers[FIRST.host] = None
    scene.run(20)
    assert [tuple(state) for state in scene.health.states(scene.now)] == [
        ("one", "192.0.2.1 (udp 192.0.2.1 5060)", False, True),
        ("one", "192.0.2.2 (udp 192.0.2.2 5080)", True, True),
        ("two", "192.0.2.2 (udp 192.0.2.2 5080)", True, False),
    ]


@given(st.lists(st.sampled_from([200, 404, 408, 500, 503, None]), max_size=20))
def test_two_bad_checks_in_a_row_and_no_fewer(answers: list[int | None]) -> None:
    """Whatever a target did before, its last two checks decide."""
    scene = Scene(replace(TRUNK, targets=(FIRST,)))
    bad_count = 0
    for status in answers:
        scene.answers[FIRST.host] = status
        count = len(scene.asked)
        while len(scene.asked) == count:
            scene.run(1)
        if status is None:
            scene.run(ANSWER_TIMEOUT_S)
        bad_count = bad_count + 1 if status in {408, 500, 503, None} else 0
        assert scene.is_healthy() is (bad_count < 2)
