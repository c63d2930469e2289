"""Doors for webhooks in"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.security import create_functions, secure_tables

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "door",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column(
            "public_id",
            sa.Text(),
            nullable=False,
            comment="The first part of the address, by which the door is found.",
        ),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the second part."),
        sa.Column(
            "previous_hash",
            sa.LargeBinary(),
            nullable=True,
            comment="Of the former second part, after a rotation.",
        ),
        sa.Column("previous_until", _MOMENT, nullable=True, comment="Until when the former address holds too."),
        sa.Column(
            "secret",
            sa.Text(),
            nullable=False,
            comment="The second part, sealed, so that the address can be shown again.",
        ),
        sa.Column("opened_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "subscribed_at",
            _MOMENT,
            nullable=True,
            comment="Since when the system is told of the address over its API; empty where a person pastes it.",
        ),
        sa.Column("check_at", _MOMENT, nullable=True, comment="When to look next whether that still stands."),
        sa.Column("problem", sa.Text(), nullable=True, comment="Why it doesn't stand, in one sentence."),
        sa.ForeignKeyConstraint(
            ["workspace_id", "connection_id"],
            ["connection.workspace_id", "connection.id"],
            name=op.f("fk_door_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "connection_id", name=op.f("pk_door")),
    )
    op.create_index("ix_door_public_id", "door", ["public_id"], unique=False)
    op.create_table(
        "received_webhook",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column(
            "digest",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the system's own id of it, else of its bytes.",
        ),
        sa.Column("content", sa.Text(), nullable=False, comment="The body as it was sent, sealed."),
        sa.Column(
            "headers",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Its headers, without those that are the transport's.",
        ),
        sa.Column(
            "query",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="The query of its address.",
        ),
        sa.Column(
            "touched",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="The records that it speaks of: stream and external id.",
        ),
        sa.Column(
            "state",
            sa.Text(),
            server_default="waiting",
            nullable=False,
            comment="waiting, done, failed or malformed",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it waits for another try or was given up."),
        sa.Column("arrivals", sa.Integer(), server_default="1", nullable=False, comment="How often it came."),
        sa.Column(
            "attempts", sa.Integer(), server_default="0", nullable=False, comment="How often it was tried in vain."
        ),
        sa.Column("next_try_at", _MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("received_at", _MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("done_at", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id", "connection_id"],
            ["connection.workspace_id", "connection.id"],
            name=op.f("fk_received_webhook_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_received_webhook")),
    )
    op.create_index(
        "ix_received_webhook_due",
        "received_webhook",
        ["next_try_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_received_webhook_log",
        "received_webhook",
        ["workspace_id", "connection_id", "received_at"],
        unique=False,
    )
    op.create_index(
        "uq_received_webhook_digest",
        "received_webhook",
        ["workspace_id", "connection_id", "digest"],
        unique=True,
    )
    op.add_column(
        "stream_state",
        sa.Column("told_at", _MOMENT, nullable=True, comment="When a webhook last brought something of it."),
    )
    create_functions()
    secure_tables()


def downgrade() -> None:
    for function in (
        "door_of(text)",
        "due_inboxes(integer)",
        "take_due_doors(interval, integer)",
        "prune_received(interval)",
    ):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_column("stream_state", "told_at")
    op.drop_table("received_webhook")
    op.drop_table("door")
