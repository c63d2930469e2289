"""What all tables have in common.

``workspace_id`` is the first column of every primary key, unique key and foreign key: row-level security keeps
workspaces apart, and the tables can be distributed by it as they are. Unified records refer to each other by
ids that need no look-up (``schema.ids``) and may arrive in any order, so those references carry no foreign key.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Date, Index, Integer, LargeBinary, MetaData, Numeric, Text, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

MONEY = Numeric(18, 2)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        UUID: postgresql.UUID(as_uuid=True),
        str: Text(),
        int: Integer(),
        bool: Boolean(),
        bytes: LargeBinary(),
        date: Date(),
        datetime: postgresql.TIMESTAMP(timezone=True),
        Decimal: MONEY,
        dict[str, Any]: postgresql.JSONB(),
        list[str]: postgresql.ARRAY(Text()),
        list[UUID]: postgresql.ARRAY(postgresql.UUID(as_uuid=True)),
        list[datetime]: postgresql.ARRAY(postgresql.TIMESTAMP(timezone=True)),
    }


class InWorkspace:
    """A table whose rows belong to one workspace."""

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-20, comment="Whose row it is.")


class Unified(InWorkspace):
    """A unified record: what one record of one external system says, in the words of the model."""

    id: Mapped[UUID] = mapped_column(
        primary_key=True, sort_order=-19, comment="Follows from connection, kind and external id."
    )
    connection_id: Mapped[UUID] = mapped_column(sort_order=-18, comment="The connection that it was read from.")
    external_id: Mapped[str] = mapped_column(sort_order=-17, comment="Its id in the external system.")
    stream: Mapped[str] = mapped_column(sort_order=-16, comment="The stream of the source record that gave it.")
    source_id: Mapped[str] = mapped_column(sort_order=-15, comment="The source record's id within the stream.")
    updated_at: Mapped[datetime | None] = mapped_column(
        sort_order=90, comment="When the external system last changed it, by its own clock."
    )
    loaded_at: Mapped[datetime] = mapped_column(sort_order=91, comment="When Skvoz learnt this state.")
    deleted_at: Mapped[datetime | None] = mapped_column(
        sort_order=92, comment="When it was found deleted in the external system."
    )
    custom: Mapped[dict[str, Any] | None] = mapped_column(
        sort_order=93, comment="The vendor's custom fields, by the vendor's field key."
    )


class OfClient:
    """A record that belongs to a client, once identity has told whose it is."""

    client_id: Mapped[UUID | None] = mapped_column(
        sort_order=-10, comment="The client whose record it is; empty while nothing tells."
    )


class HasOrigin:
    """Where a record came from: as the vendor says it (``utm_*``) and as understood (``schema.traffic``)."""

    channel: Mapped[str | None] = mapped_column(sort_order=60, comment="Channel group.")
    source: Mapped[str | None] = mapped_column(sort_order=61, comment="Traffic source that holds.")
    medium: Mapped[str | None] = mapped_column(sort_order=62, comment="Traffic medium that holds.")
    campaign_id: Mapped[UUID | None] = mapped_column(sort_order=63, comment="The campaign named by it.")
    ad_group_key: Mapped[str | None] = mapped_column(sort_order=64, comment="The platform's ad group id.")
    ad_key: Mapped[str | None] = mapped_column(sort_order=65, comment="The platform's ad id.")
    keyword_key: Mapped[str | None] = mapped_column(sort_order=66, comment="The platform's keyword id.")
    utm_source: Mapped[str | None] = mapped_column(sort_order=67)
    utm_medium: Mapped[str | None] = mapped_column(sort_order=68)
    utm_campaign: Mapped[str | None] = mapped_column(sort_order=69)
    utm_content: Mapped[str | None] = mapped_column(sort_order=70)
    utm_term: Mapped[str | None] = mapped_column(sort_order=71)
    click_id: Mapped[str | None] = mapped_column(sort_order=72, comment="yclid, gclid and their kind.")
    referrer: Mapped[str | None] = mapped_column(sort_order=73)


BIGINT = BigInteger()


def naming(table: str, column: str, *order: str) -> Index:
    """The index by which the rows of ``table`` are found that name another row in ``column``, in their order."""
    name = f"ix_{table}_{column.removesuffix('_id')}"
    return Index(name, "workspace_id", column, *order, postgresql_where=text(f"{column} is not null"))
