import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.webhooks.target import (
    TOTAL_S_DEFAULT,
    CallbackTarget,
    RetryCause,
    parse_callback_target,
)

URL = "https://app.example.com/cb?x=1"
ALL = frozenset(RetryCause)


def test_without_a_fragment_the_defaults_hold() -> None:
    """Two seconds to connect, fifteen in all, tried as often as the schedule has it."""
    assert parse_callback_target(URL) == CallbackTarget(
        url=URL, connect_s=2.0, read_s=15.0, total_s=15.0, retry_count_max=None, retried=ALL
    )


def test_the_vendors_example() -> None:
    """Every part of a fragment counts, and the fragment is no part of the request."""
    assert parse_callback_target(URL + "#ct=2500&rt=3000&rc=3&rp=5xx") == CallbackTarget(
        url=URL,
        connect_s=2.5,
        read_s=3.0,
        total_s=5.5,
        retry_count_max=3,
        retried=frozenset({RetryCause.SERVER_ERROR}),
    )


@pytest.mark.parametrize(
    ("fragment", "connect_s", "read_s", "total_s"),
    [
        ("ct=1", 0.1, 15.0, 15.1),
        ("ct=99999", 10.0, 15.0, 25.0),
        ("rt=1", 2.0, 0.1, 2.1),
        ("rt=99999", 2.0, 40.0, 42.0),
        ("rt=99999&ct=99999", 10.0, 40.0, 50.0),
        ("tt=500", 0.5, 0.5, 0.5),
        ("tt=99999", 2.0, 55.0, 55.0),
        ("tt=4000&rt=9000", 2.0, 4.0, 4.0),
    ],
)
def test_times_are_moved_into_their_ranges(
    fragment: str, connect_s: float, read_s: float, total_s: float
) -> None:
    """Nobody makes us wait longer than the vendor would, nor gives itself no time at all."""
    target = parse_callback_target(f"{URL}#{fragment}")
    assert (target.connect_s, target.read_s, target.total_s) == pytest.approx((connect_s, read_s, total_s))


@pytest.mark.parametrize(("text", "count"), [("0", 0), ("5", 5), ("99", 5), ("-1", None), ("x", None)])
def test_retry_count(text: str, count: int | None) -> None:
    """At most five retries can be asked for; what is no number is not asked."""
    assert parse_callback_target(f"{URL}#rc={text}").retry_count_max == count


@pytest.mark.parametrize(
    ("text", "causes"),
    [
        ("4xx", {RetryCause.CLIENT_ERROR}),
        ("ct,rt", {RetryCause.CONNECT, RetryCause.READ}),
        ("5xx,nonsense", {RetryCause.SERVER_ERROR}),
        ("all", set(RetryCause)),
        ("ct,all", set(RetryCause)),
        ("nonsense", set(RetryCause)),
        ("other", set(RetryCause)),
    ],
)
def test_retry_policy(text: str, causes: set[RetryCause]) -> None:
    """Only the failures named are retried; words nobody knows name nothing."""
    assert parse_callback_target(f"{URL}#rp={text}").retried == causes


@given(st.text(max_size=60))
def test_any_fragment_is_taken(fragment: str) -> None:
    """Whatever stands behind the number sign: the URL is what stands before it, and the times are in bounds."""
    target = parse_callback_target(f"{URL}#{fragment}")
    assert target.url == URL
    assert 0.1 <= target.connect_s <= 10
    assert 0.1 <= target.read_s <= target.total_s <= 55
    assert target.retried


@pytest.mark.parametrize("fragment", ["section-2", "a=1&b=2", "&".join(f"k{n}=1" for n in range(100))])
def test_other_fragments_say_nothing(fragment: str) -> None:
    """A fragment that is none of these settings changes nothing."""
    assert parse_callback_target(f"{URL}#{fragment}").total_s == TOTAL_S_DEFAULT
