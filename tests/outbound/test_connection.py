import dataclasses

import h11
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from maskline.outbound.connection import Connection
from maskline.outbound.types import FailureReason, OutboundFailed, OutboundLimits
from maskline.outbound.wire import Wire
from tests.outbound.rig import OK, AnsweringTransport

LIMITS = OutboundLimits(total_s=1, connect_s=1, read_s=0.2, response_bytes_max=100)
HEADERS = [("Host", "a.example")]


def _connection(answer: bytes, *, ends: bool = False) -> tuple[Connection, AnsweringTransport, Wire]:
    wire = Wire()
    transport = AnsweringTransport(wire, answer)
    wire.connection_made(transport)
    if ends:
        wire.data_received(answer)
        wire.eof_received()
    return Connection(wire), transport, wire


async def test_requests_follow_one_another() -> None:
    """A connection is free again after each whole answer."""
    connection, transport, _ = _connection(OK)
    for body in (None, b"", b"two"):
        assert connection.is_free
        length = [] if body is None else [("Content-Length", str(len(body)))]
        answer = await connection.exchange("POST", "/", [*HEADERS, *length], body, LIMITS)
        assert answer.body == b"ok"
    assert connection.is_free
    assert transport.written.count(b"POST / HTTP/1.1\r\n") == 3
    connection.close()
    assert transport.is_aborted
    assert not connection.is_free


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        OK + b"more",
        OK + OK,
    ],
)
async def test_connection_with_nothing_more_to_give_is_not_free(answer: bytes) -> None:
    """An answer that closes, or bytes that nobody asked for, end the connection's use."""
    connection, _, _ = _connection(answer)
    await connection.exchange("GET", "/", HEADERS, None, LIMITS)
    assert not connection.is_free


async def test_body_that_was_cut_ends_the_connection() -> None:
    """The rest of a body is in no other answer's way."""
    connection, _, _ = _connection(b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + bytes(101))
    answer = await connection.exchange("GET", "/", HEADERS, None, dataclasses.replace(LIMITS, cuts_body=True))
    assert len(answer.body) == 100
    assert not connection.is_free


async def test_provisional_answers_are_passed_over() -> None:
    """What comes before the answer is not the answer."""
    connection, _, _ = _connection(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK
    )
    assert (await connection.exchange("GET", "/", HEADERS, None, LIMITS)).body == b"ok"


async def test_body_may_last_until_the_end() -> None:
    """An answer without a length ends with the connection."""
    connection, _, wire = _connection(b"")
    wire.data_received(b"HTTP/1.1 200 OK\r\n\r\nall of it")
    wire.eof_received()
    assert (await connection.exchange("GET", "/", HEADERS, None, LIMITS)).body == b"all of it"
    assert not connection.is_free


_PIECES = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 304 x\r\n", b"HTTP/1.0 200\r\n", b"HTTP/1.1 100 x\r\n\r\n"),
        *(b"Content-Length: 5\r\n", b"Content-Length: 500\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n"),
        *(
            b"5\r\nhello\r\n",
            b"0\r\n\r\n",
            b"hello",
            b"X: y\r\n",
            b"\0",
            b"ffffff\r\n",
            b"Connection: close\r\n",
        ),
    ]
)


@given(st.lists(st.one_of(_PIECES, st.binary(max_size=5)), max_size=10).map(b"".join), st.integers(1, 40))
async def test_any_answer_is_one_or_a_failure(answer: bytes, size: int) -> None:
    """Whatever a peer says, whole or in pieces, is an answer within the limits or a failure with its reason."""
    connection, transport, wire = _connection(b"")
    for start in range(0, len(answer), size):
        wire.data_received(answer[start : start + size])
    wire.eof_received()
    reason = None
    try:
        got = await connection.exchange("GET", "/", HEADERS, None, LIMITS)
    except OutboundFailed as error:
        reason = error.reason
    else:
        assert len(got.body) <= 100
        assert 200 <= got.status < 1000
    event(reason or "answered")
    assert reason in (None, FailureReason.PROTOCOL, FailureReason.TOO_LARGE)
    assert not connection.is_free
    assert transport.written == b""  # the peer had hung up


async def test_head_is_bounded() -> None:
    """One header may not grow without end."""
    connection, _, _ = _connection(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000)
    with pytest.raises(OutboundFailed) as caught:
        await connection.exchange("GET", "/", HEADERS, None, LIMITS)
    assert caught.value.reason is FailureReason.PROTOCOL


async def test_our_own_mistakes_are_bugs() -> None:
    """A request that HTTP forbids is not a failure of the peer."""
    connection, transport, _ = _connection(OK)
    with pytest.raises(h11.LocalProtocolError):
        await connection.exchange("GET", "/ /", HEADERS, None, LIMITS)
    assert transport.written == b""
