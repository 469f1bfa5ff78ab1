"""Session descriptions of no use, from either side."""

from collections.abc import Callable

import pytest

from tests.interop.stage import Stage, check_tells_nothing
from tests.interop.wire import not_allowed

pytestmark = pytest.mark.sipp

HEAD = "v=0\no=- 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n"
SRTP = HEAD + (
    "m=audio 31840 RTP/SAVP 8\na=rtpmap:8 PCMA/8000\n"
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
)
UNKNOWN_CODEC = HEAD + "m=audio 31840 RTP/AVP 112\na=rtpmap:112 qzalpha/8000"
NO_AUDIO = HEAD + "m=video 31840 RTP/AVP 96\na=rtpmap:96 H264/90000"
BROKEN = "v=0\no=- 1\nm=audio"

OFFERS = {"SRTP": (SRTP, "488"), "unknown codec": (UNKNOWN_CODEC, "488"), "no audio": (NO_AUDIO, "488")}
OFFERS["broken"] = (BROKEN, "488")
ANSWERS = {"SRTP": SRTP, "unknown codec": UNKNOWN_CODEC, "no audio": NO_AUDIO, "broken": BROKEN}


@pytest.mark.parametrize(("sdp", "status"), OFFERS.values(), ids=OFFERS.keys())
def test_useless_offer_is_refused(
    stage: Stage, sdp: str, status: str, is_all_over: Callable[[], None]
) -> None:
    """An offer that cannot be served is refused before anybody's phone rings."""
    stage.ground.add_session(stage.carrier)
    with stage.listener(stage.carrier.uas) as peer:
        uac = stage.uac("uac_offers", values={"sdp": sdp, "status": status}).wait()
        assert peer.received() == []
    assert not_allowed(uac.received()) == []
    check_tells_nothing(uac.received(), stage.callee)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("caller", "caller-not-acceptable")]
    is_all_over()


@pytest.mark.parametrize("sdp", ANSWERS.values(), ids=ANSWERS.keys())
def test_useless_answer_ends_the_call(stage: Stage, sdp: str, is_all_over: Callable[[], None]) -> None:
    """An answer that cannot be used is acknowledged and hung up on; the caller hears 488."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers_with", values={"sdp": sdp})
    uac = stage.uac("uac_refused", values={"status": "488"}).wait()
    uas.wait()
    stage.check_masked(uac, uas)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("callee", "callee-not-acceptable")]
    is_all_over()
