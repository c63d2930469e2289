"""The fields that vendors' accounts have of their own, what became of them, and what users make of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import Base, InWorkspace


class OfConnectedKind:
    """Something about the records of one kind in one connection."""

    connection_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-19)
    record_kind: Mapped[str] = mapped_column(
        primary_key=True, sort_order=-18, comment="What the records that have the field are here."
    )


class CustomField(InWorkspace, OfConnectedKind, Base):
    """A vendor's own field, as the vendor declares it or, where it doesn't, as records show it."""

    __tablename__ = "custom_field"

    key: Mapped[str] = mapped_column(primary_key=True, comment="The vendor's key, as in the records' `custom`.")
    label: Mapped[str] = mapped_column(comment="The vendor's name for it; the key where there is none.")
    type: Mapped[str]
    multiple: Mapped[bool] = mapped_column(server_default=text("false"), comment="Whether it holds a list.")
    options: Mapped[Any | None] = mapped_column(
        JSONB(none_as_null=True),
        comment="Of a field that offers a choice: an array of {value, label}, in the vendor's order.",
    )
    declared: Mapped[bool] = mapped_column(comment="Whether the vendor lists it; else only records show it.")
    first_seen_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    last_seen_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    gone_at: Mapped[datetime | None] = mapped_column(comment="Since when the vendor doesn't list it any more.")
    sampled: Mapped[int] = mapped_column(
        server_default="0", comment="How many of the newest records were looked at."
    )
    filled: Mapped[int] = mapped_column(server_default="0", comment="In how many of these it had a value.")
    samples: Mapped[Any | None] = mapped_column(
        JSONB(none_as_null=True), comment="A few different values, as an array."
    )


class SchemaChange(InWorkspace, Base):
    """A change of the fields that a vendor's account has of its own."""

    __tablename__ = "schema_change"
    __table_args__ = (Index(None, "workspace_id", "connection_id", "at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID]
    record_kind: Mapped[str]
    key: Mapped[str]
    change: Mapped[str]
    label: Mapped[str]
    before: Mapped[str | None] = mapped_column(comment="The former name, type or options.")
    after: Mapped[str | None] = mapped_column(comment="The new ones.")
    run_id: Mapped[UUID | None] = mapped_column(comment="The run that noticed it.")
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class FieldMapping(InWorkspace, OfConnectedKind, Base):
    """A user's word that a vendor's own field is a field of the unified model."""

    __tablename__ = "field_mapping"

    target: Mapped[str] = mapped_column(primary_key=True, comment="The unified field that is filled.")
    key: Mapped[str | None] = mapped_column(comment="The vendor's field; empty once the mapping is taken back.")
    pending: Mapped[list[str]] = mapped_column(
        server_default=text("'{}'"), comment="Fields whose stored records are still to be mapped anew for it."
    )
    actor: Mapped[str] = mapped_column(comment="The API key that set it, or the command line.")
    changed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
