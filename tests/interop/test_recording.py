"""Recordings of real calls: each party on its own side, as long as they talked, fetched as any client would."""

import base64
import io
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest

from maskline.media.tone import ABSENT_DB, measure_level_db
from tests.interop.client import Client
from tests.interop.ground import Ground, loopback_block
from tests.interop.sounds import make_tone_file
from tests.interop.stage import Stage
from tests.interop.talk import PORT_A, PORT_B, TONE_A_HZ, TONE_B_HZ, begin_talk, read_times
from tests.interop.voice import Voice, voice
from tests.interop.waiting import wait_for
from tests.interop.web import Web
from tests.peers import need

pytestmark = pytest.mark.sipp

RATE_HZ = 8000
SENT_DB = -12.04  # of the voices' tones, a quarter of full scale
LEVEL_TOLERANCE_DB = 1.5
DURATION_TOLERANCE_S = 0.05
CONVERSION_S = 10.0
KEYS_HZ = (697, 770, 852, 941, 1209, 1336, 1477)
OPUS = "a=rtpmap:111 opus/48000/2\na=fmtp:111 useinbandfec=1"
Voices = tuple[Voice, Voice]


class Sound(NamedTuple):
    """A recording as a reader hears it: the caller's side and the callee's."""

    left: list[int]
    right: list[int]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.left) / RATE_HZ


def read_sound(content: bytes) -> Sound:
    """Decode a stereo file."""
    rows = []
    with av.open(io.BytesIO(content), "r") as container:
        resampler = av.AudioResampler(format="s16p", layout="stereo", rate=RATE_HZ)
        for frame in container.decode(audio=0):
            assert frame.layout.nb_channels == 2
            rows += [part.to_ndarray() for part in resampler.resample(frame)]
    both: Any = np.concatenate(rows, axis=1)
    return Sound(both[0].tolist(), both[1].tolist())


def wait_for_recording(client: Client) -> dict[str, Any]:
    """Wait until the account has its one recording."""
    (found,) = wait_for(client.recordings, CONVERSION_S, "the recording is there")
    return found


def fetch(client: Client, recording: dict[str, Any]) -> bytes:
    """Download a recording by the link that its description has."""
    path = str(recording["recording_url"]).partition(f"/Account/{client.carrier.account.auth_id}/")[2]
    answer = client.request("GET", path)
    assert answer.status == 200
    assert int(answer.headers["content-length"]) == len(answer.body)
    return answer.body


def check_sound(sound: Sound, seconds: float) -> None:
    """A on the left, B on the right, each as loud as it was and alone there, from beginning to end."""
    assert abs(sound.seconds - seconds) < DURATION_TOLERANCE_S
    for samples, own_hz, other_hz in (
        (sound.left, TONE_A_HZ, TONE_B_HZ),
        (sound.right, TONE_B_HZ, TONE_A_HZ),
    ):
        middle = samples[RATE_HZ // 4 : -RATE_HZ // 4]
        assert abs(measure_level_db(middle, own_hz) - SENT_DB) < LEVEL_TOLERANCE_DB
        assert measure_level_db(middle, other_hz) < ABSENT_DB


CODECS: dict[str, dict[str, str]] = {
    "PCMA": {},
    "PCMU": {"payload_type_b": "0", "codec_b": "PCMU/8000"},
    "G722": {
        "payload_types_a": "9 8",
        "codecs_a": "a=rtpmap:9 G722/8000\na=rtpmap:8 PCMA/8000",
        "payload_type_b": "9",
        "codec_b": "G722/8000",
    },
    "opus": {
        "payload_types_a": "111 8",
        "codecs_a": f"{OPUS}\na=rtpmap:8 PCMA/8000",
        "payload_type_b": "111",
        "codec_b": "opus/48000/2",
    },
}
RECORDED = [("PCMA", "mp3"), ("PCMU", "wav"), ("G722", "wav"), ("opus", "mp3")]


@pytest.mark.parametrize(("codec", "format_"), RECORDED, ids=[" as ".join(case) for case in RECORDED])
def test_both_sides_are_recorded_apart(
    stage: Stage, client: Client, voices: Voices, codec: str, format_: str
) -> None:
    """The file has both parties, for as long as they were joined, whatever they spoke in."""
    session = client.create(record=True, record_file_format=format_)
    talk = begin_talk(stage, voices, values=CODECS[codec])
    talk.wait_for_callee()
    talk.wait_for_caller()
    talk.wait_until_joined()
    assert talk.a.speech is not None
    assert talk.a.speech.codec == codec
    wait_for(lambda: time.time() > talk.a.joined_at_s + 2.0, 3.0, "they talk for two seconds")
    talk.hang_up()
    recording = wait_for_recording(client)
    (times,) = read_times(stage.ground, stage.carrier.virtual)
    seconds = times.ended_at - times.bridged_at
    check_sound(read_sound(fetch(client, recording)), seconds)
    assert abs(float(recording["recording_duration_ms"]) / 1000 - seconds) < DURATION_TOLERANCE_S
    assert recording["recording_format"] == format_
    (interaction,) = client.session(session["session_uuid"])["interaction"]
    assert interaction["recording_resource_url"].endswith(f"/Recording/{recording['recording_id']}/")
    talk.check_masked()


def test_recording_is_fetched_in_parts_and_deleted(stage: Stage, client: Client, voices: Voices) -> None:
    """Ranges are served as asked, strangers get nothing, and a deleted recording is gone."""
    client.create(record=True, record_file_format="wav")
    talk = begin_talk(stage, voices)
    talk.wait_for_callee()
    talk.wait_for_caller()
    talk.wait_until_joined()
    talk.hang_up()
    recording = wait_for_recording(client)
    whole = fetch(client, recording)
    path = f"Recording/{recording['recording_id']}.wav"
    part = client.request("GET", path, Range="bytes=100-299")
    assert (part.status, part.body) == (206, whole[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(whole)}"
    tail = client.request("GET", path, Range="bytes=-50")
    assert (tail.status, tail.body) == (206, whole[-50:])
    assert client.request("GET", path, Range=f"bytes={len(whole)}-").status == 416
    other = base64.b64encode(f"{client.carrier.account.auth_id}:wrong".encode()).decode()
    assert client.request("GET", path, Authorization=f"Basic {other}").status == 401
    assert client.request("DELETE", f"Recording/{recording['recording_id']}/").status == 204
    assert client.request("GET", path).status == 404
    wait_for(
        lambda: client.recordings() == [] or None, 2.0, "nothing is listed"
    ) if client.recordings() else None


def test_nothing_of_a_pin_is_recorded(stage: Stage, client: Client, web: Web, voices: Voices) -> None:
    """The recording begins with the conversation: it has no prompt, no key and no ringing in it."""
    pin = "73918264"
    client.create(
        record=True,
        record_file_format="wav",
        is_pin_authentication_required=True,
        first_party_pin=pin,
        second_party_pin="50617385",
        pin_prompt_play=web.put("recorded-pin.wav", make_tone_file("wav", 620, 0.6)),
    )
    talk = begin_talk(stage, voices, caller="+919811144455")
    talk.wait_for_caller()
    talk.a.wait_until_hears(620)
    talk.a.press(f"{pin}#")
    talk.wait_for_callee()
    talk.wait_until_joined()
    talk.hang_up()
    sound = read_sound(fetch(client, wait_for_recording(client)))
    (times,) = read_times(stage.ground, stage.carrier.virtual)
    assert abs(sound.seconds - (times.ended_at - times.bridged_at)) < DURATION_TOLERANCE_S
    for samples in sound:
        assert all(measure_level_db(samples, hz) < ABSENT_DB for hz in (620, 400, *KEYS_HZ))


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Ground]:
    """A service that may be killed."""
    need("sipp")
    with loopback_block() as block:
        ground = Ground(block, tmp_path / "mortal")
        ground.carriers["plain"] = iter(ground.add_carriers(1))
        ground.start()
        try:
            yield ground
        finally:
            ground.stop()
            ground.store.close()


def test_killed_service_leaves_what_was_captured(mortal: Ground, tmp_path: Path) -> None:
    """After kill -9 in mid-call the next start makes a recording of what was said until then."""
    stage = Stage(mortal, next(mortal.carriers["plain"]), tmp_path)
    client = Client(mortal, stage.carrier)
    with ExitStack() as stack:
        stack.callback(stage.close)
        voices = (
            stack.enter_context(voice((stage.caller.hosts[1], PORT_A), TONE_A_HZ)),
            stack.enter_context(voice((stage.callee.hosts[1], PORT_B), TONE_B_HZ)),
        )
        client.create(record=True, record_file_format="wav")
        talk = begin_talk(stage, voices, uas="uas_answers")
        talk.wait_for_callee()
        talk.wait_for_caller()
        talk.wait_until_joined()
        joined_at_s = time.time()
        wait_for(lambda: time.time() > joined_at_s + 3.0, 4.0, "they talk for three seconds")
        mortal.kill()
        killed_at_s = time.time()
        wait_for(lambda: mortal.relay_port_count() == 0, 5.0, "the media process follows its killed parent")
        mortal.start()
        talk.uac.wait()
        recording = wait_for_recording(client)
    assert mortal.wait_for_records(stage.carrier.virtual) == [("us", "switch-restarted")]
    sound = read_sound(fetch(client, recording))
    assert abs(sound.seconds - (killed_at_s - joined_at_s)) < 1.0
    check_sound(sound, sound.seconds)
