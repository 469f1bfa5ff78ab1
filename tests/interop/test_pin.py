"""PINs entered by voices and phones: who knows one is put through, who does not is not, and nobody hears it."""

import os
import time

import pytest

from maskline.core.call.joining import KEY_UP_S
from maskline.media.dtmf import parse_key_event
from maskline.media.tone import ABSENT_DB
from tests.interop.client import Client
from tests.interop.sounds import make_tone_file
from tests.interop.stage import Stage, check_tells_nothing
from tests.interop.talk import begin_talk, read_events
from tests.interop.voice import Voice
from tests.interop.waiting import wait_for
from tests.interop.web import Web

pytestmark = pytest.mark.sipp

STRANGER = "+919811144455"
FIRST_PIN, SECOND_PIN = "73918264", "50617385"  # of a length that nothing else in a log has
ASKING_HZ, WRONG_HZ = 620, 2500
PROMPT_S = 0.6
EDGE_S = 0.15
Voices = tuple[Voice, Voice]


def pin_fields(web: Web, **changes: object) -> dict[str, object]:
    """A session with PIN whose prompts are tones."""
    return {
        "is_pin_authentication_required": True,
        "first_party_pin": FIRST_PIN,
        "second_party_pin": SECOND_PIN,
        "pin_prompt_play": web.put("asking.wav", make_tone_file("wav", ASKING_HZ, PROMPT_S)),
        "incorrect_pin_play": web.put("wrong.wav", make_tone_file("wav", WRONG_HZ, PROMPT_S)),
        "pin_retry": 1,
        "pin_retry_wait": 5,
        "callback_url": f"{web.base}/missing-hook",
        **changes,
    }


def pin_results(stage: Stage, session: dict[str, object]) -> list[tuple[object, object]]:
    """What was told of PINs: result and attempt."""
    events = read_events(stage.ground, str(session["session_uuid"]))
    return [(facts["result"], facts["attempt"]) for kind, facts in events if kind == "call.pin_checked"]


def called_number(stage: Stage, uri: str) -> str:
    """Whose phone a request is for."""
    numbers = {stage.carrier.a.number: "first", stage.carrier.b.number: "second"}
    return numbers[uri.split()[1].removeprefix("sip:").split("@")[0]]


@pytest.mark.parametrize("person", ["first", "second"])
def test_stranger_with_a_pin_is_who_the_pin_is_of(
    stage: Stage, client: Client, web: Web, voices: Voices, person: str
) -> None:
    """Whose PIN a stranger enters, that person's counterpart it reaches, who hears no key of it."""
    session = client.create(**pin_fields(web))
    talk = begin_talk(stage, voices, caller=STRANGER)
    talk.wait_for_caller()
    talk.a.wait_until_hears(ASKING_HZ)
    talk.a.press((FIRST_PIN if person == "first" else SECOND_PIN) + "#")
    invite = talk.wait_for_callee()
    assert called_number(stage, invite.start_line) == ("second" if person == "first" else "first")
    talk.wait_until_joined()
    assert talk.b.events() == []
    joined_at_s = time.time()
    wait_for(lambda: time.time() > joined_at_s + KEY_UP_S, 2.0, "the last key of the PIN has been let go")
    talk.a.press("5")
    talk.a.wait_until_pressed()
    wait_for(talk.b.events, 2.0, "after the bridge keys are the parties' own")
    assert {parse_key_event(it.packet.payload).key for it in talk.b.events()} == {"5"}
    talk.hang_up()
    assert not talk.b.has_ever_heard(ASKING_HZ)
    assert pin_results(stage, session) == [("accepted", 0)]
    assert stage.ground.records(stage.carrier.virtual) == [("success", "callee-hung-up")]
    assert FIRST_PIN not in stage.ground.log
    assert SECOND_PIN not in stage.ground.log


def test_key_silences_the_prompt(stage: Stage, client: Client, web: Web, voices: Voices) -> None:
    """A prompt ends with the first key that is pressed, and what was pressed during it counts."""
    long = web.put("long.wav", make_tone_file("wav", ASKING_HZ, 20.0))
    client.create(**pin_fields(web, pin_prompt_play=long))
    talk = begin_talk(stage, voices, caller=STRANGER)
    talk.wait_for_caller()
    heard_at_s = talk.a.wait_until_hears(ASKING_HZ)
    talk.a.press(FIRST_PIN + "#")
    talk.wait_for_callee()
    talk.wait_until_joined()
    talk.hang_up()
    assert talk.a.level_db(ASKING_HZ, heard_at_s + 2 * EDGE_S, talk.b.joined_at_s) < ABSENT_DB


def test_registered_caller_needs_no_pin(stage: Stage, client: Client, web: Web, voices: Voices) -> None:
    """Who calls from a registered number is rung through at once, and the session says so."""
    session = client.create(**pin_fields(web))
    talk = begin_talk(stage, voices)
    talk.wait_for_callee()
    talk.wait_for_caller()
    talk.wait_until_joined()
    talk.hang_up()
    assert pin_results(stage, session) == [("authorized", 0)]
    assert not talk.a.has_ever_heard(ASKING_HZ)


def test_wrong_pins_end_the_call(stage: Stage, client: Client, web: Web, voices: Voices) -> None:
    """A wrong PIN is told, waited after, asked for once more, and then the caller is hung up on; no phone rings."""
    session = client.create(**pin_fields(web))
    with stage.listener(stage.carrier.uas) as peer:
        talk = begin_talk(stage, voices, uas=None, caller=STRANGER)
        talk.wait_for_caller()
        talk.a.wait_until_hears(ASKING_HZ)
        talk.a.press("1111#")
        wrong_at_s = talk.a.wait_until_hears(WRONG_HZ)
        again_at_s = talk.a.wait_until_hears(ASKING_HZ, 8.0)
        assert again_at_s - wrong_at_s > 4.9
        talk.a.press("2222#")
        talk.a.wait_until_hears(WRONG_HZ)
        uac = talk.uac.wait()
        assert peer.received() == []
    assert pin_results(stage, session) == [("wrong", 0), ("wrong", 1)]
    (bye,) = uac.received(method="BYE")
    check_tells_nothing(uac.received(), stage.carrier.b)
    assert bye.status == 0
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("caller", "pin-failed")]


def test_generated_pins_open_the_session(stage: Stage, client: Client, web: Web, voices: Voices) -> None:
    """The PINs the service made are in its answer, differ, and work; ours asks where the session's prompt is gone."""
    changes = {"first_party_pin": None, "second_party_pin": None, "pin_prompt_play": web.missing()}
    session = client.create(**pin_fields(web, generate_pin=True, generate_pin_length=6, **changes))
    pins = session["first_party_pin"], session["second_party_pin"]
    assert [len(str(pin)) for pin in pins] == [6, 6]
    assert pins[0] != pins[1]
    talk = begin_talk(stage, voices, caller=STRANGER)
    talk.wait_for_caller()
    wait_for(talk.a.is_addressed, 3.0, "a prompt is heard")
    talk.a.press(f"{pins[1]}#")
    assert called_number(stage, talk.wait_for_callee().start_line) == "first"
    talk.wait_until_joined()
    talk.hang_up()
    failed = [
        facts
        for kind, facts in read_events(stage.ground, session["session_uuid"])
        if kind == "call.prompt_failed"
    ]
    assert [(facts["prompt"], facts["failure"]) for facts in failed] == [("pin", "not-found")]


def test_forced_pin_is_one_of_the_caller_s_session(
    stage: Stage, client: Client, web: Web, voices: Voices
) -> None:
    """With force even a registered caller is asked; a PIN of others on the same number is wrong for it."""
    session = client.create(**pin_fields(web, force_pin_authentication=True))
    others = {"first_party": "+919811166601", "second_party": "+919811166602"}
    client.create(**pin_fields(web, **others, first_party_pin="86420975", second_party_pin="19283746"))
    talk = begin_talk(stage, voices)
    talk.wait_for_caller()
    talk.a.wait_until_hears(ASKING_HZ)
    talk.a.press("86420975#")
    talk.a.wait_until_hears(WRONG_HZ)
    talk.a.wait_until_hears(ASKING_HZ, 8.0)
    talk.a.press(FIRST_PIN + "#")
    assert called_number(stage, talk.wait_for_callee().start_line) == "second"
    talk.wait_until_joined()
    talk.hang_up()
    assert pin_results(stage, session) == [("wrong", 0), ("accepted", 1)]
    talk.check_masked()


def test_keys_by_info_open_the_session_and_stay_there(
    stage: Stage, client: Client, web: Web, voices: Voices
) -> None:
    """Keys sent as INFO are heard; B is sent no INFO, neither of the PIN nor of a key pressed after the bridge."""
    pin = "7391"
    keys = {f"key_{name}": key for name, key in zip("abcde", f"{pin}#", strict=True)} | {"key_after": "5"}
    session = client.create(**pin_fields(web, first_party_pin=pin, second_party_pin="5061"))
    values = {"payload_type_b": "0", "codec_b": "PCMU/8000", **keys}
    talk = begin_talk(stage, voices, uac="uac_presses_by_info", caller=STRANGER, values=values)
    talk.wait_for_caller()
    talk.wait_for_callee()
    talk.wait_until_joined()
    wait_for(
        lambda: len(talk.uac.received(method="INFO", status=200)) == 6, 5.0, "the last key is acknowledged"
    )
    talk.hang_up()
    assert talk.uas is not None
    assert talk.uas.received(method="INFO") == []
    assert talk.b.events() == []
    assert pin_results(stage, session) == [("accepted", 0)]


@pytest.mark.skipif(os.geteuid() != 0, reason="sipp plays keys through a raw socket, which only root has")
def test_keys_played_by_sipp_open_the_session(stage: Stage, client: Client, web: Web, voices: Voices) -> None:
    """What sipp sends as RFC 4733 events is understood, beside what a sender of our own does."""
    session = client.create(**pin_fields(web))
    values = {
        "payload_type_b": "0",
        "codec_b": "PCMU/8000",
        "keys": f"{FIRST_PIN}#",
        "port_a": "[media_port]",
        "event_type": "96",  # sipp's own, whatever a description says
    }
    talk = begin_talk(stage, voices, uac="uac_plays_dtmf", caller=STRANGER, values=values)
    talk.wait_for_callee()
    wait_for(
        lambda: stage.ground.query("SELECT 1 FROM live_call WHERE dialog_b_sealed IS NOT NULL"),
        5.0,
        "it is joined",
    )
    talk.hang_up()
    assert pin_results(stage, session) == [("accepted", 0)]
    assert talk.b.events() == []
