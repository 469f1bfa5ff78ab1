"""The tables of PIN tries and of calls the service owes."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, PrimaryKeyConstraint, String, Table

from .schema_base import CALL_ID, ID, INSTANT, REF, index_while, metadata

pin_try = Table(
    "pin_try",
    metadata,
    Column("virtual_number_id", ID, ForeignKey("virtual_number.id"), nullable=False),
    Column("subject", REF, nullable=False),  # a caller's reference, 'withheld', or 'anyone' for all together
    Column("opened_at", INSTANT, nullable=False),
    Column("wrong_count", Integer, nullable=False),
    PrimaryKeyConstraint("virtual_number_id", "subject"),
)

party_pin_try = Table(
    "party_pin_try",
    metadata,
    Column("session_id", String(36), ForeignKey("masking_session.id"), nullable=False),
    Column("role", String(8), nullable=False),
    Column("wrong_count", Integer, nullable=False),
    Column("wrong_at", INSTANT, nullable=False),
    PrimaryKeyConstraint("session_id", "role"),
)

call_order = Table(
    "call_order",
    metadata,
    Column("id", ID, primary_key=True),
    Column("session_id", String(36), ForeignKey("masking_session.id"), nullable=False),
    Column("role", String(8), nullable=False),  # who is called first
    Column("created_at", INSTANT, nullable=False),
    Column("taken_at", INSTANT),
    Column("switch_id", String(64)),  # who took it
    Column("call_id", CALL_ID),  # of the call it becomes; NULL in orders older than this column
    CheckConstraint("role IN ('first', 'second')", name="role"),
    CheckConstraint("(taken_at IS NULL) = (switch_id IS NULL)", name="taken"),
)
index_while("ix_call_order_open", "taken_at IS NULL", call_order.c.created_at)
