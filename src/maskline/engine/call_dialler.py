"""Sends the INVITEs of one call to its trunk's targets, one after another, and keeps count of how they fare."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from maskline.core.call_record import Side
from maskline.core.inventory import Trunk
from maskline.core.numbers import DID, E164
from maskline.core.targets import TargetAddress, is_alive
from maskline.engine.leg_b import build_leg_b
from maskline.engine.ports import SwitchClock
from maskline.engine.trunk_table import TrunkTable
from maskline.sip import events as sip
from maskline.sip.user_agent import Flow, LegID, UserAgent


class DialTarget(NamedTuple):
    """An address of the trunk, and the flow that leads there."""

    address: TargetAddress
    flow: Flow


@dataclass(slots=True, kw_only=True)
class CallDialler:
    """What a call dials with. `legs` are the call's own, so that a leg is replaced where the call looks for it."""

    user_agent: UserAgent
    clock: SwitchClock
    trunks: TrunkTable
    trunk: Trunk
    targets: Sequence[DialTarget]
    number: DID
    hops_left: int
    legs: dict[Side, LegID]
    host_towards: Callable[[str], str]
    release: Callable[[LegID], None]  # what becomes of this leg is of no interest any more
    _index: int = -1

    def dial(self, side: Side, callee: E164, sdp: bytes) -> LegID:
        """Dial the first target, or the next one where the leg was dialled before."""
        if (before := self.legs.pop(side, None)) is None:
            self._index = 0
        else:
            self.release(before)
            self._index += 1
        address, flow = self.targets[self._index]
        invite = build_leg_b(
            trunk=self.trunk,
            target=address,
            flow=flow,
            advertised_host=self.host_towards(flow.remote[0]),
            number=self.number,
            callee=callee,
            hops_left=self.hops_left,
            sdp=sdp,
            credentials=self.trunks.credentials(self.trunk.id),
        )
        self.legs[side] = leg = self.user_agent.originate(invite, self.clock.mono_s())
        return leg

    def abandon(self, side: Side) -> None:
        """Cancel an INVITE that nobody answers, and count it against its target."""
        self.note_failure()
        leg = self.legs[side]
        self.release(leg)
        self.user_agent.hang_up(leg, self.clock.mono_s())

    def note_success(self, *, is_call: bool) -> None:
        """The target is there; `is_call`: it took an INVITE."""
        self.trunks.note_success(self.targets[self._index].address, is_call=is_call)

    def note_end(self, event: sip.Failed) -> None:
        """The target refused the INVITE: that shows it at work, unless it is too busy, or said nothing."""
        if event.is_local or event.status == 503:
            self.note_failure(event.retry_after_s)
        elif is_alive(event.status):
            self.note_success(is_call=False)

    def note_failure(self, retry_after_s: int | None = None) -> None:
        """The target did not answer, or could not."""
        address = self.targets[self._index].address
        self.trunks.note_failure(address, self.clock.mono_s(), retry_after_s=retry_after_s)
