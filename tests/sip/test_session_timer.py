"""The rules of RFC 4028, without any clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.sip.errors import RemoteProtocolError
from maskline.sip.message import Headers, Response
from maskline.sip.session_timer import (
    END_LEAD_S_MAX,
    INTERVAL_S_MAX,
    NO_WISH,
    Agreement,
    Wish,
    answer_wish,
    is_too_small,
    life_s,
    parse_min_se,
    read_answer,
    read_wish,
)

intervals = st.none() | st.integers(0, INTERVAL_S_MAX)
wishes = st.builds(Wish, intervals, st.sampled_from([None, "uac", "uas"]), intervals, st.booleans())


def message(*items: tuple[str, str]) -> Response:
    return Response(200, "OK", Headers(items))


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ((), NO_WISH),
        ((("Supported", "replaces"),), NO_WISH),
        ((("Supported", "replaces , Timer"), ("Supported", "x")), Wish(is_supported=True)),
        ((("x", "1800"),), Wish(1800)),
        ((("x", "1800"), ("Require", "timer")), Wish(1800, is_supported=True)),
        (
            (("Session-Expires", "1800 ; foo=bar;Refresher = UAS"), ("Supported", "timer")),
            Wish(1800, "uas", None, is_supported=True),
        ),
        ((("Session-Expires", "90;refresher=uac"), ("Min-SE", "90;x=y")), Wish(90, "uac", 90)),
        ((("Min-SE", "300"), ("Supported", "timer")), Wish(None, None, 300, is_supported=True)),
    ],
)
def test_wishes_are_read(items: tuple[tuple[str, str], ...], expected: Wish) -> None:
    """Values, parameters and the option tag, in any case and with space around."""
    assert read_wish(message(*items)) == expected


@pytest.mark.parametrize(
    "items",
    [
        (("Session-Expires", ""),),
        (("Session-Expires", "soon"),),
        (("Session-Expires", "-1"),),
        (("Session-Expires", str(2**31)),),
        (("Session-Expires", "90;refresher=both"),),
        (("Session-Expires", "90"), ("Min-SE", "x")),
    ],
)
def test_malformed_wishes(items: tuple[tuple[str, str], ...]) -> None:
    """They are the peer's fault."""
    with pytest.raises(RemoteProtocolError):
        read_wish(message(*items))


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (NO_WISH, False),
        (Wish(None, None, None, is_supported=True), False),
        (Wish(89, None, None, is_supported=True), True),
        (Wish(90, None, None, is_supported=True), False),
        (Wish(89), False),
    ],
)
def test_too_small(wish: Wish, *, expected: bool) -> None:
    """422 is for those who know what it means; what a proxy put there is raised in silence."""
    assert is_too_small(wish, 90) is expected


def supporting(interval_s: int | None = None, refresher: str | None = None, min_s: int | None = None) -> Wish:
    return Wish(interval_s, refresher, min_s, is_supported=True)


# RFC 4028, table 2, and our choices where it leaves one.
ANSWERS = [
    (NO_WISH, Agreement(1800, is_ours=True, is_agreed=False)),
    (Wish(600, "uac"), Agreement(600, is_ours=True, is_agreed=False)),
    (Wish(20), Agreement(90, is_ours=True, is_agreed=False)),
    (supporting(), Agreement(1800, is_ours=True, is_agreed=True)),
    (supporting(min_s=3600), Agreement(3600, is_ours=True, is_agreed=True)),
    (supporting(600), Agreement(600, is_ours=True, is_agreed=True)),
    (supporting(600, "uas"), Agreement(600, is_ours=True, is_agreed=True)),
    (supporting(600, "uac"), Agreement(600, is_ours=False, is_agreed=True)),
    (supporting(7200, "uac"), Agreement(1800, is_ours=False, is_agreed=True)),
    (supporting(7200, "uac", 3600), Agreement(3600, is_ours=False, is_agreed=True)),
]


@pytest.mark.parametrize(("wish", "expected"), ANSWERS)
def test_our_answers(wish: Wish, expected: Agreement) -> None:
    """The shorter interval within the bounds of both sides; the refresher asked for, where there is a choice."""
    assert answer_wish(wish, ours_s=1800, min_s=90, is_ours_now=True) == expected


@given(wish=wishes, is_ours_now=st.booleans())
def test_answers_keep_what_the_rfc_asks(wish: Wish, *, is_ours_now: bool) -> None:
    """Within the minimums of both and what was asked for; who does not know of timers never refreshes."""
    agreement = answer_wish(wish, ours_s=1800, min_s=90, is_ours_now=is_ours_now)
    floor = max(90, wish.min_s or 0)
    assert agreement.interval_s >= floor
    if wish.interval_s is not None:
        assert agreement.interval_s <= max(wish.interval_s, floor)
    assert agreement.is_agreed is wish.is_supported
    if not wish.is_supported:
        assert agreement.is_ours
    elif wish.refresher is None:
        assert agreement.is_ours is is_ours_now
    else:
        assert agreement.is_ours is (wish.refresher == "uas")


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (NO_WISH, Agreement(1800, is_ours=True, is_agreed=False)),
        (supporting(), Agreement(1800, is_ours=True, is_agreed=False)),
        (Wish(600, "uac"), Agreement(600, is_ours=True, is_agreed=True)),
        (Wish(600, "uas"), Agreement(600, is_ours=False, is_agreed=True)),
        (Wish(600), Agreement(600, is_ours=True, is_agreed=True)),
        (Wish(5, "uas"), Agreement(90, is_ours=False, is_agreed=True)),
    ],
)
def test_answers_of_peers(wish: Wish, expected: Agreement) -> None:
    """A 2xx settles it; one without Session-Expires promises nothing."""
    assert read_answer(wish, ours_s=1800, min_s=90) == expected


@given(interval_s=st.integers(90, INTERVAL_S_MAX))
def test_the_end_comes_before_the_interval_is_over(interval_s: int) -> None:
    """By a third of it or 32 s, and never before a refresh at half of it is due."""
    assert interval_s / 2 < life_s(interval_s) < interval_s
    assert interval_s - life_s(interval_s) <= END_LEAD_S_MAX


@pytest.mark.parametrize(("text", "expected"), [("90", 90), ("090 ;x", 90), ("2147483647", INTERVAL_S_MAX)])
def test_min_se(text: str, expected: int) -> None:
    """A number of seconds; parameters are of no interest."""
    assert parse_min_se(text) == expected
