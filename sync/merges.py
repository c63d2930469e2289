"""Merges in external systems: a card that went away while another one of the same system took its phones over.

Most systems say nothing of a merge but its two halves: one card is deleted, the other is changed. The halves come
in any order, so both are looked for when a run or a verification ends. What is found is a decision like a
person's: the two records are one client from then on, its earlier id still resolves, and it is taken back when the
card that went away is there again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import psycopg
import structlog

from connectors.contract import RawRecord
from core import clock
from schema.enums import MergeKind
from sync.connections import Opened
from sync.decisions import follow_up
from sync.identity import decisions
from sync.identity.keys import phone_keys
from sync.identity.reading import lock
from sync.mapped import Loading, map_records
from sync.packing import unpack

Conn = psycopg.AsyncConnection[tuple[Any, ...]]
log = structlog.get_logger(__name__)

ACTOR = "merged in the external system"
_LOOKED_BACK = timedelta(days=7)
"""How long the second half of a merge is waited for."""

_TOOK_OVER = """
with gone as (
    select c.id, c.deleted_at, array_agg(distinct i.kind || ' ' || i.value) as keys
    from {table} c join identifier i on i.workspace_id = c.workspace_id and i.record_id = c.id
    where c.workspace_id = %(ws)s and c.connection_id = %(connection)s and c.deleted_at > %(since)s
        and i.kind in ('phone', 'email') and not exists (
            select from identity_decision d
            where d.workspace_id = c.workspace_id and d.record_id = c.id and d.actor = %(actor)s
        )
    group by c.id, c.deleted_at
)
select gone.id, gone.keys, b.id, b.stream, b.source_id
from gone, lateral (
    select c.id, c.stream, c.source_id
    from {table} c join identifier i on i.workspace_id = c.workspace_id and i.record_id = c.id
    where c.workspace_id = %(ws)s and c.connection_id = %(connection)s and c.deleted_at is null
        and c.loaded_at > gone.deleted_at - interval '7 days'
        and (i.kind, i.value) in (
            select g.kind, g.value from identifier g where g.workspace_id = %(ws)s and g.record_id = gone.id
        )
    group by c.id, c.stream, c.source_id having count(distinct (i.kind, i.value)) = cardinality(gone.keys)
) b
order by gone.id, b.id
"""
_CAME_BACK = """
select distinct d.decision_id from identity_decision d join {table} c on c.workspace_id = d.workspace_id
    and c.id = d.record_id
where d.workspace_id = %(ws)s and d.actor = %(actor)s and c.connection_id = %(connection)s
group by d.decision_id having bool_and(c.deleted_at is null) and count(*) > 1
"""


async def follow_merges(conn: Conn, opened: Opened) -> int:
    """Join the records that were merged there, and part those that are apart again. The caller commits as the
    loader, and settles the clients that are marked. Returns how many were joined or parted."""
    given = {
        "ws": opened.workspace_id,
        "connection": opened.id,
        "since": clock.now() - _LOOKED_BACK,
        "actor": ACTOR,
    }
    done = 0
    for table in ("contact", "company"):
        for (decision,) in await _rows(conn, _CAME_BACK.format(table=table), given):
            outcome = await decisions.take_back(conn, opened.workspace_id, decision, ACTOR)
            await follow_up(conn, opened.workspace_id, MergeKind.SPLIT, outcome)
            done += 1
        found: dict[UUID, list[UUID]] = {}
        for gone, keys, survivor, stream, source_id in await _rows(conn, _TOOK_OVER.format(table=table), given):
            former = await _former_keys(conn, opened, stream, source_id)
            if former is not None and not set(keys) <= former:
                found.setdefault(gone, []).append(survivor)
        for gone, survivors in found.items():
            if len(survivors) == 1:  # of several nobody can tell which one took it in
                done += await _join(conn, opened, gone, survivors[0])
    return done


async def _join(conn: Conn, opened: Opened, gone: UUID, survivor: UUID) -> int:
    await lock(conn, opened.workspace_id)
    try:
        outcome = await decisions.say_same(
            conn, opened.workspace_id, survivor, gone, uuid5(gone, str(survivor)), ACTOR
        )
    except decisions.DecisionRefused as error:  # a person has said that they are different
        log.info("merge.not_followed", record=str(gone), reason=str(error))
        return 0
    await follow_up(conn, opened.workspace_id, MergeKind.MERGE, outcome)
    log.info("merge.followed", record=str(gone), survivor=str(survivor))
    return 1


async def _former_keys(conn: Conn, opened: Opened, stream: str, source_id: str) -> set[str] | None:
    """The phones and e-mails that a card had before its last change; None for one that never changed."""
    rows = await _rows(
        conn,
        "select raw, dictionary_id from source_version where workspace_id = %(ws)s"
        " and connection_id = %(connection)s and stream = %(stream)s and external_id = %(id)s"
        " order by superseded_at desc limit 1",
        {"ws": opened.workspace_id, "connection": opened.id, "stream": stream, "id": source_id},
    )
    if not rows:
        return None
    raw = RawRecord(source_id, await unpack(conn, opened.workspace_id, *rows[0]))
    loading = Loading(
        opened.workspace_id, opened.id, None, opened.region, opened.connector.stream(stream), opened.settings
    )
    keys: set[str] = set()
    for placed in map_records(loading, [raw]).placed.values():
        for each in placed.values():
            keys |= {f"phone {key}" for text in each.record.phones for key in phone_keys(text, opened.region)}
            keys |= {f"email {text.strip().lower()}" for text in each.record.emails}
    return keys


async def _rows(conn: Conn, query: str, given: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    return await (await conn.execute(query.encode(), given)).fetchall()
