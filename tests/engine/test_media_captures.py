"""Captures: what is in them, where they lie, and what is left of them when things break."""

import os
import signal
import stat
import struct
import sys
import tempfile
from pathlib import Path

import pytest

from maskline.engine.media_captures import prepare_spool
from maskline.engine.media_client import MediaRelay, RelayPorts, RelayRefused, RelayUnknownCall, Side
from maskline.engine.media_supervisor import MediaSupervisor
from maskline.media.rtp import RTPPacket, parse_rtp
from tests.engine.media_rig import (
    KEYS_TYPE,
    Party,
    Talker,
    guard,
    make_settings,
    parties,
    press,
    talk,
    until,
)

A, B = "127.0.0.11", "127.0.0.12"
RECORD_BYTES = 16
IP_UDP_BYTES = 14 + 20 + 8

# A guard whose files may hold 8 KB: what a full disk is to a capture.
_SMALL_DISK_PROGRAM = """
import resource, sys
from maskline.engine import media_guard
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
sys.exit(media_guard.main(sys.argv[1:]))
"""


def read_capture(path: Path) -> list[tuple[int, RTPPacket]]:
    """Return the packets of a capture, each with the port of ours it was sent to; a cut record is left out."""
    data = path.read_bytes()
    assert struct.unpack_from("<IHH", data) == (0xA1B2C3D4, 2, 4)
    at, packets = 24, []
    while at + RECORD_BYTES <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        record = data[at + RECORD_BYTES :][:size]
        if len(record) < size:
            break
        packets.append((struct.unpack_from("!H", record, 36)[0], parse_rtp(record[IP_UDP_BYTES:])))
        at += RECORD_BYTES + size
    return packets


def live(spool: str) -> list[str]:
    """What is being captured."""
    return sorted(os.listdir(f"{spool}/live"))


def done(spool: str) -> list[str]:
    """What has been."""
    return sorted(os.listdir(f"{spool}/done"))


async def joined(relay: MediaRelay, call: str, a: Party, b: Party) -> RelayPorts:
    """A connected call whose first party's keys are watched and hidden."""
    ports = await relay.open(call, a.media())
    await relay.watch_digits(call, Side.A, KEYS_TYPE, is_hidden=True)
    await relay.connect(call, Side.B, b.media())
    return ports


async def test_both_parties_in_one_capture() -> None:
    """All that both send from its start to its end is in the file, each under its own port, and nothing before."""
    with parties(A, B) as (a, b):
        async with guard() as (supervisor, relay):
            spool = supervisor.settings.spool
            ports = await joined(relay, "call", a, b)
            first = Talker(a, (ports.address_a, ports.port_a), 440)
            second = Talker(b, (ports.address_b, ports.port_b), 1000)
            press(a, first.to, "7")
            press(a, first.to, "3")
            await talk(first, second, for_s=0.1)
            await relay.start_recording("call", "rec1")
            assert (live(spool), done(spool)) == (["rec1.pcap"], [])
            await talk(first, second, for_s=0.4)
            await relay.stop_recording("call")
            assert (live(spool), done(spool)) == ([], ["rec1.pcap"])
            await talk(first, second, for_s=0.1)
            await relay.stop_recording("call")
            path = Path(spool, "done", "rec1.pcap")
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
            packets = read_capture(path)
    from_a = [packet for port, packet in packets if port == ports.port_a]
    from_b = [packet for port, packet in packets if port == ports.port_b]
    assert len(packets) == len(from_a) + len(from_b) == 40
    assert {packet.source for packet in from_a} == {a.source}
    assert {packet.source for packet in from_b} == {b.source}
    assert {packet.payload_type for packet in from_a + from_b} == {0}


async def test_closing_a_call_ends_its_capture() -> None:
    """Two captures of one call have two files; the second ends with the call, whoever ends that."""
    with parties(A, B) as (a, b):
        async with guard(ttl_s=1) as (supervisor, relay):
            spool = supervisor.settings.spool
            ports = await joined(relay, "call", a, b)
            for name in ("one", "two"):
                await relay.stop_recording("call")
                await relay.start_recording("call", name)
                a.say((ports.address_a, ports.port_a), name.encode())
                b.hear(name.encode())
            assert (live(spool), done(spool)) == (["two.pcap"], ["one.pcap"])
            await relay.close("call")
            await until(lambda: done(spool) == ["one.pcap", "two.pcap"])
            await joined(relay, "silent", a, b)
            await relay.start_recording("silent", "three")
            await until(lambda: "three.pcap" in done(spool))
            assert live(spool) == []


async def test_what_cannot_be_captured() -> None:
    """Strange names, a name already used, a second capture, an unknown call: refused, and the call goes on."""
    with parties(A, B) as (a, b):
        async with guard() as (supervisor, relay):
            spool = supervisor.settings.spool
            ports = await joined(relay, "call", a, b)
            for name in ("", "a b", "../x", "x.pcap", "a/b", "é", "x" * 65, "x\nX"):
                with pytest.raises(RelayRefused):
                    await relay.start_recording("call", name)
            with pytest.raises(RelayUnknownCall):
                await relay.start_recording("never", "rec")
            with pytest.raises(RelayUnknownCall):
                await relay.stop_recording("never")
            await relay.start_recording("call", "rec")
            with pytest.raises(RelayRefused):
                await relay.start_recording("call", "other")
            await relay.stop_recording("call")
            with pytest.raises(RelayRefused):
                await relay.start_recording("call", "rec")
            os.rmdir(f"{spool}/live")
            with pytest.raises(RelayRefused):
                await relay.start_recording("call", "nowhere")
            a.say((ports.address_a, ports.port_a), b"still there")
            assert b.hear(b"still there") == []
            os.mkdir(f"{spool}/live")
            await relay.start_recording("call", "again")


async def test_a_full_disk_ends_the_capture_only() -> None:
    """When no more can be written the parties go on talking, and what was written can be read."""
    with parties(A, B) as (a, b):
        command = (sys.executable, "-c", _SMALL_DISK_PROGRAM)
        async with guard(command=command) as (supervisor, relay):
            ports = await joined(relay, "call", a, b)
            await relay.start_recording("call", "full")
            to_a, to_b = (ports.address_a, ports.port_a), (ports.address_b, ports.port_b)
            for number in range(100):
                a.say(to_a, bytes(160) + b"a%d" % number)
                assert b.hear(b"a%d" % number) == []
                b.say(to_b, bytes(160) + b"b%d" % number)
                assert a.hear(b"b%d" % number) == []
            await relay.stop_recording("call")
            path = Path(supervisor.settings.spool, "done", "full.pcap")
            await until(path.exists)
            packets = read_capture(path)
    size = 24 + sum(RECORD_BYTES + IP_UDP_BYTES + 12 + len(packet.payload) for _, packet in packets)
    assert 4096 <= size <= 8192


async def test_what_a_killed_guard_leaves() -> None:
    """After a kill the file holds all but the last 4 KB, and the next guard moves it to the done ones."""
    with parties(A, B) as (a, b):
        async with guard() as (supervisor, relay):
            spool = supervisor.settings.spool
            ports = await joined(relay, "call", a, b)
            await relay.start_recording("call", "killed")
            for number in range(100):
                a.say((ports.address_a, ports.port_a), bytes(160) + b"a%d" % number)
                assert b.hear(b"a%d" % number) == []
            assert supervisor.pid is not None
            os.kill(supervisor.pid, signal.SIGKILL)
            await until(lambda: not relay.is_connected)
            await until(lambda: relay.is_connected)
            assert (live(spool), done(spool)) == ([], ["killed.pcap"])
            packets = read_capture(Path(spool, "done", "killed.pcap"))
            await joined(relay, "next", a, b)
            await relay.start_recording("next", "after")
    assert 100 - 4096 / (RECORD_BYTES + IP_UDP_BYTES + 12 + 161) <= len(packets) < 100
    assert [packet.payload[160:] for _, packet in packets] == [b"a%d" % each for each in range(len(packets))]


async def test_a_clean_stop_loses_nothing() -> None:
    """A guard that is told to stop leaves every capture whole among the done ones."""
    with tempfile.TemporaryDirectory() as directory, parties(A, B) as (a, b):
        async with MediaSupervisor(make_settings(directory), switch="test") as supervisor:
            relay = supervisor.relay
            ports = await joined(relay, "call", a, b)
            await relay.start_recording("call", "whole")
            a.say((ports.address_a, ports.port_a), b"only packet")
            b.hear(b"only packet")
        assert (live(directory), done(directory)) == ([], ["whole.pcap"])
        ((port, packet),) = read_capture(Path(directory, "done", "whole.pcap"))
    assert (port, packet.payload) == (ports.port_a, b"only packet")


def test_spool_is_made_and_swept(tmp_path: Path) -> None:
    """The directories are made for us alone; files move, other things stay, twice does no harm."""
    spool = tmp_path / "deep" / "spool"
    assert prepare_spool(spool) == 0
    for name in ("live", "done"):
        assert stat.S_IMODE((spool / name).stat().st_mode) == 0o700
    (spool / "live" / "x.pcap").write_bytes(b"x")
    (spool / "live" / "folder").mkdir()
    assert prepare_spool(spool) == 1
    assert prepare_spool(spool) == 0
    assert (spool / "done" / "x.pcap").read_bytes() == b"x"
    assert (spool / "live" / "folder").is_dir()
