"""What is here of a stream, to be compared with what is there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from sqlalchemy import text

from connectors.contract import Audit, Listed, RawRecord
from connectors.errors import BadRecord
from core.database import Database, driver
from sync.mapped import Loading
from sync.packing import unpack

Conn = psycopg.AsyncConnection[tuple[Any, ...]]
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Here:
    """A source record as it stands here. ``told`` is what an audit's list would have told of it."""

    hash: bytes
    deleted: bool
    learnt_at: datetime
    told: Listed


async def known(
    conn: Conn, loading: Loading, audit: Audit[Any], ids: Collection[str], *, whole: Collection[str] = ()
) -> dict[str, Here]:
    """Those of the records that are here. Of ``whole`` ones the list gave the body: comparing hashes will do."""
    cursor = await conn.execute(
        "select external_id, hash, deleted_at is not null, greatest(changed_at, deleted_at), raw, dictionary_id"
        " from source_record"
        " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s)",
        (loading.workspace_id, loading.connection_id, loading.stream.name, list(ids)),
    )
    found = {}
    for id, hash, deleted, learnt, raw, dictionary in await cursor.fetchall():
        told = Listed(id)
        if id not in whole:
            body = await unpack(conn, loading.workspace_id, raw, dictionary)
            told = told_of(loading, audit, RawRecord(id, body))
        found[id] = Here(hash, deleted, learnt, told)
    return found


async def in_quarantine(conn: Conn, loading: Loading, ids: Collection[str]) -> set[str]:
    """Those of the records that were read and wait because they could not be understood."""
    cursor = await conn.execute(
        "select external_id from quarantine where workspace_id = %s and connection_id = %s and stream = %s"
        " and external_id = any(%s) and resolved_at is null",
        (loading.workspace_id, loading.connection_id, loading.stream.name, list(ids)),
    )
    return {id for (id,) in await cursor.fetchall()}


async def all_here(database: Database, loading: Loading, before: datetime) -> AsyncIterator[list[str]]:
    """The ids of all records that are here and not deleted, and that we knew ``before``; some at a time."""
    after = ""
    while True:
        async with database.loading(loading.workspace_id) as db:
            cursor = await driver(db).execute(
                "select external_id from source_record"
                " where workspace_id = %s and connection_id = %s and stream = %s and external_id > %s"
                " and deleted_at is null and changed_at < %s order by external_id limit %s",
                (
                    *(loading.workspace_id, loading.connection_id, loading.stream.name),
                    *(after, before, _BATCH),
                ),
            )
            ids = [id for (id,) in await cursor.fetchall()]
        if not ids:
            return
        yield ids
        after = ids[-1]


def told_of(loading: Loading, audit: Audit[Any], record: RawRecord) -> Listed:
    """What a list would tell of a record, from its body. One that can't be understood tells of its id only."""
    with suppress(BadRecord, msgspec.MsgspecError, ValueError, KeyError, TypeError):
        return audit.stored(loading.settings, record)
    return Listed(record.external_id)


@dataclass(frozen=True, slots=True)
class Past:
    """The readings of a stream that came to their end, oldest first: when each began, and its run."""

    runs: Sequence[tuple[datetime, UUID]]
    fresh_until: datetime | None

    def should_have_brought(self, moment: datetime | None) -> tuple[datetime | None, UUID | None]:
        """When what happened at ``moment`` should have come here, and by which run."""
        if moment is None:
            return None, None
        return next(((at, run) for at, run in self.runs if at >= moment), (moment, None))


async def past_of(database: Database, loading: Loading) -> Past:
    """What syncs did of a stream until now."""
    key = {"ws": loading.workspace_id, "connection": loading.connection_id, "stream": loading.stream.name}
    async with database.workspace(loading.workspace_id) as db:
        runs = await db.execute(
            text("""
            select s.started_at, s.run_id from stream_run s
            join sync_run r on r.workspace_id = s.workspace_id and r.id = s.run_id
            where s.workspace_id = :ws and r.connection_id = :connection and s.stream = :stream
                and s.finished_at is not null and s.error_code is null and r.trigger not in ('verify', 'webhook')
            order by s.started_at
            """),
            key,
        )
        fresh = await db.execute(
            text("""
            select fresh_until from stream_state
            where workspace_id = :ws and connection_id = :connection and stream = :stream
            """),
            key,
        )
        return Past([(row.started_at, row.run_id) for row in runs], fresh.scalar_one_or_none())
