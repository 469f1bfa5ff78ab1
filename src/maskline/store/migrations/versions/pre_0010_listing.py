"""Indexes that answer lists alone, and on PostgreSQL a clean-up often enough that they can.

An index answers alone only for pages that a VACUUM has seen since they changed. By default that happens when a fifth
of a table has changed, which a list of the newest rows would wait weeks for.
"""

import sqlalchemy as sa
from alembic import op

revision = "pre_0010"
down_revision = "pre_0009"
branch_labels = None
depends_on = None

_REFERENCE = sa.text("reference IS NOT NULL")
_VACUUM = {
    "autovacuum_vacuum_scale_factor": "0.01",
    "autovacuum_vacuum_insert_scale_factor": "0.01",
    "autovacuum_analyze_scale_factor": "0.01",
}


def upgrade() -> None:
    op.create_index(
        "ix_masking_session_listing",
        "masking_session",
        ["account_id", "created_at", "id", "end_at", "subaccount_id"],
        unique=False,
    )
    op.drop_index("ix_masking_session_account_id_created_at", table_name="masking_session")
    op.create_index(
        "ix_masking_session_ending",
        "masking_session",
        ["account_id", "end_at", "created_at", "id", "subaccount_id"],
        unique=False,
    )
    op.drop_index("ix_masking_session_virtual_number_id", table_name="masking_session")
    op.create_index(
        "ix_masking_session_virtual_number_id",
        "masking_session",
        ["virtual_number_id", "account_id", "created_at"],
        unique=False,
    )
    op.drop_index("ix_masking_session_account_id_pair_key", table_name="masking_session")
    op.create_index(
        "ix_masking_session_reference",
        "masking_session",
        ["account_id", "reference", "created_at"],
        unique=False,
        sqlite_where=_REFERENCE,
        postgresql_where=_REFERENCE,
    )
    if op.get_bind().dialect.name == "postgresql":
        settings = ", ".join(f"{name} = {value}" for name, value in _VACUUM.items())
        op.execute(f"ALTER TABLE masking_session SET ({settings})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE masking_session RESET ({', '.join(_VACUUM)})")
    op.drop_index("ix_masking_session_reference", table_name="masking_session")
    op.create_index(
        "ix_masking_session_account_id_pair_key",
        "masking_session",
        ["account_id", "pair_key", "created_at"],
        unique=False,
    )
    op.drop_index("ix_masking_session_virtual_number_id", table_name="masking_session")
    op.create_index(
        "ix_masking_session_virtual_number_id",
        "masking_session",
        ["virtual_number_id", "created_at"],
        unique=False,
    )
    op.drop_index("ix_masking_session_ending", table_name="masking_session")
    op.create_index(
        "ix_masking_session_account_id_created_at",
        "masking_session",
        ["account_id", "created_at"],
        unique=False,
    )
    op.drop_index("ix_masking_session_listing", table_name="masking_session")
