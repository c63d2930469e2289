"""Closed clients"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "client",
        sa.Column(
            "closed",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="No key of its records is shared or stands on another's: matching need not look beyond it.",
        ),
    )


def downgrade() -> None:
    op.drop_column("client", "closed")
