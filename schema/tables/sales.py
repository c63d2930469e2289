"""Deals and the pipelines that they go through; orders, and the documents and the money that follow."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Index, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import Base, HasOrigin, InWorkspace, OfClient, Unified, naming


class Deal(Unified, OfClient, HasOrigin, Base):
    """A possible or done sale. Its client is the company that it names, else the contact's client."""

    __tablename__ = "deal"
    __table_args__ = (
        naming("deal", "campaign_id", "created_at", "id"),
        naming("deal", "responsible_id", "created_at", "id"),
        naming("deal", "stage_id", "created_at", "id"),
        naming("deal", "pipeline_id", "created_at", "id"),
        Index("ix_deal_external", "workspace_id", "external_id"),
        Index("ix_deal_search", text("search_words(workspace_id, title)"), postgresql_using="gin"),
        Index(None, "workspace_id", "client_id", "created_at", "id"),
        Index(None, "workspace_id", "created_at", "id"),
        Index("ix_deal_closed", "workspace_id", "closed_at", "id", postgresql_where=text("status = 'won'")),
        Index("ix_deal_contact", "workspace_id", "contact_id", postgresql_where=text("contact_id is not null")),
        Index("ix_deal_company", "workspace_id", "company_id", postgresql_where=text("company_id is not null")),
        Index("ix_deal_lead", "workspace_id", "lead_id", postgresql_where=text("lead_id is not null")),
    )

    title: Mapped[str]
    kind: Mapped[str | None]
    status: Mapped[str] = mapped_column(comment="open, won or lost")
    amount: Mapped[Decimal | None]
    currency: Mapped[str | None]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None] = mapped_column(comment="When it was won or lost.")
    expected_at: Mapped[date | None]
    lost_reason: Mapped[str | None]
    pipeline_id: Mapped[UUID | None]
    stage_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    company_id: Mapped[UUID | None]
    lead_id: Mapped[UUID | None]
    responsible_id: Mapped[UUID | None]
    tags: Mapped[list[str]]


class Order(Unified, OfClient, HasOrigin, Base):
    """What a client ordered. Its client is the company that it names, else whom its keys tell, else its deal's.
    A sale is counted by its deal (a shop's order is both): orders add nothing to revenue."""

    __tablename__ = "sales_order"
    __table_args__ = (
        naming("sales_order", "campaign_id", "created_at", "id"),
        naming("sales_order", "responsible_id", "created_at", "id"),
        naming("sales_order", "visit_id"),
        naming("sales_order", "contact_id"),
        naming("sales_order", "company_id"),
        naming("sales_order", "deal_id"),
        naming("sales_order", "lead_id"),
        Index("ix_sales_order_external", "workspace_id", "external_id"),
        naming("sales_order", "number"),
        Index(None, "workspace_id", "client_id", "created_at", "id"),
        Index(None, "workspace_id", "created_at", "id"),
    )

    number: Mapped[str | None] = mapped_column(comment="As people know it.")
    created_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(comment="open, done or cancelled")
    status: Mapped[str | None] = mapped_column(comment="The vendor's own word for its state.")
    amount: Mapped[Decimal | None] = mapped_column(comment="To be paid, discounts and delivery included.")
    currency: Mapped[str | None]
    cost: Mapped[Decimal | None] = mapped_column(comment="Cost of the goods sold, where the vendor knows it.")
    paid_at: Mapped[datetime | None] = mapped_column(comment="When it was paid in full.")
    name: Mapped[str | None] = mapped_column(comment="Name that the buyer gave.")
    phones: Mapped[list[str]]
    emails: Mapped[list[str]]
    visit_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    company_id: Mapped[UUID | None]
    deal_id: Mapped[UUID | None]
    lead_id: Mapped[UUID | None]
    responsible_id: Mapped[UUID | None]
    tags: Mapped[list[str]]
    comment: Mapped[str | None]


class OrderItem(InWorkspace, Base):
    """A line of an order."""

    __tablename__ = "order_item"
    __table_args__ = (Index(None, "workspace_id", "sku", postgresql_where=text("sku is not null")),)

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, comment="Place within the order, from 1.")
    sku: Mapped[str | None] = mapped_column(comment="Article number.")
    name: Mapped[str]
    quantity: Mapped[Decimal] = mapped_column(Numeric(18, 4))
    price: Mapped[Decimal | None] = mapped_column(Numeric(18, 4), comment="Of one, in the order's currency.")
    amount: Mapped[Decimal | None] = mapped_column(comment="Of the whole line.")
    cost: Mapped[Decimal | None] = mapped_column(comment="What the line's goods cost the business.")


class Invoice(Unified, OfClient, Base):
    """A document that asks for money (invoice) or states that the work was done (act)."""

    __tablename__ = "invoice"
    __table_args__ = (
        naming("invoice", "responsible_id", "issued_at", "id"),
        naming("invoice", "contact_id"),
        naming("invoice", "company_id"),
        naming("invoice", "order_id"),
        naming("invoice", "deal_id"),
        Index(None, "workspace_id", "client_id", "issued_at", "id"),
        Index(None, "workspace_id", "issued_at", "id"),
    )

    number: Mapped[str | None]
    kind: Mapped[str] = mapped_column(comment="invoice or act")
    issued_at: Mapped[datetime]
    due_at: Mapped[date | None] = mapped_column(comment="The last day to pay.")
    amount: Mapped[Decimal | None]
    currency: Mapped[str | None]
    status: Mapped[str | None] = mapped_column(comment="The vendor's own word for its state.")
    paid_at: Mapped[datetime | None] = mapped_column(comment="When it was paid in full.")
    cancelled: Mapped[bool]
    contact_id: Mapped[UUID | None]
    company_id: Mapped[UUID | None]
    order_id: Mapped[UUID | None]
    deal_id: Mapped[UUID | None]
    responsible_id: Mapped[UUID | None]


class Payment(Unified, OfClient, Base):
    """Money that came from a client, or went back to them."""

    __tablename__ = "payment"
    __table_args__ = (
        naming("payment", "contact_id"),
        naming("payment", "company_id"),
        naming("payment", "invoice_id"),
        naming("payment", "order_id"),
        naming("payment", "deal_id"),
        Index(None, "workspace_id", "client_id", "paid_at", "id"),
        Index(None, "workspace_id", "paid_at", "id"),
    )

    paid_at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(comment="payment or refund")
    amount: Mapped[Decimal] = mapped_column(comment="Positive, of a refund too.")
    currency: Mapped[str | None]
    method: Mapped[str | None] = mapped_column(comment="The vendor's own word for how it was paid.")
    number: Mapped[str | None]
    contact_id: Mapped[UUID | None]
    company_id: Mapped[UUID | None]
    invoice_id: Mapped[UUID | None]
    order_id: Mapped[UUID | None]
    deal_id: Mapped[UUID | None]


class Pipeline(Unified, Base):
    __tablename__ = "pipeline"

    name: Mapped[str]
    sort: Mapped[int]


class Stage(Unified, Base):
    """A stage of a pipeline; ``status`` says what a deal in it is."""

    __tablename__ = "stage"

    pipeline_id: Mapped[UUID]
    name: Mapped[str]
    sort: Mapped[int]
    status: Mapped[str]


class StageChange(Unified, Base):
    """A deal came to a stage."""

    __tablename__ = "stage_change"
    __table_args__ = (Index(None, "workspace_id", "deal_id", "changed_at"),)

    deal_id: Mapped[UUID]
    stage_id: Mapped[UUID]
    pipeline_id: Mapped[UUID | None]
    changed_at: Mapped[datetime]
