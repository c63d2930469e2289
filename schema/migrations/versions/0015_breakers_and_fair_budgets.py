"""Breakers and fair budgets"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.security import create_functions, secure_tables

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "breaker",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("account", sa.Text(), nullable=False, comment="Connector key and vendor account."),
        sa.Column(
            "failures",
            sa.Integer(),
            nullable=False,
            comment="Passing faults in a row, with no answer between them.",
        ),
        sa.Column("failing_since", _MOMENT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="What the last fault was, in one sentence."),
        sa.Column("opened_at", _MOMENT, nullable=True, comment="Since when nothing but probes is sent there."),
        sa.Column("next_try_at", _MOMENT, nullable=True, comment="When one request may try it again."),
        sa.Column(
            "trips",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Pauses so far; each is longer than the last.",
        ),
        sa.Column("probe_until", _MOMENT, nullable=True, comment="A probe is on its way, until then at most."),
        sa.PrimaryKeyConstraint("workspace_id", "account", name=op.f("pk_breaker")),
    )
    op.add_column(
        "rate_budget",
        sa.Column(
            "window_at",
            _MOMENT,
            server_default=sa.text("now()"),
            nullable=False,
            comment="Since when requests are counted: a minute, or the limit's own span.",
        ),
    )
    op.add_column(
        "rate_budget",
        sa.Column("used", sa.Integer(), server_default="0", nullable=False, comment="Requests since then."),
    )
    op.create_index(
        "ix_connection_due", "connection", ["next_run_at"], postgresql_where=sa.text("state = 'active'")
    )
    create_functions()
    secure_tables()


def downgrade() -> None:
    # The functions name the table from now on: the program of before has to make its own again (create_functions).
    op.drop_index("ix_connection_due", table_name="connection")
    op.drop_column("rate_budget", "used")
    op.drop_column("rate_budget", "window_at")
    op.drop_table("breaker")
