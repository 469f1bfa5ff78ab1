"""A client for outgoing requests that goes nowhere."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from maskline.outbound.policy import parse_target
from maskline.outbound.types import (
    FailureReason,
    OutboundError,
    OutboundFailed,
    OutboundLimits,
    OutboundRefused,
    OutboundResponse,
    RefusalReason,
)

Answer = OutboundResponse | OutboundError


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """A request as it was asked for."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    limits: OutboundLimits


class FakeOutbound:
    """Has the method of `OutboundClient`; answers by URL, in the order scripted, the last answer for ever.

    A URL without a script cannot be connected to; one that the real client would not read is refused.
    """

    def __init__(self) -> None:
        self.requests: list[SentRequest] = []
        self._answers: dict[str, deque[Answer]] = {}

    def answer(
        self, url: str, *, status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer the next request to `url` so."""
        self._script(url, OutboundResponse(status=status, headers=headers or {}, body=body))

    def fail(self, url: str, reason: FailureReason | RefusalReason) -> None:
        """Let the next request to `url` fail, or be refused."""
        error = OutboundRefused(reason) if isinstance(reason, RefusalReason) else OutboundFailed(reason)
        self._script(url, error)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        limits: OutboundLimits,
    ) -> OutboundResponse:
        """Record the request and give the scripted answer."""
        self.requests.append(SentRequest(method=method, url=url, headers=headers, body=body, limits=limits))
        target = parse_target(url)
        if isinstance(target, RefusalReason):
            raise OutboundRefused(target)
        answers = self._answers.get(url)
        if answers is None:
            raise OutboundFailed(FailureReason.CONNECT)
        answer = answers.popleft() if len(answers) > 1 else answers[0]
        if isinstance(answer, OutboundError):
            raise answer
        if len(answer.body) > limits.response_bytes_max and not limits.cuts_body:
            raise OutboundFailed(FailureReason.TOO_LARGE)
        return OutboundResponse(
            status=answer.status, headers=answer.headers, body=answer.body[: limits.response_bytes_max]
        )

    def _script(self, url: str, answer: Answer) -> None:
        self._answers.setdefault(url, deque()).append(answer)
