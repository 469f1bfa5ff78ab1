"""The order of targets, their health, and when another one is tried."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.inventory import Target, Transport
from maskline.core.targets import (
    FAILURE_COUNT_MAX,
    RETRY_AFTER_S_MAX,
    UNHEALTHY_S,
    UNKNOWN,
    Health,
    address_of,
    default_port,
    is_alive,
    is_healthy,
    is_worth_another_target,
    note_failure,
    note_success,
    order_targets,
    parse_literal,
)

TARGETS = st.lists(
    st.builds(
        Target,
        host=st.sampled_from([f"192.0.2.{index}" for index in range(6)]),
        priority=st.integers(0, 3),
        weight=st.integers(0, 65_535),
    ),
    max_size=6,
)
DICE = st.integers(0, 2**64 - 1)
INSTANTS = st.floats(0, 10_000)


def target(host: str, *, priority: int = 10, weight: int = 10) -> Target:
    return Target(host=host, priority=priority, weight=weight)


# --- order ------------------------------------------------------------------------------------------------------


@given(TARGETS, DICE, st.sets(st.sampled_from([f"192.0.2.{index}" for index in range(6)])))
def test_every_target_is_tried_once_the_unhealthy_last(
    targets: list[Target], dice: int, ill: set[str]
) -> None:
    """Nothing is lost or doubled; among the healthy and among the others priority decides."""
    ordered = order_targets(targets, dice=dice, is_healthy=lambda each: each.host not in ill)
    assert Counter(ordered) == Counter(targets)
    assert list(ordered) == sorted(ordered, key=lambda each: (each.host in ill, each.priority))
    assert ordered == order_targets(targets, dice=dice, is_healthy=lambda each: each.host not in ill)


@given(TARGETS, DICE)
def test_health_changes_nothing_but_who_waits(targets: list[Target], dice: int) -> None:
    """The order among the healthy is that of all without the ill: one that fails moves nobody else about."""
    all_ = order_targets(targets, dice=dice)
    healthy = order_targets(targets, dice=dice, is_healthy=lambda each: each.host != "192.0.2.0")
    assert [each for each in healthy if each.host != "192.0.2.0"] == [
        each for each in all_ if each.host != "192.0.2.0"
    ]


def test_weights_are_shares() -> None:
    """Of two targets weighing three to one the heavier goes first in three of four calls."""
    heavy, light = target("192.0.2.1", weight=30), target("192.0.2.2", weight=10)
    firsts = Counter(order_targets([light, heavy], dice=dice)[0] for dice in range(4_000))
    assert firsts[heavy] / 4_000 == pytest.approx(0.75, abs=0.03)


def test_a_target_without_weight_is_hardly_chosen() -> None:
    """RFC 2782 leaves it a very small chance of going first, and a sure place behind."""
    zero, some = target("192.0.2.1", weight=0), target("192.0.2.2", weight=100)
    firsts = Counter(order_targets([zero, some], dice=dice)[0] for dice in range(4_000))
    assert 0 < firsts[zero] < 120


def test_equal_weights_are_equal_shares() -> None:
    """Each of three goes first in a third of the calls, and second likewise."""
    three = [target(f"192.0.2.{index}") for index in range(3)]
    orders = [order_targets(three, dice=dice * 7_919) for dice in range(3_000)]
    for place in range(3):
        shares = Counter(order[place] for order in orders)
        assert all(count == pytest.approx(1_000, abs=120) for count in shares.values())


# --- when to go on ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "is_local", "has_rung", "expected"),
    [
        (503, False, False, True),
        (503, True, False, True),
        (408, True, False, True),
        (408, False, False, False),
        (487, True, False, False),
        (500, False, False, False),
        (502, False, False, False),
        (504, False, False, False),
        (404, False, False, False),
        (486, False, False, False),
        (603, False, False, False),
        (503, False, True, False),
        (408, True, True, False),
    ],
)
def test_another_target_is_tried_only_where_nobody_looked_at_the_call(
    status: int, is_local: bool, has_rung: bool, expected: bool
) -> None:
    """Overload, silence and a broken connection; never what may have rung a phone or what a person decided."""
    assert is_worth_another_target(status, is_local=is_local, has_rung=has_rung) is expected


@given(st.integers(300, 699), st.booleans())
def test_nobody_is_rung_twice(status: int, is_local: bool) -> None:
    """Whatever ends a call that has rung, it is over."""
    assert not is_worth_another_target(status, is_local=is_local, has_rung=True)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(status, True) for status in (200, 404, 405, 481, 501, 603)]
    + [(status, False) for status in (408, 500, 502, 503, 504)],
)
def test_what_counts_as_alive(status: int, expected: bool) -> None:
    """Any answer that shows somebody at work, also one that does not know OPTIONS."""
    assert is_alive(status) is expected


# --- health -----------------------------------------------------------------------------------------------------


def test_two_failures_in_a_row_make_unhealthy() -> None:
    """One is nothing; an answer in between starts the count anew."""
    once = note_failure(UNKNOWN, 0.0)
    assert is_healthy(once, 0.0)
    assert not is_healthy(note_failure(once, 1.0), 1.0)
    assert is_healthy(note_failure(note_success(once, is_call=False), 1.0), 1.0)


def test_failures_are_forgotten_when_nobody_repeats_them() -> None:
    """Without checks an address is tried again after a while."""
    failing = note_failure(note_failure(UNKNOWN, 0.0), 10.0)
    assert not is_healthy(failing, 10.0 + UNHEALTHY_S - 0.001)
    assert is_healthy(failing, 10.0 + UNHEALTHY_S)


def test_retry_after_holds_through_health_checks() -> None:
    """OPTIONS says nothing about load; a call that gets through does."""
    busy = note_failure(UNKNOWN, 0.0, retry_after_s=60)
    assert not is_healthy(busy, 59.0)
    assert not is_healthy(note_success(busy, is_call=False), 59.0)
    assert is_healthy(note_success(busy, is_call=True), 1.0)
    assert is_healthy(busy, 60.0)


@given(st.integers(0, 10**9), INSTANTS)
def test_retry_after_is_believed_within_reason(retry_after_s: int, now: float) -> None:
    """A carrier's mistake costs ten minutes at most."""
    busy = note_failure(UNKNOWN, now, retry_after_s=retry_after_s)
    assert is_healthy(busy, now + RETRY_AFTER_S_MAX + 1)


@given(st.lists(st.tuples(st.sampled_from(["ok", "call", "fail", "busy"]), st.floats(0, 60)), max_size=30))
def test_health_is_what_its_history_says(history: list[tuple[str, float]]) -> None:
    """Against the rule read off the whole history: two failures since the last answer, or a Retry-After open."""
    health, now, failures, last_failure, busy_until = Health(), 0.0, 0, 0.0, 0.0
    for what, passed in history:
        now += passed
        if what in {"ok", "call"}:
            failures = 0
            busy_until = 0.0 if what == "call" else busy_until
            health = note_success(health, is_call=what == "call")
        else:
            failures, last_failure = failures + 1, now
            busy_until = max(busy_until, now + 45) if what == "busy" else busy_until
            health = note_failure(health, now, retry_after_s=45 if what == "busy" else None)
        is_failing = failures >= FAILURE_COUNT_MAX and now < last_failure + UNHEALTHY_S
        assert is_healthy(health, now) is (not is_failing and now >= busy_until)


# --- addresses --------------------------------------------------------------------------------------------------


def test_default_ports() -> None:
    """5060, and 5061 for TLS."""
    assert [default_port(each) for each in Transport] == [5060, 5060, 5061]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("carrier.example", None),
        ("192.0.2", None),
        ("", None),
    ],
)
def test_literals(text: str, expected: str | None) -> None:
    """An address is told from a name, in one form of writing."""
    assert parse_literal(text) == expected


def test_an_address_keeps_its_targets_name() -> None:
    """Health goes by the machine, TLS and the Request-URI by the name."""
    one = address_of(Target(host="a.example", transport=Transport.TLS), "192.0.2.1", 5061, priority=3)
    two = address_of(Target(host="b.example", port=5061, transport=Transport.TLS), "192.0.2.1", 5061)
    assert (one.name, one.name_port, two.name_port) == ("a.example", None, 5061)
    assert one.place == two.place == (Transport.TLS, "192.0.2.1", 5061)
