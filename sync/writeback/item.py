"""One row of the outbox, as delivery and people's commands see it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from connectors.contract import Command


@dataclass(frozen=True, slots=True)
class Item:
    """An intended change. The names are those of the table's columns, where they are explained."""

    id: UUID
    seq: int
    connection_id: UUID
    rule_id: UUID | None
    write: str
    key: str
    order_key: str
    cause_kind: str
    cause_id: UUID
    cause_at: datetime
    payload: dict[str, Any]
    base: dict[str, Any] | None
    external_id: str | None
    state: str
    code: str | None
    reason: str | None
    attempts: int
    sent_at: datetime | None
    next_try_at: datetime
    created_at: datetime
    done_at: datetime | None
    before: dict[str, Any] | None
    stored: dict[str, Any] | None
    stored_version: datetime | None
    echoed_at: datetime | None
    undoes: UUID | None

    @property
    def command(self) -> Command:
        """The change in the words of the connector's contract."""
        return Command(self.key, self.payload, self.external_id)


COLUMNS = ", ".join(f"o.{one.name}" for one in fields(Item))


def item_of(row: Row[Any]) -> Item:
    return Item(*tuple(row))
