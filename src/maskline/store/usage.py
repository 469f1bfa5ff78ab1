"""Rows that say how much of its numbers an account uses: counted now, and as kept of every hour."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    select,
)

from maskline.core.forecast import DailyPeak
from maskline.core.inventory import NumberHealth
from maskline.core.usage import (
    DAY_US,
    USAGE_LIST_LIMIT_MAX,
    Usage,
    UsageCounts,
    UsageHistoryFilter,
    UsageSample,
    UsageScope,
    needed_number_count,
)

from .engine import Row, Tx
from .schema import account, binding, number_lease, pool, subaccount, virtual_number
from .schema_usage import usage_sample
from .statement import Statement, insert_row

SCOPE_COUNT_MAX: Final = 10_000
"""Scopes of one account that are counted: as many as its sub-accounts and pools listed at once."""
SAMPLED_ACCOUNT_COUNT_MAX: Final = 100
"""Accounts sampled in one round."""
PEAK_COUNT_MAX: Final = 100_000
"""Days times scopes that one account's forecasts look at: 90 days of a thousand pools."""

_b: Final = binding.c
_l: Final = number_lease.c
_n: Final = virtual_number.c
_u: Final = usage_sample.c
_COUNTS: Final = (
    "number_count",
    "healthy_count",
    "live_session_count",
    "occupied_binding_count",
    "busiest_party_session_count",
    "taken_for_busiest",
)
_is_usable: Final = and_(_n.health == NumberHealth.HEALTHY.value, _n.draining_at.is_(None))
_lease_is_mine: Final = and_(_l.account_id == bindparam("account_id"), _l.ended_at.is_(None))
_SUBACCOUNT: Final = func.coalesce(_l.subaccount_id, literal_column("0")).label("subaccount_id")
_POOL: Final = func.coalesce(_l.pool_id, literal_column("0")).label("pool_id")


def _count_if(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(case((condition, literal_column("1")), else_=literal_column("0")))


_SELECT_NUMBERS: Final = Statement(
    select(_SUBACCOUNT, _POOL, func.count(), _count_if(_is_usable))
    .join_from(number_lease, virtual_number, _n.id == _l.virtual_number_id)
    .where(_lease_is_mine, _n.removed_at.is_(None))
    .group_by(_SUBACCOUNT, _POOL)
    .order_by(_SUBACCOUNT, _POOL)
    .limit(SCOPE_COUNT_MAX)
)


def _occupied(*columns: ColumnElement[Any]) -> Select[Any]:
    """Select from the bindings, live or cooling, on the account's numbers."""
    return (
        select(*columns)
        .join_from(number_lease, virtual_number, _n.id == _l.virtual_number_id)
        .join(binding, _b.virtual_number_id == _l.virtual_number_id)
        .where(_lease_is_mine, _b.released_at.is_(None), _b.free_at > bindparam("now"))
    )


_SELECT_SESSIONS: Final = Statement(
    _occupied(_SUBACCOUNT, _POOL, func.count(_b.session_id.distinct()))
    .where(_b.end_at > bindparam("now"))
    .group_by(_SUBACCOUNT, _POOL)
    .limit(SCOPE_COUNT_MAX)
)


def _busiest(*scope: ColumnElement[Any]) -> Statement:
    """Build the SELECT of bindings in all, of the busiest party, and most taken, within each scope."""
    parties = (
        _occupied(*scope, func.count().label("held"), _count_if(_is_usable).label("taken"))
        .group_by(*scope, _b.party_ref)
        .subquery("parties")
    )
    keys = [parties.c[str(it.key)] for it in scope]
    return Statement(
        select(*keys, func.sum(parties.c.held), func.max(parties.c.held), func.max(parties.c.taken))
        .group_by(*keys)
        .limit(SCOPE_COUNT_MAX)
    )


_SELECT_BUSIEST_IN_POOLS: Final = _busiest(_SUBACCOUNT, _POOL)
_SELECT_BUSIEST: Final = _busiest(_SUBACCOUNT)
_SELECT_SUBACCOUNT_NAMES: Final = Statement(
    select(subaccount.c.id, subaccount.c.auth_id)
    .where(subaccount.c.account_id == bindparam("account_id"))
    .order_by(subaccount.c.id)
    .limit(SCOPE_COUNT_MAX)
)
_SELECT_POOL_NAMES: Final = Statement(
    select(pool.c.id, pool.c.name)
    .where(pool.c.account_id == bindparam("account_id"))
    .order_by(pool.c.id)
    .limit(SCOPE_COUNT_MAX)
)
_KEY: Final = ("account_id", "subaccount_id", "pool_id", "sampled_at")
_INSERT_SAMPLE: Final = Statement(insert_row(usage_sample, *_KEY, *_COUNTS).on_conflict_do_nothing())
_SELECT_UNSAMPLED: Final = Statement(
    select(account.c.id)
    .where(
        ~select(literal_column("1"))
        .where(
            _u.account_id == account.c.id,
            _u.subaccount_id == literal_column("0"),  # of all scopes of an hour this one is always kept
            _u.pool_id == literal_column("0"),
            _u.sampled_at == bindparam("sampled_at"),
        )
        .correlate(account)
        .exists()
    )
    .order_by(account.c.id)
    .limit(SAMPLED_ACCOUNT_COUNT_MAX)
)
_scope_is: Final = and_(
    _u.account_id == bindparam("account_id"),
    _u.subaccount_id == bindparam("subaccount_id"),
    _u.pool_id == bindparam("pool_id"),
)
_SELECT_SAMPLES: Final = Statement(
    select(_u.sampled_at, *(_u[name] for name in _COUNTS))
    .where(
        _scope_is,
        _u.sampled_at >= bindparam("from_"),
        _u.sampled_at < bindparam("until"),
    )
    .order_by(_u.sampled_at.desc())
    .limit(bindparam("limit_"))
)
_DAY: Final = (_u.sampled_at - _u.sampled_at % DAY_US).label("day_at")
_SELECT_PEAKS: Final = Statement(
    select(_u.subaccount_id, _u.pool_id, _DAY, func.max(_u.busiest_party_session_count))
    .where(_u.account_id == bindparam("account_id"), _u.sampled_at >= bindparam("from_"))
    .group_by(_u.subaccount_id, _u.pool_id, _DAY)
    .limit(PEAK_COUNT_MAX)
)
_PRUNE: Final = Statement(
    delete(usage_sample).where(
        _u.account_id == bindparam("account_id"),
        _u.sampled_at < bindparam("before", type_=BigInteger),
    )
)
_INSTANT_MAX: Final = 2**63 - 1


def count_usage(tx: Tx, account_id: int, now: int) -> tuple[Usage, ...]:
    """Count an account's usage: its own numbers in all, then scope by scope where there are numbers.

    Each count is of its own statement, so that they may differ by what was committed in between.
    """
    totals: dict[tuple[int, int], dict[str, int]] = {(0, 0): _zero()}
    for subaccount_id, pool_id, number_count, healthy_count in tx.rows(
        _SELECT_NUMBERS, account_id=account_id
    ):
        _add(totals, (subaccount_id, pool_id), number_count=number_count, healthy_count=healthy_count)
    for subaccount_id, pool_id, count in tx.rows(_SELECT_SESSIONS, account_id=account_id, now=now):
        _add(totals, (subaccount_id, pool_id), live_session_count=count)
    for subaccount_id, pool_id, held, most_held, most_taken in tx.rows(
        _SELECT_BUSIEST_IN_POOLS, account_id=account_id, now=now
    ):
        _add(totals, (subaccount_id, pool_id), occupied_binding_count=int(held))
        if pool_id:
            _set_busiest(totals, (subaccount_id, pool_id), most_held, most_taken)
    for subaccount_id, _, most_held, most_taken in tx.rows(_SELECT_BUSIEST, account_id=account_id, now=now):
        _set_busiest(totals, (subaccount_id, 0), most_held, most_taken)
    return _named(tx, account_id, totals)


def _zero() -> dict[str, int]:
    return dict.fromkeys(_COUNTS, 0)


def _add(totals: dict[tuple[int, int], dict[str, int]], key: tuple[int, int], **counts: int) -> None:
    """Add to a pool, and to all numbers of its sub-account or account."""
    for each in {key, (key[0], 0)}:
        kept = totals.setdefault(each, _zero())
        for name, count in counts.items():
            kept[name] += count


def _set_busiest(
    totals: dict[tuple[int, int], dict[str, int]], key: tuple[int, int], held: int, taken: int
) -> None:
    kept = totals.setdefault(key, _zero())
    kept["busiest_party_session_count"], kept["taken_for_busiest"] = held, taken


def _named(tx: Tx, account_id: int, totals: dict[tuple[int, int], dict[str, int]]) -> tuple[Usage, ...]:
    subaccounts = dict(_pairs(tx.rows(_SELECT_SUBACCOUNT_NAMES, account_id=account_id)))
    pools = dict(_pairs(tx.rows(_SELECT_POOL_NAMES, account_id=account_id)))
    return tuple(
        Usage(
            scope=UsageScope(subaccount_id=subaccount_id or None, pool_id=pool_id or None),
            subaccount_auth_id=subaccounts.get(subaccount_id),
            pool_name=pools.get(pool_id),
            counts=UsageCounts(**counts),
        )
        for (subaccount_id, pool_id), counts in sorted(totals.items())
    )


def _pairs(rows: Iterable[Row]) -> Iterable[tuple[int, str]]:
    return ((row[0], row[1]) for row in rows)


def insert_sample(tx: Tx, account_id: int, usage: Usage, sampled_at: int) -> None:
    """Keep the counts of a scope for the hour that began at `sampled_at`, unless the hour has its own."""
    scope, counts = usage.scope, usage.counts
    tx.run(
        _INSERT_SAMPLE,
        account_id=account_id,
        subaccount_id=scope.subaccount_id or 0,
        pool_id=scope.pool_id or 0,
        sampled_at=sampled_at,
        **{name: getattr(counts, name) for name in _COUNTS},
    )


def load_unsampled(tx: Tx, sampled_at: int) -> tuple[int, ...]:
    """Load the next accounts of which the hour that began at `sampled_at` has no sample."""
    return tuple(row[0] for row in tx.rows(_SELECT_UNSAMPLED, sampled_at=sampled_at))


def load_samples(tx: Tx, wanted: UsageHistoryFilter) -> tuple[UsageSample, ...]:
    """Load one page of a scope's samples, newest first."""
    ends = [it for it in (wanted.until, wanted.before) if it is not None]
    rows = tx.rows(
        _SELECT_SAMPLES,
        account_id=wanted.account_id,
        subaccount_id=wanted.scope.subaccount_id or 0,
        pool_id=wanted.scope.pool_id or 0,
        from_=wanted.from_ or 0,
        until=min(ends, default=_INSTANT_MAX),
        limit_=min(wanted.limit, USAGE_LIST_LIMIT_MAX + 1),
    )
    return tuple(
        UsageSample(sampled_at=row[0], counts=UsageCounts(**dict(zip(_COUNTS, row[1:], strict=True))))
        for row in rows
    )


def load_daily_peaks(tx: Tx, account_id: int, from_: int) -> dict[UsageScope, list[DailyPeak]]:
    """Load the highest need of each day since `from_` of each scope of an account; the statement's rows are days."""
    peaks: dict[UsageScope, list[DailyPeak]] = {}
    for subaccount_id, pool_id, day_at, busiest in tx.rows(_SELECT_PEAKS, account_id=account_id, from_=from_):
        scope = UsageScope(subaccount_id=subaccount_id or None, pool_id=pool_id or None)
        peaks.setdefault(scope, []).append(DailyPeak(day_at // DAY_US, needed_number_count(busiest)))
    return peaks


def prune_samples(tx: Tx, account_id: int, before: int) -> int:
    """Delete an account's samples older than that; a round an hour leaves an hour's scopes to delete."""
    return tx.run(_PRUNE, account_id=account_id, before=before)
