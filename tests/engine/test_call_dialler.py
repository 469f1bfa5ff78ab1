"""One target after another, each with its own INVITE, and what that says of their health."""

import random

import pytest

from maskline.core.call_record import Side
from maskline.core.inventory import Target, Trunk
from maskline.core.numbers import DID, E164
from maskline.engine.call_dialler import CallDialler, DialTarget
from maskline.engine.trunk_table import TrunkTable, literal_addresses
from maskline.sip import events as sip
from maskline.sip.events import Flow
from maskline.sip.user_agent import LegID, UserAgent
from maskline.sip.user_agent_types import UserAgentSettings

OURS = ("192.0.2.1", 5060)
HOSTS = ("198.51.100.7", "198.51.100.8")
TRUNK = Trunk(
    id=1,
    created_at=0,
    name="carrier",
    targets=tuple(Target(host=host, priority=index) for index, host in enumerate(HOSTS)),
    accept=("198.51.100.0/24",),
)
FIRST, SECOND = E164("+919812300001"), E164("+919812300002")
SDP = b"v=0\r\n"


class StillClock:
    """Both clocks, standing."""

    def now_us(self) -> int:
        return 0

    def mono_s(self) -> float:
        return 100.0


class Scene:
    """A dialler with a real user agent and trunk table."""

    def __init__(self) -> None:
        self.released: list[LegID] = []
        self.trunks = TrunkTable()
        self.trunks.replace((TRUNK,))
        self.agent = UserAgent(
            UserAgentSettings(advertised=OURS),
            random_bytes=random.Random(1).randbytes,
            is_trusted=lambda _host: True,
        )
        (addresses,) = zip(*(literal_addresses(target) for target in TRUNK.targets), strict=True)
        self.addresses = addresses
        self.legs: dict[Side, LegID] = {}
        self.dialler = CallDialler(
            user_agent=self.agent,
            clock=StillClock(),
            trunks=self.trunks,
            trunk=TRUNK,
            targets=[DialTarget(each, Flow("udp", OURS, (each.host, each.port))) for each in addresses],
            number=DID("+912249370001"),
            hops_left=20,
            legs=self.legs,
            host_towards=lambda _address: OURS[0],
            release=self.released.append,
        )

    def sent(self) -> list[tuple[str, bytes]]:
        """Take what was sent: to whom, and the first line."""
        return [(flow.remote[0], data.partition(b"\r\n")[0]) for flow, data in self.agent.outgoing()]

    def failures_of(self, index: int) -> int:
        """How many failures in a row are counted against a target."""
        health = self.trunks._health.get(self.addresses[index].place)
        return 0 if health is None else health.failure_count


def failed(
    leg: LegID, status: int, *, is_local: bool = False, retry_after_s: int | None = None
) -> sip.Failed:
    return sip.Failed(leg=leg, status=status, retry_after_s=retry_after_s, q850=None, is_local=is_local)


def test_targets_are_dialled_in_turn() -> None:
    """The second INVITE of a side goes to the second target, and the first one's leg is let go of."""
    scene = Scene()
    first = scene.dialler.dial(Side.B, SECOND, SDP)
    assert scene.legs == {Side.B: first}
    assert scene.sent() == [(HOSTS[0], b"INVITE sip:+919812300002@198.51.100.7 SIP/2.0")]
    second = scene.dialler.dial(Side.B, SECOND, SDP)
    assert scene.legs == {Side.B: second}
    assert scene.released == [first]
    assert scene.sent() == [(HOSTS[1], b"INVITE sip:+919812300002@198.51.100.8 SIP/2.0")]


def test_each_side_begins_with_the_first_target() -> None:
    """Where leg A ended up says nothing of leg B."""
    scene = Scene()
    for _ in TRUNK.targets:
        scene.dialler.dial(Side.A, FIRST, SDP)
    scene.sent()
    scene.dialler.dial(Side.B, SECOND, SDP)
    assert [host for host, _ in scene.sent()] == [HOSTS[0]]
    assert set(scene.legs) == set(Side)


def test_silent_target_is_left_and_counted() -> None:
    """What its INVITE still comes to is nobody's business; it is cancelled when it is heard of."""
    scene = Scene()
    leg = scene.dialler.dial(Side.B, SECOND, SDP)
    scene.dialler.abandon(Side.B)
    assert scene.released == [leg]
    assert scene.failures_of(0) == 1
    scene.dialler.dial(Side.B, SECOND, SDP)
    assert scene.failures_of(1) == 0


@pytest.mark.parametrize(
    ("status", "is_local", "failure_count"),
    [(503, False, 2), (503, True, 2), (408, True, 2), (486, False, 0), (404, False, 0), (500, False, 1)],
)
def test_refusals_tell_how_a_target_does(status: int, is_local: bool, failure_count: int) -> None:
    """Too busy, or silent, is a failure; a subscriber's own answer shows it at work; other 5xx say nothing."""
    scene = Scene()
    leg = scene.dialler.dial(Side.B, SECOND, SDP)
    scene.dialler.note_failure()
    scene.dialler.note_end(failed(leg, status, is_local=is_local))
    assert scene.failures_of(0) == failure_count


def test_retry_after_is_kept_until_a_call_gets_through() -> None:
    """A provisional answer is no word about load; an answered call is."""
    scene = Scene()
    leg = scene.dialler.dial(Side.B, SECOND, SDP)
    scene.dialler.note_end(failed(leg, 503, retry_after_s=30))
    scene.dialler.note_success(is_call=False)
    assert not scene.trunks.is_healthy(scene.addresses[0], 101.0)
    scene.dialler.note_success(is_call=True)
    assert scene.trunks.is_healthy(scene.addresses[0], 101.0)
