import time
from pathlib import Path

from maskline.core.call_record import Side
from maskline.core.masking import RecordFormat
from maskline.core.recording import CapturedLeg, NotedLegs
from maskline.recordings.conversion import ConversionJob, ConvertedAudio
from maskline.recordings.converter import ProcessConverter
from maskline.testing.captures import AMPLITUDE, KEYS, PCMU
from tests.engine.media_rig import Talker, guard, parties, press, talk
from tests.recordings.audio import level, part, read_audio


async def test_what_both_say_to_the_relay_is_heard_on_their_sides(tmp_path: Path) -> None:
    """From real packets through the real relay and converter: tones left and right, no keys, the bridge's length."""
    with parties("127.0.0.11", "127.0.0.12") as (a, b):
        async with guard() as (supervisor, relay):
            ports = await relay.open("call", a.media())
            await relay.connect("call", Side.B, b.media())
            first = Talker(a, (ports.address_a, ports.port_a), 440)
            second = Talker(b, (ports.address_b, ports.port_b), 1000)
            await talk(first, second, for_s=0.2)
            await relay.start_recording("call", "rec1")
            started_at = time.time_ns() // 1000
            press(a, first.to, "7")
            await talk(first, second, for_s=1.0)
            await relay.stop_recording("call")
            ended_at = time.time_ns() // 1000
            legs = (
                CapturedLeg(side=Side.A, port=ports.port_a, codecs=(PCMU, KEYS)),
                CapturedLeg(side=Side.B, port=ports.port_b, codecs=(PCMU, KEYS)),
            )
            job = ConversionJob(
                capture=Path(supervisor.settings.spool) / "done" / "rec1.pcap",
                target=tmp_path / "audio.wav",
                format=RecordFormat.WAV,
                is_mono=False,
                started_at=started_at,
                ended_at=ended_at,
                is_interrupted=False,
                notes=(NotedLegs(noted_at=started_at, legs=legs),),
            )
            made = await ProcessConverter().convert(job)
    assert isinstance(made, ConvertedAudio)
    assert made.packet_count >= 90
    assert abs(made.duration_ms - (ended_at - started_at) / 1000) < 50
    left, right = (part(channel, 0.2, 0.9) for channel in read_audio(job.target))
    assert level(left, 440) > AMPLITUDE * 0.8
    assert level(right, 1000) > AMPLITUDE * 0.8
    assert level(left, 1000) < AMPLITUDE / 100
    assert level(right, 440) < AMPLITUDE / 100
