"""How a switch is reached and how much it takes on."""

from collections.abc import Mapping
from dataclasses import dataclass

from maskline.core.pin import PIN_LIMITS, PinLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchLimits:
    """How much a switch takes on; further INVITEs hear 503 with Retry-After."""

    call_count_max: int = 400  # what one relay carries per core without delay
    new_calls_per_s_max: int = 600
    setup_count_max: int = 200  # INVITEs not yet routed; more of them means the database is behind


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchSettings:
    """How this switch is reached and how much it takes on."""

    local: Mapping[tuple[str, bool], tuple[str, int]]  # (transport, is IPv6) -> bound address
    advertised: tuple[str, int]
    advertised_v6: tuple[str, int] | None = None
    advertised_tls: tuple[str, int] | None = None
    limits: SwitchLimits = SwitchLimits()
    edges: tuple[str, ...] = ()  # proxies of ours that may say where a request came from
    pin_limits: PinLimits = PIN_LIMITS

    def host_towards(self, address: str) -> str:
        """Our own host as a peer at `address` is told it: of the peer's family where we have one."""
        told = self.advertised_v6 if ":" in address else self.advertised
        return (told or self.advertised)[0]
