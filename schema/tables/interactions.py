"""What clients did: visits, calls, leads, messages."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import Base, HasOrigin, OfClient, Unified, naming


class Visit(Unified, OfClient, HasOrigin, Base):
    """A visit (session) on the business's site."""

    __tablename__ = "visit"
    __table_args__ = (
        naming("visit", "campaign_id", "started_at", "id"),
        Index(None, "workspace_id", "client_id", "started_at", "id"),
        Index(None, "workspace_id", "started_at", "id"),
    )

    started_at: Mapped[datetime]
    visitor_ids: Mapped[list[str]] = mapped_column(comment="Counter cookies as 'counter:value'.")
    landing_url: Mapped[str | None]
    city: Mapped[str | None]
    device: Mapped[str | None]


class Call(Unified, OfClient, HasOrigin, Base):
    """A phone call between a client and the business."""

    __tablename__ = "call"
    __table_args__ = (
        naming("call", "campaign_id", "started_at", "id"),
        naming("call", "responsible_id", "started_at", "id"),
        naming("call", "visit_id"),
        naming("call", "contact_id"),
        naming("call", "company_id"),
        naming("call", "lead_id"),
        Index(None, "workspace_id", "client_id", "started_at", "id"),
        # Counting answered or long calls of a period reads the index alone.
        Index(
            None,
            "workspace_id",
            "started_at",
            "id",
            postgresql_include=["answered", "talk_seconds", "deleted_at"],
        ),
        Index("ix_call_deal", "workspace_id", "deal_id", postgresql_where=text("deal_id is not null")),
    )

    started_at: Mapped[datetime]
    direction: Mapped[str] = mapped_column(comment="inbound or outbound")
    client_phone: Mapped[str | None] = mapped_column(comment="E.164 where valid, else as written.")
    tracking_phone: Mapped[str | None] = mapped_column(comment="The number that was dialled.")
    answered: Mapped[bool]
    wait_seconds: Mapped[int | None]
    talk_seconds: Mapped[int | None]
    status: Mapped[str | None] = mapped_column(comment="The vendor's own word for the result.")
    is_unique: Mapped[bool | None] = mapped_column(comment="The vendor's judgement: first call of this number.")
    is_target: Mapped[bool | None] = mapped_column(comment="The vendor's judgement: a qualified call.")
    recording_url: Mapped[str | None]
    visit_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    company_id: Mapped[UUID | None]
    lead_id: Mapped[UUID | None]
    deal_id: Mapped[UUID | None]
    responsible_id: Mapped[UUID | None]
    tags: Mapped[list[str]]
    comment: Mapped[str | None]


class Lead(Unified, OfClient, HasOrigin, Base):
    """A first expression of interest: a form, a request, a CRM's lead."""

    __tablename__ = "lead"
    __table_args__ = (
        naming("lead", "campaign_id", "created_at", "id"),
        naming("lead", "responsible_id", "created_at", "id"),
        naming("lead", "visit_id"),
        naming("lead", "contact_id"),
        naming("lead", "company_id"),
        Index("ix_lead_external", "workspace_id", "external_id"),
        Index(None, "workspace_id", "client_id", "created_at", "id"),
        Index(None, "workspace_id", "created_at", "id"),
    )

    created_at: Mapped[datetime]
    title: Mapped[str | None]
    name: Mapped[str | None]
    phones: Mapped[list[str]]
    emails: Mapped[list[str]]
    status: Mapped[str | None]
    visit_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    company_id: Mapped[UUID | None]
    responsible_id: Mapped[UUID | None]
    tags: Mapped[list[str]]
    comment: Mapped[str | None]


class Message(Unified, OfClient, Base):
    """A letter, chat message, SMS or meeting. Its client is whom its keys tell, else that of the company or the
    deal that it names."""

    __tablename__ = "message"
    __table_args__ = (
        naming("message", "responsible_id", "sent_at", "id"),
        naming("message", "contact_id"),
        naming("message", "company_id"),
        naming("message", "lead_id"),
        naming("message", "deal_id", "sent_at", "id"),
        Index(None, "workspace_id", "client_id", "sent_at", "id"),
        Index(None, "workspace_id", "sent_at", "id"),
    )

    channel: Mapped[str] = mapped_column(comment="email, chat, sms, messenger or meeting")
    direction: Mapped[str] = mapped_column(comment="inbound or outbound")
    sent_at: Mapped[datetime] = mapped_column(comment="When it was sent; of a meeting when it began.")
    subject: Mapped[str | None]
    text: Mapped[str | None]
    phones: Mapped[list[str]] = mapped_column(comment="The client's side.")
    emails: Mapped[list[str]] = mapped_column(comment="The client's side.")
    contact_id: Mapped[UUID | None]
    company_id: Mapped[UUID | None]
    lead_id: Mapped[UUID | None]
    deal_id: Mapped[UUID | None]
    responsible_id: Mapped[UUID | None]
