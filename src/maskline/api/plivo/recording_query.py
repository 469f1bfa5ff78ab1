"""The query of the Plivo dialect's list of recordings.

Source: Plivo voice API, list all recordings (2024).
"""

import re
from dataclasses import dataclass
from typing import Final

from maskline.api.plivo import errors, fields, listing
from maskline.api.plivo.times import DAY_US
from maskline.core.masking import Span
from maskline.core.numbers import E164, parse_number

EXACT: Final = {
    "subaccount": "subaccount",
    "calluuid": "call_uuid",
    "fromnumber": "from_number",
    "tonumber": "to_number",
    "conferencename": "conference_name",
    "conferenceuuid": "conference_uuid",
    "mpcname": "mpc_name",
    "mpcuuid": "mpc_uuid",
}
_OF_CONFERENCES: Final = frozenset({"conference_name", "conference_uuid", "mpc_name", "mpc_uuid"})
_RANGE: Final = re.compile(r"(addtime|recordingstorageduration)(gte|gt|lte|lt)?")
_AXES: Final = {"addtime": "add_time", "recordingstorageduration": "recording_storage_duration"}
_DAYS_MAX: Final = 100_000
"""Days that a filter may name: no recording is centuries old, and instants stay in the range of databases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingQuery:
    """A parsed list query. `kept` are its filters in our spelling, for the links to other pages."""

    subaccount: str | None
    call: str | None
    from_number: E164 | None
    to_number: E164 | None
    is_of_conference: bool
    """Whether recordings of conferences are asked for, of which there are none."""
    completed_at: Span
    limit: int
    offset: int
    kept: tuple[tuple[str, str], ...]


def parse_query(query: bytes, *, country: str, now: int) -> RecordingQuery:
    """Read the raw query string of a list; `country` is the account's, `now` in µs UTC. Raises PlivoError 400.

    The last seven days are searched where neither a time nor a call is named.
    """
    exact: dict[str, str] = {}
    spans: dict[str, Span] = {}
    kept: dict[str, str] = {}
    for key, value in listing.read_pairs(query):
        folded = fields.fold_key(key)
        if folded in EXACT:
            kept[EXACT[folded]] = value
        elif folded in ("limit", "offset"):
            exact[folded] = value
        elif found := _RANGE.fullmatch(folded):
            name = _AXES[found.group(1)]
            span = listing.parse_span(name, found.group(2), value)
            spans[name] = listing.narrow(spans.get(name, Span()), span)
            kept[f"{name}__{found.group(2)}" if found.group(2) else name] = value
    added = spans.get("add_time")
    is_windowed = added is not None or not (spans or "call_uuid" in kept)
    completed_at = listing.apply_window("add_time", added, now) if is_windowed else Span()
    if (stored := spans.get("recording_storage_duration")) is not None:
        completed_at = listing.narrow(completed_at, _stored_for(stored, now))
    return RecordingQuery(
        subaccount=fields.read_subaccount("subaccount", kept["subaccount"]) if "subaccount" in kept else None,
        call=fields.read_text("call_uuid", kept["call_uuid"]) if "call_uuid" in kept else None,
        from_number=_parse_number("from_number", kept, country),
        to_number=_parse_number("to_number", kept, country),
        is_of_conference=not _OF_CONFERENCES.isdisjoint(kept),
        completed_at=completed_at,
        limit=listing.parse_limit(exact),
        offset=listing.parse_offset(exact),
        kept=tuple(sorted(kept.items())),
    )


def storage_days(completed_at: int, now: int) -> int:
    """For how many days a recording is stored, the first one counting from its beginning."""
    return max(now - completed_at, 0) // DAY_US + 1


def _stored_for(days: Span, now: int) -> Span:
    """When recordings were added that are stored for so many days."""

    def since(count: int) -> int:
        return now - (max(-_DAYS_MAX, min(count, _DAYS_MAX)) - 1) * DAY_US + 1

    return Span(
        from_=None if days.until is None else since(days.until),
        until=None
        if days.from_ is None or days.from_ <= 1
        else since(days.from_),  # each is for one at least
    )


def _parse_number(name: str, kept: dict[str, str], country: str) -> E164 | None:
    if name not in kept:
        return None
    number = parse_number(kept[name], country=country, is_country_code_first=True)
    if number is None:
        raise errors.not_a_phone_number(name)
    return number
