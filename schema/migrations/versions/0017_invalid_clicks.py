"""Invalid clicks"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.security import create_functions, secure_tables

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invalid_clicks",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="The day of the clicks, by the service's calendar."),
        sa.Column("campaign_id", sa.UUID(), nullable=True, comment="The campaign clicked on, where it is told."),
        sa.Column("channel", sa.Text(), nullable=True, comment="Channel group, as understood."),
        sa.Column("clicks", sa.Integer(), nullable=False),
        sa.Column(
            "cost",
            sa.Numeric(precision=18, scale=2),
            nullable=True,
            comment="What they cost, where the service tells it.",
        ),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why they were judged so, in the service's words."),
        sa.Column("loaded_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "connection_id", "external_id", name=op.f("pk_invalid_clicks")),
    )
    op.create_index("ix_invalid_clicks_day", "invalid_clicks", ["workspace_id", "day", "campaign_id"], unique=False)
    create_functions()
    secure_tables()


def downgrade() -> None:
    op.drop_table("invalid_clicks")
