"""The way of a page: hash first, decode and write only what changed, all in the caller's transaction.

Unchanged records cost one comparison of hashes and no write. New and changed ones are mapped, told to identity,
and replaced in their tables by COPY; former states of source records are kept as versions; what can't be mapped
goes to quarantine. The clients that are touched are marked, so that their figures get settled.
This is the one module that works as the loader role (PostgreSQL refuses COPY FROM under row-level security), so
every statement names the workspace itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import orjson
import psycopg
import structlog
import xxhash
from psycopg import sql

from connectors.contract import ConnectorSettings, RawRecord, Skip, Stream
from connectors.errors import BadRecord
from core import clock
from reports.counts import settle_spend, settle_visits
from reports.settle import mark, settle_orphans
from schema.enums import ChangeKind, ChangeType, RecordKind
from schema.ids import campaign_id, record_id
from schema.records import AdSpendRecord, CampaignRecord
from sync.feed import Changes, append, type_of
from sync.identity import absorb, candidate_of, refresh_golden
from sync.marketing import (
    known_campaigns,
    write_assignments,
    write_campaigns,
    write_named_campaigns,
    write_spend,
)
from sync.packing import Packing, packing_of, unpack
from sync.rows import TARGETS, Placed, Row, Source, Target, together
from sync.writeback.intents import intend

log = structlog.get_logger(__name__)

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


@dataclass(frozen=True, slots=True)
class Loading:
    """What loading needs to know: whose records these are, and how to map them."""

    workspace_id: UUID
    connection_id: UUID
    run_id: UUID | None
    region: str
    stream: Stream[Any]
    settings: ConnectorSettings


@dataclass(frozen=True, slots=True)
class _Known:
    hash: bytes
    first_seen_at: datetime
    deleted: bool


@dataclass(slots=True)
class Mapped:
    """A page sorted into what becomes of each record."""

    stored: dict[str, RawRecord] = field(default_factory=dict)
    placed: dict[type[Any], dict[UUID, Placed]] = field(default_factory=lambda: defaultdict(dict))
    campaigns: list[CampaignRecord] = field(default_factory=list)
    spend: list[tuple[str, AdSpendRecord]] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)

    def of(self, *kinds: RecordKind) -> list[Placed]:
        return [
            placed
            for kind, (name, _) in TARGETS.items()
            if name in kinds
            for placed in self.placed.get(kind, {}).values()
        ]

    def campaign_ids(self) -> set[UUID]:
        """The campaigns that a cabinet itself tells of, or of whose cost it does."""
        own = {campaign_id(each.platform, each.external_id) for each in self.campaigns}
        return own | {campaign_id(each.platform, each.campaign) for _, each in self.spend}


async def load_page(conn: Conn, loading: Loading, page: Sequence[RawRecord]) -> Counts:
    """Bring one page of raw records into the tables. The caller commits, together with the cursor."""
    given = {raw.external_id: raw for raw in page}  # told twice in one page: the last word holds
    hashes = {id: _hash(raw.body, loading.stream.volatile) for id, raw in given.items()}
    known = await _known(conn, loading, list(given))
    fresh = given.keys() - known.keys()
    changed = {id for id in known if known[id].hash != hashes[id] or known[id].deleted}
    counts = Counts(fetched=len(page), unchanged=len(page) - len(fresh) - len(changed))
    if not fresh and not changed:
        return counts
    mapped = map_records(loading, [raw for id, raw in given.items() if id in fresh or id in changed])
    source = Source(loading.workspace_id, loading.connection_id, loading.stream.name, loading.region, clock.now())
    gone = [id for id in mapped.skipped if id in changed]
    changes = Changes()
    if gone:  # what used to be a record of ours is left out from now on; its former state tells what it was
        await _retire(conn, loading, gone, changes)
    await _store(conn, loading, source, mapped, known, hashes)
    await _quarantine(conn, loading, source, mapped, given, hashes)
    await _write(conn, loading, source, mapped, changes)
    await append(conn, loading.workspace_id, changes)
    kept = mapped.stored.keys() - mapped.skipped
    return counts + Counts(
        created=len(fresh & kept),
        updated=len(changed & kept),
        skipped=len(mapped.skipped),
        quarantined=len(mapped.refused),
    )


def map_records(loading: Loading, page: Iterable[RawRecord]) -> Mapped:
    """Map raw records; one that can't be understood is set aside with the reason and stops nothing."""
    mapped = Mapped()
    for raw in page:
        try:
            records = loading.stream.map(loading.settings, raw.body)
        except BadRecord as error:
            mapped.refused[raw.external_id] = error.sentence
            continue
        except msgspec.MsgspecError as error:
            mapped.refused[raw.external_id] = f"The record has another shape than documented: {error}."
            continue
        except (ValueError, KeyError, TypeError, ArithmeticError, AttributeError) as error:
            log.warning("mapping.failed", stream=loading.stream.name, error=type(error).__name__)
            mapped.refused[raw.external_id] = f"The mapping failed on it ({type(error).__name__}: {error})."
            continue
        mapped.stored[raw.external_id] = raw
        if isinstance(records, Skip):
            mapped.skipped.add(raw.external_id)
            continue
        for record in records:
            _place(mapped, loading, raw.external_id, record)
    return mapped


def _place(mapped: Mapped, loading: Loading, source_id: str, record: Any) -> None:
    if isinstance(record, CampaignRecord):
        mapped.campaigns.append(record)
    elif isinstance(record, AdSpendRecord):
        mapped.spend.append((source_id, record))
    else:
        kind, target = TARGETS[type(record)]
        id = record_id(loading.connection_id, kind, record.external_id)
        told = mapped.placed[type(record)]
        if target.pieced and id in told:
            record = together(told[id].record, record)
            source_id = min(source_id, told[id].source_id)
        told[id] = Placed(id, source_id, record)


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
            " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s)"
            " and deleted_at is null returning external_id, raw, dictionary_id",
            (
                clock.now(),
                loading.workspace_id,
                loading.connection_id,
                loading.stream.name,
                list(external_ids),
            ),
        )
    ).fetchall()
    raws = [
        RawRecord(id, await unpack(conn, loading.workspace_id, raw, dictionary)) for id, raw, dictionary in rows
    ]
    mapped = map_records(loading, raws)
    for kind, placed in mapped.placed.items():
        of_kind, target = TARGETS[kind]
        returning = sql.Identifier("client_id") if target.of_client else sql.SQL("null::uuid")
        ended = await (
            await conn.execute(
                sql.SQL(
                    "update {} set deleted_at = %s where workspace_id = %s and id = any(%s)"
                    " and deleted_at is null returning id, {}"
                ).format(sql.Identifier(target.table), returning),
                (clock.now(), loading.workspace_id, list(placed)),
            )
        ).fetchall()
        clients = {client for _, client in ended if client}
        await mark(conn, loading.workspace_id, clients, "deleted")
        changes.add(type_of(of_kind), ChangeKind.DELETED, [id for id, _ in ended])
        changes.add(ChangeType.CLIENT, ChangeKind.CHANGED, sorted(clients))
    await _settle_unowned(conn, loading.workspace_id, mapped)
    return len(rows)


def _hash(body: bytes, volatile: frozenset[str]) -> bytes:
    """xxh3-128 of the vendor's own bytes; of a canonical form without the volatile fields where there are some."""
    if volatile:
        fields = orjson.loads(body)
        body = orjson.dumps({k: v for k, v in fields.items() if k not in volatile}, option=orjson.OPT_SORT_KEYS)
    return xxhash.xxh3_128_digest(body)


async def _known(conn: Conn, loading: Loading, ids: list[str]) -> dict[str, _Known]:
    rows = await (
        await conn.execute(
            "select external_id, hash, first_seen_at, deleted_at is not null from source_record"
            " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s)",
            (loading.workspace_id, loading.connection_id, loading.stream.name, ids),
            binary=True,
        )
    ).fetchall()
    return {id: _Known(hash, first, deleted) for id, hash, first, deleted in rows}


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
        key = (loading.workspace_id, loading.connection_id, loading.stream.name, replaced)
        await conn.execute(
            "insert into source_version (workspace_id, connection_id, stream, external_id, learnt_at,"
            " superseded_at, hash, raw, dictionary_id, run_id)"
            " select workspace_id, connection_id, stream, external_id, changed_at,"
            " %s, hash, raw, dictionary_id, run_id from source_record"
            " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s)"
            " on conflict do nothing",
            (source.loaded_at, *key),
        )
        await conn.execute(
            "delete from source_record"
            " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s)",
            key,
        )
    async with (
        conn.cursor() as cursor,
        cursor.copy(
            "copy source_record (workspace_id, connection_id, stream, external_id, hash, raw, dictionary_id,"
            " run_id, first_seen_at, changed_at, deleted_at) from stdin"
        ) as copy,
    ):
        for id, raw in mapped.stored.items():
            await copy.write_row(
                (
                    loading.workspace_id,
                    loading.connection_id,
                    loading.stream.name,
                    id,
                    hashes[id],
                    packing.pack(raw.body),
                    packing.dictionary_id,
                    loading.run_id,
                    known[id].first_seen_at if id in known else source.loaded_at,
                    source.loaded_at,
                    None,
                )
            )


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
            " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s)"
            " and resolved_at is null",
            (
                source.loaded_at,
                loading.workspace_id,
                loading.connection_id,
                loading.stream.name,
                list(mapped.stored),
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


async def _write(conn: Conn, loading: Loading, source: Source, mapped: Mapped, changes: Changes) -> None:
    """Identity first, so that rows are written with their client; then rows, golden records and marks."""
    everything = [placed for kind in mapped.placed.values() for placed in kind.values()]
    candidates = [
        candidate
        for placed in everything
        if (candidate := candidate_of(placed.record, loading.connection_id, loading.region)) is not None
    ]
    outcome = await absorb(conn, loading.workspace_id, candidates, loading.run_id)
    clients = dict(outcome.clients) | await _clients_of_deals(conn, loading, mapped.of(RecordKind.DEAL))
    nobodys = await _deals_of_nobody(conn, loading, mapped.of(RecordKind.DEAL))
    named = await write_named_campaigns(conn, source, [placed.record for placed in everything])
    changes.add(ChangeType.CAMPAIGN, ChangeKind.CREATED, named)
    if mapped.campaigns or mapped.spend:
        ids = mapped.campaign_ids()
        known = await known_campaigns(conn, source, list(ids))
        changes.add(ChangeType.CAMPAIGN, ChangeKind.CREATED, ids - known)
        changes.add(ChangeType.CAMPAIGN, ChangeKind.CHANGED, ids & known)
    if mapped.campaigns:
        await write_campaigns(conn, source, mapped.campaigns)
    for kind, placed in mapped.placed.items():
        of_kind, target = TARGETS[kind]
        for what, done in (await _replace(conn, source, target, list(placed.values()), clients)).items():
            changes.add(type_of(of_kind), what, done)
    await write_assignments(conn, source, mapped.of(RecordKind.CONTACT, RecordKind.COMPANY))
    touched = set(outcome.touched) | {client for client in clients.values() if client is not None}
    await refresh_golden(conn, loading.workspace_id, sorted(touched), loading.run_id)
    await mark(conn, loading.workspace_id, touched | outcome.unowned | nobodys, "late_data")
    changes.add_identity(outcome, touched)
    await _settle_unowned(conn, loading.workspace_id, mapped)
    if mapped.spend:
        days = await write_spend(conn, source, mapped.spend, loading.run_id)
        await settle_spend(conn, loading.workspace_id, days)
    await intend(conn, loading, source.loaded_at, everything)


async def _clients_of_deals(conn: Conn, loading: Loading, deals: list[Placed]) -> dict[UUID, UUID | None]:
    """Whose a deal is: the company's that it names, else the contact's, else the lead's."""
    named = {
        placed.id: [
            record_id(loading.connection_id, kind, external_id)
            for kind, external_id in (
                (RecordKind.COMPANY, placed.record.company),
                (RecordKind.CONTACT, placed.record.contact),
                (RecordKind.LEAD, placed.record.lead),
            )
            if external_id is not None
        ]
        for placed in deals
    }
    wanted = [id for ids in named.values() for id in ids]
    if not wanted:
        return {}
    rows = await (
        await conn.execute(
            "select record_id, client_id from identity_record where workspace_id = %s and record_id = any(%s)",
            (loading.workspace_id, wanted),
        )
    ).fetchall()
    owner = {record: client for record, client in rows if client is not None}
    return {deal: next((owner[id] for id in ids if id in owner), None) for deal, ids in named.items()}


async def _deals_of_nobody(conn: Conn, loading: Loading, deals: list[Placed]) -> set[UUID]:
    """Those of the deals that stand here without a client: they were counted by themselves until now."""
    if not deals:
        return set()
    cursor = await conn.execute(
        "select id from deal where workspace_id = %s and id = any(%s) and client_id is null",
        (loading.workspace_id, [deal.id for deal in deals]),
    )
    return {id for (id,) in await cursor.fetchall()}


async def _replace(
    conn: Conn, source: Source, target: Target, placed: list[Placed], clients: dict[UUID, UUID | None]
) -> dict[ChangeKind, list[UUID]]:
    """Write rows by COPY; a row that stands there gives way, unless it is of a newer version. Returns what that
    did to which records."""
    table = sql.Identifier(target.table)
    standing = await (
        await conn.execute(
            sql.SQL("select id, updated_at from {} where workspace_id = %s and id = any(%s)").format(table),
            (source.workspace_id, [each.id for each in placed]),
            binary=True,
        )
    ).fetchall()
    told = {each.id: each.record.updated_at for each in placed}
    newer = {id for id, version in standing if version and (new := told[id]) is not None and new < version}
    give_way = [id for id, _ in standing if id not in newer]
    columns = sql.SQL(", ").join(map(sql.Identifier, target.columns))
    former: dict[UUID, Row] = {}
    if give_way:
        cursor = await conn.execute(
            sql.SQL("delete from {} where workspace_id = %s and id = any(%s) returning id, {}").format(
                table, columns if target.pieced else sql.SQL("null")
            ),
            (source.workspace_id, give_way),
        )
        former = {id: tuple(row) for id, *row in await cursor.fetchall()}
    async with (
        conn.cursor() as cursor,
        cursor.copy(sql.SQL("copy {} ({}) from stdin").format(table, columns)) as copy,
    ):
        for each in placed:
            if each.id in newer:
                continue
            row = target.row(each, source, clients.get(each.id))
            if target.pieced and each.id in former:
                row = target.pieced_together(row, former[each.id])
            await copy.write_row(row)

    done: dict[ChangeKind, list[UUID]] = defaultdict(list)
    stood = {id for id, _ in standing}
    for each in placed:
        if each.id not in newer:
            kind = ChangeKind.CHANGED if each.id in stood else ChangeKind.CREATED
            done[ChangeKind.DELETED if each.record.deleted else kind].append(each.id)
    return done


async def _settle_unowned(conn: Conn, workspace_id: UUID, mapped: Mapped) -> None:
    """Visits are counted by their own origin, and calls, leads and deals that are nobody's by theirs: no client's
    mark would bring them into the figures."""
    visits = mapped.of(RecordKind.VISIT)
    if visits:
        await settle_visits(conn, workspace_id, [placed.id for placed in visits])
    told = mapped.of(RecordKind.CALL, RecordKind.LEAD, RecordKind.DEAL)
    if told:
        await settle_orphans(conn, workspace_id, [placed.id for placed in told])
