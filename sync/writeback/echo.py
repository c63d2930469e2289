"""What comes back as ours: a record that says what we have written is no news.

It is known by content, not by time. What the system made of our values (``outbox.stored``: it may have trimmed a
name or spelt a phone its own way) is what a record is expected to say when it is read next; a field that says
something else is news, even if it says what it said before we wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from schema.records import ContactRecord, DealRecord, LeadRecord

Conn = psycopg.AsyncConnection[tuple[Any, ...]]
_KINDS: dict[type[Any], str] = {ContactRecord: "contact", DealRecord: "deal", LeadRecord: "lead"}


@dataclass(frozen=True, slots=True)
class Read:
    """A record just read: its id here, and the record."""

    id: UUID
    record: Any


async def recognise(
    conn: Conn, workspace_id: UUID, connection_id: UUID, read: Sequence[Read]
) -> dict[UUID, dict[str, Any]]:
    """What we have written into the records just read, by the record's id here and its fields. Each write is told
    of once: it is noted that it came back, or was overtaken by a later change there."""
    known = {(_KINDS[type(one.record)], one.record.external_id): one for one in read if type(one.record) in _KINDS}
    if not known:
        return {}
    rows = await (
        await conn.execute(
            "select id, split_part(write, '.', 1), external_id, stored, stored_version from outbox"
            " where workspace_id = %s and connection_id = %s and external_id = any(%s) and state = 'done'"
            " and echoed_at is null and stored is not null order by seq",
            (workspace_id, connection_id, [external_id for _, external_id in known]),
        )
    ).fetchall()
    ours: dict[UUID, dict[str, Any]] = {}
    come: list[UUID] = []
    for outbox_id, kind, external_id, stored, version in rows:
        one = known.get((kind, external_id))
        if one is None or _older(one.record.updated_at, version):
            continue
        ours.setdefault(one.id, {}).update(stored)
        come.append(outbox_id)
    if come:
        await conn.execute(
            "update outbox set echoed_at = clock_timestamp() where workspace_id = %s and id = any(%s)",
            (workspace_id, come),
        )
    return ours


def _older(read: datetime | None, written: datetime | None) -> bool:
    """Whether what was read is the record's state before our write."""
    return read is not None and written is not None and read < written
