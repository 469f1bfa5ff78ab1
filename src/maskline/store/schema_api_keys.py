"""The tables of API keys and of answers kept under an idempotency key."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from .schema_base import ID, INSTANT, index_while, metadata

api_key = Table(
    "api_key",
    metadata,
    Column("id", String(24), primary_key=True),
    Column("account_id", ID, ForeignKey("account.id")),  # NULL: the operator's
    Column("subaccount_id", ID, ForeignKey("subaccount.id")),
    Column("name", String(200), nullable=False),
    Column("permissions", Text, nullable=False),  # words with blanks between
    Column("secret_hash", String(64), nullable=False),  # HMAC of the whole secret
    Column("old_secret_hash", String(64)),  # of the secret before the last rotation
    Column("overlap_until", INSTANT),  # until when that one works too
    Column("created_at", INSTANT, nullable=False),
    Column("expires_at", INSTANT),
    Column("last_used_at", INSTANT),  # to the minute
    Column("revoked_at", INSTANT),
    CheckConstraint("subaccount_id IS NULL OR account_id IS NOT NULL", name="owner"),
    CheckConstraint("(old_secret_hash IS NULL) = (overlap_until IS NULL)", name="overlap"),
)
index_while(
    "ix_api_key_valid_account",
    "revoked_at IS NULL",
    api_key.c.account_id,
    api_key.c.created_at,
    api_key.c.id,
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("owner", String(24), nullable=False),  # whose credentials were sent
    Column("key_hash", String(64), nullable=False),  # HMAC: clients put into keys what they like
    Column("request_hash", String(64), nullable=False),  # HMAC of method, path and body
    Column("answer_sealed", LargeBinary, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    PrimaryKeyConstraint("owner", "key_hash"),
    Index("ix_idempotency_key_created_at", "created_at"),
)
