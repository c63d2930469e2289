"""Closed periods: each has the moment of knowledge that holds for it, and a thaw says what it would change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid4

from core.database import PsycopgConnection
from reports.changes import WhatChanged, what_changed
from reports.rulebook import campaigns_meant_at

_COLUMNS = "id, first_day, last_day, known_at, author"


@dataclass(frozen=True, slots=True)
class Frozen:
    """A closed period. Its report is ``campaign_report(as_known_at=known_at)``."""

    id: UUID
    first_day: date
    last_day: date
    known_at: datetime
    author: str


async def frozen(conn: PsycopgConnection, workspace_id: UUID) -> list[Frozen]:
    """The closed periods, the newest first."""
    found = await conn.execute(
        f"select {_COLUMNS} from frozen_period where workspace_id = %s and thawed_at is null"  # noqa: S608
        " order by first_day desc, id",
        (workspace_id,),
    )
    return [Frozen(*row) async for row in found]


async def freeze(
    conn: PsycopgConnection, workspace_id: UUID, start: date, end: date, known_at: datetime, author: str
) -> Frozen:
    """Close a period as it is known at a moment. Raises ``ValueError`` for one that overlaps a closed one."""
    if end < start:
        raise ValueError(f"The period would end on {end}, before it begins on {start}.")
    await conn.execute("select pg_advisory_xact_lock(hashtextextended('frozen ' || %s::text, 0))", (workspace_id,))
    for other in await frozen(conn, workspace_id):
        if other.first_day <= end and start <= other.last_day:
            raise ValueError(f"{other.first_day} to {other.last_day} is closed already: thaw that one first.")
    made = Frozen(uuid4(), start, end, known_at, author)
    await conn.execute(
        "insert into frozen_period (workspace_id, id, first_day, last_day, known_at, author)"
        " values (%s, %s, %s, %s, %s, %s)",
        (workspace_id, made.id, start, end, known_at, author),
    )
    return made


async def thaw(conn: PsycopgConnection, workspace_id: UUID, id: UUID, at: datetime) -> bool:
    """Open a closed period again; False if it isn't closed."""
    opened = await conn.execute(
        "update frozen_period set thawed_at = %s where workspace_id = %s and id = %s and thawed_at is null",
        (at, workspace_id, id),
    )
    return opened.rowcount > 0


async def thaw_preview(conn: PsycopgConnection, workspace_id: UUID, id: UUID, now: datetime) -> WhatChanged:
    """What opening a period would change in its report, by cause. Raises ``LookupError`` if it isn't closed."""
    for each in await frozen(conn, workspace_id):
        if each.id == id:
            known = max(now, each.known_at)
            days = (each.first_day, each.last_day)
            rules = [await campaigns_meant_at(conn, workspace_id, at) for at in (each.known_at, known)]
            return await what_changed(conn, workspace_id, *days, each.known_at, known, *rules)
    raise LookupError(f"There is no closed period {id}.")
