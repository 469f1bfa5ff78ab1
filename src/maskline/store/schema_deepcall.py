"""The tables of the DeepCall dialect's credentials."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, LargeBinary, String, Table

from .schema_base import ID, INSTANT, metadata

deepcall_user = Table(
    "deepcall_user",
    metadata,
    Column("account_id", ID, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("user_id", String(16), nullable=False, unique=True),
    Column("token_sealed", LargeBinary, nullable=False),
    Column("old_token_sealed", LargeBinary),  # the one before, while it still works
    Column("old_token_until", INSTANT),
    Column("created_at", INSTANT, nullable=False),
    CheckConstraint("(old_token_sealed IS NULL) = (old_token_until IS NULL)", name="old_token"),
)

deepcall_ssid = Table(
    "deepcall_ssid",
    metadata,
    Column("hash", String(64), primary_key=True),  # keyed; the ssid itself is kept nowhere
    Column("account_id", ID, ForeignKey("deepcall_user.account_id"), nullable=False, index=True),
    Column("can_change", Boolean, nullable=False),  # False: it only lists
    Column("created_at", INSTANT, nullable=False),
    Column("expires_at", INSTANT, nullable=False),
)
