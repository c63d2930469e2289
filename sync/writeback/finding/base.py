"""What finding the causes of changes has in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import xxhash
from psycopg.rows import dict_row

from schema.enums import RecordKind
from sync.writeback.rules import Rule

Conn = psycopg.AsyncConnection[tuple[Any, ...]]
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Intent:
    """A change that a rule wants made there. ``base``: what is known to stand there now; ``write``: the connector's
    write, where it isn't the rule's own."""

    key: str
    order_key: str
    cause_kind: RecordKind
    cause_id: UUID
    cause_at: datetime
    cause: str
    payload: dict[str, Any]
    base: dict[str, Any] | None = None
    external_id: str | None = None
    write: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a page brought: ids by kind (of costs, the campaigns'), and which fields changed on contacts' cards.
    Without it the rule looks at all that there is since its beginning."""

    ids: Mapping[RecordKind, Sequence[UUID]]
    changed: Mapping[UUID, frozenset[str]] = field(default_factory=dict)

    def of(self, kind: RecordKind) -> list[UUID]:
        return list(self.ids.get(kind, ()))


def key_of(*parts: object) -> str:
    """An idempotency key: the same parts give the same key, and tell nothing about a person."""
    return xxhash.xxh3_128_hexdigest("\x1f".join(map(str, parts)).encode())


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """What of the values says something."""
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def ids_of(told: Told | None, kind: RecordKind) -> list[UUID] | None:
    """The records to look at; None for all."""
    return None if told is None else told.of(kind)


async def rows_of(conn: Conn, query: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query.encode(), params)
        return await cursor.fetchall()


def params_of(rule: Rule, limit: int | None) -> dict[str, Any]:
    return {
        "ws": rule.workspace_id,
        "target": rule.connection_id,
        "source": rule.settings.reads_from(),
        "since": rule.since or BEGINNING,
        "limit": limit,
    }
