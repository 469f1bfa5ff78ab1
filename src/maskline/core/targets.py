"""Which of a trunk's targets a call is sent to, in which order, and when the next one is tried. Pure.

A trunk has targets as the operator wrote them; each leads to one or more addresses (`TargetAddress`). What is known
of an address's health is a value (`Health`), changed by what came of requests to it.

Source: RFC 2782 (order by priority and weight), RFC 3263 section 4.3 (what makes a client try the next one).
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from .inventory import Target, Transport

PORT: Final = 5060
TLS_PORT: Final = 5061
"""Where a target without port is, when SRV says nothing else (RFC 3261 section 19.1.2)."""

TARGET_TIMEOUT_S: Final = 4.0
"""How long an INVITE waits for any answer, a 100 included, while other targets remain.

The INVITE has been repeated three times by then (at 0.5, 1.5 and 3.5 s), and a caller hears nothing meanwhile."""
ATTEMPT_COUNT_MAX: Final = 5
"""Targets tried for one call: with the time above some 20 s, after which most callers have hung up."""
FAILURE_COUNT_MAX: Final = 2
"""Failures in a row that make an address unhealthy: one may be a lost packet or a restart."""
UNHEALTHY_S: Final = 90.0
"""How long failures count: three health checks, so that an address nobody checks is tried again by itself."""
RETRY_AFTER_S_MAX: Final = 600
"""What a Retry-After is believed at most; a carrier's mistake shall not cost a target for a day."""


class Ranked(Protocol):
    """What has a place in an order: the lowest priority first, weight as the share within it."""

    @property
    def priority(self) -> int:
        """Lower goes first."""

    @property
    def weight(self) -> int:
        """How often it goes first among its like."""


R = TypeVar("R", bound=Ranked)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetAddress:
    """One address of a target: where bytes go, and the name under which it was configured.

    `host` is an IP address without brackets. `name` and `name_port` are the target's own (an address and its port
    where it was given as such): what stands in the Request-URI, and what a TLS certificate has to be for: the name
    that DNS answered with is anybody's (RFC 5922 section 4). `priority` and `weight` are those of the SRV record.
    """

    transport: Transport
    host: str
    port: int
    name: str
    name_port: int | None = None
    priority: int = 0
    weight: int = 0

    @property
    def place(self) -> tuple[Transport, str, int]:
        """What health is known of: the same machine under two names is one."""
        return self.transport, self.host, self.port


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is known of an address: failures in a row, and instants (monotonic seconds) until which it is shunned."""

    failure_count: int = 0
    failed_until_mono_s: float = 0.0
    busy_until_mono_s: float = 0.0


UNKNOWN: Final = Health()
"""Of an address nothing is known of yet: it counts as healthy."""


def default_port(transport: Transport) -> int:
    """Return the port of a target that names none."""
    return TLS_PORT if transport is Transport.TLS else PORT


def parse_literal(host: str) -> str | None:
    """Return an IP address in its shortest form, None for what is a name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def address_of(target: Target, host: str, port: int, *, priority: int = 0, weight: int = 0) -> TargetAddress:
    """Make one of a target's addresses."""
    return TargetAddress(
        transport=target.transport,
        host=host,
        port=port,
        name=target.host,
        name_port=target.port,
        priority=priority,
        weight=weight,
    )


def is_healthy(health: Health, now_mono_s: float) -> bool:
    """Whether an address is to be preferred to unhealthy ones."""
    is_failing = health.failure_count >= FAILURE_COUNT_MAX and now_mono_s < health.failed_until_mono_s
    return not is_failing and now_mono_s >= health.busy_until_mono_s


def note_success(health: Health, *, is_call: bool) -> Health:
    """An answer came. Only a call that got through lifts a Retry-After: OPTIONS says nothing about load."""
    return Health(busy_until_mono_s=0.0 if is_call else health.busy_until_mono_s)


def note_failure(health: Health, now_mono_s: float, *, retry_after_s: int | None = None) -> Health:
    """No answer came, or one that says to try elsewhere; with Retry-After, for how long."""
    busy_until = 0.0 if retry_after_s is None else now_mono_s + min(retry_after_s, RETRY_AFTER_S_MAX)
    return Health(
        failure_count=min(health.failure_count + 1, FAILURE_COUNT_MAX),
        failed_until_mono_s=now_mono_s + UNHEALTHY_S,
        busy_until_mono_s=max(health.busy_until_mono_s, busy_until),
    )


def is_alive(status: int) -> bool:
    """Whether an answer to OPTIONS shows a target at work: any but 408, which also stands for silence, and 5xx.

    501 says only that OPTIONS is not known there.
    """
    return status == 501 or (status != 408 and not 500 <= status < 600)


def is_worth_another_target(status: int, *, is_local: bool, has_rung: bool) -> bool:
    """Whether a call that ended so may be sent to the next target.

    Never once a phone may have rung. Only where nobody has looked at the call: a target that is overloaded or down
    says 503 itself (RFC 3261 section 21.5.4), silence is our own 408, a broken connection our own 503. A 408, 500,
    502 or 504 that was received comes from behind the target, where the next one would lead as well.
    """
    if has_rung:
        return False
    return status == 503 or (is_local and status == 408)


def order_targets(
    targets: Sequence[R], *, dice: int, is_healthy: Callable[[R], bool] = lambda _target: True
) -> tuple[R, ...]:
    """Put targets in the order to be tried: by priority, by chance and weight within one, unhealthy ones last.

    `dice` is any integer of 64 random bits; the same one gives the same order. Nothing is left out: when all are
    unhealthy, all are tried.
    """
    if len(targets) == 1:  # of most trunks: there is nothing to choose
        return tuple(targets)
    left = sorted(targets, key=lambda target: (target.priority, target.weight))
    ordered: list[R] = []
    for draw in range(len(left)):
        first = left[0]
        level = [target for target in left if target.priority == first.priority]
        chosen = first if len(level) == 1 else _choose(level, _random(dice, draw))
        left.remove(chosen)
        ordered.append(chosen)
    return healthy_first(ordered, is_healthy)


def healthy_first(targets: Sequence[R], is_healthy: Callable[[R], bool]) -> tuple[R, ...]:
    """Move unhealthy targets to the end, otherwise leaving the order alone."""
    if len(targets) == 1:
        return tuple(targets)
    return tuple(sorted(targets, key=lambda target: not is_healthy(target)))


def _choose(level: list[R], random: int) -> R:
    """Choose one, its weight being its chance; those of weight 0 stand first and have next to none."""
    mark = random % (sum(target.weight for target in level) + 1)
    running = 0
    for target in level:
        running += target.weight
        if running >= mark:
            return target
    raise AssertionError("the mark lies within the sum of all weights")


def _random(dice: int, draw: int) -> int:
    """Make the `draw`-th number of 64 bits out of one: splitmix64, which has no state."""
    mixed = (dice + (draw + 1) * 0x9E3779B97F4A7C15) & 0xFFFF_FFFF_FFFF_FFFF
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFF_FFFF_FFFF_FFFF
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & 0xFFFF_FFFF_FFFF_FFFF
    return mixed ^ (mixed >> 31)
