"""The change feed, and the webhooks that carry it out."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import BIGINT, Base, InWorkspace


class Change(InWorkspace, Base):
    """What one transaction did to records of one type: a row for hundreds of records, so that loads stay cheap.

    A trigger gives the row its position while it holds the workspace's feed to itself until the transaction ends:
    positions therefore follow the order of commits, and none appears behind one that could be read before."""

    __tablename__ = "change"
    __table_args__ = (Index("ix_change_at", "at"),)

    position: Mapped[int] = mapped_column(
        BIGINT, primary_key=True, autoincrement=False, comment="Given by the trigger, in the order of commits."
    )
    type: Mapped[str] = mapped_column(comment="What the records are: call, client, …")
    kind: Mapped[str] = mapped_column(comment="created, changed, merged, split or deleted")
    ids: Mapped[list[UUID]] = mapped_column(comment="The records.")
    others: Mapped[list[UUID] | None] = mapped_column(
        comment="Beside each id: the client that it became part of (merged), or that came out of it (split)."
    )
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class FeedHorizon(InWorkspace, Base):
    """Up to where changes have been removed: a reader that stands before it has missed some."""

    __tablename__ = "feed_horizon"

    position: Mapped[int] = mapped_column(BIGINT)


class Webhook(InWorkspace, Base):
    """An address that is told of changes."""

    __tablename__ = "webhook"
    __table_args__ = (ForeignKeyConstraint(["workspace_id"], ["workspace.id"]),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    url: Mapped[str]
    description: Mapped[str | None]
    events: Mapped[list[str]] = mapped_column(comment="call.created, client.*, or * for all.")
    state: Mapped[str] = mapped_column(server_default="active", comment="active, paused or disabled")
    state_reason: Mapped[str | None] = mapped_column(comment="One sentence: why it is disabled.")
    position: Mapped[int] = mapped_column(BIGINT, comment="Changes up to here have become deliveries.")
    secrets: Mapped[dict[str, Any]] = mapped_column(comment="Sealed: 'current', and 'previous' after a rotation.")
    previous_until: Mapped[datetime | None] = mapped_column(comment="Until when the previous secret signs too.")
    data_key: Mapped[str] = mapped_column(comment="The webhook's data key, wrapped by a master key.")
    failing_since: Mapped[datetime | None] = mapped_column(comment="Empty while deliveries succeed.")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    created_by: Mapped[str] = mapped_column(comment="The token.")
    changed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class WebhookDelivery(InWorkspace, Base):
    """One message to a webhook, kept until it has arrived or was given up, and for a time after that."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "webhook_id"], ["webhook.workspace_id", "webhook.id"], ondelete="CASCADE"
        ),
        Index("ix_webhook_delivery_log", "workspace_id", "webhook_id", "created_at"),
        Index("ix_webhook_delivery_due", "next_try_at", postgresql_where=text("state = 'pending'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[UUID]
    event: Mapped[str] = mapped_column(comment="call.created, …")
    body: Mapped[str] = mapped_column(comment="The bytes that are signed and sent, as text.")
    state: Mapped[str] = mapped_column(server_default="pending", comment="pending, delivered or failed")
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    give_up_at: Mapped[datetime] = mapped_column(comment="After this moment it isn't tried again by itself.")
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    delivered_at: Mapped[datetime | None]


class WebhookAttempt(InWorkspace, Base):
    """One try to deliver, and what came of it."""

    __tablename__ = "webhook_attempt"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "delivery_id"],
            ["webhook_delivery.workspace_id", "webhook_delivery.id"],
            ondelete="CASCADE",
        ),
    )

    delivery_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    status: Mapped[int | None] = mapped_column(comment="HTTP status; empty where no answer came.")
    duration_ms: Mapped[int]
    response: Mapped[str | None] = mapped_column(comment="The beginning of the answer.")
    error: Mapped[str | None] = mapped_column(comment="Why no answer came, in one sentence.")
