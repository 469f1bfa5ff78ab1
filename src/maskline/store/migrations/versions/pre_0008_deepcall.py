"""Credentials and sessions of the DeepCall dialect."""

revision = "pre_0008"
down_revision = "pre_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
