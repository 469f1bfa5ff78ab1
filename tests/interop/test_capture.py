"""A call on the wire, decoded by tshark: nothing is there that the sipps did not see, and nothing crosses."""

from pathlib import Path

import pytest

from tests.interop.capture import Capture, capture
from tests.interop.secrets_of import Party
from tests.interop.stage import Stage
from tests.interop.waiting import wait_for
from tests.interop.wire import REQUEST_HEADERS, RESPONSE_HEADERS

pytestmark = [pytest.mark.sipp, pytest.mark.tshark]


@pytest.mark.parametrize(
    ("uac", "uas"), [("uac_hangs_up", "uas_answers"), ("uac_is_hung_up", "uas_hangs_up")]
)
def test_wire_holds_nothing_of_the_other_side(stage: Stage, tmp_path: Path, uac: str, uas: str) -> None:
    """Every byte the switch sends to a side is free of the other side's secrets, and every header is on the list."""
    stage.ground.add_session(stage.carrier)
    marker = b"qz-end-of-capture"
    with capture(tmp_path / "call.pcapng", f"net {stage.carrier.host(0)}/24") as found:
        callee = stage.uas(uas)
        stage.uac(uac).wait()
        callee.wait()
        with stage.listener(
            (stage.carrier.host(9), 9)
        ) as sender:  # what was sent before it is in the file with it
            sender.send(marker)
            wait_for(lambda: marker in found.path.read_bytes(), 5.0, "the capture has come to the end")
    ours = stage.ground.address[0]
    check_headers(found, ours)
    check_direction(found, ours, stage.carrier.uas[0], stage.caller, at_least=3)
    check_direction(found, ours, stage.carrier.uac[0], stage.callee, at_least=4)


def check_headers(found: Capture, ours: str) -> None:
    """The header names that tshark sees in what we send are the ones we may send."""
    packets = found.fields(f"sip && ip.src == {ours}", "sip.Method", "sip.msg_hdr")
    assert packets
    for methods, headers in packets:
        names = {line.partition(":")[0] for text in headers for line in header_lines(text)}
        allowed = REQUEST_HEADERS if methods else RESPONSE_HEADERS
        assert names - {""} <= allowed


def header_lines(text: str) -> list[str]:
    """The lines of a message before its body."""
    return text.partition("\r\n\r\n")[0].split("\r\n")


def check_direction(found: Capture, ours: str, to: str, of: Party, *, at_least: int) -> None:
    """No payload that we send to `to` holds a secret of the other side."""
    packets = found.fields(f"udp && ip.src == {ours} && ip.dst == {to}", "udp.payload")
    payloads = [bytes.fromhex(text.replace(":", "")) for (values,) in packets for text in values]
    assert len(payloads) >= at_least
    assert [name for payload in payloads for name in of.find_in(payload)] == []
