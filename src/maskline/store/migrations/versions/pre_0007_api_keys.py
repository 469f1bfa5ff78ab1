"""API keys, what was answered under an idempotency key, and trunks that are removed."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0007"
down_revision = "pre_0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("account_id", _ID, nullable=True),
        sa.Column("subaccount_id", _ID, nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("permissions", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("old_secret_hash", sa.String(length=64), nullable=True),
        sa.Column("overlap_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("subaccount_id IS NULL OR account_id IS NOT NULL", name=op.f("ck_api_key_owner")),
        sa.CheckConstraint(
            "(old_secret_hash IS NULL) = (overlap_until IS NULL)", name=op.f("ck_api_key_overlap")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_api_key_account_id_account")),
        sa.ForeignKeyConstraint(
            ["subaccount_id"], ["subaccount.id"], name=op.f("fk_api_key_subaccount_id_subaccount")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
    )
    valid = sa.text("revoked_at IS NULL")
    op.create_index(
        "ix_api_key_valid_account",
        "api_key",
        ["account_id", "created_at", "id"],
        sqlite_where=valid,
        postgresql_where=valid,
    )
    op.create_table(
        "idempotency_key",
        sa.Column("owner", sa.String(length=24), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("answer_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "key_hash", name=op.f("pk_idempotency_key")),
    )
    op.create_index("ix_idempotency_key_created_at", "idempotency_key", ["created_at"])
    op.add_column("trunk", sa.Column("removed_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("trunk", "removed_at")
    op.drop_table("idempotency_key")
    op.drop_table("api_key")
