"""What mapping a vendor's own field does to stored records: looked at before, done after. Nothing is fetched."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from connectors.contract import RawRecord, Stream
from core.database import driver
from schema.enums import RecordKind
from sync.connections import Opened, open_connection
from sync.field_mappings import rule_for, rules_in_force, settled, waiting_keys
from sync.field_rules import FieldRule, NotUnderstood, applied, filled, understood
from sync.load import map_again
from sync.mapped import Loading, map_records
from sync.office import Office
from sync.packing import unpack
from sync.settling import settle_marked
from sync.targets import TARGETS

Conn = psycopg.AsyncConnection[tuple[Any, ...]]

LOOKED_AT = 2000
"""How many of the newest records a preview maps."""
_BATCH = 500
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """One record that would change: its id there, the vendor's value, and the unified field's."""

    external_id: str
    value: Any
    before: str | None
    after: str | None


@dataclass(slots=True)
class MappingPreview:
    """What a mapping would do. ``records`` have the vendor's field; of the ``looked_at`` newest of them
    ``changing`` would change, and ``not_understood`` have a value that the unified field can't hold."""

    records: int = 0
    looked_at: int = 0
    changing: int = 0
    not_understood: int = 0
    samples: list[Sample] = field(default_factory=list)


async def preview_mapping(
    office: Office, workspace_id: UUID, connection_id: UUID, kind: RecordKind, key: str, target: str
) -> MappingPreview:
    """Map stored records with and without a mapping, and compare. Raises Refused where the fields don't fit."""
    rule = await rule_for(office, workspace_id, connection_id, kind, key, target)
    opened = await open_connection(office, workspace_id, connection_id)
    found = MappingPreview()
    async with office.database.loading(workspace_id) as db:
        conn = driver(db)
        rules = await rules_in_force(conn, workspace_id, connection_id)
        others = [each for each in rules if (each.kind, each.target.name) != (kind, target)]
        for stream in _streams(opened, kind):
            ids = await _records_with(conn, opened, kind, [key], stream.name)
            found.records += len(ids)
            for raw in await _raws(conn, opened, stream.name, ids[: LOOKED_AT - found.looked_at]):
                found.looked_at += 1
                mapped = map_records(_loading(opened, stream), [raw])
                for each in mapped.of(kind):
                    _compare(found, each.record, rule, (rules, [*others, rule]))
    return found


async def map_waiting(office: Office, opened: Opened, stop: asyncio.Event | None = None) -> int:
    """Map the stored records anew that changed mappings are about; cut off anywhere, it is begun again. Returns how
    many records were mapped."""
    workspace_id, connection_id = opened.workspace_id, opened.id
    count = 0
    async with office.database.loading(workspace_id) as db:
        waiting = await waiting_keys(driver(db), workspace_id, connection_id)
    for kind, keys in waiting.items():
        for stream in _streams(opened, kind):
            async with office.database.loading(workspace_id) as db:
                ids = await _records_with(driver(db), opened, kind, keys, stream.name)
            for start in range(0, len(ids), _BATCH):
                if stop is not None and stop.is_set():
                    return count
                async with office.database.loading(workspace_id) as db:
                    count += await map_again(driver(db), _loading(opened, stream), ids[start : start + _BATCH])
        async with office.database.loading(workspace_id) as db:
            await settled(driver(db), workspace_id, connection_id, kind, keys)
    if count:
        await settle_marked(office.database, workspace_id, None)
    return count


def _compare(
    found: MappingPreview, record: Any, rule: FieldRule, before_after: tuple[list[FieldRule], list[FieldRule]]
) -> None:
    value = (record.custom or {}).get(rule.key)
    if value is None:
        return
    try:
        understood(rule, value)
    except NotUnderstood:
        found.not_understood += 1
    before, after = (filled(rule, applied(rule.kind, record, rules)) for rules in before_after)
    if before == after:
        return
    found.changing += 1
    if len(found.samples) < _SHOWN:
        found.samples.append(Sample(record.external_id, value, _told(before), _told(after)))


def _told(value: Any) -> str | None:
    if isinstance(value, tuple):
        return ", ".join(value) or None
    return None if value is None else str(value)


def _streams(opened: Opened, kind: RecordKind) -> list[Stream[Any]]:
    return [stream for stream in opened.connector.streams if kind in stream.makes]


def _loading(opened: Opened, stream: Stream[Any]) -> Loading:
    return Loading(opened.workspace_id, opened.id, None, opened.region, stream, opened.settings)


async def _records_with(conn: Conn, opened: Opened, kind: RecordKind, keys: list[str], stream: str) -> list[str]:
    """The source records, newest first, of which a record of the kind has one of the fields."""
    table = next(target.table for of, target in TARGETS.values() if of is kind)
    cursor = await conn.execute(
        sql.SQL(
            "select source_id from {} where workspace_id = %s and connection_id = %s and stream = %s"
            " and custom ?| %s group by source_id order by max(loaded_at) desc, source_id"
        ).format(sql.Identifier(table)),
        (opened.workspace_id, opened.id, stream, keys),
    )
    return [id for (id,) in await cursor.fetchall()]


async def _raws(conn: Conn, opened: Opened, stream: str, ids: list[str]) -> list[RawRecord]:
    cursor = await conn.execute(
        "select external_id, raw, dictionary_id from source_record"
        " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s)",
        (opened.workspace_id, opened.id, stream, ids),
    )
    return [
        RawRecord(id, await unpack(conn, opened.workspace_id, raw, dictionary))
        for id, raw, dictionary in await cursor.fetchall()
    ]
