"""How much of its virtual numbers an account uses."""

from dataclasses import dataclass
from typing import Final

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
USAGE_LIST_LIMIT_MAX: Final = 100
"""Samples in one page; one more may be asked for, to know whether there is another."""


def needed_number_count(busiest_party_session_count: int) -> int:
    """Return with how many numbers no request of these parties ever lacks one, first fit and one number a session.

    Sessions are edges, parties vertices, numbers colours: a session meets at most D-1 others at each of its ends.
    """
    return max(0, 2 * busiest_party_session_count - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCounts:
    """What is counted at one instant over the virtual numbers of one scope.

    `number_count` are leased and not removed; of these, `healthy_count` take new sessions.
    `occupied_binding_count` are bindings live or cooling off; `busiest_party_session_count` is how many of them the
    party has that has most. `taken_for_busiest` is the most healthy numbers that one party's bindings are on.
    """

    number_count: int
    healthy_count: int
    live_session_count: int
    occupied_binding_count: int
    busiest_party_session_count: int
    taken_for_busiest: int

    @property
    def needed_number_count(self) -> int:
        """With how many numbers the busiest party's requests would never lack one."""
        return needed_number_count(self.busiest_party_session_count)

    @property
    def free_for_busiest(self) -> int:
        """How many healthy numbers are left for the party that has most of them taken."""
        return max(0, self.healthy_count - self.taken_for_busiest)


NOTHING_USED: Final = UsageCounts(
    number_count=0,
    healthy_count=0,
    live_session_count=0,
    occupied_binding_count=0,
    busiest_party_session_count=0,
    taken_for_busiest=0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageScope:
    """Whose numbers: a sub-account's, or without one those the account leases for itself; all, or one pool's."""

    subaccount_id: int | None = None
    pool_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The counts of one scope, and the names by which clients know it."""

    scope: UsageScope
    subaccount_auth_id: str | None
    pool_name: str | None
    counts: UsageCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSample:
    """The counts of one scope as kept of an hour. `sampled_at` is the hour's begin, µs UTC."""

    sampled_at: int
    counts: UsageCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageHistoryFilter:
    """Which samples of one scope to list, newest first. Instants in µs UTC; `before` is where a page begins."""

    account_id: int
    scope: UsageScope
    from_: int | None = None
    until: int | None = None
    before: int | None = None
    limit: int = USAGE_LIST_LIMIT_MAX
