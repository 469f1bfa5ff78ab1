"""The tables of recordings."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text

from .schema_base import CALL_ID, ID, INSTANT, index_while, metadata

recording = Table(
    "recording",
    metadata,
    Column("id", String(32), primary_key=True),  # 128 random bits
    Column("account_id", ID, ForeignKey("account.id"), nullable=False),
    Column("session_id", String(36), ForeignKey("masking_session.id"), nullable=False),
    Column("call_id", CALL_ID, nullable=False, unique=True),  # one file per call
    Column("leg_a_id", String(36), nullable=False),  # as legs are reported
    Column("leg_b_id", String(36), nullable=False),
    Column("switch_id", String(64), nullable=False),  # whose relay has the capture; "": not known
    Column("format", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("notes", Text, nullable=False),  # JSON: what ports and payload types meant from when on
    Column("started_at", INSTANT, nullable=False),
    Column("ended_at", INSTANT),
    Column("is_interrupted", Boolean, nullable=False),
    Column("storage_key", String(64), nullable=False, unique=True),
    Column("duration_ms", ID),
    Column("size_bytes", ID),
    Column("failure", String(32)),
    Column("completed_at", INSTANT),  # or given up
    Column("expires_at", INSTANT),
    Column("deleted_at", INSTANT),
    Column("erased_at", INSTANT),  # when nothing of it was left in the storage
    Column("due_at", INSTANT),  # when to try the conversion
    Column("lease_until", INSTANT),  # a worker has it until then
    Column("attempt_count", Integer, nullable=False),
    CheckConstraint("state IN ('capturing', 'captured', 'completed', 'failed')", name="state"),
    CheckConstraint("format IN ('mp3', 'wav')", name="format"),
    CheckConstraint("(state = 'capturing') = (ended_at IS NULL)", name="ended"),
    CheckConstraint("ended_at IS NULL OR ended_at >= started_at", name="interval"),
    CheckConstraint("(state = 'captured') = (due_at IS NOT NULL)", name="due"),
    CheckConstraint("(state IN ('completed', 'failed')) = (completed_at IS NOT NULL)", name="settled"),
    CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name="failure"),
    CheckConstraint(
        "(state = 'completed') = (duration_ms IS NOT NULL AND size_bytes IS NOT NULL)", name="audio"
    ),
    CheckConstraint("erased_at IS NULL OR deleted_at IS NOT NULL", name="erased"),
    Index("ix_recording_account_id_completed_at", "account_id", "completed_at"),
    Index("ix_recording_session_id", "session_id"),
    Index("ix_recording_leg_a_id", "leg_a_id"),
    Index("ix_recording_leg_b_id", "leg_b_id"),
)
index_while("ix_recording_capturing", "state = 'capturing'", recording.c.switch_id)
index_while("ix_recording_due", "state = 'captured'", recording.c.due_at)
index_while("ix_recording_expiry", "deleted_at IS NULL AND expires_at IS NOT NULL", recording.c.expires_at)
index_while("ix_recording_erasable", "deleted_at IS NOT NULL AND erased_at IS NULL", recording.c.deleted_at)

recording_retention = Table(
    "recording_retention",
    metadata,
    # A table of its own: SQLite adds a column with checks only by copying the table that others refer to.
    Column("account_id", ID, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("days", Integer, nullable=False),
    CheckConstraint("days > 0", name="days"),
)
