"""Workspaces, their tokens and their connections to external systems."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import BIGINT, Base, InWorkspace


class Installation(Base):
    """Facts of the whole installation, such as the canary by which a wrong master key is noticed. Only the
    owner of the tables reads and writes it."""

    __tablename__ = "installation"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Workspace(Base):
    """One business."""

    __tablename__ = "workspace"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True, comment="Short name for addresses and the command line.")
    title: Mapped[str]
    time_zone: Mapped[str] = mapped_column(
        server_default="Europe/Moscow", comment="IANA zone; its days are the days of reports."
    )
    currency: Mapped[str] = mapped_column(server_default="RUB", comment="ISO 4217; the currency of reports.")
    phone_region: Mapped[str] = mapped_column(
        server_default="RU", comment="ISO 3166 region in which phones without a country code are read."
    )
    attribution_window_days: Mapped[int] = mapped_column(
        server_default="90", comment="How long before a conversion a touch may have brought it."
    )
    managers_see: Mapped[str] = mapped_column(
        server_default="all", comment="Which clients managers' keys reach: all, or own."
    )
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class ApiToken(InWorkspace, Base):
    """A key to the API. Only a hash of its secret is kept."""

    __tablename__ = "api_token"
    __table_args__ = (ForeignKeyConstraint(["workspace_id"], ["workspace.id"]),)

    id: Mapped[str] = mapped_column(primary_key=True, comment="The public part of the token.")
    secret_hash: Mapped[bytes] = mapped_column(comment="SHA-256 of the secret part.")
    role: Mapped[str]
    label: Mapped[str]
    user_ids: Mapped[list[UUID] | None] = mapped_column(
        comment="Of a manager's key: the employees whose clients are the manager's own."
    )
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Idempotency(InWorkspace, Base):
    """What a mutation answered to a key that its caller chose, so that the same request again does nothing."""

    __tablename__ = "idempotency"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id"], ["workspace.id"]),
        Index(None, "workspace_id", "at"),
    )

    actor: Mapped[str] = mapped_column(primary_key=True, comment="The API key that asked.")
    key: Mapped[str] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(comment="The mutation.")
    arguments: Mapped[bytes] = mapped_column(comment="SHA-256 of its arguments.")
    answer: Mapped[dict[str, Any] | None] = mapped_column(
        comment="What it wrote; empty while it is under way. Secrets are sealed."
    )
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Connection(InWorkspace, Base):
    """One configured account in one external system."""

    __tablename__ = "connection"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id"], ["workspace.id"]),
        Index("ix_connection_due", "next_run_at", postgresql_where=text("state = 'active'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connector: Mapped[str] = mapped_column(comment="Key of the connector.")
    title: Mapped[str]
    account: Mapped[str] = mapped_column(comment="The vendor's account, whose limits all its connections share.")
    account_name: Mapped[str | None] = mapped_column(comment="What the vendor calls the account.")
    settings: Mapped[dict[str, Any]] = mapped_column(comment="Settings without secrets.")
    secrets: Mapped[dict[str, Any]] = mapped_column(comment="Sealed secrets by field name; tokens among them.")
    data_key: Mapped[str] = mapped_column(comment="The connection's data key, wrapped by a master key.")
    state: Mapped[str] = mapped_column(server_default="active")
    state_reason: Mapped[str | None] = mapped_column(comment="One sentence for the user.")
    interval_seconds: Mapped[int] = mapped_column(
        server_default="900", comment="How long after the start of a scheduled run the next one is due."
    )
    next_run_at: Mapped[datetime | None]
    verify_every_seconds: Mapped[int] = mapped_column(
        server_default="604800", comment="How often it is compared with its system by itself; 0: never."
    )
    next_verify_at: Mapped[datetime | None] = mapped_column(
        comment="When that is due; empty: so long after it was connected."
    )
    fields_read_at: Mapped[datetime | None] = mapped_column(
        comment="When the account's own fields were last looked at."
    )
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class RateBudget(InWorkspace, Base):
    """What is left of a vendor account's rate limit: one row that all workers count in."""

    __tablename__ = "rate_budget"

    account: Mapped[str] = mapped_column(primary_key=True, comment="Connector key and vendor account.")
    limit_name: Mapped[str] = mapped_column(primary_key=True, comment="'requests/seconds' of the limit.")
    free_at: Mapped[datetime] = mapped_column(comment="When the next request may go (virtual scheduling).")
    held_until: Mapped[datetime | None] = mapped_column(comment="The vendor asked all to wait until then.")
    window_at: Mapped[datetime] = mapped_column(
        server_default=text("now()"), comment="Since when requests are counted: a minute, or the limit's own span."
    )
    used: Mapped[int] = mapped_column(server_default="0", comment="Requests since then.")


class Breaker(InWorkspace, Base):
    """The circuit breaker of a vendor account that doesn't answer. There is no row while all is well."""

    __tablename__ = "breaker"

    account: Mapped[str] = mapped_column(primary_key=True, comment="Connector key and vendor account.")
    failures: Mapped[int] = mapped_column(comment="Passing faults in a row, with no answer between them.")
    failing_since: Mapped[datetime]
    reason: Mapped[str] = mapped_column(comment="What the last fault was, in one sentence.")
    opened_at: Mapped[datetime | None] = mapped_column(comment="Since when nothing but probes is sent there.")
    next_try_at: Mapped[datetime | None] = mapped_column(comment="When one request may try it again.")
    trips: Mapped[int] = mapped_column(server_default="0", comment="Pauses so far; each is longer than the last.")
    probe_until: Mapped[datetime | None] = mapped_column(comment="A probe is on its way, until then at most.")


class StreamState(InWorkspace, Base):
    """How far a stream is read, and who may move it."""

    __tablename__ = "stream_state"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "connection_id"], ["connection.workspace_id", "connection.id"]),
    )

    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    cursor: Mapped[dict[str, Any] | None] = mapped_column(comment="Where the next run begins.")
    position: Mapped[dict[str, Any] | None] = mapped_column(comment="Where an unfinished run goes on.")
    run_id: Mapped[UUID | None] = mapped_column(comment="The run that the position belongs to.")
    epoch: Mapped[int] = mapped_column(
        BIGINT, server_default="0", comment="Lease: a worker that lost it can't commit a page."
    )
    fresh_until: Mapped[datetime | None] = mapped_column(
        comment="Everything that happened there before this moment is here."
    )
    reread_from: Mapped[datetime | None] = mapped_column(
        comment="From when on somebody asked to read once more; the next reading begins there and empties it."
    )
    told_at: Mapped[datetime | None] = mapped_column(comment="When a webhook last brought something of it.")
    error_code: Mapped[str | None]
    error: Mapped[str | None] = mapped_column(comment="Why the stream stands, in one sentence.")


class SyncRun(InWorkspace, Base):
    """One pass over the streams of a connection; its counts add up:
    fetched = created + updated + unchanged + skipped + quarantined."""

    __tablename__ = "sync_run"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "connection_id"], ["connection.workspace_id", "connection.id"]),
        Index(None, "workspace_id", "connection_id", "queued_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID]
    trigger: Mapped[str]
    state: Mapped[str]
    queued_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    resume_at: Mapped[datetime | None] = mapped_column(comment="When a waiting run goes on.")
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    fetched: Mapped[int] = mapped_column(server_default="0")
    created: Mapped[int] = mapped_column(server_default="0")
    updated: Mapped[int] = mapped_column(server_default="0")
    unchanged: Mapped[int] = mapped_column(server_default="0")
    skipped: Mapped[int] = mapped_column(server_default="0")
    quarantined: Mapped[int] = mapped_column(server_default="0")
    deleted: Mapped[int] = mapped_column(server_default="0")
    requests: Mapped[int] = mapped_column(server_default="0")
    warnings: Mapped[list[str]] = mapped_column(
        server_default=text("'{}'"), comment="What it noticed that a person should know, a sentence each."
    )


class StreamRun(InWorkspace, Base):
    """What one run did in one stream, kept up page by page."""

    __tablename__ = "stream_run"
    __table_args__ = (ForeignKeyConstraint(["workspace_id", "run_id"], ["sync_run.workspace_id", "sync_run.id"]),)

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    finished_at: Mapped[datetime | None]
    fetched: Mapped[int] = mapped_column(server_default="0")
    created: Mapped[int] = mapped_column(server_default="0")
    updated: Mapped[int] = mapped_column(server_default="0")
    unchanged: Mapped[int] = mapped_column(server_default="0")
    skipped: Mapped[int] = mapped_column(server_default="0")
    quarantined: Mapped[int] = mapped_column(server_default="0")
    deleted: Mapped[int] = mapped_column(server_default="0")
    pages: Mapped[int] = mapped_column(server_default="0")
    done: Mapped[float | None] = mapped_column(comment="Share of the run behind us, 0 to 1, where known.")
    error_code: Mapped[str | None]
    error: Mapped[str | None]
