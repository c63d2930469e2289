"""Proof that everything is here: what was compared with the external systems, and what was found."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import Base, InWorkspace


class Verification(InWorkspace, Base):
    """One comparison of a connection with its system."""

    __tablename__ = "verification"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "connection_id"], ["connection.workspace_id", "connection.id"], ondelete="CASCADE"
        ),
        Index("ix_verification_of_connection", "workspace_id", "connection_id", "started_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID]
    trigger: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="running", comment="running, succeeded or failed")
    started_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    finished_at: Mapped[datetime | None]
    there: Mapped[int] = mapped_column(server_default="0", comment="Records that the system told of.")
    wrong: Mapped[int] = mapped_column(server_default="0", comment="Records that were not here as they are there.")
    mended: Mapped[int] = mapped_column(server_default="0", comment="Records that were brought here.")
    deleted: Mapped[int] = mapped_column(server_default="0", comment="Records that were marked as deleted.")
    alarms: Mapped[list[str]] = mapped_column(
        server_default=text("'{}'"), comment="What a person should look at, a sentence each."
    )
    requests: Mapped[int] = mapped_column(server_default="0")
    run_id: Mapped[UUID | None] = mapped_column(comment="The run by which records were brought here.")
    sentence: Mapped[str | None] = mapped_column(comment="The result in one sentence.")


class VerificationStream(InWorkspace, Base):
    """What a verification found in one stream."""

    __tablename__ = "verification_stream"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "verification_id"],
            ["verification.workspace_id", "verification.id"],
            ondelete="CASCADE",
        ),
    )

    verification_id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    compared: Mapped[bool] = mapped_column(comment="False: the system has no list to compare with.")
    there: Mapped[int]
    here: Mapped[int]
    missing: Mapped[int] = mapped_column(comment="There and not here.")
    extra: Mapped[int] = mapped_column(comment="Here and deleted there.")
    different: Mapped[int] = mapped_column(comment="Here in another state.")
    links: Mapped[int] = mapped_column(comment="Here, and hanging on other records than there.")
    waiting: Mapped[int] = mapped_column(comment="There, and here in quarantine.")
    sampled: Mapped[int] = mapped_column(comment="Records that were fetched for themselves and compared whole.")
    mended: Mapped[int]
    deleted: Mapped[int]
    wrong_since: Mapped[datetime | None] = mapped_column(comment="Since when it was wrong.")
    brake: Mapped[str | None] = mapped_column(comment="Why nothing was marked as deleted.")
    error: Mapped[str | None] = mapped_column(comment="Why it could not be compared to its end.")
    sentence: Mapped[str]
    finished_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class VerificationPart(InWorkspace, Base):
    """What a verification found in one span of a stream. Of what is wrong the first thousand ids are named."""

    __tablename__ = "verification_part"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "verification_id"],
            ["verification.workspace_id", "verification.id"],
            ondelete="CASCADE",
        ),
    )

    verification_id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    since: Mapped[datetime | None] = mapped_column(comment="The first moment of it; empty: no bound.")
    until: Mapped[datetime | None] = mapped_column(comment="The moment after it; empty: no bound.")
    there: Mapped[int]
    here: Mapped[int]
    total: Mapped[int | None] = mapped_column(comment="What the system itself says is the number.")
    missing: Mapped[list[str]]
    extra: Mapped[list[str]]
    different: Mapped[list[str]]
    links: Mapped[list[str]]
    wrong_since: Mapped[datetime | None]
    run_id: Mapped[UUID | None] = mapped_column(comment="The first sync that should have known.")
