"""Closing versions of paths in place"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("uq_path_current", table_name="path", postgresql_where=sa.text("known_until is null"))
    op.execute("alter table path set (fillfactor = 85)")


def downgrade() -> None:
    op.execute("alter table path reset (fillfactor)")
    op.create_index(
        "uq_path_current",
        "path",
        ["workspace_id", "conversion_id"],
        unique=True,
        postgresql_where=sa.text("known_until is null"),
    )
