"""The query of the Plivo dialect's list: filters, windows, pages.

Clients spell the comparison suffix with one underscore or two, two of them send the plurals `created_times`,
`expiry_times` and `durations`; unknown and empty parameters are ignored.
Source: Plivo number masking, get details of all sessions, three generations of the page; official clients.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from maskline.api.plivo import errors, fields
from maskline.api.plivo.times import DAY_US, parse_time
from maskline.core.masking import LIST_LIMIT_MAX, SessionFilter, SessionStatus, Span
from maskline.core.numbers import DID, E164, parse_number

QUERY_FIELDS_MAX = 100  # three times all there are; the rest is noise or an attack
WINDOW_DEFAULT_US = 7 * DAY_US
WINDOW_US_MAX = 30 * DAY_US
OFFSET_MAX = 1_000_000_000  # more sessions than anybody pages through, and safe for every database
DURATION_S_MAX = 2**53

_RANGE = re.compile(r"(createdtime|expirytime|(?:session)?duration)s?(gte|gt|lte|lt)?")
_CANONICAL = {"createdtime": "created_time", "expirytime": "expiry_time", "duration": "duration"}
_EXACT = {
    "firstparty": "first_party",
    "secondparty": "second_party",
    "virtualnumber": "virtual_number",
    "status": "status",
    "subaccount": "subaccount",
    "limit": "limit",
    "offset": "offset",
}
_STATUSES = ("active", "expired", "in-progress", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """A parsed list query. `kept` are its filters in our spelling, for the links to other pages."""

    filter: SessionFilter
    subaccount: str | None
    kept: tuple[tuple[str, str], ...]


def parse_query(query: bytes, *, country: str, now: int) -> ListQuery:
    """Read the raw query string; `country` is the account's, `now` in µs UTC. Raises PlivoError 400."""
    exact: dict[str, str] = {}
    spans: dict[str, Span] = {}
    kept: dict[str, str] = {}
    for key, value in read_pairs(query):
        folded = fields.fold_key(key)
        if folded in _EXACT:
            exact[_EXACT[folded]] = value
        elif found := _RANGE.fullmatch(folded):
            name = _CANONICAL[found.group(1).removeprefix("session")]
            spans[name] = narrow(spans.get(name, Span()), parse_span(name, found.group(2), value))
            kept[f"{name}__{found.group(2)}" if found.group(2) else name] = value
    created, ends = _apply_windows(spans.get("created_time"), spans.get("expiry_time"), now)
    kept |= {name: value for name, value in exact.items() if name not in ("limit", "offset")}
    return ListQuery(
        filter=SessionFilter(
            first=_parse_party("first_party", exact, country),
            second=_parse_party("second_party", exact, country),
            virtual_number=_parse_virtual_number(exact),
            status=_parse_status(exact),
            created_at=created,
            ends_at=ends,
            duration_s=spans.get("duration", Span()),
            limit=parse_limit(exact),
            offset=parse_offset(exact),
        ),
        subaccount=fields.read_subaccount("subaccount", exact["subaccount"])
        if "subaccount" in exact
        else None,
        kept=tuple(sorted(kept.items())),
    )


def render_meta(query: ListQuery, path: str, total_count: int) -> dict[str, object]:
    """The `meta` object; `path` is that of the list itself, links are relative to the host."""
    return render_page_meta(path, query.kept, query.filter.limit, query.filter.offset, total_count)


def render_page_meta(
    path: str, kept: tuple[tuple[str, str], ...], limit: int, offset: int, total_count: int
) -> dict[str, object]:
    """The `meta` object of a page; `kept` are the filters that links to other pages repeat."""

    def link(to_offset: int) -> str:
        return f"{path}?{urlencode([*kept, ('limit', limit), ('offset', to_offset)])}"

    return {
        "limit": limit,
        "next": link(offset + limit) if offset + limit < total_count else None,
        "offset": offset,
        "previous": link(max(offset - limit, 0)) if offset > 0 else None,
        "total_count": total_count,
    }


def read_pairs(query: bytes) -> list[tuple[str, str]]:
    """The parameters of a query that are not empty. Raises PlivoError 400 when there are too many."""
    try:
        pairs = parse_qsl(query.decode("latin-1"), max_num_fields=QUERY_FIELDS_MAX)
    except ValueError:
        raise errors.PlivoError(400, "Malformed request. There are too many query parameters.") from None
    return [(key, value.strip()) for key, value in pairs if value.strip()]


def parse_span(name: str, comparison: str | None, text: str) -> Span:
    """What one parameter leaves of the axis; a text is as wide as its last digit, as in the answers."""
    if name.endswith("duration"):
        number = fields.parse_integer(text)
        if number is None or abs(number) > DURATION_S_MAX:
            raise errors.outside_range(name)
        start, width = number, 1
    else:
        start, width = parse_time(name, text)
    match comparison:
        case "gt":
            return Span(from_=start + width)
        case "gte":
            return Span(from_=start)
        case "lt":
            return Span(until=start)
        case "lte":
            return Span(until=start + width)
        case _:
            return Span(from_=start, until=start + width)


def narrow(one: Span, other: Span) -> Span:
    """What lies in both."""
    lows = [low for low in (one.from_, other.from_) if low is not None]
    highs = [high for high in (one.until, other.until) if high is not None]
    return Span(from_=max(lows, default=None), until=min(highs, default=None))


def _apply_windows(created: Span | None, ends: Span | None, now: int) -> tuple[Span, Span]:
    """The last seven days unless a bound is given; never more than thirty days."""
    if created is None and ends is None:
        return Span(from_=now - WINDOW_DEFAULT_US), Span()
    return _bound("created_time", created, now), _bound("expiry_time", ends, now)


def apply_window(name: str, span: Span | None, now: int) -> Span:
    """The last seven days where no bound is given, else thirty days at most."""
    return Span(from_=now - WINDOW_DEFAULT_US) if span is None else _bound(name, span, now)


def _bound(name: str, span: Span | None, now: int) -> Span:
    """An upper bound alone reaches back for thirty days; what is wider than that is refused."""
    if span is None:
        return Span()
    until = span.until
    if span.from_ is None:
        assert until is not None, "a parameter bounds at least one side"
        return Span(from_=until - WINDOW_US_MAX, until=until)
    if (now if until is None else until) - span.from_ > WINDOW_US_MAX:
        raise errors.PlivoError(400, f"Invalid parameter. {name} range should be within 30 days.")
    return span


def _parse_party(name: str, exact: dict[str, str], country: str) -> E164 | None:
    if name not in exact:
        return None
    number = parse_number(exact[name], country=country, is_country_code_first=True)
    if number is None:
        raise errors.not_a_phone_number(name)
    return number


def _parse_virtual_number(exact: dict[str, str]) -> DID | None:
    text = exact.get("virtual_number")
    if text is None:
        return None
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= fields.TEXT_LENGTH_MAX):
        raise errors.not_a_phone_number("virtual_number")
    return DID(f"+{digits}")


def _parse_status(exact: dict[str, str]) -> SessionStatus | None:
    if "status" not in exact:
        return None
    status = fields.read_choice("status", exact["status"], *_STATUSES)
    return None if status == "all" else SessionStatus(status)


def parse_limit(exact: dict[str, str]) -> int:
    """The size of a page: what more is asked for is not given. Raises PlivoError 400."""
    number = fields.parse_integer(exact.get("limit", LIST_LIMIT_MAX))
    if number is None or number < 0:
        raise errors.outside_range("limit")
    return min(number, LIST_LIMIT_MAX) or LIST_LIMIT_MAX


def parse_offset(exact: dict[str, str]) -> int:
    """How many objects come before the page. Raises PlivoError 400."""
    number = fields.parse_integer(exact.get("offset", 0))
    if number is None or not 0 <= number <= OFFSET_MAX:
        raise errors.outside_range("offset")
    return number
