"""What must never cross the relay, attacked with real packets; the same attacks on an engine without its
guards show that they would succeed."""

import pytest

from maskline.engine.media_client import Family, MediaRelay, Side
from tests.engine.media_rig import UNGUARDED, Party, guard, parties, rtcp_with_name

A_ADDRESS, B_ADDRESS, X_ADDRESS = "127.0.0.11", "127.0.0.12", "127.0.0.66"
SECRET = b"alice@secret.example"
EVERYTHING = {
    "rtcp",
    "rtcp muxed",
    "not rtp",
    "stun",
    "extension",
    "csrc",
    "stranger heard",
    "stranger hears",
}


async def probe(relay: MediaRelay, call: str, attacked: Side) -> set[str]:
    """Try to get things across, with a stranger at one side's port; return the names of those that came."""
    leaks: set[str] = set()
    with parties(A_ADDRESS, B_ADDRESS, X_ADDRESS) as (a, b, x):
        ports = await relay.open(call, a.media())
        to_a, to_b = (ports.address_a, ports.port_a), (ports.address_b, ports.port_b)
        target = to_a if attacked is Side.A else to_b
        x.say(target, b"stranger first")
        await relay.connect(call, Side.B, b.media())
        x.say(target, b"stranger then")
        send_secrets(a, to_a)
        send_secrets(b, to_b)
        for _ in range(3):
            a.say(to_a, b"from a")
            b.say(to_b, b"from b")
        leaks |= recognise(b.drain() + a.drain())
        if any(packet.endswith((b"from a", b"from b")) for packet in x.drain()):
            leaks.add("stranger hears")
        await relay.close(call)
    return leaks


def send_secrets(sender: Party, to: tuple[str, int]) -> None:
    """Send all that a device might send beside plain audio."""
    host, port = to
    sender.say(to, b"from a")
    sender.rtcp.sendto(rtcp_with_name(sender.source, b"rtcp " + SECRET), (host, port + 1))
    sender.rtp.sendto(rtcp_with_name(sender.source, b"muxed " + SECRET), to)
    sender.rtp.sendto(b"hello world, this is not rtp", to)
    sender.rtp.sendto(b"\x00\x01\x00\x08\x21\x12\xa4\x42transaction!stun", to)
    sender.say(to, b"with extension", extension=(0xBEDE, b"\x10\x99\0\0"))
    sender.say(to, b"with csrc", contributing=(0xC0FFEE,))


def recognise(packets: list[bytes]) -> set[str]:
    """Name what has come through."""
    marks = {
        b"rtcp " + SECRET: "rtcp",
        b"muxed " + SECRET: "rtcp muxed",
        b"this is not rtp": "not rtp",
        b"transaction!stun": "stun",
        b"with extension": "extension",
        b"with csrc": "csrc",
        b"stranger": "stranger heard",
    }
    return {name for packet in packets for mark, name in marks.items() if mark in packet}


async def test_nothing_crosses_the_guard() -> None:
    """Neither RTCP, foreign bytes, extensions, source lists nor a stranger get through, either way."""
    async with guard() as (_, relay):
        for side in Side:
            assert await probe(relay, f"guarded{side}", side) == set()


async def test_the_attacks_are_real() -> None:
    """The same attacks on the engine without its guards all succeed: the test above can fail."""
    leaks: set[str] = set()
    async with guard(command=UNGUARDED) as (_, relay):
        for side in Side:
            leaks |= await probe(relay, f"bare{side}", side)
        with parties(A_ADDRESS, B_ADDRESS) as (a, b):
            ports = await relay.open("plain", a.media())
            await relay.connect("plain", Side.B, b.media())
            send_secrets(a, (ports.address_a, ports.port_a))
            leaks |= recognise(b.drain())
    assert leaks == EVERYTHING


@pytest.mark.parametrize("is_behind_nat", [False, True])
@pytest.mark.parametrize("addresses", [(A_ADDRESS, B_ADDRESS), (A_ADDRESS, "::1"), ("::1", B_ADDRESS)])
async def test_audio_crosses(addresses: tuple[str, str], *, is_behind_nat: bool) -> None:
    """Audio goes both ways, byte for byte, on IPv4, and with one leg on each IP version."""
    async with guard() as (_, relay):
        with parties(*addresses) as (a, b):
            ports = await relay.open(
                "talk", a.media(is_behind_nat=is_behind_nat), family_b=_family(addresses[1])
            )
            await relay.connect("talk", Side.B, b.media(is_behind_nat=is_behind_nat))
            to_a, to_b = (ports.address_a, ports.port_a), (ports.address_b, ports.port_b)
            b.say(to_b, b"opener")  # behind NAT a port is known from the first packet
            a.hear(b"opener")
            data = a.packet(b"one")
            a.rtp.sendto(data, to_a)
            assert b.rtp.recv(4096) == data
            b.say(to_b, b"two")
            assert a.hear(b"two") == []


def _family(address: str) -> Family:
    return Family.V6 if ":" in address else Family.V4
