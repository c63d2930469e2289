"""The change feed and webhooks"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.security import create_functions, secure_tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "change",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column(
            "position",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="Given by the trigger, in the order of commits.",
        ),
        sa.Column("type", sa.Text(), nullable=False, comment="What the records are: call, client, …"),
        sa.Column("kind", sa.Text(), nullable=False, comment="created, changed, merged, split or deleted"),
        sa.Column("ids", postgresql.ARRAY(sa.UUID()), nullable=False, comment="The records."),
        sa.Column(
            "others",
            postgresql.ARRAY(sa.UUID()),
            nullable=True,
            comment="Beside each id: the client that it became part of (merged), or that came out of it (split).",
        ),
        sa.Column(
            "at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("workspace_id", "position", name=op.f("pk_change")),
    )
    op.create_index("ix_change_at", "change", ["at"], unique=False)
    op.create_table(
        "feed_horizon",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_feed_horizon")),
    )
    op.create_table(
        "webhook",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "events", postgresql.ARRAY(sa.Text()), nullable=False, comment="call.created, client.*, or * for all."
        ),
        sa.Column(
            "state", sa.Text(), server_default="active", nullable=False, comment="active, paused or disabled"
        ),
        sa.Column("state_reason", sa.Text(), nullable=True, comment="One sentence: why it is disabled."),
        sa.Column(
            "position", sa.BigInteger(), nullable=False, comment="Changes up to here have become deliveries."
        ),
        sa.Column(
            "secrets",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Sealed: 'current', and 'previous' after a rotation.",
        ),
        sa.Column(
            "previous_until",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="Until when the previous secret signs too.",
        ),
        sa.Column(
            "data_key", sa.Text(), nullable=False, comment="The webhook's data key, wrapped by a master key."
        ),
        sa.Column(
            "failing_since",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="Empty while deliveries succeed.",
        ),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("created_by", sa.Text(), nullable=False, comment="The token."),
        sa.Column(
            "changed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_webhook_workspace")),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_webhook")),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("webhook_id", sa.UUID(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False, comment="call.created, …"),
        sa.Column("body", sa.Text(), nullable=False, comment="The bytes that are signed and sent, as text."),
        sa.Column(
            "state", sa.Text(), server_default="pending", nullable=False, comment="pending, delivered or failed"
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "next_try_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "give_up_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="After this moment it isn't tried again by itself.",
        ),
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("delivered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id", "webhook_id"],
            ["webhook.workspace_id", "webhook.id"],
            name=op.f("fk_webhook_delivery_webhook"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_webhook_delivery")),
    )
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        ["next_try_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_webhook_delivery_log", "webhook_delivery", ["workspace_id", "webhook_id", "created_at"], unique=False
    )
    op.create_table(
        "webhook_attempt",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("delivery_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("status", sa.Integer(), nullable=True, comment="HTTP status; empty where no answer came."),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("response", sa.Text(), nullable=True, comment="The beginning of the answer."),
        sa.Column("error", sa.Text(), nullable=True, comment="Why no answer came, in one sentence."),
        sa.ForeignKeyConstraint(
            ["workspace_id", "delivery_id"],
            ["webhook_delivery.workspace_id", "webhook_delivery.id"],
            name=op.f("fk_webhook_attempt_webhook_delivery"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "delivery_id", "number", name=op.f("pk_webhook_attempt")),
    )
    op.execute("CREATE SEQUENCE change_position AS bigint")
    secure_tables()
    create_functions()
    op.execute("CREATE TRIGGER place BEFORE INSERT ON change FOR EACH ROW EXECUTE FUNCTION place_change()")
    op.execute("CREATE TRIGGER tell AFTER INSERT OR UPDATE ON sync_run FOR EACH ROW EXECUTE FUNCTION tell_run()")


def downgrade() -> None:
    op.execute("DROP TRIGGER tell ON sync_run")
    for function in (
        "due_webhooks(integer)",
        "prune_deliveries(interval)",
        "prune_changes(interval)",
        "refuse_cursor()",
        "tell_run()",
    ):
        op.execute(f"DROP FUNCTION {function}")
    for table in ("webhook_attempt", "webhook_delivery", "webhook", "feed_horizon", "change"):
        op.drop_table(table)
    op.execute("DROP FUNCTION place_change()")
    op.execute("DROP SEQUENCE change_position")
