"""What goes out"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.security import create_functions, secure_tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delivery",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "connection_id"],
            ["connection.workspace_id", "connection.id"],
            name=op.f("fk_delivery_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "connection_id", name=op.f("pk_delivery")),
    )
    op.create_table(
        "outbox",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column(
            "seq", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="The order of intentions."
        ),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("rule_id", sa.UUID(), nullable=True, comment="Empty for a change that a person asked for."),
        sa.Column("rule_version", sa.Integer(), nullable=True),
        sa.Column("write", sa.Text(), nullable=False, comment="The connector's write."),
        sa.Column("key", sa.Text(), nullable=False, comment="Idempotency key: the same cause gives the same key."),
        sa.Column(
            "order_key", sa.Text(), nullable=False, comment="Changes of one record go out one after another."
        ),
        sa.Column("cause_kind", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.UUID(), nullable=False, comment="The record here that is the cause."),
        sa.Column(
            "cause_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When it happened, by the clock of the system it is from.",
        ),
        sa.Column(
            "payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="What is to stand there."
        ),
        sa.Column(
            "base",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="What stood there when it was intended.",
        ),
        sa.Column("external_id", sa.Text(), nullable=True, comment="The record's id there, once known."),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("code", sa.Text(), nullable=True, comment="Why it stands, for programs."),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it stands, in one sentence."),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False, comment="How often it was sent."),
        sa.Column("epoch", sa.BigInteger(), nullable=True, comment="The lease under which it is being sent."),
        sa.Column(
            "sent_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was last about to be sent.",
        ),
        sa.Column(
            "next_try_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("done_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "before",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="What stood there before it was written over.",
        ),
        sa.Column(
            "stored",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="What the system made of it: the echo is known by this.",
        ),
        sa.Column(
            "stored_version",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="The record's time of change there, after it.",
        ),
        sa.Column(
            "echoed_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it came back and was known as ours.",
        ),
        sa.Column("undoes", sa.UUID(), nullable=True, comment="The change that this one takes back."),
        sa.ForeignKeyConstraint(
            ["workspace_id", "connection_id"],
            ["connection.workspace_id", "connection.id"],
            name=op.f("fk_outbox_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("workspace_id", "key", name=op.f("uq_outbox_workspace_id_key")),
    )
    op.create_index("ix_outbox_cause", "outbox", ["workspace_id", "cause_id"], unique=False)
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["next_try_at"],
        unique=False,
        postgresql_where=sa.text("state in ('pending', 'sending', 'unknown')"),
    )
    op.create_index(
        "ix_outbox_open",
        "outbox",
        ["workspace_id", "connection_id", "seq"],
        unique=False,
        postgresql_where=sa.text("state not in ('done', 'skipped')"),
    )
    op.create_index(
        "ix_outbox_order", "outbox", ["workspace_id", "connection_id", "order_key", "seq"], unique=False
    )
    op.create_index("ix_outbox_record", "outbox", ["workspace_id", "connection_id", "external_id"], unique=False)
    op.create_table(
        "write_rule",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("connection_id", sa.UUID(), nullable=False, comment="The connection that is written to."),
        sa.Column("kind", sa.Text(), nullable=False, comment="Which kind of rule the settings are of."),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default="false", nullable=False),
        sa.Column(
            "since",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="What happened before this moment is no cause.",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            server_default="1",
            nullable=False,
            comment="Grows with each change of the settings.",
        ),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("created_by", sa.Text(), nullable=False, comment="The token, or 'command line'."),
        sa.Column(
            "changed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "connection_id"],
            ["connection.workspace_id", "connection.id"],
            name=op.f("fk_write_rule_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_write_rule")),
    )
    op.create_index(
        "ix_write_rule_enabled", "write_rule", ["workspace_id"], unique=False, postgresql_where=sa.text("enabled")
    )
    op.create_table(
        "conflict",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("outbox_id", sa.UUID(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="Counts the decisions on this field."),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column(
            "base",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="{'value': …}: what stood there when it was intended.",
        ),
        sa.Column(
            "theirs",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="What stood there when it was to be sent.",
        ),
        sa.Column("ours", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False, comment="ours, theirs, most_recent, never or by_hand"),
        sa.Column(
            "decision", sa.Text(), nullable=True, comment="ours or theirs; empty while a person must decide."
        ),
        sa.Column("decided_by", sa.Text(), nullable=True, comment="'rule', or the token that decided."),
        sa.Column(
            "at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("decided_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id", "outbox_id"],
            ["outbox.workspace_id", "outbox.id"],
            name=op.f("fk_conflict_outbox"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "outbox_id", "field", "number", name=op.f("pk_conflict")),
    )
    op.create_index(
        "ix_conflict_open",
        "conflict",
        ["workspace_id", "connection_id"],
        unique=False,
        postgresql_where=sa.text("decision is null"),
    )
    op.create_table(
        "outbox_attempt",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("outbox_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("step", sa.Text(), nullable=False, comment="look, read, send"),
        sa.Column("request", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("response", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False, comment="What it meant, in one sentence."),
        sa.ForeignKeyConstraint(
            ["workspace_id", "outbox_id"],
            ["outbox.workspace_id", "outbox.id"],
            name=op.f("fk_outbox_attempt_outbox"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "outbox_id", "number", name=op.f("pk_outbox_attempt")),
    )
    secure_tables()
    create_functions()


def downgrade() -> None:
    op.execute("DROP FUNCTION due_deliveries(integer)")
    for table in ("outbox_attempt", "conflict", "write_rule", "outbox", "delivery"):
        op.drop_table(table)
