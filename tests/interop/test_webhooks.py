"""Webhooks of real calls, received by somebody else's server and checked with the vendor's own client."""

import time
from collections import Counter
from urllib.parse import parse_qsl

import pytest
from plivo.utils import validate_v3_signature

from maskline.webhooks.schedule import FIRST_DELAYS_S
from tests.interop.client import Client
from tests.interop.sounds import make_tone_file
from tests.interop.stage import Stage
from tests.interop.talk import Talk, begin_talk, read_times
from tests.interop.voice import Voice
from tests.interop.waiting import wait_for
from tests.interop.web import Visit, Web

pytestmark = pytest.mark.sipp

Voices = tuple[Voice, Voice]
Fields = dict[str, str]
DELIVERY_S = 5.0
WHOLE_CALL = [
    "SessionFirstPartyAnswer",  # to hear its prompt
    "SessionSecondPartyRing",
    "SessionSecondPartyAnswer",
    "SessionSecondPartyHangup",
    "SessionFirstPartyHangup",
    "SessionPartiesHangup",
]
RECORDING = ["SessionRecordingInitiated", "SessionRecordingCompleted"]


def accept(web: Web, name: str) -> str:
    """Have a path take whatever is posted to it."""
    web.judges[f"/{name}"] = lambda _body: 204
    return f"{web.base}/{name}"


def read_fields(visit: Visit) -> Fields:
    """The form fields of a callback."""
    return dict(parse_qsl(visit.body, keep_blank_values=True))


def check_signature(web: Web, client: Client, visit: Visit) -> None:
    """The vendor's client finds the request to be ours; with another token it does not."""
    headers = {name.lower(): value for name, value in visit.headers.items()}
    nonce, signature = headers["x-plivo-signature-v3-nonce"], headers["x-plivo-signature-v3"]
    url, fields = f"{web.base}{visit.path}", read_fields(visit)
    token = client.carrier.account.token.reveal()
    assert validate_v3_signature(visit.method, url, nonce, token, signature, fields)
    assert not validate_v3_signature(visit.method, url, nonce, f"{token}x", signature, fields)


def hold_talk(stage: Stage, voices: Voices) -> Talk:
    """Let first call second, talk and be hung up on."""
    talk = begin_talk(stage, voices)
    talk.wait_for_caller()
    talk.wait_for_callee()
    talk.wait_until_joined()
    talk.hang_up()
    return talk


def wait_for_events(web: Web, name: str, count: int, timeout_s: float = DELIVERY_S) -> list[Visit]:
    """Wait until so many different events have been taken; return their visits, as they first came."""

    def found() -> list[Visit] | None:
        taken = {
            read_fields(it)["SequenceNumber"]: it for it in reversed(web.visits_to(name)) if it.status < 300
        }
        return list(reversed(taken.values())) if len(taken) >= count else None

    return wait_for(
        found, timeout_s, f"{count} events at {name}: {[it.status for it in web.visits_to(name)]}"
    )


def test_whole_call_is_told_step_by_step(stage: Stage, client: Client, web: Web, voices: Voices) -> None:
    """Every step of a recorded call comes once, in order, signed, and says who, when and how long."""
    session = client.create(
        callback_url=accept(web, "call-events"),
        recording_callback_url=accept(web, "recording-events"),
        record=True,
        record_file_format="wav",
        first_party_play_url=web.put("told.wav", make_tone_file("wav", 620, 0.6)),
    )
    hold_talk(stage, voices)
    steps = wait_for_events(web, "call-events", len(WHOLE_CALL))
    recordings = wait_for_events(web, "recording-events", len(RECORDING), 10.0)
    for visit in (*steps, *recordings):
        check_signature(web, client, visit)
    told = [read_fields(visit) for visit in steps]
    assert [fields["EventName"] for fields in told] == WHOLE_CALL
    assert [read_fields(visit)["EventName"] for visit in recordings] == RECORDING
    check_fields(stage, session["session_uuid"], told)
    assert len(web.visits_to("call-events")) == len(WHOLE_CALL), "each is told once"
    done = read_fields(recordings[-1])
    path = done["RecordingURL"].partition(f"/Account/{stage.carrier.account.auth_id}/")[2]
    assert client.request("GET", path).body[:4] == b"RIFF"
    (times,) = read_times(stage.ground, stage.carrier.virtual)
    assert abs(int(done["RecordingDuration"]) - (times.ended_at - times.bridged_at)) <= 1.0


def check_fields(stage: Stage, session_uuid: str, told: list[Fields]) -> None:
    """What is the same in all of them, and what only the last ones have."""
    for fields in told:
        assert fields["SessionUUID"] == session_uuid
        assert fields["From"] == stage.carrier.a.number.removeprefix("+")
        assert fields["To"] == stage.carrier.b.number.removeprefix("+")
        assert fields["VirtualNumber"] == stage.carrier.virtual.removeprefix("+")
    numbers = [int(fields["SequenceNumber"]) for fields in told]
    assert numbers == sorted(set(numbers))
    for fields in told[-3:]:
        assert (fields["PlivoHangupCause"], fields["PlivoHangupCauseCode"]) == ("Normal Hangup", "4000")
        assert int(fields["Duration"]) >= 1


def test_receiver_that_fails_a_third_of_the_time_loses_nothing(
    stage: Stage, client: Client, web: Web, voices: Voices
) -> None:
    """What it refuses is brought again until it is taken; in the end it has every event of the call."""
    tries: Counter[str] = Counter()

    def judge(body: str) -> int:
        tries[body] += 1
        is_unlucky = int(dict(parse_qsl(body))["SequenceNumber"]) % 3 == 0
        return 500 if is_unlucky and tries[body] == 1 else 204

    web.judges["/unlucky"] = judge
    client.create(
        callback_url=f"{web.base}/unlucky",
        first_party_play_url=web.put("told.wav", make_tone_file("wav", 620, 0.6)),
    )
    hold_talk(stage, voices)
    patience_s = 3 * 1.2 * FIRST_DELAYS_S[0] + DELIVERY_S
    visits = wait_for_events(web, "unlucky", len(WHOLE_CALL), patience_s)
    assert sorted(read_fields(visit)["EventName"] for visit in visits) == sorted(WHOLE_CALL)
    assert {visit.status for visit in web.visits_to("unlucky")} == {204, 500}
    for visit in visits:
        check_signature(web, client, visit)


def test_expiry_is_told_within_a_second(stage: Stage, client: Client, web: Web) -> None:
    """When a session's time is up its client hears so before a second has passed."""
    session = stage.ground.add_session(
        stage.carrier, age_s=58, expires_in_s=60, callback_url=accept(web, "expiry-events")
    )
    (visit,) = wait_for_events(web, "expiry-events", 1)
    late_s = time.time() - session.ends_at / 1e6
    assert read_fields(visit)["EventName"] == "SessionTimeout"
    assert 0.0 < late_s < 1.0
    check_signature(web, client, visit)
    assert client.session(session.id)["status"] == "expired"
