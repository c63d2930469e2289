"""Orders, documents, money and messages"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.security import create_functions, secure_tables

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invoice",
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
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False, comment="invoice or act"),
        sa.Column("issued_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("due_at", sa.Date(), nullable=True, comment="The last day to pay."),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True, comment="The vendor's own word for its state."),
        sa.Column(
            "paid_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="When it was paid in full."
        ),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("contact_id", sa.UUID(), nullable=True),
        sa.Column("company_id", sa.UUID(), nullable=True),
        sa.Column("order_id", sa.UUID(), nullable=True),
        sa.Column("deal_id", sa.UUID(), nullable=True),
        sa.Column("responsible_id", sa.UUID(), nullable=True),
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
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_invoice")),
    )
    op.create_index(
        "ix_invoice_company",
        "invoice",
        ["workspace_id", "company_id"],
        unique=False,
        postgresql_where=sa.text("company_id is not null"),
    )
    op.create_index(
        "ix_invoice_contact",
        "invoice",
        ["workspace_id", "contact_id"],
        unique=False,
        postgresql_where=sa.text("contact_id is not null"),
    )
    op.create_index(
        "ix_invoice_deal",
        "invoice",
        ["workspace_id", "deal_id"],
        unique=False,
        postgresql_where=sa.text("deal_id is not null"),
    )
    op.create_index(
        "ix_invoice_order",
        "invoice",
        ["workspace_id", "order_id"],
        unique=False,
        postgresql_where=sa.text("order_id is not null"),
    )
    op.create_index(
        "ix_invoice_responsible",
        "invoice",
        ["workspace_id", "responsible_id", "issued_at", "id"],
        unique=False,
        postgresql_where=sa.text("responsible_id is not null"),
    )
    op.create_index(
        op.f("ix_invoice_workspace_id_client_id_issued_at_id"),
        "invoice",
        ["workspace_id", "client_id", "issued_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_invoice_workspace_id_issued_at_id"), "invoice", ["workspace_id", "issued_at", "id"], unique=False
    )
    op.create_table(
        "message",
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
        sa.Column("channel", sa.Text(), nullable=False, comment="email, chat, sms, messenger or meeting"),
        sa.Column("direction", sa.Text(), nullable=False, comment="inbound or outbound"),
        sa.Column(
            "sent_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When it was sent; of a meeting when it began.",
        ),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("phones", postgresql.ARRAY(sa.Text()), nullable=False, comment="The client's side."),
        sa.Column("emails", postgresql.ARRAY(sa.Text()), nullable=False, comment="The client's side."),
        sa.Column("contact_id", sa.UUID(), nullable=True),
        sa.Column("company_id", sa.UUID(), nullable=True),
        sa.Column("lead_id", sa.UUID(), nullable=True),
        sa.Column("deal_id", sa.UUID(), nullable=True),
        sa.Column("responsible_id", sa.UUID(), nullable=True),
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
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_message")),
    )
    op.create_index(
        "ix_message_company",
        "message",
        ["workspace_id", "company_id"],
        unique=False,
        postgresql_where=sa.text("company_id is not null"),
    )
    op.create_index(
        "ix_message_contact",
        "message",
        ["workspace_id", "contact_id"],
        unique=False,
        postgresql_where=sa.text("contact_id is not null"),
    )
    op.create_index(
        "ix_message_deal",
        "message",
        ["workspace_id", "deal_id", "sent_at", "id"],
        unique=False,
        postgresql_where=sa.text("deal_id is not null"),
    )
    op.create_index(
        "ix_message_lead",
        "message",
        ["workspace_id", "lead_id"],
        unique=False,
        postgresql_where=sa.text("lead_id is not null"),
    )
    op.create_index(
        "ix_message_responsible",
        "message",
        ["workspace_id", "responsible_id", "sent_at", "id"],
        unique=False,
        postgresql_where=sa.text("responsible_id is not null"),
    )
    op.create_index(
        op.f("ix_message_workspace_id_client_id_sent_at_id"),
        "message",
        ["workspace_id", "client_id", "sent_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_message_workspace_id_sent_at_id"), "message", ["workspace_id", "sent_at", "id"], unique=False
    )
    op.create_table(
        "order_item",
        sa.Column("workspace_id", sa.UUID(), nullable=False, comment="Whose row it is."),
        sa.Column("order_id", sa.UUID(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False, comment="Place within the order, from 1."),
        sa.Column("sku", sa.Text(), nullable=True, comment="Article number."),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column(
            "price", sa.Numeric(precision=18, scale=4), nullable=True, comment="Of one, in the order's currency."
        ),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=True, comment="Of the whole line."),
        sa.Column(
            "cost",
            sa.Numeric(precision=18, scale=2),
            nullable=True,
            comment="What the line's goods cost the business.",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "order_id", "place", name=op.f("pk_order_item")),
    )
    op.create_index(
        op.f("ix_order_item_workspace_id_sku"),
        "order_item",
        ["workspace_id", "sku"],
        unique=False,
        postgresql_where=sa.text("sku is not null"),
    )
    op.create_table(
        "payment",
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
        sa.Column("paid_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="payment or refund"),
        sa.Column(
            "amount", sa.Numeric(precision=18, scale=2), nullable=False, comment="Positive, of a refund too."
        ),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=True, comment="The vendor's own word for how it was paid."),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("contact_id", sa.UUID(), nullable=True),
        sa.Column("company_id", sa.UUID(), nullable=True),
        sa.Column("invoice_id", sa.UUID(), nullable=True),
        sa.Column("order_id", sa.UUID(), nullable=True),
        sa.Column("deal_id", sa.UUID(), nullable=True),
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
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_payment")),
    )
    op.create_index(
        "ix_payment_company",
        "payment",
        ["workspace_id", "company_id"],
        unique=False,
        postgresql_where=sa.text("company_id is not null"),
    )
    op.create_index(
        "ix_payment_contact",
        "payment",
        ["workspace_id", "contact_id"],
        unique=False,
        postgresql_where=sa.text("contact_id is not null"),
    )
    op.create_index(
        "ix_payment_deal",
        "payment",
        ["workspace_id", "deal_id"],
        unique=False,
        postgresql_where=sa.text("deal_id is not null"),
    )
    op.create_index(
        "ix_payment_invoice",
        "payment",
        ["workspace_id", "invoice_id"],
        unique=False,
        postgresql_where=sa.text("invoice_id is not null"),
    )
    op.create_index(
        "ix_payment_order",
        "payment",
        ["workspace_id", "order_id"],
        unique=False,
        postgresql_where=sa.text("order_id is not null"),
    )
    op.create_index(
        op.f("ix_payment_workspace_id_client_id_paid_at_id"),
        "payment",
        ["workspace_id", "client_id", "paid_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_payment_workspace_id_paid_at_id"), "payment", ["workspace_id", "paid_at", "id"], unique=False
    )
    op.create_table(
        "sales_order",
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
        sa.Column("number", sa.Text(), nullable=True, comment="As people know it."),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="open, done or cancelled"),
        sa.Column("status", sa.Text(), nullable=True, comment="The vendor's own word for its state."),
        sa.Column(
            "amount",
            sa.Numeric(precision=18, scale=2),
            nullable=True,
            comment="To be paid, discounts and delivery included.",
        ),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column(
            "cost",
            sa.Numeric(precision=18, scale=2),
            nullable=True,
            comment="Cost of the goods sold, where the vendor knows it.",
        ),
        sa.Column(
            "paid_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="When it was paid in full."
        ),
        sa.Column("name", sa.Text(), nullable=True, comment="Name that the buyer gave."),
        sa.Column("phones", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("emails", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("visit_id", sa.UUID(), nullable=True),
        sa.Column("contact_id", sa.UUID(), nullable=True),
        sa.Column("company_id", sa.UUID(), nullable=True),
        sa.Column("deal_id", sa.UUID(), nullable=True),
        sa.Column("lead_id", sa.UUID(), nullable=True),
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
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_sales_order")),
    )
    op.create_index(
        "ix_sales_order_campaign",
        "sales_order",
        ["workspace_id", "campaign_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("campaign_id is not null"),
    )
    op.create_index(
        "ix_sales_order_company",
        "sales_order",
        ["workspace_id", "company_id"],
        unique=False,
        postgresql_where=sa.text("company_id is not null"),
    )
    op.create_index(
        "ix_sales_order_contact",
        "sales_order",
        ["workspace_id", "contact_id"],
        unique=False,
        postgresql_where=sa.text("contact_id is not null"),
    )
    op.create_index(
        "ix_sales_order_deal",
        "sales_order",
        ["workspace_id", "deal_id"],
        unique=False,
        postgresql_where=sa.text("deal_id is not null"),
    )
    op.create_index("ix_sales_order_external", "sales_order", ["workspace_id", "external_id"], unique=False)
    op.create_index(
        "ix_sales_order_lead",
        "sales_order",
        ["workspace_id", "lead_id"],
        unique=False,
        postgresql_where=sa.text("lead_id is not null"),
    )
    op.create_index(
        "ix_sales_order_number",
        "sales_order",
        ["workspace_id", "number"],
        unique=False,
        postgresql_where=sa.text("number is not null"),
    )
    op.create_index(
        "ix_sales_order_responsible",
        "sales_order",
        ["workspace_id", "responsible_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("responsible_id is not null"),
    )
    op.create_index(
        "ix_sales_order_visit",
        "sales_order",
        ["workspace_id", "visit_id"],
        unique=False,
        postgresql_where=sa.text("visit_id is not null"),
    )
    op.create_index(
        op.f("ix_sales_order_workspace_id_client_id_created_at_id"),
        "sales_order",
        ["workspace_id", "client_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_sales_order_workspace_id_created_at_id"),
        "sales_order",
        ["workspace_id", "created_at", "id"],
        unique=False,
    )
    op.add_column(
        "task",
        sa.Column(
            "connection_id",
            sa.UUID(),
            nullable=True,
            comment="The connection that it was read from; empty if it was written here.",
        ),
    )
    op.add_column(
        "task", sa.Column("external_id", sa.Text(), nullable=True, comment="Its id in the external system.")
    )
    op.add_column(
        "task",
        sa.Column("stream", sa.Text(), nullable=True, comment="The stream of the source record that gave it."),
    )
    op.add_column(
        "task",
        sa.Column("source_id", sa.Text(), nullable=True, comment="The source record's id within the stream."),
    )
    op.add_column("task", sa.Column("contact_id", sa.UUID(), nullable=True))
    op.add_column("task", sa.Column("company_id", sa.UUID(), nullable=True))
    op.add_column("task", sa.Column("lead_id", sa.UUID(), nullable=True))
    op.add_column("task", sa.Column("order_id", sa.UUID(), nullable=True))
    op.add_column("task", sa.Column("text", sa.Text(), nullable=True))
    op.add_column(
        "task",
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the external system last changed it, by its own clock.",
        ),
    )
    op.add_column(
        "task",
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When Skvoz learnt this state from the external system.",
        ),
    )
    op.add_column(
        "task",
        sa.Column(
            "custom",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vendor's custom fields, by the vendor's field key.",
        ),
    )
    op.alter_column(
        "task",
        "client_id",
        existing_type=sa.UUID(),
        nullable=True,
        comment="The client whom it is about; one whom it was written about here may have been merged away since.",
        existing_comment="The client whom it was written about; it may have been merged away since.",
    )
    op.alter_column(
        "task",
        "author",
        existing_type=sa.TEXT(),
        nullable=True,
        comment="The API key that wrote it here.",
        existing_comment="The API key that wrote it.",
    )
    op.create_index(
        "ix_task_company",
        "task",
        ["workspace_id", "company_id"],
        unique=False,
        postgresql_where=sa.text("company_id is not null"),
    )
    op.create_index(
        "ix_task_contact",
        "task",
        ["workspace_id", "contact_id"],
        unique=False,
        postgresql_where=sa.text("contact_id is not null"),
    )
    op.create_index(
        "ix_task_lead",
        "task",
        ["workspace_id", "lead_id"],
        unique=False,
        postgresql_where=sa.text("lead_id is not null"),
    )
    op.create_index(
        "ix_task_order",
        "task",
        ["workspace_id", "order_id"],
        unique=False,
        postgresql_where=sa.text("order_id is not null"),
    )
    create_functions()  # orders are searched too
    secure_tables()


def downgrade() -> None:
    op.execute("delete from task where connection_id is not null")
    op.drop_index("ix_task_order", table_name="task", postgresql_where=sa.text("order_id is not null"))
    op.drop_index("ix_task_lead", table_name="task", postgresql_where=sa.text("lead_id is not null"))
    op.drop_index("ix_task_contact", table_name="task", postgresql_where=sa.text("contact_id is not null"))
    op.drop_index("ix_task_company", table_name="task", postgresql_where=sa.text("company_id is not null"))
    op.alter_column(
        "task",
        "author",
        existing_type=sa.TEXT(),
        nullable=False,
        comment="The API key that wrote it.",
        existing_comment="The API key that wrote it here.",
    )
    op.alter_column(
        "task",
        "client_id",
        existing_type=sa.UUID(),
        nullable=False,
        comment="The client whom it was written about; it may have been merged away since.",
        existing_comment="The client whom it is about; one whom it was written about here may have been merged away since.",
    )
    op.drop_column("task", "custom")
    op.drop_column("task", "loaded_at")
    op.drop_column("task", "updated_at")
    op.drop_column("task", "text")
    op.drop_column("task", "order_id")
    op.drop_column("task", "lead_id")
    op.drop_column("task", "company_id")
    op.drop_column("task", "contact_id")
    op.drop_column("task", "source_id")
    op.drop_column("task", "stream")
    op.drop_column("task", "external_id")
    op.drop_column("task", "connection_id")
    op.drop_table("sales_order")
    op.drop_table("payment")
    op.drop_table("order_item")
    op.drop_table("message")
    op.drop_table("invoice")
