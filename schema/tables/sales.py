"""Deals and the pipelines that they go through."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import Base, HasOrigin, OfClient, Unified, naming


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
