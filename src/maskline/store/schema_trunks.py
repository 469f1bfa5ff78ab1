"""Where the calls of a trunk go."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, PrimaryKeyConstraint, String, Table

from .schema_base import ID, metadata

trunk_target = Table(
    "trunk_target",
    metadata,
    Column("trunk_id", ID, ForeignKey("trunk.id"), nullable=False),
    Column("position", Integer, nullable=False),  # the order in which they were given
    Column("role", String(16), nullable=False),  # what is sent there: calls, or nothing but REGISTER
    Column("host", String(255), nullable=False),
    Column("port", Integer),  # NULL: by SRV
    Column("transport", String(8), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("weight", Integer, nullable=False),
    PrimaryKeyConstraint("trunk_id", "position"),
    CheckConstraint("role IN ('calls', 'registrar')", name="role"),
    CheckConstraint("port IS NULL OR port BETWEEN 1 AND 65535", name="port"),
    CheckConstraint("transport IN ('udp', 'tcp', 'tls')", name="transport"),
    CheckConstraint("priority BETWEEN 0 AND 65535", name="priority"),
    CheckConstraint("weight BETWEEN 0 AND 65535", name="weight"),
)
