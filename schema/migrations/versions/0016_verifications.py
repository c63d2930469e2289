"""Verifications"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.security import create_functions, secure_tables

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "verification",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column(
            "state", sa.Text(), server_default="running", nullable=False, comment="running, succeeded or failed"
        ),
        sa.Column("started_at", _MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("finished_at", _MOMENT, nullable=True),
        sa.Column(
            "there", sa.Integer(), server_default="0", nullable=False, comment="Records that the system told of."
        ),
        sa.Column(
            "wrong",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Records that were not here as they are there.",
        ),
        sa.Column(
            "mended", sa.Integer(), server_default="0", nullable=False, comment="Records that were brought here."
        ),
        sa.Column(
            "deleted",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Records that were marked as deleted.",
        ),
        sa.Column(
            "alarms",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="What a person should look at, a sentence each.",
        ),
        sa.Column("requests", sa.Integer(), server_default="0", nullable=False),
        sa.Column("run_id", sa.UUID(), nullable=True, comment="The run by which records were brought here."),
        sa.Column("sentence", sa.Text(), nullable=True, comment="The result in one sentence."),
        sa.ForeignKeyConstraint(
            ["workspace_id", "connection_id"],
            ["connection.workspace_id", "connection.id"],
            name=op.f("fk_verification_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_verification")),
    )
    op.create_index(
        "ix_verification_of_connection",
        "verification",
        ["workspace_id", "connection_id", "started_at"],
        unique=False,
    )
    op.create_table(
        "verification_part",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("verification_id", sa.UUID(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", _MOMENT, nullable=True, comment="The first moment of it; empty: no bound."),
        sa.Column("until", _MOMENT, nullable=True, comment="The moment after it; empty: no bound."),
        sa.Column("there", sa.Integer(), nullable=False),
        sa.Column("here", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True, comment="What the system itself says is the number."),
        sa.Column("missing", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("extra", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("different", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("links", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("wrong_since", _MOMENT, nullable=True),
        sa.Column("run_id", sa.UUID(), nullable=True, comment="The first sync that should have known."),
        sa.ForeignKeyConstraint(
            ["workspace_id", "verification_id"],
            ["verification.workspace_id", "verification.id"],
            name=op.f("fk_verification_part_verification"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "verification_id", "stream", "number", name=op.f("pk_verification_part")
        ),
    )
    op.create_table(
        "verification_stream",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("verification_id", sa.UUID(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column(
            "compared", sa.Boolean(), nullable=False, comment="False: the system has no list to compare with."
        ),
        sa.Column("there", sa.Integer(), nullable=False),
        sa.Column("here", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False, comment="There and not here."),
        sa.Column("extra", sa.Integer(), nullable=False, comment="Here and deleted there."),
        sa.Column("different", sa.Integer(), nullable=False, comment="Here in another state."),
        sa.Column("links", sa.Integer(), nullable=False, comment="Here, and hanging on other records than there."),
        sa.Column("waiting", sa.Integer(), nullable=False, comment="There, and here in quarantine."),
        sa.Column(
            "sampled",
            sa.Integer(),
            nullable=False,
            comment="Records that were fetched for themselves and compared whole.",
        ),
        sa.Column("mended", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Integer(), nullable=False),
        sa.Column("wrong_since", _MOMENT, nullable=True, comment="Since when it was wrong."),
        sa.Column("brake", sa.Text(), nullable=True, comment="Why nothing was marked as deleted."),
        sa.Column("error", sa.Text(), nullable=True, comment="Why it could not be compared to its end."),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("finished_at", _MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "verification_id"],
            ["verification.workspace_id", "verification.id"],
            name=op.f("fk_verification_stream_verification"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "verification_id", "stream", name=op.f("pk_verification_stream")),
    )
    op.add_column(
        "connection",
        sa.Column(
            "verify_every_seconds",
            sa.Integer(),
            server_default="604800",
            nullable=False,
            comment="How often it is compared with its system by itself; 0: never.",
        ),
    )
    op.add_column(
        "connection",
        sa.Column(
            "next_verify_at",
            _MOMENT,
            nullable=True,
            comment="When that is due; empty: so long after it was connected.",
        ),
    )
    create_functions()
    secure_tables()


def downgrade() -> None:
    op.execute("DROP FUNCTION take_due_verifications(integer)")
    op.drop_column("connection", "next_verify_at")
    op.drop_column("connection", "verify_every_seconds")
    op.drop_table("verification_stream")
    op.drop_table("verification_part")
    op.drop_index("ix_verification_of_connection", table_name="verification")
    op.drop_table("verification")
