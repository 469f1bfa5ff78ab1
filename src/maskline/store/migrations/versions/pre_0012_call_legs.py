"""Calls are found by the ids under which their legs are reported."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "pre_0012"
down_revision = "pre_0011"
branch_labels = None
depends_on = None

_BATCH_SIZE = 1000


def upgrade() -> None:
    op.add_column("call_record", sa.Column("leg_a_id", sa.String(length=36), nullable=True))
    record = sa.table("call_record", sa.column("call_id"), sa.column("leg_a_id"))
    connection = op.get_bind()
    without = sa.select(record.c.call_id).where(record.c.leg_a_id.is_(None)).limit(_BATCH_SIZE)
    while rows := connection.execute(without).all():
        for (call_id,) in rows:
            given = sa.update(record).where(record.c.call_id == call_id)
            connection.execute(given.values(leg_a_id=_leg_a_id(call_id)))
    op.create_index("ix_call_record_leg_a_id", "call_record", ["leg_a_id"])


def downgrade() -> None:
    op.drop_index("ix_call_record_leg_a_id", table_name="call_record")
    op.drop_column("call_record", "leg_a_id")


def _leg_a_id(call_id: str) -> str:
    digest = hashlib.sha256(f"leg {call_id}".encode()).hexdigest()
    last = int(digest[31], 16) & ~1
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:31]}{last:x}"
