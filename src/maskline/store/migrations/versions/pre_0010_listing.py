"""Indexes for long lists."""

revision = "pre_0010"
down_revision = "pre_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
