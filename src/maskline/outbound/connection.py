"""One connection spoken to in HTTP/1.1: a request out, an answer in, within limits.

Source: RFC 9112, whose grammar and framing h11 keeps; a `Connection` only carries bytes and counts them.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import h11

from maskline.outbound.types import FailureReason, OutboundFailed, OutboundLimits, OutboundResponse
from maskline.outbound.wire import Wire

HEAD_BYTES_MAX: Final = 64 * 1024  # of one status line with its headers; servers stop at 8 to 64 kB
HEADS_BYTES_MAX: Final = 256 * 1024  # of an answer and everything before it
FRAMING_FACTOR: Final = 2  # bytes on the wire for each byte of body: chunks of reasonable size need 1.01


class Connection:
    """A connection that may serve several requests, one after the other."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)

    @property
    def is_free(self) -> bool:
        """Whether another request may be made."""
        return self._http.our_state is h11.IDLE and self._wire.is_quiet

    def close(self) -> None:
        """End the connection; a request under way fails."""
        self._wire.abort()

    async def exchange(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]],
        body: bytes | None,
        limits: OutboundLimits,
    ) -> OutboundResponse:
        """Make a request and return its answer. Raises `OutboundFailed`; the connection is then of no more use."""
        try:
            self._send(method, path, headers, body)
            answer = await self._receive(limits)
        except TimeoutError:
            raise OutboundFailed(FailureReason.TIMEOUT) from None
        except h11.RemoteProtocolError:
            raise OutboundFailed(FailureReason.PROTOCOL) from None
        if self._http.our_state is self._http.their_state is h11.DONE and not self._http.trailing_data[0]:
            self._http.start_next_cycle()
        return answer

    def _send(self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes | None) -> None:
        events = [h11.Request(method=method, target=path, headers=list(headers)), h11.EndOfMessage()]
        if body:
            events.insert(1, h11.Data(data=body))
        self._wire.write(b"".join(self._http.send(event) or b"" for event in events))

    async def _receive(self, limits: OutboundLimits) -> OutboundResponse:
        bytes_left = HEADS_BYTES_MAX + FRAMING_FACTOR * limits.response_bytes_max
        head: h11.Response | None = None
        body = bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                data = await self._wire.read(limits.read_s)
                bytes_left -= len(data)
                if bytes_left < 0:
                    raise OutboundFailed(FailureReason.TOO_LARGE)
                self._http.receive_data(data)
            elif isinstance(event, h11.Response):
                head = event
                _check_announced(head, limits)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > limits.response_bytes_max:
                    if not limits.cuts_body:
                        raise OutboundFailed(FailureReason.TOO_LARGE)
                    break  # the rest stays unread, so the connection is not free again
            elif isinstance(event, h11.EndOfMessage):
                break
            elif not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                raise OutboundFailed(
                    FailureReason.PROTOCOL
                )  # the end, or a change of protocol nobody asked for
        assert head is not None, "h11 gives no body without a head"
        return OutboundResponse(
            status=head.status_code,
            headers=_join(head),
            body=bytes(body[: limits.response_bytes_max]),
        )


def _check_announced(head: h11.Response, limits: OutboundLimits) -> None:
    """Refuse at once a body that says it is too large."""
    for name, value in head.headers:
        if name == b"content-length" and int(value) > limits.response_bytes_max and not limits.cuts_body:
            raise OutboundFailed(FailureReason.TOO_LARGE)


def _join(head: h11.Response) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
