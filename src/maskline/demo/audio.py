"""The audio of a demonstration phone: it sends a tone and keeps what it hears."""

import asyncio
import os
from collections.abc import Callable
from typing import cast

from maskline.media.codecs import Codec
from maskline.media.rtp import RTPPacket, parse_rtp, render_rtp
from maskline.media.tone import decode_g711, encode_tone
from maskline.tasks import spawn

FRAME_S = 0.02
SAMPLES_PER_FRAME = 160  # 20 ms at 8000 Hz
SAMPLE_RATE_HZ = 8000


class Audio(asyncio.DatagramProtocol):
    """One RTP socket at `host`; `keep` is given every datagram that arrives."""

    def __init__(self, host: str, tone_hz: int, keep: Callable[[bytes], None]) -> None:
        self.host = host
        self.tone_hz = tone_hz
        self.heard: list[bytes] = []  # G.711 payloads of the current call, in order of arrival
        self._keep = keep
        self._transport: asyncio.DatagramTransport | None = None
        self._task: asyncio.Task[None] | None = None
        self._codec: Codec | None = None

    async def open(self) -> None:
        """Bind an RTP socket."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, 0))

    @property
    def port(self) -> int:
        """Where this phone wants its audio."""
        assert self._transport is not None
        return cast("int", self._transport.get_extra_info("sockname")[1])

    def start(self, remote: tuple[str, int], codec: Codec) -> None:
        """Send the tone to `remote` until `stop`; forget what was heard before."""
        self.stop()
        self.heard = []
        self._codec = codec
        self._task = spawn(self._send(remote, codec), name="phone.audio")

    def stop(self) -> None:
        """Be silent."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def close(self) -> None:
        """Stop and close the socket."""
        self.stop()
        if self._transport is not None:
            self._transport.close()

    def samples(self) -> list[int]:
        """What was heard in the current call, as 16-bit samples."""
        assert self._codec is not None
        return [sample for payload in self.heard for sample in decode_g711(self._codec.name, payload)]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002
        """Keep a packet."""
        self._keep(data)
        packet = parse_rtp(data)
        if self._codec is not None and packet.payload_type == self._codec.payload_type:
            self.heard.append(packet.payload)

    async def _send(self, remote: tuple[str, int], codec: Codec) -> None:
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        ssrc = int.from_bytes(os.urandom(4))
        started = loop.time()
        for index in range(1_000_000):
            payload = encode_tone(codec.name, self.tone_hz, index * SAMPLES_PER_FRAME, SAMPLES_PER_FRAME)
            packet = RTPPacket(
                payload_type=codec.payload_type,
                sequence=index & 0xFFFF,
                timestamp=index * SAMPLES_PER_FRAME & 0xFFFFFFFF,
                ssrc=ssrc,
                payload=payload,
                marker=index == 0,
            )
            self._transport.sendto(render_rtp(packet), remote)
            await asyncio.sleep(max(0.0, started + (index + 1) * FRAME_S - loop.time()))
