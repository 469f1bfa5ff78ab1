"""What calls with prompts, PINs and orders need."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0002"
down_revision = "pre_0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_STRANGERS = sa.text("released_at IS NULL AND answers_strangers")
_PIN = sa.text("released_at IS NULL AND pin_hash IS NOT NULL")
_OPEN = sa.text("taken_at IS NULL")


def upgrade() -> None:
    op.add_column(
        "account", sa.Column("refusal_prompt_url", sa.String(length=1000), server_default="", nullable=False)
    )
    for name in ("has_webhooks", "has_strict_pins"):
        op.add_column("account", sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("binding", sa.Column("pin_length", sa.Integer(), nullable=True))
    for table in ("live_call", "call_record"):
        op.add_column(
            table, sa.Column("is_service_initiated", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
    # Without a dialogue, whoever would have needed a PIN was refused; now the reason has another name.
    op.execute("UPDATE call_record SET reason = 'pin-failed' WHERE reason = 'pin-required'")
    op.drop_index("ix_binding_open_strangers", "binding")
    for name, where in (("strangers", _STRANGERS), ("pin", _PIN)):
        op.create_index(
            f"ix_binding_open_{name}",
            "binding",
            ["virtual_number_id", "start_at", "id"],
            sqlite_where=where,
            postgresql_where=where,
        )
    _create_pin_tries()
    _create_orders()


def _create_pin_tries() -> None:
    op.create_table(
        "pin_try",
        sa.Column("virtual_number_id", _ID, nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("wrong_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["virtual_number_id"],
            ["virtual_number.id"],
            name=op.f("fk_pin_try_virtual_number_id_virtual_number"),
        ),
        sa.PrimaryKeyConstraint("virtual_number_id", "subject", name=op.f("pk_pin_try")),
    )
    op.create_table(
        "party_pin_try",
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("wrong_count", sa.Integer(), nullable=False),
        sa.Column("wrong_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["masking_session.id"], name=op.f("fk_party_pin_try_session_id_masking_session")
        ),
        sa.PrimaryKeyConstraint("session_id", "role", name=op.f("pk_party_pin_try")),
    )


def _create_orders() -> None:
    op.create_table(
        "call_order",
        sa.Column("id", _ID, nullable=False),
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=True),
        sa.Column("switch_id", sa.String(length=64), nullable=True),
        sa.CheckConstraint("role IN ('first', 'second')", name=op.f("ck_call_order_role")),
        sa.CheckConstraint("(taken_at IS NULL) = (switch_id IS NULL)", name=op.f("ck_call_order_taken")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["masking_session.id"], name=op.f("fk_call_order_session_id_masking_session")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_order")),
    )
    op.create_index(
        "ix_call_order_open", "call_order", ["created_at"], sqlite_where=_OPEN, postgresql_where=_OPEN
    )


def downgrade() -> None:
    op.drop_table("call_order")
    op.drop_table("party_pin_try")
    op.drop_table("pin_try")
    op.drop_index("ix_binding_open_pin", "binding")
    op.drop_index("ix_binding_open_strangers", "binding")
    op.create_index(
        "ix_binding_open_strangers",
        "binding",
        ["virtual_number_id"],
        sqlite_where=_STRANGERS,
        postgresql_where=_STRANGERS,
    )
    for table in ("call_record", "live_call"):
        op.drop_column(table, "is_service_initiated")
    op.drop_column("binding", "pin_length")
    for column in ("has_strict_pins", "has_webhooks", "refusal_prompt_url"):
        op.drop_column("account", column)
