"""The audio of a demonstration phone: it sends a tone and keeps what it hears."""

import asyncio
import os
from collections.abc import Callable
from typing import cast

from maskline.media.g711 import Law
from maskline.media.rtp import RTPPacket, parse_rtp, render_rtp
from maskline.media.tone import hears_only, make_tone, measure_payloads_db
from maskline.tasks import spawn

FRAME_S = 0.02
SAMPLES_PER_FRAME = 160  # 20 ms at 8000 Hz
FRAME_COUNT_MAX = 3_000  # a minute: a demonstration that goes on for longer has gone wrong
SETTLE_FRAME_COUNT = 5  # the first packets arrive while the far side is still being connected


class Audio(asyncio.DatagramProtocol):
    """One RTP socket at `host`; `keep` is given every datagram that arrives."""

    def __init__(self, host: str, tone_hz: int, keep: Callable[[bytes], None]) -> None:
        self.host = host
        self.tone_hz = tone_hz
        self.heard: list[bytes] = []  # G.711 payloads of the current call, in order of arrival
        self._keep = keep
        self._transport: asyncio.DatagramTransport | None = None
        self._task: asyncio.Task[None] | None = None
        self._law = Law.MU

    async def open(self) -> None:
        """Bind an RTP socket."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, 0))

    @property
    def port(self) -> int:
        """Where this phone wants its audio."""
        assert self._transport is not None
        return cast("int", self._transport.get_extra_info("sockname")[1])

    def start(self, remote: tuple[str, int], law: Law) -> None:
        """Send the tone to `remote` until `stop`; forget what was heard before."""
        self.stop()
        self.heard = []
        self._law = law
        self._task = spawn(self._send(remote, law), name="phone.audio")

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

    def hears_only(self, tone_hz: int) -> bool:
        """Whether what was heard is `tone_hz` and not our own tone."""
        return hears_only(self.levels_db(tone_hz), tone_hz)

    def levels_db(self, tone_hz: int) -> dict[int, float]:
        """How loud `tone_hz` and our own tone were."""
        return measure_payloads_db(self.heard[SETTLE_FRAME_COUNT:], self._law, (tone_hz, self.tone_hz))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002
        """Keep a packet."""
        self._keep(data)
        packet = parse_rtp(data)
        if packet.payload_type == self._law:
            self.heard.append(packet.payload)

    async def _send(self, remote: tuple[str, int], law: Law) -> None:
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        source = int.from_bytes(os.urandom(4))
        payloads = make_tone(self.tone_hz, law)
        started = loop.time()
        for index in range(FRAME_COUNT_MAX):
            packet = RTPPacket(
                payload_type=law,
                sequence=index,
                timestamp=index * SAMPLES_PER_FRAME,
                source=source,
                payload=payloads[index % len(payloads)],
                is_marked=index == 0,
            )
            self._transport.sendto(render_rtp(packet), remote)
            await asyncio.sleep(max(0.0, started + (index + 1) * FRAME_S - loop.time()))
