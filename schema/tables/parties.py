"""People and firms as the external systems know them, and the staff who look after them."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import Base, InWorkspace, OfClient, Unified, naming


class User(Unified, Base):
    """An employee who works in an external system (a manager in the CRM)."""

    __tablename__ = "user_account"

    name: Mapped[str]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    active: Mapped[bool]


class Contact(Unified, OfClient, Base):
    """A person's card in a CRM."""

    __tablename__ = "contact"
    __table_args__ = (
        naming("contact", "responsible_id"),
        Index("ix_contact_external", "workspace_id", "external_id"),
        Index(None, "workspace_id", "client_id"),
        Index("ix_contact_company", "workspace_id", "company_id", postgresql_where=text("company_id is not null")),
    )

    name: Mapped[str | None]
    first_name: Mapped[str | None]
    middle_name: Mapped[str | None]
    last_name: Mapped[str | None]
    position: Mapped[str | None]
    birthday: Mapped[date | None]
    address: Mapped[str | None] = mapped_column(comment="Where the person lives or has things sent, as written.")
    phones: Mapped[list[str]] = mapped_column(comment="E.164 where valid, else as written.")
    emails: Mapped[list[str]]
    company_id: Mapped[UUID | None] = mapped_column(comment="The company card that it hangs on.")
    responsible_id: Mapped[UUID | None] = mapped_column(comment="The user in charge.")
    created_at: Mapped[datetime | None]


class Company(Unified, OfClient, Base):
    """An organisation's card in a CRM."""

    __tablename__ = "company"
    __table_args__ = (
        naming("company", "responsible_id"),
        Index("ix_company_external", "workspace_id", "external_id"),
        Index(None, "workspace_id", "client_id"),
    )

    name: Mapped[str]
    tax_id: Mapped[str | None]
    website: Mapped[str | None]
    phones: Mapped[list[str]]
    emails: Mapped[list[str]]
    responsible_id: Mapped[UUID | None]
    created_at: Mapped[datetime | None]


class Assignment(InWorkspace, Base):
    """Who leads a client, in which role, from when until when, as a CRM's card says it."""

    __tablename__ = "assignment"
    __table_args__ = (Index(None, "workspace_id", "user_id"),)

    record_id: Mapped[UUID] = mapped_column(primary_key=True, comment="The card (contact or company) that says so.")
    role: Mapped[str] = mapped_column(primary_key=True, server_default="account")
    valid_from: Mapped[datetime] = mapped_column(primary_key=True)
    valid_until: Mapped[datetime | None]
    user_id: Mapped[UUID]


class Affiliation(InWorkspace, Base):
    """A person belongs to a firm, in a role, from when until when, as the person's card says it: several at a time,
    if need be. Person and firm are never one client."""

    __tablename__ = "affiliation"
    __table_args__ = (Index("ix_affiliation_company", "workspace_id", "company_id"),)

    contact_id: Mapped[UUID] = mapped_column(primary_key=True, comment="The person's card, which says so.")
    company_id: Mapped[UUID] = mapped_column(primary_key=True)
    valid_from: Mapped[datetime] = mapped_column(primary_key=True)
    valid_until: Mapped[datetime | None]
    role: Mapped[str | None] = mapped_column(comment="What the person is there; null: the card doesn't say.")
    main: Mapped[bool] = mapped_column(comment="Whether the card puts this firm before the others.")
