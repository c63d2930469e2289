"""What goes out: the rules of write-back, each intended change with its attempts, and what was decided where two
systems disagree."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import BIGINT, Base, InWorkspace


def _of_connection() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["workspace_id", "connection_id"], ["connection.workspace_id", "connection.id"], ondelete="CASCADE"
    )


class WriteRule(InWorkspace, Base):
    """One rule of write-back: what happens here, and what it becomes in the system of a connection."""

    __tablename__ = "write_rule"
    __table_args__ = (
        _of_connection(),
        Index("ix_write_rule_enabled", "workspace_id", postgresql_where=text("enabled")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(comment="The connection that is written to.")
    kind: Mapped[str] = mapped_column(comment="Which kind of rule the settings are of.")
    settings: Mapped[dict[str, Any]]
    enabled: Mapped[bool] = mapped_column(server_default="false")
    since: Mapped[datetime | None] = mapped_column(comment="What happened before this moment is no cause.")
    version: Mapped[int] = mapped_column(server_default="1", comment="Grows with each change of the settings.")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    created_by: Mapped[str] = mapped_column(comment="The token, or 'command line'.")
    changed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Delivery(InWorkspace, Base):
    """Who may write to a connection: a worker that lost the lease can't note what it did."""

    __tablename__ = "delivery"
    __table_args__ = (_of_connection(),)

    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(BIGINT, server_default="0")


class Outbox(InWorkspace, Base):
    """One intended change in an external system, written in the transaction of its cause.

    pending → sending → done; an answer that didn't come makes it unknown: then the record is looked for before
    anything is sent again. failed: refused, or waiting for a person; dead: tried too often; skipped: not needed, or
    left out by hand. What is done or skipped lets the record's next change go."""

    __tablename__ = "outbox"
    __table_args__ = (
        _of_connection(),
        UniqueConstraint("workspace_id", "key"),
        Index(
            "ix_outbox_open",
            "workspace_id",
            "connection_id",
            "seq",
            postgresql_where=text("state not in ('done', 'skipped')"),
        ),
        Index("ix_outbox_order", "workspace_id", "connection_id", "order_key", "seq"),
        Index("ix_outbox_record", "workspace_id", "connection_id", "external_id"),
        Index("ix_outbox_cause", "workspace_id", "cause_id"),
        Index("ix_outbox_due", "next_try_at", postgresql_where=text("state in ('pending', 'sending', 'unknown')")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BIGINT, Identity(always=True), comment="The order of intentions.")
    connection_id: Mapped[UUID]
    rule_id: Mapped[UUID | None] = mapped_column(comment="Empty for a change that a person asked for.")
    rule_version: Mapped[int | None]
    write: Mapped[str] = mapped_column(comment="The connector's write.")
    key: Mapped[str] = mapped_column(comment="Idempotency key: the same cause gives the same key.")
    order_key: Mapped[str] = mapped_column(comment="Changes of one record go out one after another.")
    cause_kind: Mapped[str]
    cause_id: Mapped[UUID] = mapped_column(comment="The record here that is the cause.")
    cause_at: Mapped[datetime] = mapped_column(comment="When it happened, by the clock of the system it is from.")
    payload: Mapped[dict[str, Any]] = mapped_column(comment="What is to stand there.")
    base: Mapped[dict[str, Any] | None] = mapped_column(comment="What stood there when it was intended.")
    external_id: Mapped[str | None] = mapped_column(comment="The record's id there, once known.")
    state: Mapped[str] = mapped_column(server_default="pending")
    code: Mapped[str | None] = mapped_column(comment="Why it stands, for programs.")
    reason: Mapped[str | None] = mapped_column(comment="Why it stands, in one sentence.")
    attempts: Mapped[int] = mapped_column(server_default="0", comment="How often it was sent.")
    epoch: Mapped[int | None] = mapped_column(BIGINT, comment="The lease under which it is being sent.")
    sent_at: Mapped[datetime | None] = mapped_column(comment="When it was last about to be sent.")
    next_try_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    done_at: Mapped[datetime | None]
    before: Mapped[dict[str, Any] | None] = mapped_column(comment="What stood there before it was written over.")
    stored: Mapped[dict[str, Any] | None] = mapped_column(
        comment="What the system made of it: the echo is known by this."
    )
    stored_version: Mapped[datetime | None] = mapped_column(comment="The record's time of change there, after it.")
    echoed_at: Mapped[datetime | None] = mapped_column(comment="When it came back and was known as ours.")
    undoes: Mapped[UUID | None] = mapped_column(comment="The change that this one takes back.")


class OutboxAttempt(InWorkspace, Base):
    """One request for an intended change and its answer, without secrets. Rows are only ever added."""

    __tablename__ = "outbox_attempt"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "outbox_id"], ["outbox.workspace_id", "outbox.id"], ondelete="CASCADE"
        ),
    )

    outbox_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    step: Mapped[str] = mapped_column(comment="look, read, send")
    request: Mapped[dict[str, Any]]
    response: Mapped[dict[str, Any] | None]
    outcome: Mapped[str] = mapped_column(comment="What it meant, in one sentence.")


class Conflict(InWorkspace, Base):
    """Where a field stood otherwise there than when the change was intended: what was decided, and by whom."""

    __tablename__ = "conflict"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "outbox_id"], ["outbox.workspace_id", "outbox.id"], ondelete="CASCADE"
        ),
        Index("ix_conflict_open", "workspace_id", "connection_id", postgresql_where=text("decision is null")),
    )

    outbox_id: Mapped[UUID] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, comment="Counts the decisions on this field.")
    connection_id: Mapped[UUID]
    external_id: Mapped[str]
    base: Mapped[dict[str, Any]] = mapped_column(comment="{'value': …}: what stood there when it was intended.")
    theirs: Mapped[dict[str, Any]] = mapped_column(comment="What stood there when it was to be sent.")
    ours: Mapped[dict[str, Any]]
    rule: Mapped[str] = mapped_column(comment="ours, theirs, most_recent, never or by_hand")
    decision: Mapped[str | None] = mapped_column(comment="ours or theirs; empty while a person must decide.")
    decided_by: Mapped[str | None] = mapped_column(comment="'rule', or the token that decided.")
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    decided_at: Mapped[datetime | None]
