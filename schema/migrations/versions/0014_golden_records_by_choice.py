"""Golden records by choice"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.security import secure_tables

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_pin",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("record_id", sa.UUID(), nullable=False, comment="A record of the client: its founder, if there."),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False, comment="The token that asked for it."),
        sa.Column(
            "at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("workspace_id", "record_id", "field", name=op.f("pk_client_pin")),
    )
    op.create_table(
        "golden_rules",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "rules",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="`fields`: rule and order of sources by field; `confidence`: from 0 to 1 by connection.",
        ),
        sa.Column("author", sa.Text(), nullable=False, comment="The API key that set them, or 'command line'."),
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "applied_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When all clients had been looked at by them.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "version", name=op.f("pk_golden_rules")),
    )
    secure_tables()


def downgrade() -> None:
    op.drop_table("golden_rules")
    op.drop_table("client_pin")
