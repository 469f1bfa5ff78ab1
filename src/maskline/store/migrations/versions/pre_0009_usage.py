"""How much of its numbers an account used; its events in their order."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0009"
down_revision = "pre_0008"
branch_labels = None
depends_on = None

_FOLLOWED = sa.text("has_streams")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "usage_sample",
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("subaccount_id", _ID, nullable=False),
        sa.Column("pool_id", _ID, nullable=False),
        sa.Column("sampled_at", sa.BigInteger(), nullable=False),
        sa.Column("number_count", sa.Integer(), nullable=False),
        sa.Column("healthy_count", sa.Integer(), nullable=False),
        sa.Column("live_session_count", sa.Integer(), nullable=False),
        sa.Column("occupied_binding_count", sa.Integer(), nullable=False),
        sa.Column("busiest_party_session_count", sa.Integer(), nullable=False),
        sa.Column("taken_for_busiest", sa.Integer(), nullable=False),
        sa.CheckConstraint("sampled_at % 3600000000 = 0", name=op.f("ck_usage_sample_hour")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_usage_sample_account_id_account")
        ),
        sa.PrimaryKeyConstraint(
            "account_id", "subaccount_id", "pool_id", "sampled_at", name=op.f("pk_usage_sample")
        ),
    )
    op.add_column(
        "account", sa.Column("has_streams", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("account", sa.Column("streams_until", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_account_streams", "account", ["streams_until"], sqlite_where=_FOLLOWED, postgresql_where=_FOLLOWED
    )
    op.add_column("outbox", sa.Column("position", sa.BigInteger(), nullable=True))
    op.execute("UPDATE outbox SET position = id WHERE published_at IS NOT NULL")
    op.execute(
        "UPDATE meta SET value = (SELECT CAST(COALESCE(MAX(id), 0) AS VARCHAR) FROM outbox) WHERE name = 'publisher'"
    )
    op.create_index("ix_outbox_account_id_position", "outbox", ["account_id", "position"])


def downgrade() -> None:
    op.drop_index("ix_account_streams", "account")
    op.drop_column("account", "streams_until")
    op.drop_column("account", "has_streams")
    op.drop_index("ix_outbox_account_id_position", "outbox")
    op.drop_column("outbox", "position")
    op.execute("UPDATE meta SET value = '' WHERE name = 'publisher'")
    op.drop_table("usage_sample")
