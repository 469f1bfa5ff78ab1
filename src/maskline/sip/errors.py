"""What can go wrong in the protocol, and whose fault it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskline.sip.message import Request

BAD_REQUEST = 400


class ProtocolError(Exception):
    """Parent of the two protocol errors; never raised itself."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol.

    `status_hint` is the SIP status a request of this kind deserves. `reply_to` is as much of the request as
    a response needs (raw Via, From, To, Call-ID and CSeq), or None when nothing may be answered: a malformed
    response, an ACK, or bytes that are no SIP at all. The text is constant: it never quotes what the peer
    sent, so that it can be logged.
    """

    def __init__(
        self, message: str, *, status_hint: int = BAD_REQUEST, reply_to: Request | None = None
    ) -> None:
        super().__init__(message)
        self.status_hint = status_hint
        self.reply_to = reply_to


class LocalProtocolError(ProtocolError):
    """We tried to break the protocol: a bug of ours."""
