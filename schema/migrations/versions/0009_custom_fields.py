"""Custom fields"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.security import create_functions, secure_tables

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "custom_field",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column(
            "record_kind", sa.Text(), nullable=False, comment="What the records that have the field are here."
        ),
        sa.Column("key", sa.Text(), nullable=False, comment="The vendor's key, as in the records' `custom`."),
        sa.Column(
            "label", sa.Text(), nullable=False, comment="The vendor's name for it; the key where there is none."
        ),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column(
            "multiple",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether it holds a list.",
        ),
        sa.Column(
            "options",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Of a field that offers a choice: an array of {value, label}, in the vendor's order.",
        ),
        sa.Column(
            "declared",
            sa.Boolean(),
            nullable=False,
            comment="Whether the vendor lists it; else only records show it.",
        ),
        sa.Column(
            "first_seen_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "last_seen_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "gone_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="Since when the vendor doesn't list it any more.",
        ),
        sa.Column(
            "sampled",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="How many of the newest records were looked at.",
        ),
        sa.Column(
            "filled",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="In how many of these it had a value.",
        ),
        sa.Column(
            "samples",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="A few different values, as an array.",
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "connection_id", "record_kind", "key", name=op.f("pk_custom_field")
        ),
    )
    op.create_table(
        "field_mapping",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column(
            "record_kind", sa.Text(), nullable=False, comment="What the records that have the field are here."
        ),
        sa.Column("target", sa.Text(), nullable=False, comment="The unified field that is filled."),
        sa.Column(
            "key", sa.Text(), nullable=True, comment="The vendor's field; empty once the mapping is taken back."
        ),
        sa.Column(
            "pending",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Fields whose stored records are still to be mapped anew for it.",
        ),
        sa.Column("actor", sa.Text(), nullable=False, comment="The API key that set it, or the command line."),
        sa.Column(
            "changed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "connection_id", "record_kind", "target", name=op.f("pk_field_mapping")
        ),
    )
    op.create_table(
        "schema_change",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("record_kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True, comment="The former name, type or options."),
        sa.Column("after", sa.Text(), nullable=True, comment="The new ones."),
        sa.Column("run_id", sa.UUID(), nullable=True, comment="The run that noticed it."),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_schema_change")),
    )
    op.create_index(
        op.f("ix_schema_change_workspace_id_connection_id_at_id"),
        "schema_change",
        ["workspace_id", "connection_id", "at", "id"],
        unique=False,
    )
    op.add_column(
        "connection",
        sa.Column(
            "fields_read_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the account's own fields were last looked at.",
        ),
    )
    op.add_column(
        "sync_run",
        sa.Column(
            "warnings",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="What it noticed that a person should know, a sentence each.",
        ),
    )
    secure_tables()
    create_functions()


def downgrade() -> None:
    op.drop_column("sync_run", "warnings")
    op.drop_column("connection", "fields_read_at")
    op.drop_index(op.f("ix_schema_change_workspace_id_connection_id_at_id"), table_name="schema_change")
    op.drop_table("schema_change")
    op.drop_table("field_mapping")
    op.drop_table("custom_field")
