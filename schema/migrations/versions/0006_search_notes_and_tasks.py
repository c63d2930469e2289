"""Search, notes and tasks"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.security import create_functions, secure_tables

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_functions()  # indexes are made of them
    op.create_table(
        "note",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column(
            "client_id",
            sa.UUID(),
            nullable=False,
            comment="The client whom it was written about; it may have been merged away since.",
        ),
        sa.Column("deal_id", sa.UUID(), nullable=True, comment="The deal that it is about, if any."),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False, comment="The API key that wrote it."),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "changed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("deleted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_note")),
    )
    op.create_index(
        "ix_note_deal",
        "note",
        ["workspace_id", "deal_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("deal_id is not null"),
    )
    op.create_index(
        op.f("ix_note_workspace_id_client_id_created_at_id"),
        "note",
        ["workspace_id", "client_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "task",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column(
            "client_id",
            sa.UUID(),
            nullable=False,
            comment="The client whom it was written about; it may have been merged away since.",
        ),
        sa.Column("deal_id", sa.UUID(), nullable=True, comment="The deal that it is about, if any."),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("assignee_id", sa.UUID(), nullable=True, comment="The employee who is to do it."),
        sa.Column("done_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("author", sa.Text(), nullable=False, comment="The API key that wrote it."),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "changed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("deleted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_task")),
    )
    op.create_index(
        "ix_task_assignee",
        "task",
        ["workspace_id", "assignee_id", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("assignee_id is not null"),
    )
    op.create_index(
        "ix_task_deal",
        "task",
        ["workspace_id", "deal_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("deal_id is not null"),
    )
    op.create_index(
        op.f("ix_task_workspace_id_client_id_created_at_id"),
        "task",
        ["workspace_id", "client_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "idempotency",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("actor", sa.Text(), nullable=False, comment="The API key that asked."),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False, comment="The mutation."),
        sa.Column("arguments", sa.LargeBinary(), nullable=False, comment="SHA-256 of its arguments."),
        sa.Column(
            "answer",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="What it wrote; empty while it is under way. Secrets are sealed.",
        ),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_idempotency_workspace")),
        sa.PrimaryKeyConstraint("workspace_id", "actor", "key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_workspace_id_at"), "idempotency", ["workspace_id", "at"], unique=False)
    op.add_column(
        "api_token",
        sa.Column(
            "user_ids",
            postgresql.ARRAY(sa.UUID()),
            nullable=True,
            comment="Of a manager's key: the employees whose clients are the manager's own.",
        ),
    )
    op.create_index(
        "ix_call_campaign",
        "call",
        ["workspace_id", "campaign_id", "started_at", "id"],
        unique=False,
        postgresql_where=sa.text("campaign_id is not null"),
    )
    op.create_index(
        "ix_call_company",
        "call",
        ["workspace_id", "company_id"],
        unique=False,
        postgresql_where=sa.text("company_id is not null"),
    )
    op.create_index(
        "ix_call_contact",
        "call",
        ["workspace_id", "contact_id"],
        unique=False,
        postgresql_where=sa.text("contact_id is not null"),
    )
    op.create_index(
        "ix_call_lead",
        "call",
        ["workspace_id", "lead_id"],
        unique=False,
        postgresql_where=sa.text("lead_id is not null"),
    )
    op.create_index(
        "ix_call_responsible",
        "call",
        ["workspace_id", "responsible_id", "started_at", "id"],
        unique=False,
        postgresql_where=sa.text("responsible_id is not null"),
    )
    op.create_index(
        "ix_call_visit",
        "call",
        ["workspace_id", "visit_id"],
        unique=False,
        postgresql_where=sa.text("visit_id is not null"),
    )
    op.create_index(
        "ix_client_responsible",
        "client",
        ["workspace_id", "responsible_id", "last_seen_at", "id"],
        unique=False,
        postgresql_where=sa.text("responsible_id is not null"),
    )
    op.create_index(
        "ix_client_search",
        "client",
        [sa.literal_column("search_tokens(workspace_id, search_text(name, phone, email))")],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("merged_into is null"),
    )
    op.create_index("ix_company_external", "company", ["workspace_id", "external_id"], unique=False)
    op.create_index(
        "ix_company_responsible",
        "company",
        ["workspace_id", "responsible_id"],
        unique=False,
        postgresql_where=sa.text("responsible_id is not null"),
    )
    op.create_index("ix_contact_external", "contact", ["workspace_id", "external_id"], unique=False)
    op.create_index(
        "ix_contact_responsible",
        "contact",
        ["workspace_id", "responsible_id"],
        unique=False,
        postgresql_where=sa.text("responsible_id is not null"),
    )
    op.create_index(
        "ix_deal_campaign",
        "deal",
        ["workspace_id", "campaign_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("campaign_id is not null"),
    )
    op.create_index("ix_deal_external", "deal", ["workspace_id", "external_id"], unique=False)
    op.create_index(
        "ix_deal_pipeline",
        "deal",
        ["workspace_id", "pipeline_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("pipeline_id is not null"),
    )
    op.create_index(
        "ix_deal_responsible",
        "deal",
        ["workspace_id", "responsible_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("responsible_id is not null"),
    )
    op.create_index(
        "ix_deal_search",
        "deal",
        [sa.literal_column("search_words(workspace_id, title)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "ix_deal_stage",
        "deal",
        ["workspace_id", "stage_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("stage_id is not null"),
    )
    op.create_index(
        "ix_lead_campaign",
        "lead",
        ["workspace_id", "campaign_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("campaign_id is not null"),
    )
    op.create_index(
        "ix_lead_company",
        "lead",
        ["workspace_id", "company_id"],
        unique=False,
        postgresql_where=sa.text("company_id is not null"),
    )
    op.create_index(
        "ix_lead_contact",
        "lead",
        ["workspace_id", "contact_id"],
        unique=False,
        postgresql_where=sa.text("contact_id is not null"),
    )
    op.create_index("ix_lead_external", "lead", ["workspace_id", "external_id"], unique=False)
    op.create_index(
        "ix_lead_responsible",
        "lead",
        ["workspace_id", "responsible_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("responsible_id is not null"),
    )
    op.create_index(
        "ix_lead_visit",
        "lead",
        ["workspace_id", "visit_id"],
        unique=False,
        postgresql_where=sa.text("visit_id is not null"),
    )
    op.create_index(
        "ix_visit_campaign",
        "visit",
        ["workspace_id", "campaign_id", "started_at", "id"],
        unique=False,
        postgresql_where=sa.text("campaign_id is not null"),
    )
    op.add_column(
        "workspace",
        sa.Column(
            "managers_see",
            sa.Text(),
            server_default="all",
            nullable=False,
            comment="Which clients managers' keys reach: all, or own.",
        ),
    )
    secure_tables()


def downgrade() -> None:
    op.drop_column("workspace", "managers_see")
    op.drop_index("ix_visit_campaign", table_name="visit", postgresql_where=sa.text("campaign_id is not null"))
    op.drop_index("ix_lead_visit", table_name="lead", postgresql_where=sa.text("visit_id is not null"))
    op.drop_index("ix_lead_responsible", table_name="lead", postgresql_where=sa.text("responsible_id is not null"))
    op.drop_index("ix_lead_external", table_name="lead")
    op.drop_index("ix_lead_contact", table_name="lead", postgresql_where=sa.text("contact_id is not null"))
    op.drop_index("ix_lead_company", table_name="lead", postgresql_where=sa.text("company_id is not null"))
    op.drop_index("ix_lead_campaign", table_name="lead", postgresql_where=sa.text("campaign_id is not null"))
    op.drop_index("ix_deal_stage", table_name="deal", postgresql_where=sa.text("stage_id is not null"))
    op.drop_index("ix_deal_search", table_name="deal", postgresql_using="gin")
    op.drop_index("ix_deal_responsible", table_name="deal", postgresql_where=sa.text("responsible_id is not null"))
    op.drop_index("ix_deal_pipeline", table_name="deal", postgresql_where=sa.text("pipeline_id is not null"))
    op.drop_index("ix_deal_external", table_name="deal")
    op.drop_index("ix_deal_campaign", table_name="deal", postgresql_where=sa.text("campaign_id is not null"))
    op.drop_index(
        "ix_contact_responsible", table_name="contact", postgresql_where=sa.text("responsible_id is not null")
    )
    op.drop_index("ix_contact_external", table_name="contact")
    op.drop_index(
        "ix_company_responsible", table_name="company", postgresql_where=sa.text("responsible_id is not null")
    )
    op.drop_index("ix_company_external", table_name="company")
    op.drop_index(
        "ix_client_search",
        table_name="client",
        postgresql_using="gin",
        postgresql_where=sa.text("merged_into is null"),
    )
    op.drop_index(
        "ix_client_responsible", table_name="client", postgresql_where=sa.text("responsible_id is not null")
    )
    op.drop_index("ix_call_visit", table_name="call", postgresql_where=sa.text("visit_id is not null"))
    op.drop_index("ix_call_responsible", table_name="call", postgresql_where=sa.text("responsible_id is not null"))
    op.drop_index("ix_call_lead", table_name="call", postgresql_where=sa.text("lead_id is not null"))
    op.drop_index("ix_call_contact", table_name="call", postgresql_where=sa.text("contact_id is not null"))
    op.drop_index("ix_call_company", table_name="call", postgresql_where=sa.text("company_id is not null"))
    op.drop_index("ix_call_campaign", table_name="call", postgresql_where=sa.text("campaign_id is not null"))
    op.drop_column("api_token", "user_ids")
    op.drop_index(op.f("ix_idempotency_workspace_id_at"), table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_index(op.f("ix_task_workspace_id_client_id_created_at_id"), table_name="task")
    op.drop_index("ix_task_deal", table_name="task", postgresql_where=sa.text("deal_id is not null"))
    op.drop_index("ix_task_assignee", table_name="task", postgresql_where=sa.text("assignee_id is not null"))
    op.drop_table("task")
    op.drop_index(op.f("ix_note_workspace_id_client_id_created_at_id"), table_name="note")
    op.drop_index("ix_note_deal", table_name="note", postgresql_where=sa.text("deal_id is not null"))
    op.drop_table("note")
    for function in (
        "search_clients(text[], text[], text, text, boolean, integer)",
        "search_text(text, text, text)",
        "search_tokens(uuid, text)",
        "search_words(uuid, text)",
    ):
        op.execute(f"DROP FUNCTION {function}")
