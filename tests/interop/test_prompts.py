"""Prompts: each party hears its own, in time and alone; what cannot be played is passed over and told."""

import pytest

from maskline.media.tone import ABSENT_DB, PRESENT_DB
from tests.interop.client import Client
from tests.interop.sounds import make_tone_file
from tests.interop.stage import Stage
from tests.interop.talk import IN_PCMU, TONE_A_HZ, TONE_B_HZ, begin_talk, read_events, read_times
from tests.interop.voice import Voice
from tests.interop.waiting import wait_for
from tests.interop.web import Web

pytestmark = pytest.mark.sipp

FIRST_HZ, SECOND_HZ = 620, 2500
RINGBACK_HZ = 400  # India's, by which these trunks go, swelling 25 times a second
PROMPT_S = 1.0
EDGE_S = 0.15  # packets on their way when one sound gives way to another
FAILURES = {"missing": "not-found", "slow": "fetch-failed", "not-audio": "not-audio"}
Voices = tuple[Voice, Voice]


def prompt_urls(web: Web) -> dict[str, str]:
    """A prompt for each person, of either kind of file."""
    return {
        "first_party_play_url": web.put("first.wav", make_tone_file("wav", FIRST_HZ, PROMPT_S)),
        "second_party_play_url": web.put("second.mp3", make_tone_file("mp3", SECOND_HZ, PROMPT_S)),
    }


@pytest.mark.parametrize("is_swapped", [False, True], ids=["first calls second", "second calls first"])
def test_each_party_hears_its_own_prompt_alone(
    stage: Stage, client: Client, web: Web, voices: Voices, is_swapped: bool
) -> None:
    """A hears its prompt before B is dialled, then ringback; B its own before the bridge; then each other."""
    stage.is_swapped = is_swapped
    client.create(**prompt_urls(web))
    caller_hz, callee_hz = (SECOND_HZ, FIRST_HZ) if is_swapped else (FIRST_HZ, SECOND_HZ)
    talk = begin_talk(stage, voices)
    talk.wait_for_caller()
    talk.a.wait_until_hears(caller_hz)
    assert talk.uas is not None
    assert talk.uas.received() == [], "nobody is called while the caller hears its prompt"
    talk.wait_for_callee()
    talk.b.wait_until_hears(callee_hz)
    talk.wait_until_joined()
    talk.hang_up()
    (times,) = read_times(stage.ground, stage.carrier.virtual)
    called_at_s, bridged_at_s = talk.b.joined_at_s, times.bridged_at
    assert bridged_at_s - times.callee_answered_at > 0.9 * PROMPT_S
    assert called_at_s - times.answered_at > 0.9 * PROMPT_S
    assert talk.a.level_db(caller_hz, times.answered_at + EDGE_S, called_at_s - EDGE_S) > PRESENT_DB
    assert talk.a.level_db(RINGBACK_HZ, called_at_s + EDGE_S, bridged_at_s - EDGE_S) > PRESENT_DB
    assert talk.a.level_db(TONE_B_HZ, 0.0, bridged_at_s - EDGE_S) < ABSENT_DB
    heard_from_s = times.callee_answered_at + EDGE_S
    assert talk.b.level_db(TONE_A_HZ, heard_from_s, bridged_at_s - EDGE_S) < ABSENT_DB
    assert not talk.a.has_ever_heard(callee_hz)
    assert not talk.b.has_ever_heard(caller_hz)
    assert not talk.b.has_ever_heard(RINGBACK_HZ)
    talk.check_masked()


@pytest.mark.parametrize(
    "prompt", [(person, case) for person in ("first", "second") for case in FAILURES], ids="-".join
)
def test_prompt_that_cannot_be_had_is_passed_over(
    stage: Stage, client: Client, web: Web, voices: Voices, prompt: tuple[str, str]
) -> None:
    """A prompt that is not there, never comes or is no sound keeps nobody from talking, and is told."""
    person, case = prompt
    urls = {
        "missing": web.missing(),
        "slow": web.slow(),
        "not-audio": web.put(f"{person}-page.mp3", b"<html><body>Nothing to hear</body></html>" * 50),
    }
    session = client.create(
        **{f"{person}_party_play_url": urls[case]}, callback_url=f"{web.base}/missing-hook"
    )
    talk = begin_talk(stage, voices)
    talk.wait_for_callee()
    talk.wait_for_caller()
    talk.wait_until_joined()
    talk.hang_up()
    told = [
        facts
        for kind, facts in read_events(stage.ground, session["session_uuid"])
        if kind == "call.prompt_failed"
    ]
    assert [(facts["prompt"], facts["failure"]) for facts in told] == [
        ("caller" if person == "first" else "callee", FAILURES[case])
    ]
    (times,) = read_times(stage.ground, stage.carrier.virtual)
    heard_from_s, heard_until_s = times.callee_answered_at + EDGE_S, times.bridged_at - EDGE_S
    assert talk.b.level_db(TONE_A_HZ, heard_from_s, heard_until_s) < ABSENT_DB
    assert talk.a.level_db(TONE_B_HZ, 0.0, heard_until_s) < ABSENT_DB
    assert stage.ground.records(stage.carrier.virtual) == [("success", "callee-hung-up")]
    talk.check_masked()


def test_deletion_during_a_prompt_keeps_the_parties_apart(
    stage: Stage, client: Client, web: Web, voices: Voices
) -> None:
    """A session deleted while B hears its prompt joins nobody: both are hung up within a second."""
    long = web.put("long.wav", make_tone_file("wav", SECOND_HZ, 20.0))
    session = client.create(second_party_play_url=long)
    callee = stage.uas("uas_answers", values=IN_PCMU)
    caller = stage.uac("uac_refused", values={"status": "480"})
    (invite,) = wait_for(lambda: callee.received(method="INVITE"), 5.0, "the callee is called")
    voices[1].join(invite, 0)
    voices[1].wait_until_hears(SECOND_HZ)
    assert client.request("DELETE", f"Masking/Session/{session['session_uuid']}/").status == 200
    wait_for(lambda: callee.received(method="BYE"), 1.0, "the callee is hung up on")
    caller.wait()
    callee.wait()
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("us", "session-ended")]
    (times,) = read_times(stage.ground, stage.carrier.virtual)
    assert times.bridged_at == 0.0
    stage.check_masked(caller, callee)


def test_caller_who_hangs_up_on_its_prompt_disturbs_nobody(
    stage: Stage, client: Client, web: Web, voices: Voices
) -> None:
    """Who has heard enough before the other's phone rings has called nobody."""
    client.create(**prompt_urls(web))
    with stage.listener(stage.carrier.uas) as peer:
        talk = begin_talk(stage, voices, uac="uac_is_answered_at_once", uas=None, values={"talk_ms": "500"})
        talk.wait_for_caller()
        talk.uac.wait()
        assert peer.received() == []
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("caller", "caller-cancelled")]
    assert stage.ground.live_call_count() == 0
