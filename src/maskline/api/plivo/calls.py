"""Calls over HTTP: every leg that an interaction names, lists of finished ones, and those that run.

Somebody else's call is answered exactly as one that never was.
Source: Plivo voice API, retrieve a call, all calls, live calls (2024); official clients.
"""

import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from maskline.api.plivo import errors, fields, listing
from maskline.api.plivo.call_mapping import (
    HANGUP_SOURCES,
    reasons_of_code,
    reasons_of_source,
    render_leg,
    render_live_leg,
)
from maskline.api.plivo.kernel import PREFIX, PlivoAPI, PlivoRoute, auth_id_of, read_uuid
from maskline.core.call_leg import LegFilter, LegNotFound
from maskline.core.masking import Span
from maskline.core.numbers import E164, parse_number
from maskline.core.termination import Reason
from maskline.workflows import call_legs as work

_EXACT = {
    "subaccount": "subaccount",
    "calldirection": "call_direction",
    "fromnumber": "from_number",
    "tonumber": "to_number",
    "parentcalluuid": "parent_call_uuid",
    "hangupcausecode": "hangup_cause_code",
    "hangupsource": "hangup_source",
    "status": "status",
    "limit": "limit",
    "offset": "offset",
}
_RANGE = re.compile(r"(endtime|billduration)(gte|gt|lte|lt)?")
_AXES = {"endtime": "end_time", "billduration": "bill_duration"}
_LIVE, _QUEUED = "live", "queued"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQuery:
    """A parsed list query. `kept` are its filters in our spelling, for the links to other pages."""

    filter: LegFilter
    subaccount: str | None
    status: str | None
    """`live` or `queued`; None for finished calls."""
    kept: tuple[tuple[str, str], ...]


class CallAPI:
    """The operations on calls. Each takes a request and returns its answer or raises PlivoError."""

    def __init__(self, api: PlivoAPI) -> None:
        self._api = api
        self._store = api.store
        self._clock = api.clock

    def routes(self) -> tuple[PlivoRoute, ...]:
        """What is served where."""
        return (
            PlivoRoute("Call", ("GET",), "call_list", self.list),
            PlivoRoute("Call/{call_uuid}", ("GET",), "call_get", self.get),
        )

    async def list(self, request: Request) -> Response:
        """GET Call/: the legs of finished calls, or with `status` the ids of running ones."""
        account = await self._api.authenticate(request)
        now = self._clock.now()
        query = parse_query(request.scope["query_string"], country=account.country, now=now)
        subaccount_id = await self._api.find_subaccount(account, query.subaccount)
        if query.status == _QUEUED:
            return self._api.reply(200, {"calls": []})  # none waits here
        wanted = query.filter.of_subaccount(subaccount_id)
        if query.status == _LIVE:
            live = await self._store.read(work.list_live_legs, account, now, wanted)
            return self._api.reply(200, {"calls": [leg.id for leg in live]})
        page = await self._store.read(work.list_call_legs, account, wanted)
        auth_id = auth_id_of(account)
        path = f"{PREFIX}/Account/{auth_id}/Call/"
        meta = listing.render_page_meta(path, query.kept, wanted.limit, wanted.offset, page.total_count)
        objects = [render_leg(leg, auth_id) for leg in page.legs]
        return self._api.reply(200, {"meta": meta, "objects": objects})

    async def get(self, request: Request) -> Response:
        """GET Call/{uuid}/: a leg of a finished call, or with `status=live` of a running one."""
        account = await self._api.authenticate(request)
        leg_id = read_uuid(request, "call_uuid")
        status = _parse_status(dict(listing.read_pairs(request.scope["query_string"])).get("status"))
        match status:
            case None:
                found = await self._store.read(work.load_call_leg, account, leg_id)
                if not isinstance(found, LegNotFound):
                    return self._api.reply(200, render_leg(found, auth_id_of(account)))
            case "live":
                live = await self._store.read(work.load_live_leg, account, leg_id, self._clock.now())
                if not isinstance(live, LegNotFound):
                    return self._api.reply(200, render_live_leg(live))
            case _:
                pass  # none waits here
        raise errors.PlivoError(404, errors.NOT_FOUND)


def parse_query(query: bytes, *, country: str, now: int) -> CallQuery:
    """Read the raw query string of a list; `country` is the account's, `now` in µs UTC. Raises PlivoError 400."""
    exact: dict[str, str] = {}
    spans: dict[str, Span] = {}
    kept: dict[str, str] = {}
    for key, value in listing.read_pairs(query):
        folded = fields.fold_key(key)
        if folded in _EXACT:
            exact[_EXACT[folded]] = value
        elif found := _RANGE.fullmatch(folded):
            name = _AXES[found.group(1)]
            spans[name] = listing.narrow(
                spans.get(name, Span()), listing.parse_span(name, found.group(2), value)
            )
            kept[f"{name}__{found.group(2)}" if found.group(2) else name] = value
    kept |= {name: value for name, value in exact.items() if name not in ("limit", "offset")}
    direction = exact.get("call_direction")
    return CallQuery(
        filter=LegFilter(
            is_inbound=None
            if direction is None
            else fields.read_choice("call_direction", direction, "inbound", "outbound") == "inbound",
            from_number=_parse_number("from_number", exact, country),
            to_number=_parse_number("to_number", exact, country),
            parent_leg=_parse_parent(exact),
            ended_at=_apply_window(spans.get("end_time"), now),
            duration_s=spans.get("bill_duration", Span()),
            reasons=_parse_reasons(exact),
            limit=listing.parse_limit(exact),
            offset=listing.parse_offset(exact),
        ),
        subaccount=fields.read_subaccount("subaccount", exact["subaccount"])
        if "subaccount" in exact
        else None,
        status=_parse_status(exact.get("status")),
        kept=tuple(sorted(kept.items())),
    )


def _apply_window(span: Span | None, now: int) -> Span:
    """As in other lists, but a lower bound alone reaches for thirty days instead of to the present.

    Source: Plivo voice API, retrieve all calls.
    """
    if span is not None and span.from_ is not None and span.until is None:
        furthest = span.from_ + listing.WINDOW_US_MAX
        return span if now <= furthest else Span(from_=span.from_, until=furthest)
    return listing.apply_window("end_time", span, now)


def _parse_status(text: str | None) -> str | None:
    return None if text is None or not text.strip() else fields.read_choice("status", text, _LIVE, _QUEUED)


def _parse_number(name: str, exact: dict[str, str], country: str) -> E164 | None:
    if name not in exact:
        return None
    number = parse_number(exact[name], country=country, is_country_code_first=True)
    if number is None:
        raise errors.not_a_phone_number(name)
    return number


def _parse_parent(exact: dict[str, str]) -> str | None:
    return (
        fields.read_text("parent_call_uuid", exact["parent_call_uuid"]).lower()
        if "parent_call_uuid" in exact
        else None
    )


def _parse_reasons(exact: dict[str, str]) -> frozenset[Reason] | None:
    reasons: frozenset[Reason] | None = None
    if "hangup_cause_code" in exact:
        code = fields.parse_integer(exact["hangup_cause_code"])
        if code is None:
            raise errors.not_valid("hangup_cause_code")
        reasons = reasons_of_code(code)
    if "hangup_source" in exact:
        source = fields.read_choice("hangup_source", exact["hangup_source"], *HANGUP_SOURCES)
        found = reasons_of_source(source)
        reasons = found if reasons is None else reasons & found
    return reasons
