"""Webhooks in: the doors that systems knock at, and what they brought."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from schema.tables.base import Base, InWorkspace


class Door(InWorkspace, Base):
    """The address of a connection at which its system tells by itself what happened there."""

    __tablename__ = "door"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "connection_id"], ["connection.workspace_id", "connection.id"], ondelete="CASCADE"
        ),
        Index("ix_door_public_id", "public_id"),
    )

    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(comment="The first part of the address, by which the door is found.")
    secret_hash: Mapped[bytes] = mapped_column(comment="SHA-256 of the second part.")
    previous_hash: Mapped[bytes | None] = mapped_column(comment="Of the former second part, after a rotation.")
    previous_until: Mapped[datetime | None] = mapped_column(comment="Until when the former address holds too.")
    secret: Mapped[str] = mapped_column(comment="The second part, sealed, so that the address can be shown again.")
    opened_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    subscribed_at: Mapped[datetime | None] = mapped_column(
        comment="Since when the system is told of the address over its API; empty where a person pastes it."
    )
    check_at: Mapped[datetime | None] = mapped_column(comment="When to look next whether that still stands.")
    problem: Mapped[str | None] = mapped_column(comment="Why it doesn't stand, in one sentence.")


class ReceivedWebhook(InWorkspace, Base):
    """One delivery to a door, as it came. Equal deliveries are one row."""

    __tablename__ = "received_webhook"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "connection_id"], ["connection.workspace_id", "connection.id"], ondelete="CASCADE"
        ),
        Index("uq_received_webhook_digest", "workspace_id", "connection_id", "digest", unique=True),
        Index("ix_received_webhook_log", "workspace_id", "connection_id", "received_at"),
        Index("ix_received_webhook_due", "next_try_at", postgresql_where=text("state = 'waiting'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID]
    digest: Mapped[bytes] = mapped_column(comment="SHA-256 of the system's own id of it, else of its bytes.")
    content: Mapped[str] = mapped_column(comment="The body as it was sent, sealed.")
    headers: Mapped[dict[str, Any]] = mapped_column(comment="Its headers, without those that are the transport's.")
    query: Mapped[dict[str, Any]] = mapped_column(comment="The query of its address.")
    touched: Mapped[list[str]] = mapped_column(
        ARRAY(Text()), comment="The records that it speaks of: stream and external id."
    )
    state: Mapped[str] = mapped_column(server_default="waiting", comment="waiting, done, failed or malformed")
    reason: Mapped[str | None] = mapped_column(comment="Why it waits for another try or was given up.")
    arrivals: Mapped[int] = mapped_column(server_default="1", comment="How often it came.")
    attempts: Mapped[int] = mapped_column(server_default="0", comment="How often it was tried in vain.")
    next_try_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    received_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    done_at: Mapped[datetime | None]
