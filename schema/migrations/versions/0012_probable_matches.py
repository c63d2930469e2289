"""Probable matches"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.security import secure_tables

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "match_block",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("block", sa.BigInteger(), nullable=False, comment="Digest of what the records have in common."),
        sa.Column("record_id", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "block", "record_id", name=op.f("pk_match_block")),
    )
    op.create_table(
        "match_proposal",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False, comment="Follows from the two records."),
        sa.Column("record_id", sa.UUID(), nullable=False),
        sa.Column("other_id", sa.UUID(), nullable=False, comment="The greater of the two ids."),
        sa.Column("record_kind", sa.Text(), nullable=False),
        sa.Column("other_kind", sa.Text(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=True, comment="The client of the first record."),
        sa.Column("other_client_id", sa.UUID(), nullable=True),
        sa.Column(
            "score", sa.Float(), nullable=False, comment="Bits: 10 says a thousand to one that the two are one."
        ),
        sa.Column(
            "waterfall",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="For each comparison its level and its weight in bits.",
        ),
        sa.Column("pending", sa.Boolean(), nullable=False, comment="Whether the data still proposes it."),
        sa.Column("state", sa.Text(), nullable=False, comment="open, later, same or different"),
        sa.Column(
            "proposed_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("decided_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True, comment="The token that decided."),
        sa.Column("decision_id", sa.UUID(), nullable=True, comment="What was decided, in identity_decision."),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_match_proposal")),
    )
    op.create_index(
        "ix_match_proposal_state", "match_proposal", ["workspace_id", "state", "score", "id"], unique=False
    )
    op.create_index(
        op.f("ix_match_proposal_workspace_id_other_id"),
        "match_proposal",
        ["workspace_id", "other_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_match_proposal_workspace_id_record_id"),
        "match_proposal",
        ["workspace_id", "record_id"],
        unique=False,
    )
    op.create_table(
        "match_traits",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("record_id", sa.UUID(), nullable=False),
        sa.Column(
            "traits",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="As `sync.identity.traits` puts them in order.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "record_id", name=op.f("pk_match_traits")),
    )
    op.create_table(
        "match_weights",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "weights",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="m and u by comparison and level, name frequencies, bits.",
        ),
        sa.Column(
            "pairs", sa.Integer(), nullable=False, comment="How many pairs of records they were learnt from."
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("workspace_id", "version", name=op.f("pk_match_weights")),
    )
    secure_tables()


def downgrade() -> None:
    op.drop_table("match_weights")
    op.drop_table("match_traits")
    op.drop_table("match_proposal")
    op.drop_table("match_block")
