import asyncio

import pytest
from fastapi import Request
from starlette.types import Message

from maskline.api import body
from maskline.api.body import DRAIN_BYTES_MAX, BodyTooLargeError, BodyTooSlowError, read_body


class Sender:
    """Hands out chunks and counts them."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks
        self.taken = 0

    async def receive(self) -> Message:
        chunk = self.chunks[self.taken]
        self.taken += 1
        return {"type": "http.request", "body": chunk, "more_body": self.taken < len(self.chunks)}


def request(sender: Sender, content_length: str | None = None) -> Request:
    headers = [] if content_length is None else [(b"content-length", content_length.encode())]
    return Request({"type": "http", "method": "POST", "headers": headers}, sender.receive)


@pytest.mark.parametrize("chunks", [[b""], [b"abcd"], [b"ab", b"", b"cd"]])
async def test_a_body_is_joined(chunks: list[bytes]) -> None:
    """However it arrives."""
    assert await read_body(request(Sender(chunks)), 4) == b"".join(chunks)


async def test_one_byte_too_many_is_refused() -> None:
    """And the rest is read, so that the client gets to hear of it."""
    sender = Sender([b"abcd", b"e", b"f"])
    with pytest.raises(BodyTooLargeError):
        await read_body(request(sender), 4)
    assert sender.taken == 3


async def test_endless_bodies_are_not_read_to_the_end() -> None:
    """Nor kept."""
    sender = Sender([bytes(DRAIN_BYTES_MAX // 4)] * 100)
    with pytest.raises(BodyTooLargeError):
        await read_body(request(sender), 4)
    assert sender.taken == 5


async def test_a_declared_length_is_believed_when_too_large() -> None:
    """Nothing of such a body is kept; nonsense in the header is no length."""
    with pytest.raises(BodyTooLargeError):
        await read_body(request(Sender([b"ab"]), "5"), 4)
    assert await read_body(request(Sender([b"ab"]), "-1e9"), 4) == b"ab"


async def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bounded time."""
    monkeypatch.setattr(body, "BODY_READ_TIMEOUT_S", 0.01)

    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(BodyTooSlowError):
        await read_body(Request({"type": "http", "method": "POST", "headers": []}, never), 4)
