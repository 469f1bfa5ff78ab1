"""Descriptions of two phones, and calls between them, for tests of a call's media."""

from maskline.core.call_record import Side
from maskline.engine.call_media import CallMedia, MediaPolicy
from maskline.testing.relay import FakeRelay

POLICY = MediaPolicy(codecs=("PCMU", "PCMA", "G722"), networks=())
A_SDP_HOST, B_SDP_HOST = "192.0.2.10", "198.51.100.20"
RTPMAPS = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 18: "G729/8000", 101: "telephone-event/8000"}


def description(
    host: str = A_SDP_HOST,
    port: int = 4000,
    formats: tuple[int, ...] = (0, 8, 101),
    direction: str = "sendrecv",
    extra: str = "",
) -> bytes:
    version = "IP6" if ":" in host else "IP4"
    rtpmaps = "".join(f"a=rtpmap:{number} {RTPMAPS[number]}\r\n" for number in formats)
    return (
        f"v=0\r\no=alice 12 34 IN {version} {host}\r\ns=alice's phone\r\nc=IN {version} {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {' '.join(map(str, formats))}\r\n{rtpmaps}a={direction}\r\n{extra}"
    ).encode()


def new_media(relay: FakeRelay, policy: MediaPolicy = POLICY) -> CallMedia:
    return CallMedia("call1", relay, policy, (1111, 2222))


async def opened(media: CallMedia, offer: bytes | None) -> bytes:
    """What B is offered."""
    await media.open(offer)
    return media.offer(Side.B)


async def joined_with(media: CallMedia, answer: bytes) -> bytes:
    """What A is told when B has answered."""
    told = await media.connect_callee(answer)
    assert told is not None
    return told


async def joined(relay: FakeRelay) -> CallMedia:
    media = new_media(relay)
    await opened(media, description())
    await joined_with(media, description(B_SDP_HOST, 6000))
    return media
