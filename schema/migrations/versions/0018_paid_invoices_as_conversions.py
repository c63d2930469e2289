"""Paid invoices as conversions"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_ROLLUPS = ("rollup_day", "rollup_month")
# Their paths are made with the next settling.
_MARK = """
insert into client_mark (workspace_id, client_id, cause)
select distinct workspace_id, coalesce(client_id, id), 'invoice' from invoice
where kind = 'invoice' and paid_at is not null and not cancelled and deleted_at is null
on conflict do nothing
"""


def upgrade() -> None:
    op.add_column(
        "path",
        sa.Column(
            "window_until",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="Where the window ends, if not with the conversion: of a paid invoice with the win of its deal.",
        ),
    )
    for column, comment in (
        ("kind", "call, lead, new_client, won_deal or paid_invoice"),
        ("record_id", "The call, lead, deal or invoice that is the conversion."),
        ("value", "Amount of a won deal or paid invoice in ``currency``; else 0."),
        ("revenue", "What it adds to money: 0 if ``value`` is in another currency than the workspace's."),
    ):
        op.alter_column("path", column, comment=comment)
    for table in _ROLLUPS:
        op.add_column(table, sa.Column("paid_invoices", sa.Integer(), server_default="0", nullable=False))
        op.add_column(
            table,
            sa.Column("paid_amount", sa.Numeric(precision=18, scale=2), server_default="0", nullable=False),
        )
    _in_all_workspaces(_MARK, "invoice", "client_mark")


def downgrade() -> None:
    _in_all_workspaces("delete from path where kind = 'paid_invoice'", "path")
    for table in _ROLLUPS:
        op.drop_column(table, "paid_amount")
        op.drop_column(table, "paid_invoices")
    op.drop_column("path", "window_until")


def _in_all_workspaces(statement: str, *tables: str) -> None:
    """Forced policies would show their owner no row."""
    for table in tables:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(statement)
    for table in tables:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
