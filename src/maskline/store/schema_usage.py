"""The table of hourly samples of how many numbers are in use."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, PrimaryKeyConstraint, Table

from .schema_base import ID, INSTANT, metadata

# 0 stands for no sub-account and for all pools: a key has no NULL. Pools may go while their samples stay.
usage_sample = Table(
    "usage_sample",
    metadata,
    Column("account_id", ID, ForeignKey("account.id"), nullable=False),
    Column("subaccount_id", ID, nullable=False),
    Column("pool_id", ID, nullable=False),
    Column("sampled_at", INSTANT, nullable=False),  # the begin of its hour
    Column("number_count", Integer, nullable=False),
    Column("healthy_count", Integer, nullable=False),
    Column("live_session_count", Integer, nullable=False),
    Column("occupied_binding_count", Integer, nullable=False),
    Column("busiest_party_session_count", Integer, nullable=False),
    Column("taken_for_busiest", Integer, nullable=False),
    PrimaryKeyConstraint("account_id", "subaccount_id", "pool_id", "sampled_at"),
    CheckConstraint("sampled_at % 3600000000 = 0", name="hour"),
)
