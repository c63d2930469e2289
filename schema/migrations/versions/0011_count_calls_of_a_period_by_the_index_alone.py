"""Count calls of a period by the index alone"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_call_workspace_id_started_at_id", table_name="call")
    op.create_index(
        "ix_call_workspace_id_started_at_id",
        "call",
        ["workspace_id", "started_at", "id"],
        postgresql_include=["answered", "talk_seconds", "deleted_at"],
    )
