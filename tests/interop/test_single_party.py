"""Calls of strangers: put through to a lone party, told why not, or refused without a word."""

from collections.abc import Callable

import pytest

from maskline.core.inventory import Account
from maskline.media.tone import PRESENT_DB
from maskline.store.engine import Tx
from maskline.workflows.accounts import change_account, load_account
from tests.interop.client import Client
from tests.interop.sounds import make_tone_file
from tests.interop.stage import Stage, check_tells_nothing
from tests.interop.talk import begin_talk, read_times
from tests.interop.voice import Voice
from tests.interop.web import Web
from tests.interop.wire import not_allowed

pytestmark = pytest.mark.sipp

STRANGERS = ("+919811144455", "+919811144466")
UNKNOWN_HZ, REFUSAL_HZ = 620, 2500
PROMPT_S = 0.6
Voices = tuple[Voice, Voice]


def test_stranger_reaches_the_lone_party_who_calls_back(stage: Stage, client: Client, voices: Voices) -> None:
    """Anybody reaches the party of a one-party session from the virtual number; it reaches who called last."""
    client.create(second_party=None, create_session_with_single_party=True)
    lone = stage.carrier.a.number
    for stranger in STRANGERS:
        talk = begin_talk(stage, voices, caller=stranger)
        invite = talk.wait_for_callee()
        talk.wait_for_caller()
        talk.wait_until_joined()
        talk.hang_up()
        assert invite.start_line.startswith(f"INVITE sip:{lone}@")
        assert invite.header("From").startswith(f"<sip:{stage.carrier.virtual}@")
        assert stranger.encode() not in talk.told_callee()
    talk = begin_talk(stage, voices)
    invite = talk.wait_for_callee()
    talk.wait_for_caller()
    talk.wait_until_joined()
    talk.hang_up()
    assert invite.start_line.startswith(f"INVITE sip:{STRANGERS[-1]}@")
    assert lone.encode() not in talk.told_callee()
    assert stage.ground.records(stage.carrier.virtual) == [("success", "callee-hung-up")] * 3


def test_party_nobody_has_called_yet_is_refused(stage: Stage, client: Client) -> None:
    """The lone party, with nobody to call back, hears what every refused caller hears."""
    client.create(second_party=None, create_session_with_single_party=True)
    with stage.listener(stage.carrier.uas) as peer:
        uac = stage.uac("uac_refused", values={"status": "480"}).wait()
        assert peer.received() == []
    assert not_allowed(uac.received()) == []


def unknown_caller(stage: Stage, client: Client, web: Web) -> str:
    """The session's own words for callers it does not know."""
    url = web.put("unknown.mp3", make_tone_file("mp3", UNKNOWN_HZ, PROMPT_S))
    client.create(unknown_caller_play=url)
    return STRANGERS[0]


def withheld_number(stage: Stage, client: Client, web: Web) -> str:
    """The same for a caller without a number."""
    unknown_caller(stage, client, web)
    return "anonymous"


def free_number(stage: Stage, client: Client, web: Web) -> str:
    """The account's words where no session is."""
    del client
    refuse_with(stage, web.put("refusal.wav", make_tone_file("wav", REFUSAL_HZ, PROMPT_S)))
    return STRANGERS[0]


def ended_session(stage: Stage, client: Client, web: Web) -> str:
    """The account's words after a session's end, to its own party."""
    session = client.create()
    assert client.request("DELETE", f"Masking/Session/{session['session_uuid']}/").status == 200
    free_number(stage, client, web)
    return stage.carrier.a.number


def refuse_with(stage: Stage, url: str) -> None:
    """Have the account's refused callers hear something."""

    def change(tx: Tx) -> None:
        account = load_account(tx, auth_id=stage.carrier.account.auth_id)
        assert isinstance(account, Account)
        change_account(tx, account, refusal_prompt_url=url)

    stage.ground.store.run(change)


Case = Callable[[Stage, Client, Web], str]
EXPECTED: dict[Case, tuple[int, str]] = {
    unknown_caller: (UNKNOWN_HZ, "no-session"),
    withheld_number: (UNKNOWN_HZ, "no-caller"),
    free_number: (REFUSAL_HZ, "no-session"),
    ended_session: (REFUSAL_HZ, "no-session"),
}


@pytest.mark.parametrize("case", EXPECTED, ids=lambda case: case.__name__)
def test_refused_caller_hears_why(stage: Stage, client: Client, web: Web, voices: Voices, case: Case) -> None:
    """A caller who is not put through is answered, hears the whole prompt once and is hung up; nobody is called."""
    hz, reason = EXPECTED[case]
    caller = case(stage, client, web)
    with stage.listener(stage.carrier.uas) as peer:
        uac = "uac_withholds_and_is_hung_up" if caller == "anonymous" else "uac_is_hung_up"
        talk = begin_talk(stage, voices, uac=uac, uas=None, caller=caller)
        talk.wait_for_caller()
        talk.uac.wait()
        assert peer.received() == []
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("caller", reason)]
    (times,) = read_times(stage.ground, stage.carrier.virtual)
    assert PROMPT_S < times.ended_at - times.answered_at < PROMPT_S + 0.5
    assert talk.a.level_db(hz, times.answered_at + 0.1, times.answered_at + PROMPT_S) > PRESENT_DB
    assert not_allowed(talk.uac.received()) == []
    check_tells_nothing(talk.uac.received(), stage.carrier.b)
