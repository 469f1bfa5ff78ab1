"""How much of its numbers an account used."""

revision = "pre_0009"
down_revision = "pre_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
