"""Push reports."""

revision = "pre_0011"
down_revision = "pre_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
