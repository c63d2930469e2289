"""What the external systems said, kept byte by byte: source records, their former states, quarantine."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import Base, InWorkspace


class ZstdDictionary(InWorkspace, Base):
    """A compression dictionary trained on a stream's first page; raw bodies name the one they need."""

    __tablename__ = "zstd_dictionary"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="xxh3-31 of its bytes.")
    connection_id: Mapped[UUID]
    stream: Mapped[str]
    body: Mapped[bytes]


class SourceRecord(InWorkspace, Base):
    """The last known state of one record in an external system, as the vendor sent it.

    Nothing is written for a record that came unchanged: there is no "last seen" here."""

    __tablename__ = "source_record"

    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    hash: Mapped[bytes] = mapped_column(comment="xxh3-128 of the vendor's bytes.")
    raw: Mapped[bytes] = mapped_column(comment="The vendor's bytes, zstd.")
    dictionary_id: Mapped[int | None] = mapped_column(comment="The dictionary that ``raw`` was packed with.")
    run_id: Mapped[UUID | None] = mapped_column(comment="The run that brought this state.")
    first_seen_at: Mapped[datetime]
    changed_at: Mapped[datetime] = mapped_column(comment="When this state was learnt.")
    deleted_at: Mapped[datetime | None]


class SourceVersion(InWorkspace, Base):
    """A former state of a source record. Rows are only ever added."""

    __tablename__ = "source_version"

    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    learnt_at: Mapped[datetime] = mapped_column(primary_key=True)
    superseded_at: Mapped[datetime]
    hash: Mapped[bytes]
    raw: Mapped[bytes]
    dictionary_id: Mapped[int | None]
    run_id: Mapped[UUID | None] = mapped_column(comment="The run that had brought this state.")


class Quarantine(InWorkspace, Base):
    """A record that could not be mapped, with the reason; it can be replayed through a mended mapping."""

    __tablename__ = "quarantine"
    __table_args__ = (
        Index("ix_quarantine_open", "workspace_id", "connection_id", postgresql_where=text("resolved_at is null")),
    )

    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    hash: Mapped[bytes]
    raw: Mapped[bytes] = mapped_column(comment="The vendor's bytes, zstd without a dictionary.")
    reason: Mapped[str]
    run_id: Mapped[UUID | None]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="1")
    resolved_at: Mapped[datetime | None]
