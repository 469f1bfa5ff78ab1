"""Recordings of calls."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0005"
down_revision = "pre_0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "recording",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("leg_a_id", sa.String(length=36), nullable=False),
        sa.Column("leg_b_id", sa.String(length=36), nullable=False),
        sa.Column("switch_id", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("is_interrupted", sa.Boolean(), nullable=False),
        sa.Column("storage_key", sa.String(length=64), nullable=False),
        sa.Column("duration_ms", _ID, nullable=True),
        sa.Column("size_bytes", _ID, nullable=True),
        sa.Column("failure", sa.String(length=32), nullable=True),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("erased_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        *_checks(),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_recording_account_id_account")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["masking_session.id"], name=op.f("fk_recording_session_id_masking_session")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording")),
        sa.UniqueConstraint("call_id", name=op.f("uq_recording_call_id")),
        sa.UniqueConstraint("storage_key", name=op.f("uq_recording_storage_key")),
    )
    op.create_table(
        "recording_retention",
        sa.Column("account_id", _ID, autoincrement=False, nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.CheckConstraint("days > 0", name=op.f("ck_recording_retention_days")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_recording_retention_account_id_account")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_recording_retention")),
    )
    for columns in (["account_id", "completed_at"], ["session_id"], ["leg_a_id"], ["leg_b_id"]):
        op.create_index(op.f(f"ix_recording_{'_'.join(columns)}"), "recording", columns)
    for name, column, condition in (
        ("capturing", "switch_id", "state = 'capturing'"),
        ("due", "due_at", "state = 'captured'"),
        ("expiry", "expires_at", "deleted_at IS NULL AND expires_at IS NOT NULL"),
        ("erasable", "deleted_at", "deleted_at IS NOT NULL AND erased_at IS NULL"),
    ):
        where = sa.text(condition)
        op.create_index(
            f"ix_recording_{name}", "recording", [column], sqlite_where=where, postgresql_where=where
        )


def _checks() -> list[sa.CheckConstraint]:
    conditions = {
        "state": "state IN ('capturing', 'captured', 'completed', 'failed')",
        "format": "format IN ('mp3', 'wav')",
        "ended": "(state = 'capturing') = (ended_at IS NULL)",
        "interval": "ended_at IS NULL OR ended_at >= started_at",
        "due": "(state = 'captured') = (due_at IS NOT NULL)",
        "settled": "(state IN ('completed', 'failed')) = (completed_at IS NOT NULL)",
        "failure": "(state = 'failed') = (failure IS NOT NULL)",
        "audio": "(state = 'completed') = (duration_ms IS NOT NULL AND size_bytes IS NOT NULL)",
        "erased": "erased_at IS NULL OR deleted_at IS NOT NULL",
    }
    return [sa.CheckConstraint(text, name=op.f(f"ck_recording_{name}")) for name, text in conditions.items()]


def downgrade() -> None:
    op.drop_table("recording_retention")
    op.drop_table("recording")
