"""Affiliations"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.security import create_functions, secure_tables

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "affiliation",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("contact_id", sa.UUID(), nullable=False, comment="The person's card, which says so."),
        sa.Column("company_id", sa.UUID(), nullable=False),
        sa.Column("valid_from", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("valid_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "role", sa.Text(), nullable=True, comment="What the person is there; null: the card doesn't say."
        ),
        sa.Column(
            "main", sa.Boolean(), nullable=False, comment="Whether the card puts this firm before the others."
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "contact_id", "company_id", "valid_from", name=op.f("pk_affiliation")
        ),
    )
    op.create_index("ix_affiliation_company", "affiliation", ["workspace_id", "company_id"], unique=False)
    op.execute("alter table contact no force row level security")  # forced policies would show their owner no row
    op.execute(
        "insert into affiliation (workspace_id, contact_id, company_id, valid_from, role, main)"
        " select workspace_id, id, company_id, coalesce(updated_at, created_at, loaded_at), position, true"
        " from contact where company_id is not null and deleted_at is null"
    )
    op.execute("alter table contact force row level security")
    create_functions()
    secure_tables()


def downgrade() -> None:
    op.drop_table("affiliation")
