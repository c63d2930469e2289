"""Reading again from a date"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "stream_state",
        sa.Column(
            "reread_from",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="From when on somebody asked to read once more; the next reading begins there and empties it.",
        ),
    )


def downgrade() -> None:
    op.drop_column("stream_state", "reread_from")
