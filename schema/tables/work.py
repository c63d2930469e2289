"""What account managers write down and plan about clients, here or in their CRM."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import Base, InWorkspace, naming


class OfWork:
    """What notes and tasks have in common."""

    id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-19)
    deal_id: Mapped[UUID | None] = mapped_column(sort_order=-17, comment="The deal that it is about, if any.")
    created_at: Mapped[datetime] = mapped_column(sort_order=91, server_default=text("now()"))
    changed_at: Mapped[datetime] = mapped_column(sort_order=92, server_default=text("now()"))
    deleted_at: Mapped[datetime | None] = mapped_column(sort_order=93)


class Note(InWorkspace, OfWork, Base):
    """A note about a client, written here."""

    __tablename__ = "note"
    __table_args__ = (
        Index(None, "workspace_id", "client_id", "created_at", "id"),
        naming("note", "deal_id", "created_at", "id"),
    )

    client_id: Mapped[UUID] = mapped_column(
        sort_order=-18, comment="The client whom it was written about; it may have been merged away since."
    )
    text: Mapped[str]
    author: Mapped[str] = mapped_column(sort_order=90, comment="The API key that wrote it.")


class Task(InWorkspace, OfWork, Base):
    """Something to be done for a client: written here, or planned in an external system (then it has a connection,
    and is changed only there)."""

    __tablename__ = "task"
    __table_args__ = (
        Index(None, "workspace_id", "client_id", "created_at", "id"),
        naming("task", "deal_id", "created_at", "id"),
        naming("task", "assignee_id", "due_at", "id"),
        naming("task", "contact_id"),
        naming("task", "company_id"),
        naming("task", "lead_id"),
        naming("task", "order_id"),
    )

    client_id: Mapped[UUID | None] = mapped_column(
        sort_order=-18,
        comment="The client whom it is about; one whom it was written about here may have been merged away since.",
    )
    connection_id: Mapped[UUID | None] = mapped_column(
        sort_order=-16, comment="The connection that it was read from; empty if it was written here."
    )
    external_id: Mapped[str | None] = mapped_column(sort_order=-15, comment="Its id in the external system.")
    stream: Mapped[str | None] = mapped_column(
        sort_order=-14, comment="The stream of the source record that gave it."
    )
    source_id: Mapped[str | None] = mapped_column(
        sort_order=-13, comment="The source record's id within the stream."
    )
    contact_id: Mapped[UUID | None]
    company_id: Mapped[UUID | None]
    lead_id: Mapped[UUID | None]
    order_id: Mapped[UUID | None]
    title: Mapped[str]
    text: Mapped[str | None]
    due_at: Mapped[datetime | None]
    assignee_id: Mapped[UUID | None] = mapped_column(comment="The employee who is to do it.")
    done_at: Mapped[datetime | None]
    author: Mapped[str | None] = mapped_column(sort_order=90, comment="The API key that wrote it here.")
    updated_at: Mapped[datetime | None] = mapped_column(
        sort_order=94, comment="When the external system last changed it, by its own clock."
    )
    loaded_at: Mapped[datetime | None] = mapped_column(
        sort_order=95, comment="When Skvoz learnt this state from the external system."
    )
    custom: Mapped[dict[str, Any] | None] = mapped_column(
        sort_order=96, comment="The vendor's custom fields, by the vendor's field key."
    )
