"""Birthdays and proposed weights"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.add_column("contact", sa.Column("birthday", sa.Date(), nullable=True))
    op.add_column(
        "contact",
        sa.Column(
            "address", sa.Text(), nullable=True, comment="Where the person lives or has things sent, as written."
        ),
    )
    op.alter_column(
        "match_weights",
        "actor",
        existing_type=sa.Text(),
        existing_nullable=False,
        comment="Who had them made: 'schedule', 'command line' or an API key.",
    )
    for column in (
        sa.Column(
            "learnt_at",
            _MOMENT,
            nullable=True,
            comment="When the weights were learnt; empty for the shipped ones with other thresholds.",
        ),
        sa.Column(
            "upper",
            sa.Float(),
            nullable=True,
            comment="Bits from which on a match is applied, if set by hand; else the weights say it.",
        ),
        sa.Column(
            "lower",
            sa.Float(),
            nullable=True,
            comment="Bits from which on a match is proposed, if set by hand; else the weights say it.",
        ),
        sa.Column(
            "effect",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="What applying them changed, or would have changed when they were made.",
        ),
        sa.Column("applied_at", _MOMENT, nullable=True, comment="When they were applied last."),
        sa.Column(
            "dismissed_at",
            _MOMENT,
            nullable=True,
            comment="When a person said no to them. Neither applied nor dismissed: they are proposed.",
        ),
        sa.Column("decided_by", sa.Text(), nullable=True, comment="Who applied or dismissed them."),
    ):
        op.add_column("match_weights", column)
    op.execute("alter table match_weights no force row level security")  # forced policies show their owner no row
    op.execute("update match_weights set learnt_at = at, applied_at = at, decided_by = actor")
    op.execute("alter table match_weights force row level security")


def downgrade() -> None:
    for column in ("decided_by", "dismissed_at", "applied_at", "effect", "lower", "upper", "learnt_at"):
        op.drop_column("match_weights", column)
    op.drop_column("contact", "address")
    op.drop_column("contact", "birthday")
