"""SIP messages as immutable values.

Source: RFC 3261 section 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from maskline.sip.errors import RemoteProtocolError
from maskline.sip.header_names import AS_WRITTEN, LIST_HEADERS, canonical_name
from maskline.sip.headers import (
    MAX_FORWARDS_MAX,
    CSeq,
    NameAddr,
    Via,
    parse_cseq,
    parse_name_addr,
    parse_number,
    parse_via,
    render_via,
    split_list,
)
from maskline.sip.uri import SIPURI, parse_uri


class Headers:
    """The header fields of a message: immutable, in order, names in canonical long form.

    Values are text without folding and without space at the ends. Look-ups take canonical names. Messages
    hold no Content-Length: the parser has used it, the renderer counts anew.
    """

    __slots__ = ("_addresses", "_cseq", "_from", "_index", "_items", "_to", "_via")

    def __init__(
        self,
        items: Iterable[tuple[str, str]] = (),
        *,
        is_canonical: bool = False,
        index: Mapping[str, list[str]] | None = None,
    ) -> None:
        """Take name and value pairs, with names as they come unless said to be canonical.

        `index` is the same by name, for those who have it and look up a lot; the names are canonical then.
        """
        if not is_canonical and index is None:
            items = ((AS_WRITTEN.get(name) or canonical_name(name), value) for name, value in items)
        self._items: tuple[tuple[str, str], ...] = tuple(items)
        self._index = index
        self._via: Via | None = None
        self._from: NameAddr | None = None
        self._to: NameAddr | None = None
        self._cseq: CSeq | None = None
        self._addresses: dict[str, tuple[NameAddr, ...]] | None = None

    @property
    def items(self) -> tuple[tuple[str, str], ...]:
        """All fields, in order."""
        return self._items

    def fields(self, name: str) -> tuple[str, ...]:
        """Return every raw value of that name, lists not split."""
        if self._index is None:
            return tuple(value for key, value in self._items if key == name)
        return tuple(self._index.get(name, ()))

    def get(self, name: str) -> str | None:
        """Return the first raw value of that name."""
        if self._index is None:
            return next((value for key, value in self._items if key == name), None)
        values = self._index.get(name)
        return values[0] if values else None

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of that name; lists are split at their commas. Raises RemoteProtocolError."""
        values = self.fields(name)
        if not values or name not in LIST_HEADERS:
            return values
        if len(values) == 1:
            return split_list(values[0])
        return tuple(part for value in values for part in split_list(value))

    def addresses(self, name: str) -> tuple[NameAddr, ...]:
        """Return every address of that name (Contact, Route, Record-Route, P-Asserted-Identity), parsed once.

        Raises RemoteProtocolError; not for messages from the parser, which has looked at them already.
        """
        cache = self._addresses
        if cache is None:
            cache = self._addresses = {}
        found = cache.get(name)
        if found is None:
            found = cache[name] = tuple(map(parse_name_addr, self.all(name)))
        return found

    def read(self) -> None:
        """Parse Via, From, To and CSeq now, so that reading them later does not raise.

        Raises RemoteProtocolError.
        """
        self._via = parse_via(_first(self.get("Via")))
        self._from = parse_name_addr(_required(self.get("From"), "From"))
        self._to = parse_name_addr(_required(self.get("To"), "To"))
        self._cseq = parse_cseq(_required(self.get("CSeq"), "CSeq"))

    def with_top(self, name: str, value: str) -> Headers:
        """Return the same fields with the first element of the first field of that name replaced."""
        for place, (key, old) in enumerate(self._items):
            if key == name:
                rest = split_list(old)[1:] if name in LIST_HEADERS else ()
                changed = (key, ", ".join((value, *rest)))
                return Headers((*self._items[:place], changed, *self._items[place + 1 :]))
        raise KeyError(name)

    def with_top_via(self, via: Via) -> Headers:
        """Return the same fields with the topmost Via replaced; what was parsed already stays parsed."""
        value = ", ".join((render_via(via), *split_list(_required(self.get("Via"), "Via"))[1:]))
        place = next(place for place, (name, _) in enumerate(self._items) if name == "Via")
        items = (*self._items[:place], ("Via", value), *self._items[place + 1 :])
        result = Headers(items, is_canonical=True)
        result._via = via
        result._from, result._to, result._cseq = self._from, self._to, self._cseq
        result._addresses = self._addresses
        return result

    @property
    def via(self) -> Via:
        """The topmost Via."""
        if self._via is None:
            self._via = parse_via(_first(self.get("Via")))
        return self._via

    @property
    def from_(self) -> NameAddr:
        """The From address."""
        if self._from is None:
            self._from = parse_name_addr(_required(self.get("From"), "From"))
        return self._from

    @property
    def to(self) -> NameAddr:
        """The To address."""
        if self._to is None:
            self._to = parse_name_addr(_required(self.get("To"), "To"))
        return self._to

    @property
    def cseq(self) -> CSeq:
        """The CSeq value."""
        if self._cseq is None:
            self._cseq = parse_cseq(_required(self.get("CSeq"), "CSeq"))
        return self._cseq

    def __eq__(self, other: object) -> bool:
        return self._items == other._items if isinstance(other, Headers) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __repr__(self) -> str:
        # Values carry numbers and addresses; only names may reach a log.
        return f"Headers({', '.join(name for name, _ in self._items)})"


def _required(value: str | None, name: str) -> str:
    if not value:
        raise RemoteProtocolError(f"{name} is missing")
    return value


def _first(value: str | None) -> str:
    text = _required(value, "Via")
    return split_list(text)[0] if "," in text else text


class _MessageMixin:
    """What requests and responses share. Every property raises RemoteProtocolError when malformed."""

    __slots__ = ()
    headers: Headers

    @property
    def via(self) -> Via:
        """The topmost Via."""
        return self.headers.via

    @property
    def from_(self) -> NameAddr:
        """The From address."""
        return self.headers.from_

    @property
    def to(self) -> NameAddr:
        """The To address."""
        return self.headers.to

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact; None when there is none or it is `*`."""
        if self.headers.get("Contact") in {None, "*"}:
            return None
        found = self.headers.addresses("Contact")
        return found[0] if found else None

    @property
    def call_id(self) -> str:
        """The Call-ID, compared byte by byte."""
        return _required(self.headers.get("Call-ID"), "Call-ID")

    @property
    def cseq(self) -> CSeq:
        """The sequence number and method."""
        return self.headers.cseq


@dataclass(frozen=True, slots=True)
class Request(_MessageMixin):
    """A request. `uri` is the Request-URI as text; `target` is the same parsed."""

    method: str
    uri: str = field(repr=False)
    headers: Headers
    body: bytes = field(default=b"", repr=False)
    _target: SIPURI | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def target(self) -> SIPURI:
        """The Request-URI. Raises RemoteProtocolError with 400 or 416."""
        if self._target is None:
            object.__setattr__(self, "_target", parse_uri(self.uri))
            assert self._target is not None
        return self._target

    def with_headers(self, headers: Headers) -> Request:
        """Return the same request with other fields; a parsed Request-URI stays parsed."""
        changed = Request(self.method, self.uri, headers, self.body)
        object.__setattr__(changed, "_target", self._target)
        return changed

    @property
    def max_forwards(self) -> int | None:
        """The Max-Forwards value, 0 to 255, or None when absent (RFC 2543)."""
        value = self.headers.get("Max-Forwards")
        return None if value is None else parse_number(value, MAX_FORWARDS_MAX)


@dataclass(frozen=True, slots=True)
class Response(_MessageMixin):
    """A response; `reason` is the phrase of its first line, which may be empty."""

    status: int
    reason: str = field(repr=False)
    headers: Headers
    body: bytes = field(default=b"", repr=False)


Message = Request | Response
