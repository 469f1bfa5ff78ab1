"""Leg B's INVITE, built from an allow-list (I5).

The arguments are the whole of what leg B can depend on: nothing that arrived on leg A is reachable here but the
session description, which `media.sdp` has rebuilt, and the number of hops left.
"""

from maskline.core.inventory import Trunk
from maskline.core.numbers import DID, E164
from maskline.sip.digest import Credentials
from maskline.sip.events import Flow
from maskline.sip.uri import SIPURI
from maskline.sip.user_agent_types import OutgoingInvite

MAX_FORWARDS = 70  # RFC 3261 section 8.1.1.6


def build_leg_b(
    *,
    trunk: Trunk,
    flow: Flow,
    advertised_host: str,
    number: DID,
    callee: E164,
    hops_left: int,
    sdp: bytes,
) -> OutgoingInvite:
    """Dial `callee` from the virtual number `number` over `trunk`. `hops_left` is leg A's Max-Forwards."""
    ours = SIPURI(scheme="sip", user=number, host=advertised_host, port=None)
    target = SIPURI(scheme="sip", user=callee.reveal(), host=trunk.peer_host, port=trunk.peer_port)
    return OutgoingInvite(
        flow=flow,
        request_uri=target,
        from_uri=ours,
        to_uri=SIPURI(scheme="sip", user=callee.reveal(), host=trunk.peer_host, port=None),
        contact_user="",
        sdp=sdp,
        max_forwards=min(MAX_FORWARDS, hops_left - 1),
        asserted=ours if trunk.sends_asserted else None,
        credentials=_credentials(trunk),
    )


def _credentials(trunk: Trunk) -> Credentials | None:
    if trunk.username is None or trunk.password is None:
        return None
    return Credentials(username=trunk.username, password=trunk.password.reveal(), realm=None)
