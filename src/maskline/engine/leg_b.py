"""Leg B's INVITE, built from an allow-list (I5).

The arguments are the whole of what leg B can depend on: nothing that arrived on leg A is reachable here but the
session description, which `media.sdp` has rebuilt, and the number of hops left.
"""

from maskline.core.inventory import Trunk
from maskline.core.number_format import format_number
from maskline.core.numbers import DID, E164
from maskline.core.targets import TargetAddress
from maskline.sip.digest import Credentials
from maskline.sip.events import Flow
from maskline.sip.uri import SIPURI
from maskline.sip.user_agent_types import OutgoingInvite

MAX_FORWARDS = 70  # RFC 3261 section 8.1.1.6


def build_leg_b(
    *,
    trunk: Trunk,
    target: TargetAddress,
    credentials: Credentials | None,
    flow: Flow,
    advertised_host: str,
    number: DID,
    callee: E164,
    hops_left: int,
    sdp: bytes,
) -> OutgoingInvite:
    """Dial `callee` from the virtual number `number` at one target of `trunk`, over `flow`, which leads there.

    `hops_left` is leg A's Max-Forwards; `credentials` are the trunk's, if it has any.
    """
    dialled = trunk.dial_prefix + format_number(callee, trunk.number_format, country=trunk.country)
    shown = format_number(E164(number), trunk.caller_format or trunk.number_format, country=trunk.country)
    ours = _uri(trunk, shown, from_host_of(trunk, target) or advertised_host, None)
    return OutgoingInvite(
        flow=flow,
        request_uri=_uri(trunk, dialled, target.name, target.name_port),
        from_uri=ours,
        to_uri=_uri(trunk, dialled, target.name, None),
        contact_user="",
        sdp=sdp,
        max_forwards=min(MAX_FORWARDS, hops_left - 1),
        asserted=ours if trunk.sends_asserted else None,
        credentials=credentials,
    )


def from_host_of(trunk: Trunk, target: TargetAddress) -> str | None:
    """The host under which the carrier knows us; None for our own."""
    if trunk.from_host is not None or trunk.registration is None:
        return trunk.from_host
    registrar = trunk.registration.registrar
    return target.name if registrar is None else registrar.host


def _uri(trunk: Trunk, user: str, host: str, port: int | None) -> SIPURI:
    params = (("user", "phone"),) if trunk.sends_user_phone else ()
    return SIPURI(scheme="sip", user=user, host=host, port=port, params=params)
