"""Decisions about reports"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.security import secure_tables

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cost_rule",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="vat or fee"),
        sa.Column("platform", sa.Text(), nullable=True, comment="Of which ad platform's campaigns; empty: of all."),
        sa.Column(
            "percent",
            sa.Numeric(precision=9, scale=4),
            nullable=False,
            comment="VAT on the net cost; fee on the net cost.",
        ),
        sa.Column("valid_from", sa.Date(), nullable=False, comment="The first day."),
        sa.Column("valid_to", sa.Date(), nullable=True, comment="The last day; empty: until further notice."),
        sa.Column("author", sa.Text(), nullable=False, comment="The API key that made it."),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_cost_rule")),
    )
    op.create_table(
        "frozen_period",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column(
            "known_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="The moment of knowledge that holds for it.",
        ),
        sa.Column("author", sa.Text(), nullable=False, comment="The API key that froze it."),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "thawed_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="When it was opened again."
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_frozen_period")),
    )
    op.create_table(
        "manual_cost",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("campaign_id", sa.UUID(), nullable=True, comment="The campaign that it belongs to, if to one."),
        sa.Column(
            "channel", sa.Text(), nullable=True, comment="The channel that it belongs to, if to no campaign."
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column(
            "amount",
            sa.Numeric(precision=18, scale=2),
            nullable=False,
            comment="For all its days, without VAT, in the workspace's currency.",
        ),
        sa.Column("author", sa.Text(), nullable=False, comment="The API key that entered it."),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "deleted_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="When it was taken back."
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_manual_cost")),
    )
    op.create_index(
        op.f("ix_manual_cost_workspace_id_first_day"), "manual_cost", ["workspace_id", "first_day"], unique=False
    )
    op.create_table(
        "own_metric",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("key", sa.Text(), nullable=False, comment="Its name in formulas and over the API."),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("formula", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False, comment="count, money, percent or ratio"),
        sa.Column("author", sa.Text(), nullable=False, comment="The API key that made it."),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("workspace_id", "key", name=op.f("pk_own_metric")),
    )
    op.create_table(
        "plan",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("month", sa.Date(), nullable=False, comment="First day of the month."),
        sa.Column("campaign_id", sa.UUID(), nullable=False, comment="The nil UUID: of no single campaign."),
        sa.Column("channel", sa.Text(), nullable=False, comment="Empty: of no single channel."),
        sa.Column("metric", sa.Text(), nullable=False, comment="Key of an additive figure."),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("author", sa.Text(), nullable=False, comment="The API key that entered it."),
        sa.Column(
            "changed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("workspace_id", "month", "campaign_id", "channel", "metric", name=op.f("pk_plan")),
    )
    op.create_table(
        "rule_set",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("kind", sa.Text(), nullable=False, comment="channel or campaign"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "rules",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="In order; the first that fits decides.",
        ),
        sa.Column("author", sa.Text(), nullable=False, comment="The API key that made it."),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("workspace_id", "kind", "version", name=op.f("pk_rule_set")),
    )
    secure_tables()


def downgrade() -> None:
    op.drop_table("rule_set")
    op.drop_table("plan")
    op.drop_table("own_metric")
    op.drop_table("manual_cost")
    op.drop_table("frozen_period")
    op.drop_table("cost_rule")
