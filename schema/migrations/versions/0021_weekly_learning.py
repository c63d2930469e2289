"""Weekly learning"""

from __future__ import annotations

from alembic import op

from schema.migrations.security import create_functions, secure_tables

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_functions()
    secure_tables()


def downgrade() -> None:
    op.execute("drop function due_learning(integer, integer)")
