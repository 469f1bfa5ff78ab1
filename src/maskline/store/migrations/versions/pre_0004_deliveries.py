"""Deliveries of events, and endpoints of webhooks."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0004"
down_revision = "pre_0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_endpoints()
    _create_deliveries()
    _create_index("ix_outbox_published", "outbox", ["published_at"], "published_at IS NOT NULL")
    # What happened before there were deliveries is no news any more.
    op.execute("UPDATE outbox SET published_at = occurred_at WHERE published_at IS NULL")
    # Whoever makes deliveries of events holds this row, so that they are made in the order of the events.
    op.execute("INSERT INTO meta (name, value) VALUES ('publisher', '')")


def _create_endpoints() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(length=1000), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("sends_numbers", sa.Boolean(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("slot BETWEEN 1 AND 10", name=op.f("ck_webhook_endpoint_slot")),
        sa.CheckConstraint(
            "(removed_at IS NULL) = (secret_sealed IS NOT NULL)", name=op.f("ck_webhook_endpoint_removed")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_webhook_endpoint_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
    )
    _create_index(
        "uq_webhook_endpoint_slot",
        "webhook_endpoint",
        ["account_id", "slot"],
        "removed_at IS NULL",
        unique=True,
    )


def _create_deliveries() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", _ID, nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("event_id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("dialect", sa.String(length=16), nullable=False),
        sa.Column("receiver", sa.String(length=36), nullable=False),
        sa.Column("endpoint_id", sa.String(length=36), nullable=True),
        sa.Column("order_key", sa.String(length=36), nullable=False),
        sa.Column("url", sa.String(length=1000), nullable=False),
        sa.Column("method", sa.String(length=4), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("give_up_at", sa.BigInteger(), nullable=False),
        sa.Column("leased_by", sa.String(length=64), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("first_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("last_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.String(length=64), nullable=True),
        *_checks(),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_delivery_account_id_account")),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoint.id"], name=op.f("fk_delivery_endpoint_id_webhook_endpoint")
        ),
        sa.ForeignKeyConstraint(["event_id"], ["outbox.id"], name=op.f("fk_delivery_event_id_outbox")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("event_id", "receiver", name=op.f("uq_delivery_event_id_receiver")),
        sa.UniqueConstraint("message_id", name=op.f("uq_delivery_message_id")),
    )
    op.create_index("ix_delivery_account_id", "delivery", ["account_id", "id"])
    is_pending = "finished_at IS NULL AND lease_until IS NULL"
    for name, columns, condition in (
        ("ix_delivery_due", ["receiver", "next_at", "id"], is_pending),
        ("ix_delivery_order", ["receiver", "order_key", "id"], "finished_at IS NULL"),
        ("ix_delivery_leased", ["lease_until"], "lease_until IS NOT NULL"),
        ("ix_delivery_finished", ["finished_at"], "finished_at IS NOT NULL"),
        ("ix_delivery_dead", ["account_id", "id"], "state = 'dead'"),
    ):
        _create_index(name, "delivery", columns, condition)


def _checks() -> list[sa.CheckConstraint]:
    conditions = {
        "endpoint": "(dialect = 'native') = (endpoint_id IS NOT NULL)",
        "state": "state IN ('pending', 'leased', 'delivered', 'dead', 'cancelled')",
        "lease": "(state = 'leased') = (lease_until IS NOT NULL)",
        "leased_by": "(lease_until IS NULL) = (leased_by IS NULL)",
        "finished": "(state IN ('pending', 'leased')) = (finished_at IS NULL)",
        "attempts": "(first_attempt_at IS NULL) = (last_attempt_at IS NULL)",
        "attempt_count": "attempt_count >= 0",
    }
    return [sa.CheckConstraint(text, name=op.f(f"ck_delivery_{name}")) for name, text in conditions.items()]


def _create_index(name: str, table: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.execute("DELETE FROM meta WHERE name = 'publisher'")
    op.drop_index("ix_outbox_published", table_name="outbox")
    op.drop_table("delivery")
    op.drop_table("webhook_endpoint")
