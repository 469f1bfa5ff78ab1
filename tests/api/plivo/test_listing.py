import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.plivo.outcomes import outcome

from maskline.api.plivo.errors import PlivoError
from maskline.api.plivo.listing import ListQuery, parse_query, render_meta
from maskline.clock import from_datetime
from maskline.core.masking import SessionFilter, SessionStatus, Span
from maskline.core.numbers import E164
from maskline.testing.clock import ManualClock

NOW = ManualClock().now()  # 2026-01-01 00:00:00
S = 1_000_000
DAY = 86_400 * S


def parse(query: str) -> ListQuery:
    return parse_query(query.encode(), country="IN", now=NOW)


def filtered(query: str) -> SessionFilter:
    return parse(query).filter


def refusal(query: str) -> str:
    with pytest.raises(PlivoError) as caught:
        parse(query)
    assert caught.value.status == 400
    return caught.value.text


@pytest.mark.parametrize("query", ["", "&", "x=1", "status=", "created_time=&limit=", "=1", "%00=1"])
def test_without_a_bound_the_last_seven_days_are_listed(query: str) -> None:
    """Empty and unknown parameters are ignored."""
    assert filtered(query) == SessionFilter(created_at=Span(from_=NOW - 7 * DAY))


@pytest.mark.parametrize(
    ("query", "first", "until"),
    [
        ("created_time=2025-12-30+10:00:00", -38 * 3_600, -38 * 3_600 + 1),
        ("created_times=2025-12-30%2010:00:00", -38 * 3_600, -38 * 3_600 + 1),
        ("createdTime=2025-12-30T10:00", -38 * 3_600, -38 * 3_600 + 60),
        ("created_time=2025-12-30", -48 * 3_600, -24 * 3_600),
        ("created_time=2025-12-30+10:00:00+%2B0000+UTC", -38 * 3_600, -38 * 3_600 + 1),
        ("created_time=2025-12-30+10:00:00++0000+UTC", -38 * 3_600, -38 * 3_600 + 1),
        ("created_time__gte=2025-12-30+10:00:00", -38 * 3_600, None),
        ("created_time_gte=2025-12-30+10:00:00", -38 * 3_600, None),
        ("created_time__gt=2025-12-30+10:00:00", -38 * 3_600 + 1, None),
        ("created_time__lt=2025-12-30+10:00:00", -38 * 3_600 - 30 * 86_400, -38 * 3_600),
        ("created_time__lte=2025-12-30+10:00:00", -38 * 3_600 + 1 - 30 * 86_400, -38 * 3_600 + 1),
        ("created_time__gte=2025-12-30&created_time__lt=2025-12-31", -48 * 3_600, -24 * 3_600),
    ],
)
def test_created_time_bounds(query: str, first: int, until: int | None) -> None:
    """One or two underscores, plurals, and texts as wide as their last digit."""
    expected = Span(from_=NOW + first * S, until=None if until is None else NOW + until * S)
    assert filtered(query).created_at == expected


def test_fractions_are_exact() -> None:
    """Six digits after the point name one microsecond."""
    span = filtered("expiry_time=2025-12-31+23:59:59.999999").ends_at
    assert span == Span(from_=NOW - 1, until=NOW)


def test_an_expiry_bound_lifts_the_default_window() -> None:
    """Any time bound replaces the seven days."""
    found = filtered("expiry_time_lte=2025-12-31")
    assert found.created_at == Span()
    assert found.ends_at == Span(from_=NOW - 30 * DAY, until=NOW)


def test_the_widest_window_is_thirty_days() -> None:
    """Thirty days are listed, a microsecond more is refused."""
    assert filtered("created_time__gte=2025-12-02").created_at.from_ == NOW - 30 * DAY
    text = "Invalid parameter. created_time range should be within 30 days."
    assert refusal("created_time__gte=2025-12-01+23:59:59.999999") == text
    assert refusal("created_time__gte=2025-01-01&created_time__lt=2025-02-01") == text


@pytest.mark.parametrize(
    ("query", "span"),
    [
        ("duration=1800", Span(from_=1800, until=1801)),
        ("durations=1800", Span(from_=1800, until=1801)),
        ("session_duration__gt=60", Span(from_=61)),
        ("duration__gt=60&duration__lte=90", Span(from_=61, until=91)),
    ],
)
def test_duration_bounds(query: str, span: Span) -> None:
    """In whole seconds, with the odd names of two generations."""
    assert filtered(query).duration_s == span


@pytest.mark.parametrize("text", ["912025550000", "%2B912025550000", "+912025550000"])
def test_parties_with_and_without_plus(text: str) -> None:
    """Also with the plus that the query turned into a blank."""
    assert filtered(f"first_party={text}").first == E164("+912025550000")
    assert filtered(f"second_party={text}").second == E164("+912025550000")
    assert filtered(f"virtual_number={text}").virtual_number == "+912025550000"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("active", SessionStatus.ACTIVE),
        ("Expired", SessionStatus.EXPIRED),
        ("in-progress", SessionStatus.IN_PROGRESS),
        ("all", None),
    ],
)
def test_status(text: str, status: SessionStatus | None) -> None:
    """All four documented values are understood."""
    assert filtered(f"status={text}").status is status


@pytest.mark.parametrize(
    ("query", "limit", "offset"), [("limit=5&offset=7", 5, 7), ("limit=50", 20, 0), ("limit=0", 20, 0)]
)
def test_pages(query: str, limit: int, offset: int) -> None:
    """At most twenty a page; zero is not given; the offset counts objects."""
    found = filtered(query)
    assert (found.limit, found.offset) == (limit, offset)


@pytest.mark.parametrize(
    "query",
    [
        "limit=x",
        "limit=-1",
        "offset=-1",
        "offset=1e9",
        f"offset={10**12}",
        "status=busy",
        "duration=x",
        f"duration={'9' * 30}",
        "created_time=yesterday",
        "created_time=2025-13-01",
        "created_time=2025-02-30",
        "created_time=0000-01-01",
        "created_time=2025-01-01+25:00",
        "first_party=nobody",
        "second_party=%00",
        "virtual_number=abc",
        "virtual_number=%2B%2B91",
        "subaccount=MA",
        "&".join(f"x{i}=1" for i in range(101)),
    ],
)
def test_unusable_values_are_refused(query: str) -> None:
    """With a 400 that does not repeat the value."""
    assert refusal(query).startswith(("Invalid parameter. ", "Malformed request. "))


def test_links_lead_to_the_neighbouring_pages() -> None:
    """Relative, with the filters, and null where there is nothing."""
    query = parse("limit=2&offset=2&status=active&created_times=2025-12-30&x=1")
    meta = render_meta(query, "/v1/Account/MA/Masking/Session/", 5)
    kept = "/v1/Account/MA/Masking/Session/?created_time=2025-12-30&status=active&limit=2"
    assert meta == {
        "limit": 2,
        "next": f"{kept}&offset=4",
        "offset": 2,
        "previous": f"{kept}&offset=0",
        "total_count": 5,
    }
    assert render_meta(query, "/", 4)["next"] is None
    assert render_meta(parse(""), "/", 0) == {
        "limit": 20,
        "next": None,
        "offset": 0,
        "previous": None,
        "total_count": 0,
    }


KEYS = st.sampled_from(
    [
        "created_time",
        "created_time__gt",
        "expiry_time_lte",
        "duration",
        "status",
        "limit",
        "offset",
        "first_party",
    ]
)


@given(
    st.lists(st.tuples(KEYS, st.text(max_size=25) | st.datetimes().map(str)), max_size=4),
    st.binary(max_size=20),
)
def test_any_query_parses_or_is_refused(pairs: list[tuple[str, str]], tail: bytes) -> None:
    """Nothing but a filter with safe bounds or PlivoError 400."""
    query = "&".join(f"{key}={value}" for key, value in pairs).encode("utf-8", "replace") + tail
    parsed = outcome(parse_query, query, country="IN", now=NOW)
    if isinstance(parsed, PlivoError):
        assert parsed.status == 400
        return
    found = parsed.filter
    assert 1 <= found.limit <= 20
    bounds = (found.created_at.from_, found.ends_at.from_, found.duration_s.from_, found.offset)
    assert all(bound is None or abs(bound) < 2**62 for bound in bounds)


def test_now_is_the_assumed_one() -> None:
    """The other tests count from midnight."""
    from datetime import UTC, datetime

    assert from_datetime(datetime(2026, 1, 1, tzinfo=UTC)) == NOW
