"""A call with one leg on IPv4 and one on IPv6."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.ground import Ground, loopback_block
from tests.interop.stage import Stage
from tests.peers import need

pytestmark = pytest.mark.sipp

ANSWER = (
    "v=0\no=qzbravo 1 1 IN IP6 ::1\ns=qzbravo\nc=IN IP6 ::1\nt=0 0\nm=audio 52906 RTP/AVP 8\n"
    "a=rtpmap:8 PCMA/8000"
)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A service on both families, and a carrier whose callers come by IPv4 and whose peer is on IPv6."""
    need("sipp")
    if not has_ipv6():
        pytest.skip("the loopback interface has no IPv6: sysctl net.ipv6.conf.lo.disable_ipv6=0")
    with loopback_block() as block:
        index = int(
            block.rpartition(".")[2]
        )  # ::1 is one address for all: the ports must tell services apart
        service, first_rtp = f"{block}.0.10", 30_000 + 40 * index
        settings = {
            "SIP_BIND": f"{service}:5060,[::1]:{6000 + index}",
            "RTP_BIND": f"{service},::1",
            "RTP_PORTS": f"{first_rtp}-{first_rtp + 39}",
        }
        ground = Ground(block, tmp_path / "ground", settings=settings)
        (carrier,) = ground.add_carriers(1)
        stage = Stage(ground, ground.move_peer(carrier, ("::1", 7000 + index)), tmp_path)
        ground.start()
        try:
            yield stage
        finally:
            stage.close()
            ground.stop()
            ground.store.close()
        assert ground.told_in_logs() == []
        assert ground.errors_in_logs() == []


def has_ipv6() -> bool:
    """Whether ::1 is there."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            return False
    return True


def test_legs_may_be_of_different_families(stage: Stage) -> None:
    """The caller's IPv4 stays on its own leg, the callee's IPv6 on the other, in every message."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers_with", values={"sdp": ANSWER}, media_host="::1", remote=stage.carrier.uas)
    uac = stage.uac("uac_hangs_up").wait()
    uas.wait()
    stage.check_masked(uac, uas)
    (invite,) = uas.received(method="INVITE")
    assert "c=IN IP6 ::1" in invite.sdp
    assert invite.header("Via").startswith("SIP/2.0/UDP [::1]:")
    assert [text.raw for text in uas.received() if stage.ground.block.encode() in text.raw] == []
    assert [text.raw for text in uac.received() if b"::1" in text.raw] == []
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]
