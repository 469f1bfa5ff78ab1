"""API keys and what was answered under an idempotency key."""

revision = "pre_0007"
down_revision = "pre_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
