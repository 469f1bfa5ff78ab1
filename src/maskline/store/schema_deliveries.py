"""The tables of webhook endpoints and of deliveries."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from .schema_base import ID, INSTANT, URL, index_while, metadata, unique_while

webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("account_id", ID, ForeignKey("account.id"), nullable=False),
    Column("slot", Integer, nullable=False),
    Column("url", URL, nullable=False),
    Column("kinds", Text, nullable=False),  # JSON list of event kinds; empty: all
    Column("sends_numbers", Boolean, nullable=False),
    Column("secret_sealed", LargeBinary),  # NULL once removed
    Column("created_at", INSTANT, nullable=False),
    Column("disabled_at", INSTANT),  # the receiver answered 410
    Column("removed_at", INSTANT),  # kept for its deliveries
    Column("dialect", String(16), nullable=False, server_default="native"),
    CheckConstraint("slot BETWEEN 1 AND 10", name="slot"),
    CheckConstraint("(removed_at IS NULL) = (secret_sealed IS NOT NULL)", name="removed"),
)
# An account has as many endpoints as there are slots.
unique_while(
    "uq_webhook_endpoint_slot", "removed_at IS NULL", webhook_endpoint.c.account_id, webhook_endpoint.c.slot
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", ID, primary_key=True),
    Column("message_id", String(36), nullable=False, unique=True),  # what the receiver knows it by
    Column("event_id", ID, ForeignKey("outbox.id"), nullable=False),
    Column("account_id", ID, ForeignKey("account.id"), nullable=False),
    Column("dialect", String(16), nullable=False),
    Column("receiver", String(36), nullable=False),  # an endpoint's id, or a hash of account and origin
    Column("endpoint_id", String(36), ForeignKey("webhook_endpoint.id")),
    Column("order_key", String(36), nullable=False),  # the call or, without one, the session
    Column("url", URL, nullable=False),
    Column("method", String(4), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt_count", Integer, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Column("next_at", INSTANT, nullable=False),
    Column("give_up_at", INSTANT, nullable=False),
    Column("leased_by", String(64)),
    Column("lease_until", INSTANT),
    Column("first_attempt_at", INSTANT),
    Column("last_attempt_at", INSTANT),
    Column("finished_at", INSTANT),
    Column("last_status", Integer),
    Column("last_error", String(64)),
    # One event reaches one receiver once, however many workers publish it.
    UniqueConstraint("event_id", "receiver"),
    CheckConstraint("(dialect = 'plivo') = (endpoint_id IS NULL)", name="endpoint"),
    CheckConstraint("state IN ('pending', 'leased', 'delivered', 'dead', 'cancelled')", name="state"),
    CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name="lease"),
    CheckConstraint("(lease_until IS NULL) = (leased_by IS NULL)", name="leased_by"),
    CheckConstraint("(state IN ('pending', 'leased')) = (finished_at IS NULL)", name="finished"),
    CheckConstraint("(first_attempt_at IS NULL) = (last_attempt_at IS NULL)", name="attempts"),
    CheckConstraint("attempt_count >= 0", name="attempt_count"),
    Index("ix_delivery_account_id", "account_id", "id"),
)
# What an index is over is told by what is NULL: neither database can tell it from a bound parameter.
index_while(
    "ix_delivery_due",
    "finished_at IS NULL AND lease_until IS NULL",
    delivery.c.receiver,
    delivery.c.next_at,
    delivery.c.id,
)
index_while(
    "ix_delivery_order",
    "finished_at IS NULL",
    delivery.c.receiver,
    delivery.c.order_key,
    delivery.c.id,
)
index_while("ix_delivery_leased", "lease_until IS NOT NULL", delivery.c.lease_until)
index_while("ix_delivery_finished", "finished_at IS NOT NULL", delivery.c.finished_at)
index_while("ix_delivery_dead", "state = 'dead'", delivery.c.account_id, delivery.c.id)
