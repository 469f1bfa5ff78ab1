"""One call's INVITEs: one target after another, and what their ends say of the targets."""

from dataclasses import dataclass, field
from typing import cast

import pytest

from maskline.core.call_record import Side
from maskline.core.inventory import Target, Trunk
from maskline.core.numbers import DID, E164
from maskline.core.targets import FAILURE_COUNT_MAX
from maskline.engine.call_dialler import CallDialler, DialTarget
from maskline.engine.ports import SwitchClock
from maskline.engine.trunk_table import TrunkTable
from maskline.sip import events as sip
from maskline.sip.events import Flow, LegID
from maskline.sip.user_agent import UserAgent
from maskline.sip.user_agent_types import OutgoingInvite

HOSTS = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
TRUNK = Trunk(id=1, created_at=0, name="one", targets=tuple(Target(host=host) for host in HOSTS))
NUMBER, CALLEE = DID("+912249370001"), E164("+919812300002")
NOW = 100.0


class FakeClock:
    """Stands still."""

    def mono_s(self) -> float:
        """Seconds."""
        return NOW


@dataclass
class FakeAgent:
    """Notes what is sent; legs are counted from 1."""

    invites: list[OutgoingInvite] = field(default_factory=list)
    hung_up: list[LegID] = field(default_factory=list)

    def originate(self, invite: OutgoingInvite, now: float) -> LegID:
        """Send an INVITE."""
        assert now == NOW
        self.invites.append(invite)
        return LegID(len(self.invites))

    def hang_up(self, leg: LegID, now: float) -> None:
        """End a leg."""
        assert now == NOW
        self.hung_up.append(leg)


@dataclass
class Rig:
    """A dialler for three targets, and what it did."""

    agent: FakeAgent = field(default_factory=FakeAgent)
    trunks: TrunkTable = field(default_factory=TrunkTable)
    legs: dict[Side, LegID] = field(default_factory=dict)
    released: list[LegID] = field(default_factory=list)
    dialler: CallDialler = field(init=False)

    def __post_init__(self) -> None:
        self.trunks.replace((TRUNK,))
        by_host = {address.host: address for address in self.trunks.route(TRUNK.id, dice=0, now=NOW)}
        self.dialler = CallDialler(
            user_agent=cast("UserAgent", self.agent),
            clock=cast("SwitchClock", FakeClock()),
            trunks=self.trunks,
            trunk=TRUNK,
            targets=[
                DialTarget(by_host[host], Flow("udp", ("10.0.0.1", 5060), (host, 5060))) for host in HOSTS
            ],
            number=NUMBER,
            hops_left=40,
            legs=self.legs,
            host_towards=lambda address: f"ours-for-{address}",
            release=self.released.append,
        )

    def is_first_healthy(self) -> bool:
        """Whether another call would try the first target before those that are not healthy."""
        return self.trunks.is_healthy(self.dialler.targets[0].address, NOW)

    def fail_often_but_once(self) -> None:
        """Leave the first target one failure away from being shunned."""
        for _ in range(FAILURE_COUNT_MAX - 1):
            self.trunks.note_failure(self.dialler.targets[0].address, NOW)


def make_failed(status: int, *, is_local: bool = False, retry_after_s: int | None = None) -> sip.Failed:
    """How an INVITE ended."""
    return sip.Failed(leg=LegID(1), status=status, is_local=is_local, retry_after_s=retry_after_s, q850=None)


def test_targets_are_dialled_one_after_another() -> None:
    """Each INVITE goes to the next target, shows our host towards it, and the leg before is let go."""
    rig = Rig()
    legs = [rig.dialler.dial(Side.B, CALLEE, b"v=0") for _ in HOSTS]
    assert [invite.flow.remote[0] for invite in rig.agent.invites] == list(HOSTS)
    assert [invite.from_uri.host for invite in rig.agent.invites] == [f"ours-for-{host}" for host in HOSTS]
    assert {invite.request_uri.user for invite in rig.agent.invites} == {"+919812300002"}
    assert {invite.sdp for invite in rig.agent.invites} == {b"v=0"}
    assert rig.released == legs[:-1]
    assert rig.legs == {Side.B: legs[-1]}


def test_each_side_begins_with_the_first_target() -> None:
    """A call of the service's own dials A, then B: the second leg is not the first one's next try."""
    rig = Rig()
    rig.dialler.dial(Side.A, CALLEE, b"")
    rig.dialler.dial(Side.A, CALLEE, b"")
    rig.dialler.dial(Side.B, CALLEE, b"")
    assert [invite.flow.remote[0] for invite in rig.agent.invites] == [HOSTS[0], HOSTS[1], HOSTS[0]]
    assert set(rig.legs) == {Side.A, Side.B}


def test_a_target_given_up_is_cancelled_and_counted() -> None:
    """Nobody hears of the leg any more, and its target has failed once more."""
    rig = Rig()
    rig.fail_often_but_once()
    leg = rig.dialler.dial(Side.B, CALLEE, b"")
    assert rig.is_first_healthy()
    rig.dialler.abandon(Side.B)
    assert (rig.released, rig.agent.hung_up) == ([leg], [leg])
    assert not rig.is_first_healthy()


@pytest.mark.parametrize(
    ("failed", "is_failure"),
    [
        (make_failed(503), True),
        (make_failed(408, is_local=True), True),
        (make_failed(503, is_local=True), True),
        (make_failed(486), False),
        (make_failed(500), False),
        (make_failed(408), False),
    ],
)
def test_only_a_target_s_own_failure_counts_against_it(failed: sip.Failed, is_failure: bool) -> None:
    """A busy phone is none; 408 and 500 from behind a target say nothing of it."""
    rig = Rig()
    rig.fail_often_but_once()
    rig.dialler.dial(Side.B, CALLEE, b"")
    rig.dialler.note_end(failed)
    assert rig.is_first_healthy() is not is_failure


def test_a_refusal_from_a_person_forgives_failures() -> None:
    """Somebody declined, so the target is at work: it takes as many failures as before to shun it."""
    rig = Rig()
    rig.fail_often_but_once()
    rig.dialler.dial(Side.B, CALLEE, b"")
    rig.dialler.note_end(make_failed(603))
    rig.dialler.note_failure()
    assert rig.is_first_healthy()


def test_retry_after_shuns_a_target_until_a_call_gets_through() -> None:
    """One 503 with it is enough; only a call that was taken lifts it."""
    rig = Rig()
    rig.dialler.dial(Side.B, CALLEE, b"")
    rig.dialler.note_end(make_failed(503, retry_after_s=30))
    assert not rig.is_first_healthy()
    rig.dialler.note_success(is_call=False)
    assert not rig.is_first_healthy()
    rig.dialler.note_success(is_call=True)
    assert rig.is_first_healthy()
