"""Several targets for a trunk, with weights; registration; number formats of either direction.

A trunk's peer becomes its first target, and its columns go at once: there is no earlier release to read them.
"""

import sqlalchemy as sa
from alembic import op

revision = "pre_0003"
down_revision = "pre_0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OLD = sa.Table(  # SQLite alters a table by copying it, and does not tell its checks
    "trunk",
    sa.MetaData(),
    sa.Column("id", _ID, nullable=False),
    sa.Column("name", sa.String(length=200), nullable=False),
    sa.Column("peer_host", sa.String(length=255), nullable=False),
    sa.Column("peer_port", sa.Integer(), nullable=False),
    sa.Column("transport", sa.String(length=8), nullable=False),
    sa.Column("accept", sa.Text(), nullable=False),
    sa.Column("media_networks", sa.Text(), nullable=False),
    sa.Column("country", sa.String(length=3), nullable=False),
    sa.Column("codecs", sa.Text(), nullable=False),
    sa.Column("is_trusted_for_identity", sa.Boolean(), nullable=False),
    sa.Column("dialled_from", sa.String(length=16), nullable=False),
    sa.Column("sends_asserted", sa.Boolean(), nullable=False),
    sa.Column("number_format", sa.String(length=16), nullable=False),
    sa.Column("username", sa.String(length=255), nullable=True),
    sa.Column("password_sealed", sa.LargeBinary(), nullable=True),
    sa.Column("max_calls", sa.Integer(), nullable=True),
    sa.Column("created_at", sa.BigInteger(), nullable=False),
    sa.CheckConstraint("dialled_from IN ('request_uri', 'to')", name="ck_trunk_dialled_from"),
    sa.CheckConstraint("transport IN ('udp', 'tcp', 'tls')", name="ck_trunk_transport"),
    sa.CheckConstraint("peer_port BETWEEN 1 AND 65535", name="ck_trunk_peer_port"),
    sa.PrimaryKeyConstraint("id", name="pk_trunk"),
    sa.UniqueConstraint("name", name="uq_trunk_name"),
)
_FORMATS = "('plus', 'digits', 'national', '00')"


def upgrade() -> None:
    op.create_table(
        "trunk_target",
        sa.Column("trunk_id", _ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("port", sa.Integer(), nullable=True),
        sa.Column("transport", sa.String(length=8), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.CheckConstraint("role IN ('calls', 'registrar')", name=op.f("ck_trunk_target_role")),
        sa.CheckConstraint("port IS NULL OR port BETWEEN 1 AND 65535", name=op.f("ck_trunk_target_port")),
        sa.CheckConstraint("transport IN ('udp', 'tcp', 'tls')", name=op.f("ck_trunk_target_transport")),
        sa.CheckConstraint("priority BETWEEN 0 AND 65535", name=op.f("ck_trunk_target_priority")),
        sa.CheckConstraint("weight BETWEEN 0 AND 65535", name=op.f("ck_trunk_target_weight")),
        sa.ForeignKeyConstraint(["trunk_id"], ["trunk.id"], name=op.f("fk_trunk_target_trunk_id_trunk")),
        sa.PrimaryKeyConstraint("trunk_id", "position", name=op.f("pk_trunk_target")),
    )
    op.execute(
        "INSERT INTO trunk_target (trunk_id, position, role, host, port, transport, priority, weight) "
        "SELECT id, 0, 'calls', peer_host, peer_port, transport, 10, 10 FROM trunk"
    )
    with op.batch_alter_table("trunk", copy_from=_OLD) as batch:
        for name in ("ck_trunk_transport", "ck_trunk_peer_port"):
            batch.drop_constraint(op.f(name), type_="check")
        for name in ("peer_host", "peer_port", "transport"):
            batch.drop_column(name)
        batch.add_column(sa.Column("caller_format", sa.String(length=16), nullable=True))
        batch.add_column(sa.Column("dial_prefix", sa.String(length=16), server_default="", nullable=False))
        batch.add_column(
            sa.Column("sends_user_phone", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch.add_column(sa.Column("from_host", sa.String(length=255), nullable=True))
        batch.add_column(sa.Column("realm", sa.String(length=255), nullable=True))
        batch.add_column(sa.Column("registration_s", sa.Integer(), nullable=True))
        batch.add_column(
            sa.Column("has_health_check", sa.Boolean(), server_default=sa.true(), nullable=False)
        )
        batch.create_check_constraint(op.f("ck_trunk_number_format"), f"number_format IN {_FORMATS}")
        batch.create_check_constraint(
            op.f("ck_trunk_caller_format"), f"caller_format IS NULL OR caller_format IN {_FORMATS}"
        )
        batch.create_check_constraint(
            op.f("ck_trunk_registration_s"), "registration_s IS NULL OR registration_s > 0"
        )
