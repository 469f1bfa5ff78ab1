"""What a carrier may ask of us: credentials, health, an anonymous caller it vouches for."""

import hashlib
import re
from collections.abc import Callable
from random import Random

import pytest

from tests.interop.ground import CREDENTIALS
from tests.interop.sipp import Sipp
from tests.interop.stage import Stage, check_tells_nothing
from tests.interop.wire import not_allowed

pytestmark = pytest.mark.sipp

NOISE_COUNT = 60  # with the others fewer than the lines the parser takes
TELLING_HEADERS = (
    "P-Access-Network-Info",
    "P-Asserted-Identity",
    "Remote-Party-ID",
    "Cellular-Network-Info",
    "P-Charging-Vector",
    "Geolocation",
    "History-Info",
    "Diversion",
    "User-to-User",
)
VALUES = {"username": CREDENTIALS[0], "password": CREDENTIALS[1]}


def test_challenge_of_the_callee_s_server_is_answered(set_stage: Callable[[str], Stage]) -> None:
    """A 401 on leg B is answered once with the trunk's credentials, and sipp finds the answer right."""
    stage = set_stage("asking")
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_challenges", values={**VALUES, "status": "401", "header": "WWW"})
    uac = stage.uac("uac_hangs_up").wait()
    uas.wait()
    stage.check_masked(uac, uas)
    check_digest(uas, "Authorization")
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]


def test_challenge_of_the_trunk_s_proxy_is_answered(set_stage: Callable[[str], Stage]) -> None:
    """A 407 likewise."""
    stage = set_stage("asking")
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_challenges_as_proxy", values={"status": "407", "header": "Proxy"})
    uac = stage.uac("uac_hangs_up").wait()
    uas.wait()
    stage.check_masked(uac, uas)
    check_digest(uas, "Proxy-Authorization")


def test_credentials_are_offered_once(set_stage: Callable[[str], Stage]) -> None:
    """A trunk that refuses the credentials is not asked again with them."""
    stage = set_stage("asking")
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_is_never_content", values={"status": "407", "header": "Proxy"})
    uac = stage.uac("uac_refused", values={"status": "480"}).wait()
    uas.wait()
    stage.check_masked(uac, uas)
    assert len(uas.received(method="INVITE")) == 2
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("carrier", "carrier-rejected")]


def check_digest(uas: Sipp, header: str) -> None:
    """The second INVITE proves the password without showing it. Source: RFC 7616 section 3.4.1."""
    first, second = uas.received(method="INVITE")
    assert not first.has(header)
    assert first.header("Call-ID") == second.header("Call-ID")
    assert int(second.header("CSeq").split()[0]) == int(first.header("CSeq").split()[0]) + 1
    assert CREDENTIALS[1].encode() not in second.raw
    scheme, _, rest = second.header(header).partition(" ")
    said = {
        name: value.strip('"') for name, _, value in (part.strip().partition("=") for part in rest.split(","))
    }
    ha1, ha2 = _md5(f"{CREDENTIALS[0]}:{said['realm']}:{CREDENTIALS[1]}"), _md5(f"INVITE:{said['uri']}")
    expected = _md5(f"{ha1}:{said['nonce']}:{said['nc']}:{said['cnonce']}:{said['qop']}:{ha2}")
    assert (scheme, said["response"], said["nc"]) == ("Digest", expected, "00000001")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_challenge_without_credentials_fails_the_call(stage: Stage) -> None:
    """A trunk without credentials gets no answer to its challenge."""
    stage.ground.add_session(stage.carrier)
    challenge = 'Proxy-Authenticate: Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'
    uas = stage.uas("uas_refuses", values={"status": "407", "extra": challenge})
    uac = stage.uac("uac_refused", values={"status": "480"}).wait()
    uas.wait()
    stage.check_masked(uac, uas)
    assert len(uas.received(method="INVITE")) == 1
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("carrier", "carrier-rejected")]


def test_credentials_are_not_sent_to_the_caller_s_side(set_stage: Callable[[str], Stage]) -> None:
    """A caller who challenges our BYE gets no credentials, though the trunk has some."""
    stage = set_stage("asking")
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_hangs_up")
    uac = stage.uac("uac_challenges_bye", handles_retransmissions=False).wait()
    uas.wait()
    byes = uac.received(method="BYE")
    assert byes
    assert not [name for bye in byes for name, _ in bye.headers if name.endswith("Authorization")]


def test_health_check_is_answered(stage: Stage) -> None:
    """OPTIONS gets 200 with what we understand, and nothing of what we are."""
    uac = stage.uac("uac_options").wait()
    (answer,) = uac.received(method="OPTIONS", status=200)
    assert not_allowed([answer]) == []
    methods = {name.strip() for name in answer.header("Allow").split(",")}
    assert {"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE"} <= methods
    assert "REFER" not in methods
    assert "application/sdp" in answer.header("Accept")


def test_text_message_is_refused(stage: Stage) -> None:
    """MESSAGE gets 405 and goes nowhere."""
    stage.ground.add_session(stage.carrier)
    with stage.listener(stage.carrier.uas) as peer:
        uac = stage.uac("uac_message").wait()
        assert peer.received() == []
    assert not_allowed(uac.received()) == []


def test_anonymous_caller_is_known_by_the_asserted_number(stage: Stage) -> None:
    """With Privacy in several fields and an anonymous From, the asserted number decides, and stays with us."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers")
    uac = stage.uac("uac_is_anonymous").wait()
    uas.wait()
    stage.check_masked(uac, uas)
    (invite,) = uas.received(method="INVITE")
    assert not invite.has("Privacy")
    assert invite.header("From").startswith(f"<sip:{stage.carrier.virtual}@")


def test_hops_are_counted(stage: Stage) -> None:
    """A request that may make no further hop is refused with 483, and no leg B is placed."""
    stage.ground.add_session(stage.carrier)
    with stage.listener(stage.carrier.uas) as peer:
        uac = stage.uac("uac_without_hops").wait()
        assert peer.received() == []
    check_tells_nothing(uac.received(), stage.callee)


def test_legs_share_no_bytes_but_ours(stage: Stage) -> None:
    """Two calls with other words of the caller differ on leg B in nothing but what is random there."""
    stage.ground.add_session(stage.carrier)
    seen: list[list[bytes]] = []
    for branch in ("z9hG4bKqzalpha-first", "z9hG4bKqzalpha-" + "second" * 9):
        uas = stage.uas("uas_answers")
        stage.uac("uac_hangs_up", values={"branch": branch}).wait()
        uas.wait()
        stage.ground.wait_for_records(stage.carrier.virtual, len(seen) + 1)
        seen.append([_without_randomness(text.raw) for text in uas.received()])
    assert seen[0] == seen[1]


@pytest.mark.parametrize("seed", range(3))
def test_headers_nobody_knows_stay_on_their_leg(stage: Stage, seed: int) -> None:
    """Header names misspelt or made up carry nothing over: there is no list of names to be stripped."""
    stage.ground.add_session(stage.carrier)
    random = Random(seed)
    number = stage.caller.number
    names = {_misspell(random, random.choice(TELLING_HEADERS)) for _ in range(NOISE_COUNT)}
    noise = "\n".join(f"{name}: qzalpha {number} <sip:{number}@qzalpha.example>" for name in sorted(names))
    uas = stage.uas("uas_answers")
    uac = stage.uac("uac_hangs_up", values={"noise": noise}).wait()
    uas.wait()
    stage.check_masked(uac, uas)


def _misspell(random: Random, name: str) -> str:
    """Change, drop or double one letter, or change the case; never into a name that SIP gives a meaning."""
    at = random.randrange(2, len(name) - 1)
    middle = random.choice(("", name[at] * 2, random.choice("qxz"), name[at].swapcase() + "q"))
    return name[:at] + middle + name[at + 1 :] + random.choice(("", "-Id", "s"))


def _without_randomness(raw: bytes) -> bytes:
    raw = re.sub(rb"(branch|tag)=[^;\r]+", rb"\1", raw)
    raw = re.sub(rb"(?m)^(Call-ID|Content-Length):.*\r$", rb"\1\r", raw)
    raw = re.sub(rb"(?m)^o=- \d+ ", rb"o=- ", raw)
    return re.sub(rb"m=audio \d+ ", rb"m=audio ", raw)
