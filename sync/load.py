"""The way of a page: hash first, decode and write only what changed, all in the caller's transaction.

Unchanged records cost one comparison of hashes and no write. New and changed ones are mapped, told to identity,
and replaced in their tables by COPY; former states of source records are kept as versions; what can't be mapped
goes to quarantine. The clients that are touched are marked, so that their figures get settled.
Loading works as the loader role (PostgreSQL refuses COPY FROM under row-level security), so every statement here,
in ``sync.writing`` and in ``sync.marketing`` names the workspace itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import psycopg
import xxhash
from psycopg import sql

from connectors import own
from connectors.contract import RawRecord
from core import clock
from core.arrays import texts, uuids
from reports.settle import mark
from schema.enums import ChangeKind, ChangeType
from sync.copying import copy
from sync.custom_fields import note_fields
from sync.feed import Changes, append, type_of
from sync.field_mappings import rules_in_force
from sync.mapped import Loading, Mapped, map_records
from sync.packing import Packing, packing_of, unpack
from sync.rows import Source, moment
from sync.targets import TARGETS
from sync.writeback.intents import intend_removals
from sync.writing import settle_unowned, write_mapped

Conn = psycopg.AsyncConnection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the records of a page. They add up: fetched is the sum of the other five but ``deleted``."""

    fetched: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    quarantined: int = 0
    deleted: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


_STORED = (
    "workspace_id",
    "connection_id",
    "stream",
    "external_id",
    "hash",
    "raw",
    "dictionary_id",
    "run_id",
    "first_seen_at",
    "changed_at",
)


@dataclass(frozen=True, slots=True)
class _Known:
    hash: bytes
    first_seen_at: datetime
    deleted: bool
    learnt_at: datetime


async def load_page(
    conn: Conn, loading: Loading, page: Sequence[RawRecord], asked_at: datetime | None = None
) -> Counts:
    """Bring one page of raw records into the tables. The caller commits, together with the cursor."""
    given = {raw.external_id: raw for raw in page}  # told twice in one page: the last word holds
    hashes = {id: hash_of(raw.body, loading.stream.volatile) for id, raw in given.items()}
    known = await _known(conn, loading, list(given))
    fresh = given.keys() - known.keys()
    changed = {id for id, here in known.items() if here.hash != hashes[id] or here.deleted}
    if asked_at is not None:  # what a webhook brought after the page was asked for is newer than the page
        changed = {id for id in changed if not asked_at < known[id].learnt_at <= clock.now()}
    counts = Counts(fetched=len(page), unchanged=len(page) - len(fresh) - len(changed))
    if not fresh and not changed:
        return counts
    rules = await rules_in_force(conn, loading.workspace_id, loading.connection_id)
    mapped = map_records(loading, [raw for id, raw in given.items() if id in fresh or id in changed], rules)
    source = _source(loading)
    gone = [id for id in mapped.skipped if id in changed]
    changes = Changes()
    if gone:  # what used to be a record of ours is left out from now on; its former state tells what it was
        await _retire(conn, loading, gone, changes)
    former = (
        await _mapped_before(conn, loading, changed & mapped.stored.keys()) if loading.stream.takes_back else None
    )
    await _store(conn, loading, source, mapped, known, hashes)
    await _quarantine(conn, loading, source, mapped, given, hashes)
    await note_fields(conn, loading, mapped)
    await write_mapped(conn, loading, source, mapped, changes)
    if former is not None:
        for kind, told in former.placed.items():
            former.placed[kind] = {id: each for id, each in told.items() if id not in mapped.placed.get(kind, {})}
        await _end(conn, loading, former, changes)
    await append(conn, loading.workspace_id, changes)
    kept = mapped.stored.keys() - mapped.skipped
    return counts + Counts(
        created=len(fresh & kept),
        updated=len(changed & kept),
        skipped=len(mapped.skipped),
        quarantined=len(mapped.refused),
    )


async def map_again(conn: Conn, loading: Loading, external_ids: Sequence[str]) -> int:
    """Map stored source records anew, by the rules that are in force now; nothing is fetched. What is deleted there
    stays so. The caller commits. Returns how many were mapped."""
    rules = await rules_in_force(conn, loading.workspace_id, loading.connection_id)
    key = (loading.workspace_id, loading.connection_id, loading.stream.name, list(external_ids))
    cursor = await conn.execute(
        "select external_id, raw, dictionary_id, deleted_at from source_record"
        " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s)"
        " order by external_id for update",
        key,
    )
    rows = await cursor.fetchall()
    raws = [RawRecord(id, await unpack(conn, key[0], raw, dictionary)) for id, raw, dictionary, _ in rows]
    mapped = map_records(loading, raws, rules)
    source = _source(loading)
    changes = Changes()
    await write_mapped(conn, loading, source, mapped, changes)
    deleted = {id: at for id, _, _, at in rows if at is not None}
    for kind, placed in mapped.placed.items():
        ended = {each.id: deleted[each.source_id] for each in placed.values() if each.source_id in deleted}
        await conn.execute(
            sql.SQL(
                "update {} t set deleted_at = d.at from unnest(%s::uuid[], %s::timestamptz[]) d(id, at)"
                " where t.workspace_id = %s and t.id = d.id"
            ).format(sql.Identifier(TARGETS[kind][1].table)),
            (list(ended), list(ended.values()), loading.workspace_id),
        )
    await append(conn, loading.workspace_id, changes)
    return len(rows)


def _source(loading: Loading) -> Source:
    return Source(
        loading.workspace_id,
        loading.connection_id,
        loading.stream.name,
        loading.region,
        clock.now(),
        by_id=loading.connection_id == own.connection_of(loading.workspace_id),
    )


async def retire(conn: Conn, loading: Loading, external_ids: Sequence[str]) -> int:
    """Mark source records, and what they became, as deleted in the external system. Nothing is removed here.

    Returns how many were not deleted before.
    """
    changes = Changes()
    count = await _retire(conn, loading, external_ids, changes)
    await append(conn, loading.workspace_id, changes)
    return count


async def _retire(conn: Conn, loading: Loading, external_ids: Sequence[str], changes: Changes) -> int:
    rows = await (
        await conn.execute(
            "update source_record set deleted_at = %s"
            " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s::text[])"
            " and deleted_at is null returning external_id, raw, dictionary_id",
            (
                clock.now(),
                loading.workspace_id,
                loading.connection_id,
                loading.stream.name,
                texts(external_ids),
            ),
        )
    ).fetchall()
    raws = [
        RawRecord(id, await unpack(conn, loading.workspace_id, raw, dictionary)) for id, raw, dictionary in rows
    ]
    ended = map_records(loading, raws)
    await _end(conn, loading, ended, changes)
    await intend_removals(conn, loading, {TARGETS[kind][0]: list(placed) for kind, placed in ended.placed.items()})
    return len(rows)


async def _mapped_before(conn: Conn, loading: Loading, external_ids: Collection[str]) -> Mapped:
    """What source records told until now."""
    cursor = await conn.execute(
        "select external_id, raw, dictionary_id from source_record"
        " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s::text[])",
        (loading.workspace_id, loading.connection_id, loading.stream.name, texts(external_ids)),
    )
    raws = [
        RawRecord(id, await unpack(conn, loading.workspace_id, raw, dictionary))
        for id, raw, dictionary in await cursor.fetchall()
    ]
    return map_records(loading, raws)


async def _end(conn: Conn, loading: Loading, mapped: Mapped, changes: Changes) -> None:
    """Mark what source records became as deleted in the external system."""
    for kind, placed in mapped.placed.items():
        of_kind, target = TARGETS[kind]
        returning = sql.Identifier("client_id") if target.of_client else sql.SQL("null::uuid")
        ended = await (
            await conn.execute(
                sql.SQL(
                    "update {} set deleted_at = %s where workspace_id = %s and id = any(%s::uuid[])"
                    " and deleted_at is null returning id, {}"
                ).format(sql.Identifier(target.table), returning),
                (clock.now(), loading.workspace_id, uuids(placed)),
            )
        ).fetchall()
        clients = {client for _, client in ended if client}
        await mark(conn, loading.workspace_id, clients, "deleted")
        changes.add(type_of(of_kind), ChangeKind.DELETED, [id for id, _ in ended])
        changes.add(ChangeType.CLIENT, ChangeKind.CHANGED, sorted(clients))
    await settle_unowned(conn, loading.workspace_id, mapped)


def hash_of(body: bytes, volatile: frozenset[str]) -> bytes:
    """xxh3-128 of the vendor's own bytes; of a canonical form without the volatile fields where there are some."""
    if volatile:
        fields = orjson.loads(body)
        body = orjson.dumps({k: v for k, v in fields.items() if k not in volatile}, option=orjson.OPT_SORT_KEYS)
    return xxhash.xxh3_128_digest(body)


async def _known(conn: Conn, loading: Loading, ids: list[str]) -> dict[str, _Known]:
    rows = await (
        await conn.execute(
            "select external_id, hash, first_seen_at, deleted_at is not null, greatest(changed_at, deleted_at)"
            " from source_record"
            " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s::text[])",
            (loading.workspace_id, loading.connection_id, loading.stream.name, texts(ids)),
            binary=True,
        )
    ).fetchall()
    return {id: _Known(hash, first, deleted, learnt) for id, hash, first, deleted, learnt in rows}


async def _store(
    conn: Conn,
    loading: Loading,
    source: Source,
    mapped: Mapped,
    known: dict[str, _Known],
    hashes: dict[str, bytes],
) -> None:
    """Keep the raw bodies; a state that is replaced becomes a version."""
    packing: Packing = await packing_of(
        conn,
        loading.workspace_id,
        loading.connection_id,
        loading.stream.name,
        [raw.body for raw in mapped.stored.values()],
    )
    replaced = [id for id in mapped.stored if id in known]
    if replaced:
        key = (loading.workspace_id, loading.connection_id, loading.stream.name, texts(replaced))
        await conn.execute(
            "insert into source_version (workspace_id, connection_id, stream, external_id, learnt_at,"
            " superseded_at, hash, raw, dictionary_id, run_id)"
            " select workspace_id, connection_id, stream, external_id, changed_at,"
            " %s, hash, raw, dictionary_id, run_id from source_record"
            " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s::text[])"
            " on conflict do nothing",
            (source.loaded_at, *key),
        )
        await conn.execute(
            "delete from source_record"
            " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s::text[])",
            key,
        )
    workspace, connection, stream = source.workspace_id.hex, source.connection_id.hex, source.stream
    run = None if loading.run_id is None else loading.run_id.hex
    now = moment(source.loaded_at)
    rows = (
        (
            workspace,
            connection,
            stream,
            id,
            hashes[id],
            packing.pack(raw.body),
            packing.dictionary_id,
            run,
            moment(known[id].first_seen_at) if id in known else now,
            now,
        )
        for id, raw in mapped.stored.items()
    )
    await copy(conn, "source_record", _STORED, rows)


async def _quarantine(
    conn: Conn,
    loading: Loading,
    source: Source,
    mapped: Mapped,
    given: dict[str, RawRecord],
    hashes: dict[str, bytes],
) -> None:
    """Set aside what can't be mapped; what could be mapped now is out of quarantine."""
    if mapped.stored:
        await conn.execute(
            "update quarantine set resolved_at = %s"
            " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s::text[])"
            " and resolved_at is null",
            (
                source.loaded_at,
                loading.workspace_id,
                loading.connection_id,
                loading.stream.name,
                texts(mapped.stored),
            ),
        )
    plain = Packing(None, None)
    for id, reason in mapped.refused.items():
        await conn.execute(
            "insert into quarantine as q (workspace_id, connection_id, stream, external_id, hash, raw, reason,"
            " run_id, first_at, last_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " on conflict (workspace_id, connection_id, stream, external_id) do update"
            " set hash = excluded.hash, raw = excluded.raw, reason = excluded.reason, run_id = excluded.run_id,"
            " last_at = excluded.last_at, attempts = q.attempts + 1, resolved_at = null",
            (
                loading.workspace_id,
                loading.connection_id,
                loading.stream.name,
                id,
                hashes[id],
                plain.pack(given[id].body),
                reason,
                loading.run_id,
                source.loaded_at,
                source.loaded_at,
            ),
        )
