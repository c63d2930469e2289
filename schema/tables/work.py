"""What account managers write down and plan about clients."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import Base, InWorkspace, naming


class Written:
    """Something that was written here, and not read from an external system."""

    id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-19)
    client_id: Mapped[UUID] = mapped_column(
        sort_order=-18, comment="The client whom it was written about; it may have been merged away since."
    )
    deal_id: Mapped[UUID | None] = mapped_column(sort_order=-17, comment="The deal that it is about, if any.")
    author: Mapped[str] = mapped_column(sort_order=90, comment="The API key that wrote it.")
    created_at: Mapped[datetime] = mapped_column(sort_order=91, server_default=text("now()"))
    changed_at: Mapped[datetime] = mapped_column(sort_order=92, server_default=text("now()"))
    deleted_at: Mapped[datetime | None] = mapped_column(sort_order=93)


class Note(InWorkspace, Written, Base):
    """A note about a client."""

    __tablename__ = "note"
    __table_args__ = (
        Index(None, "workspace_id", "client_id", "created_at", "id"),
        naming("note", "deal_id", "created_at", "id"),
    )

    text: Mapped[str]


class Task(InWorkspace, Written, Base):
    """Something to be done for a client."""

    __tablename__ = "task"
    __table_args__ = (
        Index(None, "workspace_id", "client_id", "created_at", "id"),
        naming("task", "deal_id", "created_at", "id"),
        naming("task", "assignee_id", "due_at", "id"),
    )

    title: Mapped[str]
    due_at: Mapped[datetime | None]
    assignee_id: Mapped[UUID | None] = mapped_column(comment="The employee who is to do it.")
    done_at: Mapped[datetime | None]
