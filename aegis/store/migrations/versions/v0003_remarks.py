"""Add what engines remark about their decisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty: no engine remarked anything."""
    op.add_column("steps", sa.Column("remarks", sa.Text(), nullable=True))
