"""The unified model"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects import postgresql

from schema.migrations.security import create_functions, create_jobs, secure_tables, secure_workspaces

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ad",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False, comment="Follows from connection, kind and external id."),
        sa.Column("connection_id", sa.UUID(), nullable=False, comment="The connection that it was read from."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="Its id in the external system."),
        sa.Column("stream", sa.Text(), nullable=False, comment="The stream of the source record that gave it."),
        sa.Column("source_id", sa.Text(), nullable=False, comment="The source record's id within the stream."),
        sa.Column("ad_group_id", sa.UUID(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("landing_url", sa.Text(), nullable=True),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the external system last changed it, by its own clock.",
        ),
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When Skvoz learnt this state.",
        ),
        sa.Column(
            "deleted_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was found deleted in the external system.",
        ),
        sa.Column(
            "custom",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vendor's custom fields, by the vendor's field key.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_ad")),
    )
    op.create_table(
        "ad_group",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False, comment="Follows from connection, kind and external id."),
        sa.Column("connection_id", sa.UUID(), nullable=False, comment="The connection that it was read from."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="Its id in the external system."),
        sa.Column("stream", sa.Text(), nullable=False, comment="The stream of the source record that gave it."),
        sa.Column("source_id", sa.Text(), nullable=False, comment="The source record's id within the stream."),
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the external system last changed it, by its own clock.",
        ),
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When Skvoz learnt this state.",
        ),
        sa.Column(
            "deleted_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was found deleted in the external system.",
        ),
        sa.Column(
            "custom",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vendor's custom fields, by the vendor's field key.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_ad_group")),
    )
    op.create_table(
        "ad_spend",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="A day of the ad platform's calendar."),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column(
            "cost",
            sa.Numeric(precision=18, scale=2),
            nullable=False,
            comment="In ``currency``; with VAT if ``vat_included``.",
        ),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("vat_included", sa.Boolean(), nullable=False),
        sa.Column("impressions", sa.Integer(), nullable=False),
        sa.Column("clicks", sa.Integer(), nullable=False),
        sa.Column("known_from", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("known_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("run_id", sa.UUID(), nullable=True),
        sa.PrimaryKeyConstraint(
            "workspace_id", "connection_id", "campaign_id", "day", "revision", name=op.f("pk_ad_spend")
        ),
    )
    op.create_index("ix_ad_spend_day", "ad_spend", ["workspace_id", "day", "campaign_id"], unique=False)
    op.create_index(
        "uq_ad_spend_current",
        "ad_spend",
        ["workspace_id", "connection_id", "campaign_id", "day"],
        unique=True,
        postgresql_where=sa.text("known_until is null"),
    )
    op.create_table(
        "assignment",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("record_id", sa.UUID(), nullable=False, comment="The card (contact or company) that says so."),
        sa.Column("role", sa.Text(), server_default="account", nullable=False),
        sa.Column("valid_from", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("valid_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "record_id", "role", "valid_from", name=op.f("pk_assignment")),
    )
    op.create_index(
        op.f("ix_assignment_workspace_id_user_id"), "assignment", ["workspace_id", "user_id"], unique=False
    )
    op.create_table(
        "call",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False, comment="Follows from connection, kind and external id."),
        sa.Column("connection_id", sa.UUID(), nullable=False, comment="The connection that it was read from."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="Its id in the external system."),
        sa.Column("stream", sa.Text(), nullable=False, comment="The stream of the source record that gave it."),
        sa.Column("source_id", sa.Text(), nullable=False, comment="The source record's id within the stream."),
        sa.Column(
            "client_id",
            sa.UUID(),
            nullable=True,
            comment="The client whose record it is; empty while nothing tells.",
        ),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False, comment="inbound or outbound"),
        sa.Column("client_phone", sa.Text(), nullable=True, comment="E.164 where valid, else as written."),
        sa.Column("tracking_phone", sa.Text(), nullable=True, comment="The number that was dialled."),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("wait_seconds", sa.Integer(), nullable=True),
        sa.Column("talk_seconds", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True, comment="The vendor's own word for the result."),
        sa.Column(
            "is_unique", sa.Boolean(), nullable=True, comment="The vendor's judgement: first call of this number."
        ),
        sa.Column("is_target", sa.Boolean(), nullable=True, comment="The vendor's judgement: a qualified call."),
        sa.Column("recording_url", sa.Text(), nullable=True),
        sa.Column("visit_id", sa.UUID(), nullable=True),
        sa.Column("contact_id", sa.UUID(), nullable=True),
        sa.Column("company_id", sa.UUID(), nullable=True),
        sa.Column("lead_id", sa.UUID(), nullable=True),
        sa.Column("deal_id", sa.UUID(), nullable=True),
        sa.Column("responsible_id", sa.UUID(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True, comment="Channel group."),
        sa.Column("source", sa.Text(), nullable=True, comment="Traffic source that holds."),
        sa.Column("medium", sa.Text(), nullable=True, comment="Traffic medium that holds."),
        sa.Column("campaign_id", sa.UUID(), nullable=True, comment="The campaign named by it."),
        sa.Column("ad_group_key", sa.Text(), nullable=True, comment="The platform's ad group id."),
        sa.Column("ad_key", sa.Text(), nullable=True, comment="The platform's ad id."),
        sa.Column("keyword_key", sa.Text(), nullable=True, comment="The platform's keyword id."),
        sa.Column("utm_source", sa.Text(), nullable=True),
        sa.Column("utm_medium", sa.Text(), nullable=True),
        sa.Column("utm_campaign", sa.Text(), nullable=True),
        sa.Column("utm_content", sa.Text(), nullable=True),
        sa.Column("utm_term", sa.Text(), nullable=True),
        sa.Column("click_id", sa.Text(), nullable=True, comment="yclid, gclid and their kind."),
        sa.Column("referrer", sa.Text(), nullable=True),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the external system last changed it, by its own clock.",
        ),
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When Skvoz learnt this state.",
        ),
        sa.Column(
            "deleted_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was found deleted in the external system.",
        ),
        sa.Column(
            "custom",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vendor's custom fields, by the vendor's field key.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_call")),
    )
    op.create_index(
        "ix_call_deal",
        "call",
        ["workspace_id", "deal_id"],
        unique=False,
        postgresql_where=sa.text("deal_id is not null"),
    )
    op.create_index(
        op.f("ix_call_workspace_id_client_id_started_at_id"),
        "call",
        ["workspace_id", "client_id", "started_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_call_workspace_id_started_at_id"), "call", ["workspace_id", "started_at", "id"], unique=False
    )
    op.create_table(
        "campaign",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False, comment="Key of the ad platform's connector, or 'utm'."),
        sa.Column(
            "external_id", sa.Text(), nullable=False, comment="The platform's id, or source/medium/campaign."
        ),
        sa.Column("connection_id", sa.UUID(), nullable=True, comment="The cabinet that it was read from."),
        sa.Column("name", sa.Text(), nullable=False, comment="The present name; former ones are in campaign_name."),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("medium", sa.Text(), nullable=True),
        sa.Column("loaded_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("deleted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_campaign")),
    )
    op.create_table(
        "campaign_name",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("known_from", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "campaign_id", "known_from", name=op.f("pk_campaign_name")),
    )
    op.create_table(
        "client",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="person or company"),
        sa.Column("name", sa.Text(), nullable=True, comment="Golden record: the name that holds."),
        sa.Column("phone", sa.Text(), nullable=True, comment="Golden record: E.164."),
        sa.Column("email", sa.Text(), nullable=True, comment="Golden record."),
        sa.Column(
            "responsible_id", sa.UUID(), nullable=True, comment="Golden record: the user who leads the client."
        ),
        sa.Column(
            "founded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="Time of the founding record; the older client survives.",
        ),
        sa.Column(
            "last_seen_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="Time of the newest record.",
        ),
        sa.Column("merged_into", sa.UUID(), nullable=True, comment="The client that it is part of now."),
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When Skvoz made it.",
        ),
        sa.Column(
            "changed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_client")),
    )
    op.create_index(
        "ix_client_name",
        "client",
        ["workspace_id", "name", "id"],
        unique=False,
        postgresql_where=sa.text("merged_into is null"),
    )
    op.create_index(
        "ix_client_recent",
        "client",
        ["workspace_id", "last_seen_at", "id"],
        unique=False,
        postgresql_where=sa.text("merged_into is null"),
    )
    op.create_index(
        op.f("ix_client_workspace_id_merged_into"),
        "client",
        ["workspace_id", "merged_into"],
        unique=False,
        postgresql_where=sa.text("merged_into is not null"),
    )
    op.create_table(
        "client_field",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("record_kind", sa.Text(), nullable=False),
        sa.Column("record_id", sa.UUID(), nullable=False),
        sa.Column(
            "others",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Other values, each with the records that say it.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "client_id", "field", name=op.f("pk_client_field")),
    )
    op.create_table(
        "client_mark",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False, comment="What changed: a record kind, merge or split."),
        sa.Column(
            "marked_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("workspace_id", "client_id", name=op.f("pk_client_mark")),
    )
    op.create_table(
        "company",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False, comment="Follows from connection, kind and external id."),
        sa.Column("connection_id", sa.UUID(), nullable=False, comment="The connection that it was read from."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="Its id in the external system."),
        sa.Column("stream", sa.Text(), nullable=False, comment="The stream of the source record that gave it."),
        sa.Column("source_id", sa.Text(), nullable=False, comment="The source record's id within the stream."),
        sa.Column(
            "client_id",
            sa.UUID(),
            nullable=True,
            comment="The client whose record it is; empty while nothing tells.",
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tax_id", sa.Text(), nullable=True),
        sa.Column("website", sa.Text(), nullable=True),
        sa.Column("phones", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("emails", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("responsible_id", sa.UUID(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the external system last changed it, by its own clock.",
        ),
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When Skvoz learnt this state.",
        ),
        sa.Column(
            "deleted_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was found deleted in the external system.",
        ),
        sa.Column(
            "custom",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vendor's custom fields, by the vendor's field key.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_company")),
    )
    op.create_index(
        op.f("ix_company_workspace_id_client_id"), "company", ["workspace_id", "client_id"], unique=False
    )
    op.create_table(
        "contact",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False, comment="Follows from connection, kind and external id."),
        sa.Column("connection_id", sa.UUID(), nullable=False, comment="The connection that it was read from."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="Its id in the external system."),
        sa.Column("stream", sa.Text(), nullable=False, comment="The stream of the source record that gave it."),
        sa.Column("source_id", sa.Text(), nullable=False, comment="The source record's id within the stream."),
        sa.Column(
            "client_id",
            sa.UUID(),
            nullable=True,
            comment="The client whose record it is; empty while nothing tells.",
        ),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("middle_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("position", sa.Text(), nullable=True),
        sa.Column(
            "phones", postgresql.ARRAY(sa.Text()), nullable=False, comment="E.164 where valid, else as written."
        ),
        sa.Column("emails", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("company_id", sa.UUID(), nullable=True, comment="The company card that it hangs on."),
        sa.Column("responsible_id", sa.UUID(), nullable=True, comment="The user in charge."),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the external system last changed it, by its own clock.",
        ),
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When Skvoz learnt this state.",
        ),
        sa.Column(
            "deleted_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was found deleted in the external system.",
        ),
        sa.Column(
            "custom",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vendor's custom fields, by the vendor's field key.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_contact")),
    )
    op.create_index(
        "ix_contact_company",
        "contact",
        ["workspace_id", "company_id"],
        unique=False,
        postgresql_where=sa.text("company_id is not null"),
    )
    op.create_index(
        op.f("ix_contact_workspace_id_client_id"), "contact", ["workspace_id", "client_id"], unique=False
    )
    op.create_table(
        "deal",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False, comment="Follows from connection, kind and external id."),
        sa.Column("connection_id", sa.UUID(), nullable=False, comment="The connection that it was read from."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="Its id in the external system."),
        sa.Column("stream", sa.Text(), nullable=False, comment="The stream of the source record that gave it."),
        sa.Column("source_id", sa.Text(), nullable=False, comment="The source record's id within the stream."),
        sa.Column(
            "client_id",
            sa.UUID(),
            nullable=True,
            comment="The client whose record it is; empty while nothing tells.",
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False, comment="open, won or lost"),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="When it was won or lost."
        ),
        sa.Column("expected_at", sa.Date(), nullable=True),
        sa.Column("lost_reason", sa.Text(), nullable=True),
        sa.Column("pipeline_id", sa.UUID(), nullable=True),
        sa.Column("stage_id", sa.UUID(), nullable=True),
        sa.Column("contact_id", sa.UUID(), nullable=True),
        sa.Column("company_id", sa.UUID(), nullable=True),
        sa.Column("lead_id", sa.UUID(), nullable=True),
        sa.Column("responsible_id", sa.UUID(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True, comment="Channel group."),
        sa.Column("source", sa.Text(), nullable=True, comment="Traffic source that holds."),
        sa.Column("medium", sa.Text(), nullable=True, comment="Traffic medium that holds."),
        sa.Column("campaign_id", sa.UUID(), nullable=True, comment="The campaign named by it."),
        sa.Column("ad_group_key", sa.Text(), nullable=True, comment="The platform's ad group id."),
        sa.Column("ad_key", sa.Text(), nullable=True, comment="The platform's ad id."),
        sa.Column("keyword_key", sa.Text(), nullable=True, comment="The platform's keyword id."),
        sa.Column("utm_source", sa.Text(), nullable=True),
        sa.Column("utm_medium", sa.Text(), nullable=True),
        sa.Column("utm_campaign", sa.Text(), nullable=True),
        sa.Column("utm_content", sa.Text(), nullable=True),
        sa.Column("utm_term", sa.Text(), nullable=True),
        sa.Column("click_id", sa.Text(), nullable=True, comment="yclid, gclid and their kind."),
        sa.Column("referrer", sa.Text(), nullable=True),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the external system last changed it, by its own clock.",
        ),
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When Skvoz learnt this state.",
        ),
        sa.Column(
            "deleted_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was found deleted in the external system.",
        ),
        sa.Column(
            "custom",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vendor's custom fields, by the vendor's field key.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_deal")),
    )
    op.create_index(
        "ix_deal_closed",
        "deal",
        ["workspace_id", "closed_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'won'"),
    )
    op.create_index(
        "ix_deal_company",
        "deal",
        ["workspace_id", "company_id"],
        unique=False,
        postgresql_where=sa.text("company_id is not null"),
    )
    op.create_index(
        "ix_deal_contact",
        "deal",
        ["workspace_id", "contact_id"],
        unique=False,
        postgresql_where=sa.text("contact_id is not null"),
    )
    op.create_index(
        "ix_deal_lead",
        "deal",
        ["workspace_id", "lead_id"],
        unique=False,
        postgresql_where=sa.text("lead_id is not null"),
    )
    op.create_index(
        op.f("ix_deal_workspace_id_client_id_created_at_id"),
        "deal",
        ["workspace_id", "client_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_deal_workspace_id_created_at_id"), "deal", ["workspace_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "identifier",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("record_id", sa.UUID(), nullable=False),
        sa.Column("record_kind", sa.Text(), nullable=False),
        sa.Column("client_kind", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False, comment="As the external system spells it."),
        sa.PrimaryKeyConstraint("workspace_id", "kind", "value", "record_id", name=op.f("pk_identifier")),
    )
    op.create_index(
        op.f("ix_identifier_workspace_id_record_id"), "identifier", ["workspace_id", "record_id"], unique=False
    )
    op.create_table(
        "identity_decision",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("record_id", sa.UUID(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False, comment="same or apart"),
        sa.Column("side", sa.Integer(), nullable=False, comment="0 or 1: the side of the record in 'apart'."),
        sa.Column("actor", sa.Text(), nullable=False, comment="The token that asked for it."),
        sa.Column(
            "at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("workspace_id", "record_id", "decision_id", name=op.f("pk_identity_decision")),
    )
    op.create_index(
        op.f("ix_identity_decision_workspace_id_decision_id"),
        "identity_decision",
        ["workspace_id", "decision_id"],
        unique=False,
    )
    op.create_table(
        "identity_record",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("record_id", sa.UUID(), nullable=False),
        sa.Column("record_kind", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("client_kind", sa.Text(), nullable=False, comment="Persons and companies are never one client."),
        sa.Column(
            "at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="The record's own time; the oldest record founds the client.",
        ),
        sa.Column(
            "name",
            sa.Text(),
            nullable=True,
            comment="The name on it, by sound and without order, only to tell whether two records name two people.",
        ),
        sa.Column(
            "client_id",
            sa.UUID(),
            nullable=True,
            comment="Empty while nothing but visits, or nothing but shared keys, tells who it is.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "record_id", name=op.f("pk_identity_record")),
    )
    op.create_index(
        op.f("ix_identity_record_workspace_id_client_id"),
        "identity_record",
        ["workspace_id", "client_id"],
        unique=False,
    )
    op.create_table(
        "installation",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation")),
    )
    op.create_table(
        "keyword",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False, comment="Follows from connection, kind and external id."),
        sa.Column("connection_id", sa.UUID(), nullable=False, comment="The connection that it was read from."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="Its id in the external system."),
        sa.Column("stream", sa.Text(), nullable=False, comment="The stream of the source record that gave it."),
        sa.Column("source_id", sa.Text(), nullable=False, comment="The source record's id within the stream."),
        sa.Column("ad_group_id", sa.UUID(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the external system last changed it, by its own clock.",
        ),
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When Skvoz learnt this state.",
        ),
        sa.Column(
            "deleted_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was found deleted in the external system.",
        ),
        sa.Column(
            "custom",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vendor's custom fields, by the vendor's field key.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_keyword")),
    )
    op.create_table(
        "lead",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False, comment="Follows from connection, kind and external id."),
        sa.Column("connection_id", sa.UUID(), nullable=False, comment="The connection that it was read from."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="Its id in the external system."),
        sa.Column("stream", sa.Text(), nullable=False, comment="The stream of the source record that gave it."),
        sa.Column("source_id", sa.Text(), nullable=False, comment="The source record's id within the stream."),
        sa.Column(
            "client_id",
            sa.UUID(),
            nullable=True,
            comment="The client whose record it is; empty while nothing tells.",
        ),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("phones", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("emails", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("visit_id", sa.UUID(), nullable=True),
        sa.Column("contact_id", sa.UUID(), nullable=True),
        sa.Column("company_id", sa.UUID(), nullable=True),
        sa.Column("responsible_id", sa.UUID(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True, comment="Channel group."),
        sa.Column("source", sa.Text(), nullable=True, comment="Traffic source that holds."),
        sa.Column("medium", sa.Text(), nullable=True, comment="Traffic medium that holds."),
        sa.Column("campaign_id", sa.UUID(), nullable=True, comment="The campaign named by it."),
        sa.Column("ad_group_key", sa.Text(), nullable=True, comment="The platform's ad group id."),
        sa.Column("ad_key", sa.Text(), nullable=True, comment="The platform's ad id."),
        sa.Column("keyword_key", sa.Text(), nullable=True, comment="The platform's keyword id."),
        sa.Column("utm_source", sa.Text(), nullable=True),
        sa.Column("utm_medium", sa.Text(), nullable=True),
        sa.Column("utm_campaign", sa.Text(), nullable=True),
        sa.Column("utm_content", sa.Text(), nullable=True),
        sa.Column("utm_term", sa.Text(), nullable=True),
        sa.Column("click_id", sa.Text(), nullable=True, comment="yclid, gclid and their kind."),
        sa.Column("referrer", sa.Text(), nullable=True),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the external system last changed it, by its own clock.",
        ),
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When Skvoz learnt this state.",
        ),
        sa.Column(
            "deleted_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was found deleted in the external system.",
        ),
        sa.Column(
            "custom",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vendor's custom fields, by the vendor's field key.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_lead")),
    )
    op.create_index(
        op.f("ix_lead_workspace_id_client_id_created_at_id"),
        "lead",
        ["workspace_id", "client_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_lead_workspace_id_created_at_id"), "lead", ["workspace_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "merge_log",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column(
            "at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="merge or split"),
        sa.Column(
            "client_id",
            sa.UUID(),
            nullable=False,
            comment="The client that survives (merge) or that is parted (split).",
        ),
        sa.Column(
            "other_id",
            sa.UUID(),
            nullable=True,
            comment="The client merged away, or the one that went out; empty if nothing tells now who that was.",
        ),
        sa.Column(
            "records", postgresql.ARRAY(sa.UUID()), nullable=False, comment="The records that changed client."
        ),
        sa.Column(
            "evidence",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="The keys that joined them, or the reason to part.",
        ),
        sa.Column("actor", sa.Text(), nullable=False, comment="'rule', or the token that asked for it."),
        sa.Column("run_id", sa.UUID(), nullable=True),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_merge_log")),
    )
    op.create_index(
        op.f("ix_merge_log_workspace_id_client_id"), "merge_log", ["workspace_id", "client_id"], unique=False
    )
    op.create_index(
        op.f("ix_merge_log_workspace_id_other_id"), "merge_log", ["workspace_id", "other_id"], unique=False
    )
    op.create_table(
        "path",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("conversion_id", sa.UUID(), nullable=False, comment="Follows from kind and record."),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="call, lead, new_client or won_deal"),
        sa.Column("client_id", sa.UUID(), nullable=True, comment="The client who converted; empty if unknown."),
        sa.Column("record_id", sa.UUID(), nullable=False, comment="The call, lead or deal that is the conversion."),
        sa.Column(
            "also_told_by",
            postgresql.ARRAY(sa.UUID()),
            nullable=False,
            comment="Records of other systems that tell of the same.",
        ),
        sa.Column("occurred_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "value",
            sa.Numeric(precision=18, scale=2),
            nullable=False,
            comment="Amount of a won deal in ``currency``; else 0.",
        ),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("touch_records", postgresql.ARRAY(sa.UUID()), nullable=False),
        sa.Column("touch_kinds", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("touch_times", postgresql.ARRAY(postgresql.TIMESTAMP(timezone=True)), nullable=False),
        sa.Column("touch_channels", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "touch_campaigns",
            postgresql.ARRAY(sa.UUID()),
            nullable=False,
            comment="The nil UUID where a touch has no campaign.",
        ),
        sa.Column(
            "had_older_touches", sa.Boolean(), nullable=False, comment="There were touches before the window."
        ),
        sa.Column("window_days", sa.Integer(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False, comment="Version of the rules that made it."),
        sa.Column(
            "digest",
            sa.LargeBinary(),
            nullable=False,
            comment="xxh3-128 of all that a version says: equal means unchanged.",
        ),
        sa.Column(
            "credited",
            sa.Integer(),
            nullable=False,
            comment="Position of the credited touch, from 1; 0 if there is none.",
        ),
        sa.Column("day", sa.Date(), nullable=False, comment="Its day in the workspace's time zone."),
        sa.Column(
            "campaign_id", sa.UUID(), nullable=False, comment="The credited campaign; nil: none, see reason."
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="Empty, or why there is no campaign."),
        sa.Column(
            "channel",
            sa.Text(),
            nullable=False,
            comment="The credited channel where there is no campaign; else empty.",
        ),
        sa.Column(
            "revenue",
            sa.Numeric(precision=18, scale=2),
            nullable=False,
            comment="What it adds to revenue: 0 if ``value`` is in another currency than the workspace's.",
        ),
        sa.Column(
            "cause", sa.Text(), nullable=False, comment="Why this version came: first, late_data, merge, split, …"
        ),
        sa.Column("run_id", sa.UUID(), nullable=True, comment="The run whose records brought it."),
        sa.Column("known_from", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("known_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True, comment="Why it is no longer believed."),
        sa.PrimaryKeyConstraint("workspace_id", "conversion_id", "version", name=op.f("pk_path")),
    )
    op.create_index("ix_path_cell", "path", ["workspace_id", "campaign_id", "day", "kind"], unique=False)
    op.create_index(
        "ix_path_current",
        "path",
        ["workspace_id", "client_id"],
        unique=False,
        postgresql_where=sa.text("known_until is null"),
    )
    op.create_index("ix_path_day", "path", ["workspace_id", "day"], unique=False)
    op.create_index(
        "uq_path_current",
        "path",
        ["workspace_id", "conversion_id"],
        unique=True,
        postgresql_where=sa.text("known_until is null"),
    )
    op.create_table(
        "pipeline",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False, comment="Follows from connection, kind and external id."),
        sa.Column("connection_id", sa.UUID(), nullable=False, comment="The connection that it was read from."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="Its id in the external system."),
        sa.Column("stream", sa.Text(), nullable=False, comment="The stream of the source record that gave it."),
        sa.Column("source_id", sa.Text(), nullable=False, comment="The source record's id within the stream."),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sort", sa.Integer(), nullable=False),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the external system last changed it, by its own clock.",
        ),
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When Skvoz learnt this state.",
        ),
        sa.Column(
            "deleted_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was found deleted in the external system.",
        ),
        sa.Column(
            "custom",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vendor's custom fields, by the vendor's field key.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_pipeline")),
    )
    op.create_table(
        "quarantine",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column(
            "raw", sa.LargeBinary(), nullable=False, comment="The vendor's bytes, zstd without a dictionary."
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("run_id", sa.UUID(), nullable=True),
        sa.Column("first_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("last_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="1", nullable=False),
        sa.Column("resolved_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint(
            "workspace_id", "connection_id", "stream", "external_id", name=op.f("pk_quarantine")
        ),
    )
    op.create_index(
        "ix_quarantine_open",
        "quarantine",
        ["workspace_id", "connection_id"],
        unique=False,
        postgresql_where=sa.text("resolved_at is null"),
    )
    op.create_table(
        "rate_budget",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("account", sa.Text(), nullable=False, comment="Connector key and vendor account."),
        sa.Column("limit_name", sa.Text(), nullable=False, comment="'requests/seconds' of the limit."),
        sa.Column(
            "free_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When the next request may go (virtual scheduling).",
        ),
        sa.Column(
            "held_until",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="The vendor asked all to wait until then.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "account", "limit_name", name=op.f("pk_rate_budget")),
    )
    op.create_table(
        "rollup_day",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("campaign_id", sa.UUID(), nullable=False, comment="The nil UUID: no campaign, see reason."),
        sa.Column("reason", sa.Text(), nullable=False, comment="Empty, or why there is no campaign."),
        sa.Column(
            "channel",
            sa.Text(),
            nullable=False,
            comment="The channel where there is no campaign to tell it; else empty.",
        ),
        sa.Column("cost", sa.Numeric(precision=18, scale=2), server_default="0", nullable=False),
        sa.Column("impressions", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("clicks", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("visits", sa.Integer(), server_default="0", nullable=False),
        sa.Column("calls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("leads", sa.Integer(), server_default="0", nullable=False),
        sa.Column("new_clients", sa.Integer(), server_default="0", nullable=False),
        sa.Column("won_deals", sa.Integer(), server_default="0", nullable=False),
        sa.Column("revenue", sa.Numeric(precision=18, scale=2), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint(
            "workspace_id", "day", "campaign_id", "reason", "channel", name=op.f("pk_rollup_day")
        ),
    )
    op.create_table(
        "rollup_month",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("month", sa.Date(), nullable=False, comment="First day of the month."),
        sa.Column("campaign_id", sa.UUID(), nullable=False, comment="The nil UUID: no campaign, see reason."),
        sa.Column("reason", sa.Text(), nullable=False, comment="Empty, or why there is no campaign."),
        sa.Column(
            "channel",
            sa.Text(),
            nullable=False,
            comment="The channel where there is no campaign to tell it; else empty.",
        ),
        sa.Column("cost", sa.Numeric(precision=18, scale=2), server_default="0", nullable=False),
        sa.Column("impressions", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("clicks", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("visits", sa.Integer(), server_default="0", nullable=False),
        sa.Column("calls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("leads", sa.Integer(), server_default="0", nullable=False),
        sa.Column("new_clients", sa.Integer(), server_default="0", nullable=False),
        sa.Column("won_deals", sa.Integer(), server_default="0", nullable=False),
        sa.Column("revenue", sa.Numeric(precision=18, scale=2), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint(
            "workspace_id", "month", "campaign_id", "reason", "channel", name=op.f("pk_rollup_month")
        ),
    )
    op.create_table(
        "settled_call",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "call_id", name=op.f("pk_settled_call")),
    )
    op.create_index(
        op.f("ix_settled_call_workspace_id_phone"), "settled_call", ["workspace_id", "phone"], unique=False
    )
    op.create_table(
        "settled_person",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("person_id", sa.UUID(), nullable=False, comment="The person's client."),
        sa.Column("company_id", sa.UUID(), nullable=False, comment="The company's client."),
        sa.PrimaryKeyConstraint("workspace_id", "person_id", "company_id", name=op.f("pk_settled_person")),
    )
    op.create_index(
        op.f("ix_settled_person_workspace_id_company_id"),
        "settled_person",
        ["workspace_id", "company_id"],
        unique=False,
    )
    op.create_table(
        "settled_visit",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("visit_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "visit_id", name=op.f("pk_settled_visit")),
    )
    op.create_table(
        "shared_key",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column(
            "client_kind",
            sa.Text(),
            nullable=False,
            comment="An office phone joins the cards of the firm, and none of its people.",
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="cap, office or listed"),
        sa.Column(
            "carriers",
            sa.Integer(),
            nullable=False,
            comment="How many different people carried it when it was judged.",
        ),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "client_kind", "kind", "value", name=op.f("pk_shared_key")),
    )
    op.create_table(
        "source_record",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="xxh3-128 of the vendor's bytes."),
        sa.Column("raw", sa.LargeBinary(), nullable=False, comment="The vendor's bytes, zstd."),
        sa.Column(
            "dictionary_id", sa.Integer(), nullable=True, comment="The dictionary that ``raw`` was packed with."
        ),
        sa.Column("run_id", sa.UUID(), nullable=True, comment="The run that brought this state."),
        sa.Column("first_seen_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "changed_at", postgresql.TIMESTAMP(timezone=True), nullable=False, comment="When this state was learnt."
        ),
        sa.Column("deleted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint(
            "workspace_id", "connection_id", "stream", "external_id", name=op.f("pk_source_record")
        ),
    )
    op.create_table(
        "source_version",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("learnt_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("dictionary_id", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.UUID(), nullable=True, comment="The run that had brought this state."),
        sa.PrimaryKeyConstraint(
            "workspace_id", "connection_id", "stream", "external_id", "learnt_at", name=op.f("pk_source_version")
        ),
    )
    op.create_table(
        "stage",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False, comment="Follows from connection, kind and external id."),
        sa.Column("connection_id", sa.UUID(), nullable=False, comment="The connection that it was read from."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="Its id in the external system."),
        sa.Column("stream", sa.Text(), nullable=False, comment="The stream of the source record that gave it."),
        sa.Column("source_id", sa.Text(), nullable=False, comment="The source record's id within the stream."),
        sa.Column("pipeline_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sort", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the external system last changed it, by its own clock.",
        ),
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When Skvoz learnt this state.",
        ),
        sa.Column(
            "deleted_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was found deleted in the external system.",
        ),
        sa.Column(
            "custom",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vendor's custom fields, by the vendor's field key.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_stage")),
    )
    op.create_table(
        "stage_change",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False, comment="Follows from connection, kind and external id."),
        sa.Column("connection_id", sa.UUID(), nullable=False, comment="The connection that it was read from."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="Its id in the external system."),
        sa.Column("stream", sa.Text(), nullable=False, comment="The stream of the source record that gave it."),
        sa.Column("source_id", sa.Text(), nullable=False, comment="The source record's id within the stream."),
        sa.Column("deal_id", sa.UUID(), nullable=False),
        sa.Column("stage_id", sa.UUID(), nullable=False),
        sa.Column("pipeline_id", sa.UUID(), nullable=True),
        sa.Column("changed_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the external system last changed it, by its own clock.",
        ),
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When Skvoz learnt this state.",
        ),
        sa.Column(
            "deleted_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was found deleted in the external system.",
        ),
        sa.Column(
            "custom",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vendor's custom fields, by the vendor's field key.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_stage_change")),
    )
    op.create_index(
        op.f("ix_stage_change_workspace_id_deal_id_changed_at"),
        "stage_change",
        ["workspace_id", "deal_id", "changed_at"],
        unique=False,
    )
    op.create_table(
        "user_account",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False, comment="Follows from connection, kind and external id."),
        sa.Column("connection_id", sa.UUID(), nullable=False, comment="The connection that it was read from."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="Its id in the external system."),
        sa.Column("stream", sa.Text(), nullable=False, comment="The stream of the source record that gave it."),
        sa.Column("source_id", sa.Text(), nullable=False, comment="The source record's id within the stream."),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the external system last changed it, by its own clock.",
        ),
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When Skvoz learnt this state.",
        ),
        sa.Column(
            "deleted_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was found deleted in the external system.",
        ),
        sa.Column(
            "custom",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vendor's custom fields, by the vendor's field key.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_user_account")),
    )
    op.create_table(
        "visit",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False, comment="Follows from connection, kind and external id."),
        sa.Column("connection_id", sa.UUID(), nullable=False, comment="The connection that it was read from."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="Its id in the external system."),
        sa.Column("stream", sa.Text(), nullable=False, comment="The stream of the source record that gave it."),
        sa.Column("source_id", sa.Text(), nullable=False, comment="The source record's id within the stream."),
        sa.Column(
            "client_id",
            sa.UUID(),
            nullable=True,
            comment="The client whose record it is; empty while nothing tells.",
        ),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "visitor_ids",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="Counter cookies as 'counter:value'.",
        ),
        sa.Column("landing_url", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True, comment="Channel group."),
        sa.Column("source", sa.Text(), nullable=True, comment="Traffic source that holds."),
        sa.Column("medium", sa.Text(), nullable=True, comment="Traffic medium that holds."),
        sa.Column("campaign_id", sa.UUID(), nullable=True, comment="The campaign named by it."),
        sa.Column("ad_group_key", sa.Text(), nullable=True, comment="The platform's ad group id."),
        sa.Column("ad_key", sa.Text(), nullable=True, comment="The platform's ad id."),
        sa.Column("keyword_key", sa.Text(), nullable=True, comment="The platform's keyword id."),
        sa.Column("utm_source", sa.Text(), nullable=True),
        sa.Column("utm_medium", sa.Text(), nullable=True),
        sa.Column("utm_campaign", sa.Text(), nullable=True),
        sa.Column("utm_content", sa.Text(), nullable=True),
        sa.Column("utm_term", sa.Text(), nullable=True),
        sa.Column("click_id", sa.Text(), nullable=True, comment="yclid, gclid and their kind."),
        sa.Column("referrer", sa.Text(), nullable=True),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the external system last changed it, by its own clock.",
        ),
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When Skvoz learnt this state.",
        ),
        sa.Column(
            "deleted_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was found deleted in the external system.",
        ),
        sa.Column(
            "custom",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vendor's custom fields, by the vendor's field key.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_visit")),
    )
    op.create_index(
        op.f("ix_visit_workspace_id_client_id_started_at_id"),
        "visit",
        ["workspace_id", "client_id", "started_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_visit_workspace_id_started_at_id"), "visit", ["workspace_id", "started_at", "id"], unique=False
    )
    op.create_table(
        "workspace",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False, comment="Short name for addresses and the command line."),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column(
            "time_zone",
            sa.Text(),
            server_default="Europe/Moscow",
            nullable=False,
            comment="IANA zone; its days are the days of reports.",
        ),
        sa.Column(
            "currency",
            sa.Text(),
            server_default="RUB",
            nullable=False,
            comment="ISO 4217; the currency of reports.",
        ),
        sa.Column(
            "phone_region",
            sa.Text(),
            server_default="RU",
            nullable=False,
            comment="ISO 3166 region in which phones without a country code are read.",
        ),
        sa.Column(
            "attribution_window_days",
            sa.Integer(),
            server_default="90",
            nullable=False,
            comment="How long before a conversion a touch may have brought it.",
        ),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspace")),
        sa.UniqueConstraint("slug", name=op.f("uq_workspace_slug")),
    )
    op.create_table(
        "zstd_dictionary",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="xxh3-31 of its bytes."),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_zstd_dictionary")),
    )
    op.create_table(
        "api_token",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.Text(), nullable=False, comment="The public part of the token."),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the secret part."),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_api_token_workspace")),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_api_token")),
    )
    op.create_table(
        "connection",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False, comment="Key of the connector."),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column(
            "account",
            sa.Text(),
            nullable=False,
            comment="The vendor's account, whose limits all its connections share.",
        ),
        sa.Column("account_name", sa.Text(), nullable=True, comment="What the vendor calls the account."),
        sa.Column(
            "settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="Settings without secrets."
        ),
        sa.Column(
            "secrets",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Sealed secrets by field name; tokens among them.",
        ),
        sa.Column(
            "data_key", sa.Text(), nullable=False, comment="The connection's data key, wrapped by a master key."
        ),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True, comment="One sentence for the user."),
        sa.Column(
            "interval_seconds",
            sa.Integer(),
            server_default="900",
            nullable=False,
            comment="How long after the start of a scheduled run the next one is due.",
        ),
        sa.Column("next_run_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_connection_workspace")),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_connection")),
    )
    op.create_table(
        "stream_state",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column(
            "cursor", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment="Where the next run begins."
        ),
        sa.Column(
            "position",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Where an unfinished run goes on.",
        ),
        sa.Column("run_id", sa.UUID(), nullable=True, comment="The run that the position belongs to."),
        sa.Column(
            "epoch",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="Lease: a worker that lost it can't commit a page.",
        ),
        sa.Column(
            "fresh_until",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="Everything that happened there before this moment is here.",
        ),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True, comment="Why the stream stands, in one sentence."),
        sa.ForeignKeyConstraint(
            ["workspace_id", "connection_id"],
            ["connection.workspace_id", "connection.id"],
            name=op.f("fk_stream_state_connection"),
        ),
        sa.PrimaryKeyConstraint("workspace_id", "connection_id", "stream", name=op.f("pk_stream_state")),
    )
    op.create_table(
        "sync_run",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("connection_id", sa.UUID(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "queued_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "resume_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="When a waiting run goes on."
        ),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("fetched", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("skipped", sa.Integer(), server_default="0", nullable=False),
        sa.Column("quarantined", sa.Integer(), server_default="0", nullable=False),
        sa.Column("deleted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("requests", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "connection_id"],
            ["connection.workspace_id", "connection.id"],
            name=op.f("fk_sync_run_connection"),
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_sync_run")),
    )
    op.create_index(
        op.f("ix_sync_run_workspace_id_connection_id_queued_at"),
        "sync_run",
        ["workspace_id", "connection_id", "queued_at"],
        unique=False,
    )
    op.create_table(
        "stream_run",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("run_id", sa.UUID(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column(
            "started_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("fetched", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("skipped", sa.Integer(), server_default="0", nullable=False),
        sa.Column("quarantined", sa.Integer(), server_default="0", nullable=False),
        sa.Column("deleted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("pages", sa.Integer(), server_default="0", nullable=False),
        sa.Column("done", sa.Double(), nullable=True, comment="Share of the run behind us, 0 to 1, where known."),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id", "run_id"],
            ["sync_run.workspace_id", "sync_run.id"],
            name=op.f("fk_stream_run_sync_run"),
        ),
        sa.PrimaryKeyConstraint("workspace_id", "run_id", "stream", name=op.f("pk_stream_run")),
    )
    secure_tables()
    secure_workspaces()
    create_functions()
    create_jobs(SchemaManager.get_schema())


def downgrade() -> None:
    raise NotImplementedError("The first schema has nothing before it: drop the database instead.")
