"""Calls the service places itself: the first party is called, then the second, and nobody dials."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.interop.client import Client
from tests.interop.sipp import Sipp
from tests.interop.stage import Stage
from tests.interop.talk import STEP_TIMEOUT_S, TONE_A_HZ, TONE_B_HZ, read_times, tell_to_hang_up
from tests.interop.voice import Voice, voice
from tests.interop.waiting import wait_for
from tests.interop.wire import SIPText, not_allowed

pytestmark = pytest.mark.sipp

NOBODY = "+919799900000"  # what sipp says of itself: it is both parties
PORTS = (52_901, 52_902)  # as uas_both_answer.xml has them, in the order of the calls
Voices = tuple[Voice, Voice]


@pytest.fixture
def answering(stage: Stage) -> Iterator[Voices]:
    """The voices of first and second, both called at the one address of their carrier."""
    host = stage.callee.hosts[1]
    with ExitStack() as stack:
        yield (
            stack.enter_context(voice((host, PORTS[0]), TONE_A_HZ)),
            stack.enter_context(voice((host, PORTS[1]), TONE_B_HZ)),
        )


def wait_for_invite(uas: Sipp, index: int) -> SIPText:
    """Wait for the INVITE of the first or second call."""
    return wait_for(
        lambda: found[index] if len(found := uas.received(method="INVITE")) > index else None,
        STEP_TIMEOUT_S,
        f"call {index} arrives",
    )


@pytest.mark.parametrize("ending", [0, 1], ids=["first hangs up", "second hangs up"])
def test_both_are_called_and_joined(stage: Stage, client: Client, answering: Voices, ending: int) -> None:
    """Within a second of the create the first is called, then the second, both from the virtual number."""
    uas = stage.uas("uas_both_answer", calls=2, mine=NOBODY)
    session = client.create(initiate_call_to_first_party=True, record=True)
    created_at_s = time.time()
    invites = []
    for index, (talking, party) in enumerate(zip(answering, (stage.carrier.a, stage.carrier.b), strict=True)):
        invite = wait_for_invite(uas, index)
        talking.join(invite, 0)
        assert invite.start_line.startswith(f"INVITE sip:{party.number}@")
        for name in ("From", "P-Asserted-Identity"):
            assert f"sip:{stage.carrier.virtual}@" in invite.header(name)
        invites.append(invite)
    answering[0].wait_until_hears(TONE_B_HZ)
    answering[1].wait_until_hears(TONE_A_HZ)
    tell_to_hang_up(uas, ending)
    uas.wait()
    reason = "callee-hung-up" if ending else "caller-hung-up"
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", reason)]
    (times,) = read_times(stage.ground, stage.carrier.virtual)
    assert times.started_at - created_at_s < 1.0
    check_apart(stage, uas, invites)
    (recording,) = wait_for(client.recordings, 5.0, "the recording is there")
    assert abs(float(recording["recording_duration_ms"]) / 1000 - (times.ended_at - times.bridged_at)) < 0.05
    (interaction,) = client.session(session["session_uuid"])["interaction"]
    assert interaction["recording_resource_url"].endswith(f"/Recording/{recording['recording_id']}/")


def check_apart(stage: Stage, uas: Sipp, invites: list[SIPText]) -> None:
    """Neither of the two calls says anything of the other."""
    assert not_allowed(uas.received()) == []
    numbers = (stage.carrier.a.number, stage.carrier.b.number)
    for invite, other in zip(invites, reversed(numbers), strict=True):
        mine = [text for text in uas.received() if text.header("Call-ID") == invite.header("Call-ID")]
        assert other[-10:].encode() not in b"".join(text.raw for text in mine)


@pytest.mark.parametrize(
    ("scenario", "fields", "expected"),
    [
        ("uas_rings_and_refuses", {"status": "486"}, ("caller", "first-busy")),
        ("uas_rings_and_refuses", {"status": "603"}, ("caller", "first-declined")),
        ("uas_rings_until_cancelled", {}, ("caller", "first-ring-timeout")),
    ],
    ids=["busy", "declines", "does not answer"],
)
def test_second_is_not_called_without_the_first(
    stage: Stage, client: Client, scenario: str, fields: dict[str, str], expected: tuple[str, str]
) -> None:
    """A first party that is busy, declines or lets it ring ends the call: nobody else is disturbed."""
    uas = stage.uas(scenario, values=fields)
    client.create(initiate_call_to_first_party=True, ring_timeout=5)
    uas.wait()
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [expected]
    assert len(uas.received(method="INVITE")) == 1
    assert stage.carrier.b.number.encode() not in b"".join(text.raw for text in uas.received())


def test_first_hears_ringback_and_then_why_not(stage: Stage, client: Client, answering: Voices) -> None:
    """The first party, on the line, hears the second's phone ring, and is hung up when it is not taken."""
    uas = stage.uas("uas_first_answers_second_refuses", calls=2, mine=NOBODY)
    client.create(initiate_call_to_first_party=True)
    answering[0].join(wait_for_invite(uas, 0), 0)
    wait_for_invite(uas, 1)
    uas.wait()
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("callee", "callee-busy")]
    assert answering[0].has_ever_heard(400)
