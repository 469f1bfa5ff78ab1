"""The client's own name for a session."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0006"
down_revision = "pre_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("masking_session", sa.Column("reference", sa.String(length=200), nullable=True))


def downgrade() -> None:
    op.drop_column("masking_session", "reference")
