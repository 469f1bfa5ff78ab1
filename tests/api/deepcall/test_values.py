"""Single values: numbers, ends, references."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.world import NOW

from maskline.api.deepcall import values
from maskline.api.deepcall.errors import Code, DeepCallError
from maskline.clock import from_datetime, to_datetime
from maskline.core.numbers import DID, E164
from maskline.webhooks.deepcall_words import render_time

KOLKATA = "Asia/Kolkata"
MOMENT = "2026-11-22 12:00:00"
AT = from_datetime(datetime(2026, 11, 22, 6, 30, tzinfo=UTC))


def code_of(call: object, *args: object, **kwargs: object) -> tuple[Code, str]:
    with pytest.raises(DeepCallError) as caught:
        call(*args, **kwargs)  # type: ignore[operator]
    return caught.value.code, caught.value.message


@pytest.mark.parametrize(
    "written",
    [
        9812300001,
        919812300001,
        9812300001.0,
        9.1981230000100e11,
        "9812300001",
        "09812300001",
        "919812300001",
        "+919812300001",
        " 919812300001",  # a form's plus, decoded
        "00919812300001",
        "+91 98123-00001",
    ],
)
def test_one_number_written_in_many_ways(written: object) -> None:
    """In the account's country first."""
    assert values.read_phone({"m1": written}, "m1", "IN") == E164("+919812300001")


def test_a_number_too_long_for_the_country_begins_with_its_country_code() -> None:
    """As those that the dialect itself answers."""
    assert values.parse_phone("919812300001", "US") == E164("+919812300001")
    assert values.parse_phone("4155550100", "US") == E164("+14155550100")


@pytest.mark.parametrize(
    "written",
    [True, False, 1, -9812300001, 98123.5, [], {}, "abc", "9" * 65, "1" * 30, 10**50, float("inf"), "\x00"],
)
def test_what_is_no_number(written: object) -> None:
    """1000, named."""
    assert code_of(values.read_phone, {"m1": written}, "m1", "IN") == (
        Code.INVALID,
        "Invalid parameters: m1 is not a valid phone number",
    )


def test_a_mask_is_read_as_answered_and_as_dialled() -> None:
    """With its country code, as a JSON number too; or as a national number."""
    assert values.read_mask({"mask": 912269900000}, "IN") == (DID("+912269900000"),) * 2
    assert values.read_mask({"mask": "+12025550100"}, "IN")[0] == "+12025550100"
    assert values.read_mask({"mask": "2269900000"}, "IN") == (DID("+2269900000"), DID("+912269900000"))
    assert values.read_mask({}, "IN") == ()
    assert code_of(values.read_mask, {"mask": "x"}, "IN")[0] is Code.INVALID
    assert code_of(values.read_mask, {"mask": True}, "IN")[0] is Code.INVALID


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (AT // 1_000_000, AT),
        (str(AT // 1_000_000), AT),
        (AT // 1_000, AT),
        (float(AT // 1_000_000), AT),
        (MOMENT, AT),
        ("2026-11-22T12:00:00", AT),
        ("2026-11-22T06:30:00Z", AT),
        ("2026-11-22T12:00:00+05:30", AT),
        ("2026-11-22T12:00:00 05:30", AT),  # a form's plus, decoded
        ("2026-11-22T12:00:00+0530", AT),
        ("2026-11-22 01:30:00-05:00", AT),
        ("2026-11-22T06:30:00.250Z", AT + 250_000),
    ],
)
def test_times_in_all_their_forms(given_: object, expected: int) -> None:
    """Epoch seconds and milliseconds, the account's clock on the wall, ISO 8601."""
    assert values.parse_time(given_, KOLKATA) == expected


@pytest.mark.parametrize(
    "given_",
    [
        "soon",
        "2026-11-22",
        "2026-13-01 00:00:00",
        "0000-00-00 00:00:00",
        "0001-01-01 00:00:00",
        "9999-12-31T23:59:59-23:59",
        "2026-11-22T12:00:00+25:00",
        "22-11-2026 12:00:00",
        True,
        1.5,
        [],
        {},
    ],
)
def test_what_is_no_time_is_1502(given_: object) -> None:
    """The vendor has one code for both ways of giving an expiry."""
    assert (
        code_of(values.read_end, {"expirytime": given_}, now=NOW, timezone=KOLKATA)[0]
        is Code.EXPIRY_NOT_INTEGER
    )


@pytest.mark.parametrize("given_", [True, 1.5, "1.5", "ten", "1e3", [], {}, "٣", "9" * 21])
def test_what_is_no_duration_is_1502(given_: object) -> None:
    """An integer is wanted."""
    assert (
        code_of(values.read_end, {"expiryduration": given_}, now=NOW, timezone=KOLKATA)[0]
        is Code.EXPIRY_NOT_INTEGER
    )


@pytest.mark.parametrize(
    ("given_", "minutes"), [(10, 10), ("10", 10), (" +10 ", 10), (1e1, 10), (-1, -1), ("-1", -1)]
)
def test_durations_are_minutes_from_now(given_: object, minutes: int) -> None:
    """Negative ones are in the past, which is for the caller to judge."""
    end = values.read_end({"expiryduration": given_}, now=NOW, timezone=KOLKATA)
    assert end == NOW + minutes * 60_000_000


def test_a_time_wins_over_a_duration() -> None:
    """Even over a broken one, which is not looked at."""
    fields = {"expirytime": MOMENT, "expiryduration": "x"}
    assert values.read_end(fields, now=NOW, timezone=KOLKATA) == AT
    assert values.read_end({}, now=NOW, timezone=KOLKATA) is None


@pytest.mark.parametrize(
    "given_", [{"expiryduration": 525_601}, {"expiryduration": 10**300}, {"expirytime": 10**300}]
)
def test_a_year_is_the_longest(given_: dict[str, object]) -> None:
    """365 days, and not a minute more."""
    assert code_of(values.read_end, given_, now=NOW, timezone=KOLKATA)[0] is Code.INVALID
    year = {"expiryduration": 525_600}
    assert values.read_end(year, now=NOW, timezone=KOLKATA) == NOW + 365 * 86_400_000_000


def test_references_are_short_printable_texts() -> None:
    """JSON numbers are taken for their digits."""
    assert values.read_event_id({"eventid": " order 7 "}) == "order 7"
    assert values.read_event_id({"eventid": 7}) == "7"
    assert values.read_event_id({"eventid": "ह" * 200}) == "ह" * 200
    assert values.read_event_id({}) is None
    refused: tuple[object, ...] = ("x" * 201, "a\x00b", "\ud800", True, 1.5, [], {})
    for wrong in refused:
        assert code_of(values.read_event_id, {"eventid": wrong})[0] is Code.INVALID


def test_texts_are_bounded() -> None:
    """Numbers are taken for their digits, as an unquoted userId is sent."""
    assert values.read_text({"userid": 12345678}, "user_id") == "12345678"
    refused: tuple[object, ...] = ("x" * 257, "a\nb", True, [], {})
    for wrong in refused:
        assert code_of(values.read_text, {"token": wrong}, "token") == (
            Code.INVALID,
            "Invalid parameters: token is no text of at most 256 printable characters",
        )


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1)),  # noqa: DTZ001  # each zone in turn
    st.sampled_from([KOLKATA, "UTC", "America/New_York"]),
)
def test_what_is_shown_is_read_back(wall: datetime, zone: str) -> None:
    """To the second, but for the hour that a clock shows twice."""
    at = from_datetime(wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))
    shown = render_time(at, zone)
    read = values.parse_time(shown, zone)
    assert read is not None
    assert abs(to_datetime(read) - to_datetime(at)) <= timedelta(hours=1, seconds=1)
    if zone != "America/New_York":
        assert read == at // 1_000_000 * 1_000_000


@given(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)
)
def test_no_value_breaks_a_reader(value: object) -> None:
    """Each answers or refuses."""
    for read in (
        lambda: values.read_end({"expirytime": value}, now=NOW, timezone=KOLKATA),
        lambda: values.read_end({"expiryduration": value}, now=NOW, timezone=KOLKATA),
        lambda: values.read_phone({"m1": value}, "m1", "IN"),
        lambda: values.read_mask({"mask": value}, "IN"),
        lambda: values.read_event_id({"eventid": value}),
        lambda: values.read_text({"token": value}, "token"),
    ):
        try:
            read()
        except DeepCallError:
            continue
