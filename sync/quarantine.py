"""Records that could not be mapped: looked at, and replayed through a mended mapping."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from connectors.contract import RawRecord
from core.database import driver
from sync.connections import Opened, open_connection
from sync.load import Counts, load_page
from sync.mapped import Loading
from sync.office import Office
from sync.packing import unpack
from sync.settling import settle_marked

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Refused:
    """A record in quarantine. ``raw`` is the vendor's own bytes."""

    stream: str
    external_id: str
    reason: str
    first_at: datetime
    attempts: int
    raw: bytes


async def in_quarantine(
    office: Office, workspace_id: UUID, connection_id: UUID, *, limit: int = 100
) -> list[Refused]:
    """The records of a connection that wait in quarantine, the newest first."""
    async with office.database.workspace(workspace_id) as db:
        rows = (
            await db.execute(
                text("""
                select stream, external_id, reason, first_at, attempts, raw from quarantine
                where workspace_id = :ws and connection_id = :id and resolved_at is null
                order by last_at desc, stream, external_id limit :limit
                """),
                {"ws": workspace_id, "id": connection_id, "limit": limit},
            )
        ).all()
        return [
            Refused(
                row.stream,
                row.external_id,
                row.reason,
                row.first_at,
                row.attempts,
                await unpack(driver(db), workspace_id, row.raw, None),
            )
            for row in rows
        ]


async def replay(office: Office, workspace_id: UUID, connection_id: UUID) -> Counts:
    """Map all records in quarantine again, without asking the vendor. What can be mapped now is loaded and leaves
    quarantine; what can't stays, with the reason of this attempt."""
    opened = await open_connection(office, workspace_id, connection_id)
    total = Counts()
    for stream in opened.connector.streams:
        waiting = await _ids(office, opened, stream.name)
        loading = Loading(workspace_id, connection_id, None, opened.region, stream, opened.settings)
        for start in range(0, len(waiting), _BATCH):
            async with office.database.loading(workspace_id) as db:
                conn = driver(db)
                page = [
                    RawRecord(id, await unpack(conn, workspace_id, raw, None))
                    for id, raw in await _raws(conn, opened, stream.name, waiting[start : start + _BATCH])
                ]
                total += await load_page(conn, loading, page)
    await settle_marked(office.database, workspace_id, None)
    return total


async def _ids(office: Office, opened: Opened, stream: str) -> list[str]:
    async with office.database.workspace(opened.workspace_id) as db:
        rows = await db.execute(
            text("""
            select external_id from quarantine where workspace_id = :ws and connection_id = :id
            and stream = :stream and resolved_at is null order by external_id
            """),
            {"ws": opened.workspace_id, "id": opened.id, "stream": stream},
        )
        return [id for (id,) in rows]


async def _raws(conn: Any, opened: Opened, stream: str, ids: list[str]) -> list[tuple[str, bytes]]:
    cursor = await conn.execute(
        "select external_id, raw from quarantine where workspace_id = %s and connection_id = %s and stream = %s"
        " and external_id = any(%s) and resolved_at is null for update",
        (opened.workspace_id, opened.id, stream, ids),
    )
    rows: list[tuple[str, bytes]] = await cursor.fetchall()
    return rows
