"""Requests of ours outside any dialog: OPTIONS to see whether a peer lives, REGISTER with a carrier or from phones.

Source: RFC 3261 sections 8.1, 10.2 and 11.
"""

from dataclasses import dataclass, replace
from typing import Final

from maskline.sip.errors import LocalProtocolError, RemoteProtocolError
from maskline.sip.events import RequestAnswered, RequestID
from maskline.sip.headers import NameAddr, parse_delta_seconds, parse_name_addr
from maskline.sip.message import Response
from maskline.sip.transaction_client import ClientTransaction, Purpose
from maskline.sip.uri import SIPURI, URI, find_param, render_uri
from maskline.sip.user_agent_auth import CHALLENGES, Authenticator
from maskline.sip.user_agent_core import Core
from maskline.sip.user_agent_messages import ALLOW, SDP_TYPE, Items, user_text
from maskline.sip.user_agent_outgoing import retry_after_of
from maskline.sip.user_agent_types import OutgoingRequest

METHODS: Final = frozenset({"OPTIONS", "REGISTER"})


@dataclass(slots=True)
class _Pending:
    out: OutgoingRequest
    call_id: str
    local_tag: str
    seq: int
    authenticator: Authenticator | None


class Requests:
    """Out-of-dialog requests under way."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._pending: dict[RequestID, _Pending] = {}

    def __len__(self) -> int:
        """Count requests without an answer."""
        return len(self._pending)

    def send(self, out: OutgoingRequest, now: float) -> RequestID:
        """Send a request. Raises LocalProtocolError for methods that are not sent this way."""
        if out.method not in METHODS:
            raise LocalProtocolError("only OPTIONS and REGISTER are sent outside a dialog")
        core = self._core
        authenticator = None if out.credentials is None else Authenticator(out.credentials)
        pending = _Pending(out, out.call_id or core.new_call_id(), core.token(), out.seq - 1, authenticator)
        request = core.new_request_id()
        self._pending[request] = pending
        core.know_hosts(frozenset((out.flow.remote[0],)))
        self._start(request, pending, now, retry_count=0)
        return request

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """Take an answer; a challenge is answered when there are credentials for it."""
        request = transaction.owner
        if response.status < 200 or request is None:
            return
        request = RequestID(request)
        pending = self._pending.get(request)
        if pending is None:
            return
        if (
            response.status in CHALLENGES
            and pending.authenticator is not None
            and pending.authenticator.accept(response, transaction.retry_count)
        ):
            self._start(request, pending, now, retry_count=transaction.retry_count + 1)
            return
        self._end(request, response.status, response)

    def failed(self, transaction: ClientTransaction, status: int) -> None:
        """Report a request that got no answer."""
        if transaction.owner in self._pending:
            self._end(RequestID(transaction.owner), status)

    def _start(self, request: RequestID, pending: _Pending, now: float, *, retry_count: int) -> None:
        core = self._core
        out = pending.out
        pending.seq += 1
        uri = render_uri(out.request_uri)
        branch = core.branch()
        from_ = NameAddr(uri=out.from_uri, params=(("tag", pending.local_tag),))
        addresses: Items = (
            ("From", str(from_)),
            ("To", str(NameAddr(uri=out.to_uri))),
            ("Call-ID", pending.call_id),
        )
        extra: Items = (("Allow", ALLOW),)
        if out.method == "OPTIONS":
            extra = (*extra, ("Accept", SDP_TYPE))
        if out.contact_user is not None:
            extra = (*extra, ("Contact", core.writer.contact(out.flow, user_text(out.contact_user))))
        if out.expires_s is not None:
            extra = (*extra, ("Expires", str(out.expires_s)))
        if pending.authenticator is not None:
            extra = (*extra, *pending.authenticator.credentials(out.method, uri, core.token()))
        message = core.writer.request(
            out.method, uri, out.flow, branch, addresses, seq=pending.seq, extra=extra
        )
        transaction = core.clients.start(message, out.flow, Purpose.REQUEST, request, now, branch=branch)
        transaction.retry_count = retry_count

    def _end(self, request: RequestID, status: int, response: Response | None = None) -> None:
        pending = self._pending.pop(request)
        self._core.forget_hosts(frozenset((pending.out.flow.remote[0],)))
        answered = RequestAnswered(request=request, status=status)
        if response is not None:
            out = pending.out
            user = out.contact_user
            contact = None if user is None else self._core.writer.contact(out.flow, user_text(user))
            answered = replace(
                answered,
                expires_s=None if contact is None else granted_expires_of(response, contact),
                min_expires_s=_seconds_of(response, "Min-Expires"),
                retry_after_s=retry_after_of(response),
            )
        self._core.events.append(answered)


def granted_expires_of(response: Response, contact: str) -> int | None:
    """Return how long a registrar keeps `contact`, from its own Contact or else Expires; None when neither says.

    An answer lists every binding of the address of record; ours is told by user, host and port, and counts as there
    when there is only one (a registrar may write its host as it sees it).
    """
    ours = parse_name_addr(contact).uri
    listed = () if response.headers.get("Contact") == "*" else response.headers.addresses("Contact")
    same = [each for each in listed if _place_of(each.uri) == _place_of(ours)]
    found = next(iter(same or (listed if len(listed) == 1 else ())), None)
    value = None if found is None else find_param(found.params, "expires")
    if value is None:
        return _seconds_of(response, "Expires")
    try:
        return parse_delta_seconds(value)
    except RemoteProtocolError:
        return None


def _place_of(uri: URI) -> tuple[str | None, str, int | None]:
    return uri.user, uri.host, uri.port if isinstance(uri, SIPURI) else None


def _seconds_of(response: Response, name: str) -> int | None:
    value = response.headers.get(name)
    return None if value is None else parse_delta_seconds(value)  # the parser has looked at it
