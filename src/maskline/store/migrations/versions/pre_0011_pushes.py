"""Endpoints that are told in another dialect, and orders that know their call."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0011"
down_revision = "pre_0010"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OLD = "(dialect = 'native') = (endpoint_id IS NOT NULL)"
_NEW = "(dialect = 'plivo') = (endpoint_id IS NULL)"


def upgrade() -> None:
    op.add_column(
        "webhook_endpoint",
        sa.Column("dialect", sa.String(length=16), server_default="native", nullable=False),
    )
    op.add_column("call_order", sa.Column("call_id", sa.String(length=36), nullable=True))
    _change_check(_OLD, _NEW)


def downgrade() -> None:
    op.execute("DELETE FROM delivery WHERE dialect = 'deepcall'")
    _change_check(_NEW, _OLD)
    op.drop_column("call_order", "call_id")
    op.drop_column("webhook_endpoint", "dialect")


def _change_check(old: str, new: str) -> None:
    name = op.f("ck_delivery_endpoint")
    with op.batch_alter_table("delivery", copy_from=_delivery(old)) as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, new)


def _delivery(endpoint_check: str) -> sa.Table:
    """The table as it stands: SQLite alters one by copying it, and tells neither its checks nor conditions."""
    checks = {
        "endpoint": endpoint_check,
        "state": "state IN ('pending', 'leased', 'delivered', 'dead', 'cancelled')",
        "lease": "(state = 'leased') = (lease_until IS NOT NULL)",
        "leased_by": "(lease_until IS NULL) = (leased_by IS NULL)",
        "finished": "(state IN ('pending', 'leased')) = (finished_at IS NULL)",
        "attempts": "(first_attempt_at IS NULL) = (last_attempt_at IS NULL)",
        "attempt_count": "attempt_count >= 0",
    }
    table = sa.Table(
        "delivery",
        sa.MetaData(),
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
        *(sa.CheckConstraint(text, name=f"ck_delivery_{name}") for name, text in checks.items()),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_delivery_account_id_account"),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoint.id"], name="fk_delivery_endpoint_id_webhook_endpoint"
        ),
        sa.ForeignKeyConstraint(["event_id"], ["outbox.id"], name="fk_delivery_event_id_outbox"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("event_id", "receiver", name="uq_delivery_event_id_receiver"),
        sa.UniqueConstraint("message_id", name="uq_delivery_message_id"),
    )
    sa.Index("ix_delivery_account_id", table.c.account_id, table.c.id)
    is_pending = "finished_at IS NULL AND lease_until IS NULL"
    for name, columns, condition in (
        ("ix_delivery_due", ("receiver", "next_at", "id"), is_pending),
        ("ix_delivery_order", ("receiver", "order_key", "id"), "finished_at IS NULL"),
        ("ix_delivery_leased", ("lease_until",), "lease_until IS NOT NULL"),
        ("ix_delivery_finished", ("finished_at",), "finished_at IS NOT NULL"),
        ("ix_delivery_dead", ("account_id", "id"), "state = 'dead'"),
    ):
        sa.Index(name, *(table.c[column] for column in columns), sqlite_where=sa.text(condition))
    return table
