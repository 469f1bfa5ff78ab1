"""Filters of the list of recordings, and the windows they are put into."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.plivo.outcomes import outcome

from maskline.api.plivo.errors import PlivoError
from maskline.api.plivo.recording_query import RecordingQuery, parse_query, storage_days
from maskline.core.masking import Span
from maskline.core.numbers import E164

NOW = 1_767_225_600_000_000  # 2026-01-01
DAY = 86_400_000_000


def parse(query: str) -> RecordingQuery:
    return parse_query(query.encode(), country="IN", now=NOW)


@pytest.mark.parametrize(
    ("query", "span"),
    [
        ("", Span(from_=NOW - 7 * DAY)),
        ("subaccount=", Span(from_=NOW - 7 * DAY)),
        ("call_uuid=c1", Span()),
        ("add_time__gte=2025-12-31", Span(from_=NOW - DAY)),
        ("add_time_lt=2025-12-31", Span(from_=NOW - 31 * DAY, until=NOW - DAY)),
        ("recording_storage_duration=2", Span(from_=NOW - 2 * DAY + 1, until=NOW - DAY + 1)),
        ("recording_storage_duration__gte=1", Span()),
        ("recording_storage_duration__gt=1", Span(until=NOW - DAY + 1)),
        ("recording_storage_duration_lte=1", Span(from_=NOW - DAY + 1)),
    ],
)
def test_windows(query: str, span: Span) -> None:
    """Seven days unless a time, a number of days or a call is named."""
    assert parse(query).completed_at == span


def test_too_wide_a_range_is_refused() -> None:
    """As with sessions."""
    refused = outcome(parse, "add_time__gte=2025-01-01&add_time__lt=2026-01-01")
    assert isinstance(refused, PlivoError)
    assert refused.text == "Invalid parameter. add_time range should be within 30 days."


def test_numbers_and_conferences() -> None:
    """Numbers with and without plus; whatever names a conference finds nothing; all are repeated in links."""
    query = parse("from_number=912025550000&toNumber=%2B912025551111&mpc_name=x")
    assert (query.from_number, query.to_number) == (E164("+912025550000"), E164("+912025551111"))
    assert query.is_of_conference
    assert query.kept == (
        ("from_number", "912025550000"),
        ("mpc_name", "x"),
        ("to_number", "+912025551111"),
    )
    assert not parse("from_number=912025550000").is_of_conference


@given(age=st.integers(0, 400 * DAY), days=st.integers(-1, 401))
def test_storage_days_and_their_filter_agree(age: int, days: int) -> None:
    """A recording is found by exactly the number of days that its object shows."""
    completed_at = NOW - age
    span = parse(f"recording_storage_duration={days}").completed_at
    is_found = (span.from_ is None or span.from_ <= completed_at) and (
        span.until is None or completed_at < span.until
    )
    assert is_found is (storage_days(completed_at, NOW) == days)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["from_number", "add_time__gt", "recording_storage_duration_lt", "call_uuid"])
            | st.text(max_size=5),
            st.text(max_size=20) | st.integers().map(str),
        ),
        max_size=4,
    )
)
def test_any_query_is_read_or_refused(pairs: list[tuple[str, str]]) -> None:
    """A query, or PlivoError 400."""
    query = "&".join(f"{key}={value}" for key, value in pairs).encode("utf-8", "replace")
    found = outcome(lambda data: parse_query(data, country="IN", now=NOW), query)
    assert not isinstance(found, PlivoError) or found.status == 400
