"""Stages of the deal"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "path",
        sa.Column(
            "lead_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the client first called or left a lead within the window; for models of the deal's stages.",
        ),
    )
    op.add_column(
        "path",
        sa.Column(
            "opened_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the deal was opened, if it is one.",
        ),
    )
    op.drop_index("ix_path_current", table_name="path")
    op.create_index(op.f("ix_path_workspace_id_client_id"), "path", ["workspace_id", "client_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_path_workspace_id_client_id"), table_name="path")
    op.create_index(
        "ix_path_current",
        "path",
        ["workspace_id", "client_id"],
        unique=False,
        postgresql_where=sa.text("known_until is null"),
    )
    op.drop_column("path", "opened_at")
    op.drop_column("path", "lead_at")
