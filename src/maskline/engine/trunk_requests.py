"""What is sent to the targets of trunks outside calls: OPTIONS and REGISTER, as values for the user agent.

Source: RFC 3261 sections 10.2 and 11.1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from maskline.core.inventory import Target, Trunk
from maskline.core.targets import TargetAddress
from maskline.engine.leg_b import from_host_of
from maskline.sip.digest import Credentials
from maskline.sip.events import Flow
from maskline.sip.uri import SIPURI
from maskline.sip.user_agent_types import OutgoingRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkRequests:
    """Builds requests to targets. `local` are the addresses of our sockets, `host_towards` our host as told there."""

    local: Mapping[tuple[str, bool], tuple[str, int]]
    host_towards: Callable[[str], str]

    def options(self, address: TargetAddress) -> OutgoingRequest | None:
        """Ask a target whether it is there; None where no socket of ours leads."""
        flow = self._flow(address)
        if flow is None:
            return None
        there = SIPURI(host=address.name, port=address.name_port)
        ours = SIPURI(host=self.host_towards(address.host))
        return OutgoingRequest(method="OPTIONS", flow=flow, request_uri=there, from_uri=ours, to_uri=there)

    def register(
        self,
        trunk: Trunk,
        registrar: Target,
        address: TargetAddress,
        credentials: Credentials,
        *,
        call_id: str,
        seq: int,
        expires_s: int,
    ) -> OutgoingRequest | None:
        """Register a trunk at one address of its registrar; None where no socket of ours leads.

        The Request-URI names the domain alone, To and From the user there (RFC 3261 section 10.2).
        """
        flow = self._flow(address)
        if flow is None:
            return None
        domain = from_host_of(trunk, address) or registrar.host
        port = registrar.port if domain == registrar.host else None
        of_record = SIPURI(user=credentials.username, host=domain)
        return OutgoingRequest(
            method="REGISTER",
            flow=flow,
            request_uri=SIPURI(host=domain, port=port),
            from_uri=of_record,
            to_uri=of_record,
            contact_user=credentials.username,
            expires_s=expires_s,
            credentials=credentials,
            call_id=call_id,
            seq=seq,
        )

    def _flow(self, address: TargetAddress) -> Flow | None:
        local = self.local.get((address.transport.value, ":" in address.host))
        return None if local is None else Flow(address.transport.value, local, (address.host, address.port))
