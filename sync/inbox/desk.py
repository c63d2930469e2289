"""What people do with deliveries: look at them, and have them looked into again."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl
from uuid import UUID

from sqlalchemy import text

from core.redaction import redact, redact_text
from schema.enums import ReceivedState
from sync.errors import NotFound
from sync.inbox.sealing import Envelope
from sync.office import Office


@dataclass(frozen=True, slots=True)
class Received:
    """A delivery as a list shows it."""

    id: UUID
    connection_id: UUID
    state: ReceivedState
    reason: str | None
    touched: tuple[str, ...]
    arrivals: int
    attempts: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Traffic:
    """What comes to a door."""

    last_at: datetime | None
    waiting: int
    failed: int


async def traffic(office: Office, workspace_id: UUID, connection_id: UUID) -> Traffic:
    """What came to a connection's door, of what is still kept."""
    async with office.database.workspace(workspace_id) as db:
        row = (
            await db.execute(
                text("""
                select max(received_at) as last_at, count(*) filter (where state = 'waiting') as waiting,
                    count(*) filter (where state in ('failed', 'malformed')) as failed
                from received_webhook where workspace_id = :ws and connection_id = :connection
                """),
                {"ws": workspace_id, "connection": connection_id},
            )
        ).one()
    return Traffic(row.last_at, row.waiting, row.failed)


async def received(
    office: Office,
    workspace_id: UUID,
    connection_id: UUID,
    *,
    states: Collection[ReceivedState] = tuple(ReceivedState),
    limit: int = 100,
) -> list[Received]:
    """The deliveries to a connection's door, newest first."""
    async with office.database.workspace(workspace_id) as db:
        rows = await db.execute(
            text("""
            select id, connection_id, state, reason, touched, arrivals, attempts, received_at from received_webhook
            where workspace_id = :ws and connection_id = :connection and state = any(:states)
            order by received_at desc, id limit :limit
            """),
            {"ws": workspace_id, "connection": connection_id, "states": list(states), "limit": limit},
        )
        return [
            Received(
                row.id,
                row.connection_id,
                ReceivedState(row.state),
                row.reason,
                tuple(row.touched),
                row.arrivals,
                row.attempts,
                row.received_at,
            )
            for row in rows
        ]


async def body_of(office: Office, workspace_id: UUID, delivery_id: UUID) -> str:
    """What a delivery says, with what looks like a secret taken out. Raises NotFound."""
    async with office.database.workspace(workspace_id) as db:
        row = (
            await db.execute(
                text("""
                select connection_id, content, headers from received_webhook where workspace_id = :ws and id = :id
                """),
                {"ws": workspace_id, "id": delivery_id},
            )
        ).one_or_none()
        if row is None:
            raise NotFound("There is no such delivery in this workspace.")
        envelope = await Envelope.of(db, office, workspace_id, row.connection_id)
    told = envelope.open(row.content).decode("utf-8", "backslashreplace")
    if "urlencoded" in str(row.headers.get("content-type", "")).lower():
        pairs = parse_qsl(told, keep_blank_values=True)
        return "\n".join(f"{name} = {redact({name: value})[name]}" for name, value in pairs)
    try:
        return json.dumps(redact(json.loads(told)), ensure_ascii=False, indent=2)
    except ValueError:
        return redact_text(told)


async def replay(office: Office, workspace_id: UUID, connection_id: UUID, delivery_id: UUID | None = None) -> int:
    """Look into a delivery again, whatever became of it; without one, into all that failed or were malformed.
    Returns how many wait now. Raises NotFound for a delivery that isn't there."""
    async with office.database.workspace(workspace_id) as db:
        changed = await db.execute(
            text("""
            update received_webhook
            set state = 'waiting', attempts = 0, reason = null, next_try_at = clock_timestamp(), done_at = null
            where workspace_id = :ws and connection_id = :connection
                and (id = :id or (cast(:id as uuid) is null and state in ('failed', 'malformed')))
            """),
            {"ws": workspace_id, "connection": connection_id, "id": delivery_id},
        )
    if delivery_id is not None and changed.rowcount == 0:
        raise NotFound("There is no such delivery in this workspace.")
    return int(changed.rowcount)
