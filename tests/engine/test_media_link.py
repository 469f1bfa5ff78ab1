"""The client against a scripted guard, and the real server against scripted clients."""

import asyncio
import contextlib
import json
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from maskline.engine.media_client import (
    DigitPressed,
    MediaTimeout,
    PlayFinished,
    RelayEvent,
    RelayLost,
    RelayRefused,
    RelayUnavailable,
    Side,
)
from maskline.engine.media_link import GuardLink
from maskline.engine.media_supervisor import MediaSupervisor
from maskline.engine.media_types import PartyMedia
from maskline.prompts.types import PromptFile
from tests.engine.media_rig import make_settings, until

A = PartyMedia(address="127.0.0.11", port=40_000, networks=("127.0.0.0/8",), is_behind_nat=True)
PROMPT = PromptFile(stem="/p", payload_type=8, duration_s=1.0)
Script = Callable[[dict[str, Any]], list[dict[str, Any]]]


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[tuple[GuardLink, list[dict[str, Any]]]]:
    """A link to a guard that answers by script; the requests seen are listed."""
    seen: list[dict[str, Any]] = []
    is_over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await follow(reader, writer)
        finally:
            writer.close()
            is_over.set()

    async def follow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            request = json.loads(line)
            seen.append(request)
            for answer in script(request):
                if answer.get("close"):
                    return
                writer.write(json.dumps(answer).encode() + b"\n")

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "s"
        server = await asyncio.start_unix_server(serve, str(path))
        link = GuardLink("tag")
        await link.connect_to(path)
        yield link, seen
        link.disconnect()
        await is_over.wait()
        server.close()
        await server.wait_closed()


def polite(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Answer everything with nothing, a list with no calls, an open with ports."""
    answers: dict[str, object] = {"list": [], "open": ["192.0.2.1", 4, "192.0.2.1", 6]}
    return [{"id": request["id"], "ok": answers.get(request["op"])}]


async def test_what_is_sent() -> None:
    """The client says hello first, then each command with all its fields."""
    async with scripted(polite) as (link, seen):
        await link.open("call", A)
        await link.connect("call", Side.B, A)
        await link.hold("call", is_held=True)
        await link.close("call")
        await link.connect("call", Side.B, A, is_muted=True)
        await link.play("call", Side.A, PROMPT, tag="t", repeats=True)
        await link.stop_playing("call", Side.A)
        await link.watch_digits("call", Side.A, 101, is_hidden=True)
        await link.start_recording("call", "rec")
        await link.stop_recording("call")
    assert [request["op"] for request in seen[:6]] == ["hello", "list", "open", "connect", "hold", "close"]
    assert seen[0]["switch"] == "tag"
    party = ["127.0.0.11", 40_000, ["127.0.0.0/8"], True]
    assert (seen[2]["a"], seen[2]["family_a"], seen[2]["family_b"]) == (party, None, 4)
    assert (seen[3]["side"], seen[3]["party"]) == ("b", party)
    for request in seen[6:]:
        assert (request.pop("call"), request.pop("id") > 0) == ("call", True)
    assert seen[6:] == [
        {"op": "connect", "side": "b", "party": party, "is_muted": True},
        {"op": "play", "side": "a", "stem": "/p", "payload_type": 8, "tag": "t", "repeats": True},
        {"op": "stop_playing", "side": "a"},
        {"op": "watch_digits", "side": "a", "payload_type": 101, "is_hidden": True},
        {"op": "start_recording", "name": "rec"},
        {"op": "stop_recording"},
    ]


async def test_events_of_the_guard() -> None:
    """Each event arrives as what it is; one of a later version's is passed over."""
    events: list[RelayEvent] = []

    def script(request: dict[str, Any]) -> list[dict[str, Any]]:
        if request["op"] != "ping":
            return polite(request)
        return [
            {"event": "play_finished", "call": "c", "side": "a", "tag": "t"},
            {"event": "unheard_of", "call": "c"},
            {"event": "digit", "call": "c", "side": "b", "digit": "#"},
            {"event": "media_timeout", "call": "c"},
            {"id": request["id"], "ok": None},
        ]

    async with scripted(script) as (link, _):
        link.set_event_handler(events.append)
        await link.ping()
    assert events == [
        PlayFinished(call="c", side="a", tag="t"),
        DigitPressed(call="c", side="b", digit="#"),
        MediaTimeout(call="c"),
    ]


async def test_stale_calls_are_deleted_on_connect() -> None:
    """What an earlier process of the same switch has left is closed; other switches' calls are not."""

    def script(request: dict[str, Any]) -> list[dict[str, Any]]:
        rows = [["old", 5.0, "tag"], ["theirs", 5.0, "other"]]
        return [{"id": request["id"], "ok": rows if request["op"] == "list" else None}]

    async with scripted(script) as (_, seen):
        assert [request["call"] for request in seen if request["op"] == "close"] == ["old"]


async def test_answers_in_any_order_and_split_anywhere() -> None:
    """Commands are pipelined; each gets its own answer however the bytes arrive."""
    held: list[dict[str, Any]] = []

    def script(request: dict[str, Any]) -> list[dict[str, Any]]:
        if request["op"] != "stats":
            return polite(request)
        held.append({"id": request["id"], "ok": [int(request["call"]), 0, 0, 0]})
        return held[::-1] if len(held) == 3 else []

    async with scripted(script) as (link, _):
        counts = await asyncio.gather(*(link.stats(str(number)) for number in (1, 2, 3)))
        assert [stats.from_a_count for stats in counts] == [1, 2, 3]


async def test_loss_fails_what_waits() -> None:
    """When the connection ends, waiting commands fail, later ones too, and one event is told."""
    events: list[RelayEvent] = []

    def script(request: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"close": True}] if request["op"] == "open" else polite(request)

    async with scripted(script) as (link, _):
        link.set_event_handler(events.append)
        with pytest.raises(RelayUnavailable):
            await link.open("call", None)
        assert events == [RelayLost()]
        assert not link.is_connected
        with pytest.raises(RelayUnavailable):
            await link.open("call", None)


async def test_silent_guard_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that owes an answer for too long is dropped."""
    monkeypatch.setattr("maskline.engine.media_link.COMMAND_TIMEOUT_S", 0.1)

    def script(request: dict[str, Any]) -> list[dict[str, Any]]:
        return [] if request["op"] == "open" else polite(request)

    async with scripted(script) as (link, _):
        with pytest.raises(RelayUnavailable):
            await link.open("call", None)


async def test_cancelled_caller() -> None:
    """A caller that was cancelled does not disturb the answers of others."""
    held: list[dict[str, Any]] = []

    def script(request: dict[str, Any]) -> list[dict[str, Any]]:
        if request["op"] == "open":
            held.extend(polite(request))
            return []
        return [*held, *polite(request)]

    async with scripted(script) as (link, seen):
        task = asyncio.get_running_loop().create_task(link.open("call", None))
        await until(lambda: any(request["op"] == "open" for request in seen))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await link.ping()


async def test_bad_ids_never_leave() -> None:
    """An id that is not ours is refused on this side already."""
    async with scripted(polite) as (link, seen):
        for call in ("", "a b", "x\n"):
            with pytest.raises(RelayRefused):
                await link.close(call)
        assert [request["op"] for request in seen] == ["hello", "list"]


async def test_full_queue_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that no guard answers do not pile up for ever."""
    monkeypatch.setattr("maskline.engine.media_link.WAITING_MAX", 2)

    def script(request: dict[str, Any]) -> list[dict[str, Any]]:
        return [] if request["op"] == "ping" else polite(request)

    async with scripted(script) as (link, _):
        waiting = [asyncio.get_running_loop().create_task(link.ping()) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(RelayUnavailable):
            await link.ping()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_connecting_twice_is_a_bug() -> None:
    """One link has one connection."""
    async with scripted(polite) as (link, _):
        with pytest.raises(RuntimeError):
            await link.connect_to(Path("/nowhere"))


HELLO = b'{"id":0,"op":"hello","switch":"raw"}\n'


@pytest.mark.parametrize(
    "said",
    [
        b"hello\n",
        b"[]\n",
        b"{}\n",
        b'{"id":1}\n',
        b'{"id":1,"op":"list"}\n',
        b'{"id":0,"op":"hello","switch":""}\n',
        b'{"id":0,"op":"hello","switch":7}\n',
        b'{"id":0,"op":"hello","switch":"' + b"x" * 65 + b'"}\n',
        HELLO + b'{"id":1,"op":"format disk"}\n',
        HELLO + b'{"id":1,"op":{}}\n',
        HELLO + b"\xff\xfe\n",
        HELLO + b"x" * 200_000,
    ],
)
async def test_server_drops_clients_that_make_no_sense(said: bytes) -> None:
    """Whoever does not speak our protocol is cut off; others are still served."""
    with tempfile.TemporaryDirectory() as spool:
        path = Path(spool) / "media.sock"
        async with MediaSupervisor(make_settings(spool), switch="good", socket_path=path) as supervisor:
            reader, writer = await asyncio.open_unix_connection(str(path))
            try:
                writer.write(said)
                async with asyncio.timeout(5):
                    while await reader.read(4096):
                        pass
            except ConnectionResetError:
                pass
            finally:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()
            await supervisor.relay.open("fine", None)


@pytest.mark.parametrize(
    "request_",
    [
        {"op": "open"},
        {"op": "open", "call": 7, "a": None, "family_a": None, "family_b": 4},
        {"op": "open", "call": "c", "a": [], "family_a": None, "family_b": 4},
        {"op": "open", "call": "c", "a": [1, 2, 3, 4], "family_a": None, "family_b": 4},
        {"op": "open", "call": "c", "a": ["1.2.3.4", "5 && X", [], False], "family_a": None, "family_b": 4},
        {"op": "open", "call": "c", "a": ["1.2.3.4 && X", 5, [], False], "family_a": None, "family_b": 4},
        {"op": "open", "call": "c", "a": ["1.2.3.4", 5, 6, False], "family_a": None, "family_b": 4},
        {"op": "open", "call": "c", "a": None, "family_a": 5, "family_b": 4},
        {"op": "connect", "call": "kept", "side": "c", "party": ["127.0.0.1", 4000, [], False]},
        {"op": "hold", "call": ["kept"], "is_held": True},
        {"op": "close", "call": {}},
        {"op": "stats", "call": "x && X"},
    ],
)
async def test_server_refuses_malformed_commands(request_: dict[str, Any]) -> None:
    """A malformed command is answered with an error and changes nothing."""
    with tempfile.TemporaryDirectory() as spool:
        path = Path(spool) / "media.sock"
        async with MediaSupervisor(make_settings(spool), switch="good", socket_path=path) as supervisor:
            await supervisor.relay.open("kept", None)
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(HELLO + json.dumps({"id": 1, **request_}).encode() + b"\n")
            async with asyncio.timeout(5):
                await reader.readline()
                answer = json.loads(await reader.readline())
            writer.close()
            await writer.wait_closed()
            assert answer["id"] == 1
            assert answer["error"] in {"refused", "unknown"}
            assert [live.call for live in await supervisor.relay.list()] == ["kept"]


def send_for_ever(client: socket.socket, line: bytes) -> None:
    """Send until cut off, within reason."""
    for _ in range(2000):
        client.sendall(line)


async def test_client_that_does_not_read_is_cut_off() -> None:
    """Answers to a client that never reads are not kept without end."""
    with tempfile.TemporaryDirectory() as spool:
        path = Path(spool) / "media.sock"
        async with MediaSupervisor(make_settings(spool), switch="good", socket_path=path) as supervisor:
            for number in range(20):
                await supervisor.relay.open(f"c{number}", None)
            deaf = socket.socket(socket.AF_UNIX)
            deaf.connect(str(path))
            deaf.sendall(HELLO)
            deaf.settimeout(5)
            line = b'{"id":1,"op":"list"}\n' * 100
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                send_for_ever(deaf, line)
            deaf.close()
            assert len(await supervisor.relay.list()) == 20
