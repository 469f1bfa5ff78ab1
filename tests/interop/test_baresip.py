"""Two independent phones at the sandbox carrier: each calls the other over a virtual number and hears its tone."""

import base64
import json
import re
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.baresip import Baresip, baresip, level_of
from tests.interop.ground import HTTP_PORT, SANDBOX_PORT, Ground, loopback_block
from tests.interop.waiting import wait_for
from tests.peers import need

pytestmark = pytest.mark.baresip

A_NUMBER, B_NUMBER = "+919815031847", "+919715052906"
A_TONE_HZ, B_TONE_HZ = 400, 1000
PIN = "73918264"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The service with the sandbox carrier, as `make run` starts it."""
    need("baresip")
    with loopback_block() as block:
        ground = Ground(block, tmp_path_factory.mktemp("sandbox"), is_sandbox=True)
        ground.start()
        try:
            yield ground
        finally:
            ground.stop()
            ground.store.close()


def create_session(ground: Ground, **fields: object) -> str:
    """Create a session with what the service printed, as its reader would; return the virtual number."""
    printed = ground.printed_path.read_text()
    auth_id, token = (re.search(pattern, printed) for pattern in (r"auth id +(\S+)", r"auth token +(\S+)"))
    assert auth_id is not None
    assert token is not None
    url = f"http://{ground.address[0]}:{HTTP_PORT}/v1/Account/{auth_id[1]}/Masking/Session/"
    request = urllib.request.Request(
        url,
        data=json.dumps({"first_party": A_NUMBER, "second_party": B_NUMBER, **fields}).encode(),
        headers={
            "Authorization": "Basic " + base64.b64encode(f"{auth_id[1]}:{token[1]}".encode()).decode(),
            "Content-Type": "application/json",
        },
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=5) as response:
        return str(json.load(response)["virtual_number"])


@pytest.fixture
def phones(sandbox: Ground, tmp_path: Path) -> Iterator[tuple[Baresip, Baresip]]:
    """Two registered phones; the second answers by itself."""
    carrier = f"{sandbox.block}.0.20:{SANDBOX_PORT}"
    with ExitStack() as stack:
        found = []
        for index, (number, tone_hz) in enumerate(((A_NUMBER, A_TONE_HZ), (B_NUMBER, B_TONE_HZ))):
            account = (
                f'"phone {number[-4:]}" <sip:{number}@{carrier}>;auth_pass=any;regint=600;answermode=auto'
            )
            phone = baresip(
                tmp_path / f"phone{index}",
                host=f"{sandbox.block}.7.{101 + index}",
                account=account + ";audio_codecs=PCMA/8000/1",
                ports=(16_000 + 100 * index, 16_099 + 100 * index),
                tone_hz=tone_hz,
            )
            found.append(stack.enter_context(phone))
        for phone_ in found:
            phone_.wait_until_registered()
        yield found[0], found[1]


@pytest.mark.parametrize("is_swapped", [False, True], ids=["first calls second", "second calls first"])
def test_phones_hear_each_other_and_learn_nothing(
    sandbox: Ground, phones: tuple[Baresip, Baresip], is_swapped: bool
) -> None:
    """An independent phone calls another over the virtual number: sound both ways, the other's number nowhere."""
    virtual = create_session(sandbox)
    before = len(sandbox.records(virtual))
    ports_before = sandbox.relay_port_count()
    caller, callee = reversed(phones) if is_swapped else phones
    caller.command("dial", f"sip:{virtual}@{sandbox.block}.0.20:{SANDBOX_PORT}")
    caller.wait_for_event("CALL_ESTABLISHED")
    assert virtual in callee.wait_for_event("CALL_ESTABLISHED")["peeruri"]
    for phone, own_hz, other_hz in ((phones[0], A_TONE_HZ, B_TONE_HZ), (phones[1], B_TONE_HZ, A_TONE_HZ)):
        samples = phone.heard()
        assert level_of(samples, other_hz) > 0.9
        assert level_of(samples, own_hz) < 0.01
    caller.command("hangup")
    callee.wait_for_event("CALL_CLOSED")
    for phone, other in ((phones[0], B_NUMBER), (phones[1], A_NUMBER)):
        assert other[-10:] not in json.dumps(phone.events())
    assert sandbox.wait_for_records(virtual, before + 1)[-1] == ("success", "caller-hung-up")
    wait_for(lambda: sandbox.relay_port_count() <= ports_before, 5.0, "the relay has no port left")


def test_busy_phone_is_busy(sandbox: Ground, phones: tuple[Baresip, Baresip]) -> None:
    """A phone that declines makes the caller's phone say so."""
    virtual = create_session(sandbox)
    before = len(sandbox.records(virtual))
    caller, callee = phones
    callee.command("answermode", "manual")
    caller.command("dial", f"sip:{virtual}@{sandbox.block}.0.20:{SANDBOX_PORT}")
    callee.wait_for_event("CALL_INCOMING")
    callee.command("hangup")
    closed = caller.wait_for_event("CALL_CLOSED")
    assert closed["param"].startswith(("486", "603", "480"))
    result, _ = sandbox.wait_for_records(virtual, before + 1)[-1]
    assert result == "callee"


def test_phone_enters_a_pin(sandbox: Ground, phones: tuple[Baresip, Baresip]) -> None:
    """A phone's keys open the session, and the other phone, which answers at once, hears of none."""
    caller, callee = phones
    virtual = create_session(
        sandbox,
        first_party=B_NUMBER,  # the other way round: another session than that of the tests before
        second_party=A_NUMBER,
        is_pin_authentication_required=True,
        force_pin_authentication=True,
        first_party_pin="50617385",
        second_party_pin=PIN,
    )
    before = len(sandbox.records(virtual))
    caller.command("dial", f"sip:{virtual}@{sandbox.block}.0.20:{SANDBOX_PORT}")
    caller.wait_for_event("CALL_ESTABLISHED")
    caller.command("sndcode", f"{PIN}#")
    callee.wait_for_event("CALL_ESTABLISHED")
    for phone, other_hz in ((caller, B_TONE_HZ), (callee, A_TONE_HZ)):
        assert level_of(phone.heard(), other_hz) > 0.9
    caller.command("hangup")
    callee.wait_for_event("CALL_CLOSED")
    assert not [event for event in callee.events() if "DTMF" in str(event.get("type"))]
    assert sandbox.wait_for_records(virtual, before + 1)[-1] == ("success", "caller-hung-up")
    assert PIN not in sandbox.log
