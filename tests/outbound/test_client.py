import asyncio
import dataclasses
import gzip
import ssl
import time

import pytest

from maskline.outbound.client import OutboundClient, trust_public_authorities
from maskline.outbound.types import FailureReason, OutboundFailed, OutboundRefused, RefusalReason
from tests.outbound.rig import LIMITS, LOOPBACK, OK, SHORT, Answer, resolving, serve


async def _get(client: OutboundClient, url: str, limits: object = LIMITS) -> object:
    return await client.request("GET", url, headers={}, body=None, limits=limits)  # type: ignore[arg-type]


async def _failure(answer: bytes | Answer, limits: object = SHORT) -> FailureReason:
    """The reason for which a request to a peer that answers so fails; the client serves others afterwards."""
    async with serve(answer) as peer, serve() as good, OutboundClient(allowed_networks=LOOPBACK) as client:
        with pytest.raises(OutboundFailed) as caught:
            await _get(client, f"http://127.0.0.1:{peer.port}/", limits)
        after = await _get(client, f"http://127.0.0.1:{good.port}/")
    assert after.status == 200  # type: ignore[attr-defined]
    return caught.value.reason


async def test_request_goes_out_as_asked() -> None:
    """Method, target, headers and body arrive, with the name as Host, and nothing that was not asked for."""
    async with (
        serve() as peer,
        OutboundClient(allowed_networks=LOOPBACK, resolver=resolving("127.0.0.1")) as client,
    ):
        answer = await client.request(
            "POST",
            f"http://Hooks.Example:{peer.port}/a?b=c",
            headers={"Content-Type": "application/json", "user-agent": "Other"},
            body=b"{}",
            limits=LIMITS,
        )
    assert (answer.status, answer.body, answer.headers) == (200, b"ok", {"content-length": "2"})
    head, _, body = peer.requests[0].partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    assert first == b"POST /a?b=c HTTP/1.1"
    assert body == b"{}"
    assert sorted(headers) == [
        b"Accept-Encoding: identity",
        b"Accept: */*",
        b"Content-Length: 2",
        b"Content-Type: application/json",
        f"Host: hooks.example:{peer.port}".encode(),
        b"user-agent: Other",
    ]


async def test_connection_serves_the_next_request() -> None:
    """Requests to one place, one after the other, share a connection."""
    async with serve() as peer, OutboundClient(allowed_networks=LOOPBACK) as client:
        for _ in range(3):
            await _get(client, f"http://127.0.0.1:{peer.port}/")
    assert peer.connection_count == 1
    assert len(peer.requests) == 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_answers(status: int) -> None:
    """A redirect is not followed, wherever it leads."""
    answer = f"HTTP/1.1 {status} x\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n".encode()
    asked = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with serve(answer) as peer, OutboundClient(allowed_networks=LOOPBACK, resolver=resolve) as client:
        got = await _get(client, f"http://a.example:{peer.port}/")
    assert got.status == status  # type: ignore[attr-defined]
    assert asked == ["a.example"]
    assert len(peer.requests) == 1


async def test_cookies_are_forgotten() -> None:
    """Nothing that one answer says is sent with the next request."""
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    async with serve(answer) as peer, OutboundClient(allowed_networks=LOOPBACK) as client:
        for _ in range(2):
            await _get(client, f"http://127.0.0.1:{peer.port}/")
    assert b"cookie" not in peer.requests[1].lower()


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request goes where its URL says, whatever proxy the machine has."""
    async with serve() as peer, serve() as proxy, OutboundClient(allowed_networks=LOOPBACK) as client:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await _get(client, f"http://127.0.0.1:{peer.port}/")
    assert proxy.connection_count == 0
    assert peer.connection_count == 1


async def test_compressed_bodies_stay_compressed() -> None:
    """A body is what was sent: nothing is unpacked, so that nothing can blow up."""
    packed = gzip.compress(bytes(1_000_000))
    answer = (
        f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
        + packed
    )
    async with serve(answer) as peer, OutboundClient(allowed_networks=LOOPBACK) as client:
        got = await _get(client, f"http://127.0.0.1:{peer.port}/")
    assert got.body == packed  # type: ignore[attr-defined]


async def test_headers_that_come_twice_are_joined() -> None:
    """Names are lower case; a second value follows the first."""
    answer = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n"
    async with serve(answer) as peer, OutboundClient(allowed_networks=LOOPBACK) as client:
        got = await _get(client, f"http://127.0.0.1:{peer.port}/")
    assert got.headers["x-a"] == "1, 2"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://localhost:{port}/"],
)
async def test_private_address_gets_no_connection(url: str) -> None:
    """Without leave, nothing reaches a server on a private address, by address or by name."""
    async with serve() as peer, OutboundClient() as client:
        with pytest.raises(OutboundRefused) as caught:
            await _get(client, url.format(port=peer.port))
        assert caught.value.reason is RefusalReason.ADDRESS_NOT_PUBLIC
        assert str(caught.value) == "address-not-public"
    assert peer.connection_count == 0


async def test_name_that_turns_private_is_refused_on_the_next_connection() -> None:
    """A name is judged for each connection by the answer that the connection uses: rebinding finds no gap."""
    answers = [["127.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["169.254.169.254"]]
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0)

    async with serve(answer) as peer, OutboundClient(allowed_networks=LOOPBACK, resolver=resolve) as client:
        await _get(client, f"http://a.example:{peer.port}/")
        for _ in range(2):
            with pytest.raises(OutboundRefused):
                await _get(client, f"http://a.example:{peer.port}/")
    assert answers == []
    assert peer.connection_count == 1


async def test_nothing_listens() -> None:
    """A refused connection is a failure to connect."""
    async with serve() as peer:
        port = peer.port
    async with OutboundClient(allowed_networks=LOOPBACK) as client:
        with pytest.raises(OutboundFailed, match="connect"):
            await _get(client, f"http://127.0.0.1:{port}/")


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def _drip(start: bytes, drop: bytes) -> Answer:
    """Send `start`, then `drop` every 20 ms for ever."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.02)

    return answer


def _flood(start: bytes, wave: bytes) -> Answer:
    """Send `start`, then `wave` for ever, as fast as it is taken."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(wave)
            await writer.drain()

    return answer


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
_UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        _silence,
        _drip(b"", b""),
        _drip(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        _drip(b"HTTP/1.1 200 OK\r\nX-A: ", b"b"),
        _drip(_LONG, b"x"),
        _drip(_CHUNKED, b"1\r\nx\r\n"),
        _drip(_UNTIL_CLOSE, b"x"),
        _drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silent", "nothing", "headers", "one-header", "body", "chunks", "until-close", "continue"],
)
async def test_slow_peer_costs_bounded_time(answer: Answer) -> None:
    """However a peer stretches its answer, the request ends in time."""
    started = time.monotonic()
    assert await _failure(answer) is FailureReason.TIMEOUT
    assert time.monotonic() - started < SHORT.total_s + 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n",
        _flood(_UNTIL_CLOSE, bytes(4096)),
        _flood(_CHUNKED, b"1000\r\n" + bytes(4096) + b"\r\n"),
        _flood(_CHUNKED, b"1;" + b"x" * 4000 + b"\r\nx\r\n"),
        _flood(b"", b"HTTP/1.1 100 Continue\r\nX-A: " + b"x" * 4000 + b"\r\n\r\n"),
    ],
    ids=["announced", "announced-absurd", "until-close", "chunks", "chunk-extensions", "continue"],
)
async def test_big_answer_costs_bounded_memory(answer: bytes | Answer) -> None:
    """Neither body nor what surrounds it grows without end."""
    assert await _failure(answer, LIMITS) is FailureReason.TOO_LARGE


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"220 mail.example ESMTP\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX A: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffffff\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 200_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_a_failure(answer: bytes) -> None:
    """Broken status lines, headers and framing are named so and end the connection."""
    assert await _failure(answer) is FailureReason.PROTOCOL


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", _LONG + b"x", _CHUNKED + b"5\r\nx"])
async def test_peer_that_goes_away_is_a_failure(start: bytes) -> None:
    """An answer that is cut short is not taken for a whole one."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        writer.close()

    assert await _failure(answer) is FailureReason.PROTOCOL


async def test_body_is_cut_for_those_who_want_the_status() -> None:
    """With `cuts_body` a long body ends at the limit, and the answer counts."""
    limits = dataclasses.replace(LIMITS, response_bytes_max=10, cuts_body=True)
    for answer in (_flood(_UNTIL_CLOSE, bytes(4096)), _LONG + bytes(9999), _drip(_LONG, bytes(11))):
        async with serve(answer) as peer, OutboundClient(allowed_networks=LOOPBACK) as client:
            got = await _get(client, f"http://127.0.0.1:{peer.port}/", limits)
            assert (got.status, len(got.body)) == (200, 10)  # type: ignore[attr-defined]
            await asyncio.wait_for(
                peer.closed.wait(), 2
            )  # a connection with the rest in it serves nobody else


async def test_connections_are_bounded_and_waiting_counts() -> None:
    """Beyond the client's connections requests wait their turn, within their own time."""
    async with (
        serve(_silence) as peer,
        OutboundClient(allowed_networks=LOOPBACK, connections_max=2) as client,
    ):
        url = f"http://127.0.0.1:{peer.port}/"
        started = time.monotonic()
        got = await asyncio.gather(*(_get(client, url, SHORT) for _ in range(20)), return_exceptions=True)
    assert [str(error) for error in got] == ["timeout"] * 20
    assert time.monotonic() - started < 2
    assert peer.connection_count <= 10  # two at a time, given up after 0.2 s, and few as the time of all ends


async def test_cancelled_requests_leave_no_connection_behind() -> None:
    """Who gives up frees the place for others, at whatever moment it happens."""
    async with (
        serve(_silence) as silent,
        serve() as good,
        OutboundClient(allowed_networks=LOOPBACK, connections_max=4) as client,
    ):
        for turn in range(40):
            task = asyncio.create_task(_get(client, f"http://127.0.0.1:{silent.port}/"))  # noqa: TID251
            for _ in range(turn):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        got = await asyncio.gather(*(_get(client, f"http://127.0.0.1:{good.port}/") for _ in range(8)))
    assert [answer.status for answer in got] == [200] * 8  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("get", {}),
        ("GET / HTTP/1.1\r\nX:", {}),
        ("GET", {"X-A": "a\r\nX-B: b"}),
        ("GET", {"X A": "b"}),
        ("GET", {"Host": "other.example"}),
        ("GET", {"transfer-encoding": "chunked"}),
    ],
)
async def test_requests_of_ours_are_well_formed(method: str, headers: dict[str, str]) -> None:
    """What would change the meaning of a request is a bug of the caller, and is not sent."""
    async with serve() as peer, OutboundClient(allowed_networks=LOOPBACK) as client:
        with pytest.raises(AssertionError):
            await client.request(
                method, f"http://127.0.0.1:{peer.port}/", headers=headers, body=None, limits=LIMITS
            )
    assert peer.connection_count == 0


async def test_errors_do_not_tell_the_url() -> None:
    """A URL may hold a token; no error repeats it."""
    async with serve(b"nonsense\r\n\r\n") as peer, OutboundClient(allowed_networks=LOOPBACK) as client:
        with pytest.raises(OutboundFailed) as caught:
            await _get(client, f"http://127.0.0.1:{peer.port}/?token=s3cret")
    assert "s3cret" not in repr(caught.value)
    assert caught.value.__suppress_context__


async def test_many_requests_at_once() -> None:
    """Requests beyond the connections are all served, on no more connections than allowed."""
    async with (
        serve(OK) as peer,
        OutboundClient(allowed_networks=LOOPBACK, connections_max=8) as client,
    ):
        got = await asyncio.gather(*(_get(client, f"http://127.0.0.1:{peer.port}/{n}") for n in range(200)))
    assert len(got) == 200
    assert peer.connection_count <= 8


def test_public_authorities_are_trusted() -> None:
    """Certificates and names are checked, against a list that is not empty."""
    context = trust_public_authorities()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
