"""Credentials of the DeepCall dialect."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0008"
down_revision = "pre_0007"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "deepcall_user",
        sa.Column("account_id", _ID, autoincrement=False, nullable=False),
        sa.Column("user_id", sa.String(length=16), nullable=False),
        sa.Column("token_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("old_token_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("old_token_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(old_token_sealed IS NULL) = (old_token_until IS NULL)",
            name=op.f("ck_deepcall_user_old_token"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_deepcall_user_account_id_account")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_deepcall_user")),
        sa.UniqueConstraint("user_id", name=op.f("uq_deepcall_user_user_id")),
    )
    op.create_table(
        "deepcall_ssid",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("can_change", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["deepcall_user.account_id"],
            name=op.f("fk_deepcall_ssid_account_id_deepcall_user"),
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_deepcall_ssid")),
    )
    op.create_index(op.f("ix_deepcall_ssid_account_id"), "deepcall_ssid", ["account_id"])


def downgrade() -> None:
    op.drop_table("deepcall_ssid")
    op.drop_table("deepcall_user")
