"""The fields that accounts have of their own: what the vendor lists, what records show, and what became of them.

The vendor's list is read once an hour at most, and again when records show a key that wasn't known. What is new,
gone, renamed or of another type since is kept with its date and told as a warning of the run: a changed schema of a
vendor is news, and no failure.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import orjson
import psycopg
import structlog
from psycopg import sql
from psycopg.types.json import Jsonb

from connectors.contract import CustomField, Position
from connectors.errors import AuthFailed, BadSettings, NotReady, QuotaExhausted, RateLimited, VendorError
from core import clock
from core.database import driver
from schema.enums import CustomFieldType, RecordKind, SchemaChangeKind
from sync.connections import Opened, open_connection, session
from sync.mapped import Loading, Mapped
from sync.office import Office
from sync.targets import TARGETS
from sync.vendor import VendorClient

log = structlog.get_logger(__name__)
Conn = psycopg.AsyncConnection[tuple[Any, ...]]

EVERY = timedelta(hours=1)
"""How often the vendor is asked for its fields, unless something unknown turns up."""
SAMPLED = 2000
"""How many of the newest records of a kind are looked at for samples and the share that is filled."""
_SAMPLES = 5
_LONGEST_SAMPLE = 200
_GUESSED_FROM = 20
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")
_PLURALS = {"company": "companies"}
_HELD_UP = (AuthFailed, BadSettings, QuotaExhausted, RateLimited, NotReady)
"""Trouble with the account as a whole: it ends the run, here as elsewhere."""

FieldKey = tuple[RecordKind, str]


@dataclass(frozen=True, slots=True)
class _Known:
    label: str
    type: CustomFieldType
    multiple: bool
    options: list[dict[str, str]]
    declared: bool
    first_seen_at: datetime
    gone: bool


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One change of an account's own fields."""

    kind: RecordKind
    key: str
    change: SchemaChangeKind
    label: str
    before: str | None = None
    after: str | None = None

    @property
    def sentence(self) -> str:
        """The change in a sentence for people."""
        of = _PLURALS.get(self.kind.value, f"{self.kind.value}s").replace("_", " ").capitalize()
        field = f"«{self.label}»" if self.label == self.key else f"«{self.label}» ({self.key})"
        match self.change:
            case SchemaChangeKind.ADDED:
                return f"{of} have a new field {field}: {self.after}."
            case SchemaChangeKind.REMOVED:
                return f"{of} have no field {field} any more."
            case SchemaChangeKind.RETURNED:
                return f"{of} have the field {field} again."
            case SchemaChangeKind.RENAMED:
                return f"{of}: the field {field} was called «{self.before}»."
            case SchemaChangeKind.RETYPED:
                return f"{of}: the field {field} was of type {self.before} and is of type {self.after} now."
            case SchemaChangeKind.OPTIONS_CHANGED:
                return f"{of}: the field {field} offers another choice: {self.after}."


# --- what records show


async def note_fields(conn: Conn, loading: Loading, mapped: Mapped) -> None:
    """Keep the keys that a page's records have. The caller commits."""
    seen = _keys_of(mapped)
    if not seen:
        return
    cursor = await conn.execute(
        "select record_kind, key, last_seen_at < %s from custom_field"
        " where workspace_id = %s and connection_id = %s",
        (clock.now() - EVERY, loading.workspace_id, loading.connection_id),
    )
    known = {(RecordKind(kind), key): stale for kind, key, stale in await cursor.fetchall()}
    now = clock.now()
    for (kind, key), values in sorted(seen.items()):
        if (kind, key) not in known:
            guessed, multiple = guess(values)
            await conn.execute(
                "insert into custom_field (workspace_id, connection_id, record_kind, key, label, type, multiple,"
                " declared, first_seen_at, last_seen_at) values (%s, %s, %s, %s, %s, %s, %s, false, %s, %s)"
                " on conflict do nothing",
                (
                    *(loading.workspace_id, loading.connection_id, kind.value, key, key),
                    *(guessed.value, multiple, now, now),
                ),
            )
    stale = sorted(key for key in seen if known.get(key))
    if stale:
        await conn.execute(
            "update custom_field set last_seen_at = %s where workspace_id = %s and connection_id = %s"
            " and (record_kind, key) in (select * from unnest(%s::text[], %s::text[]))",
            (
                *(now, loading.workspace_id, loading.connection_id),
                *([kind.value for kind, _ in stale], [key for _, key in stale]),
            ),
        )


def guess(values: Sequence[Any]) -> tuple[CustomFieldType, bool]:
    """What a field's values are, and whether it holds several, where only its values tell."""
    multiple = any(isinstance(value, list) for value in values)
    single = [each for value in values for each in (value if isinstance(value, list) else [value])]
    types = {_type_of(each) for each in single if each is not None}
    if len(types) == 1:
        return types.pop(), multiple
    return (CustomFieldType.OTHER if CustomFieldType.OTHER in types else CustomFieldType.TEXT), multiple


def _keys_of(mapped: Mapped) -> dict[FieldKey, list[Any]]:
    seen: dict[FieldKey, list[Any]] = defaultdict(list)
    for record_type, placed in mapped.placed.items():
        kind, _ = TARGETS[record_type]
        for each in placed.values():
            for key, value in (each.record.custom or {}).items():
                values = seen[kind, key]
                if len(values) < _GUESSED_FROM:
                    values.append(value)
    return seen


def _type_of(value: Any) -> CustomFieldType:
    match value:
        case bool():
            return CustomFieldType.BOOLEAN
        case int() | float():
            return CustomFieldType.NUMBER
        case str() if _DAY.fullmatch(value):
            return CustomFieldType.DATE
        case str() if _MOMENT.fullmatch(value):
            return CustomFieldType.DATETIME
        case str() if value.startswith(("http://", "https://")):
            return CustomFieldType.URL
        case str():
            return CustomFieldType.TEXT
    return CustomFieldType.OTHER


# --- what the vendor lists


async def fields_due(conn: Conn, opened: Opened) -> bool:
    """Whether the account's fields are to be looked at: they were not for an hour, or a key is new."""
    cursor = await conn.execute(
        "select fields_read_at is null or fields_read_at < %s or exists(select from custom_field f"
        " where f.workspace_id = c.workspace_id and f.connection_id = c.id and not f.declared"
        " and f.first_seen_at > c.fields_read_at) from connection c where workspace_id = %s and id = %s",
        (clock.now() - EVERY, opened.workspace_id, opened.id),
    )
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def look_at_fields(
    office: Office, opened: Opened, client: VendorClient[Any], run_id: UUID | None
) -> list[SchemaChange]:
    """Ask the vendor for the account's own fields, compare them with what was known, and keep both. The changes are
    told as warnings of the run. Trouble with the account as a whole is raised; other trouble is a warning too,
    unless there is no run to tell it."""
    warnings: list[str] = []
    declared = None
    try:
        declared = await _declared(opened, client)
    except _HELD_UP:
        raise
    except VendorError as error:
        if run_id is None:
            raise
        warnings.append(f"The account's own fields could not be read: {error.sentence}")
    except msgspec.MsgspecError as error:
        warnings.append(f"The account's own fields have another shape than documented: {error}.")
    async with office.database.loading(opened.workspace_id) as db:
        conn = driver(db)
        found = await _compare(conn, opened, declared, run_id)
        await _keep_changes(conn, opened, found, run_id)
        await _map_again(conn, opened, found)
        warnings += [each.sentence for each in found]
        if run_id is not None and warnings:
            await conn.execute(
                "update sync_run set warnings = warnings || %s::text[] where workspace_id = %s and id = %s",
                (warnings, opened.workspace_id, run_id),
            )
    for each in found:
        log.info("schema.changed", kind=each.kind.value, key=each.key, change=each.change.value)
    return found


async def refresh_fields(office: Office, workspace_id: UUID, connection_id: UUID) -> list[SchemaChange]:
    """Look at an account's own fields now, outside of a run. Raises VendorError."""
    opened = await open_connection(office, workspace_id, connection_id)
    async with session(office, opened) as client:
        return await look_at_fields(office, opened, client, None)


async def _declared(opened: Opened, client: VendorClient[Any]) -> dict[FieldKey, CustomField] | None:
    """The fields that the vendor lists; None if it lists none of any kind."""
    asked = opened.connector.custom_fields
    if asked is None:
        return None
    found: dict[FieldKey, CustomField] = {}
    position: Position | None = asked.start
    pages: list[str] = []
    while position is not None:
        page = orjson.dumps(position, option=orjson.OPT_SORT_KEYS).decode()
        if page in pages:
            raise VendorError("The pages of the account's own fields lead in a circle.")
        pages.append(page)
        response = await client.send(asked.request(opened.settings, position))
        fields, position = asked.read(opened.settings, position, response)
        found |= {(each.kind, each.key): each for each in fields}
    return found


async def _compare(
    conn: Conn, opened: Opened, declared: Mapping[FieldKey, CustomField] | None, run_id: UUID | None
) -> list[SchemaChange]:
    """Bring the table up to date. What the first reading finds is no change: it is what there is."""
    key = (opened.workspace_id, opened.id)
    now = clock.now()
    cursor = await conn.execute(
        "select fields_read_at, exists(select from sync_run r where r.workspace_id = c.workspace_id"
        " and r.connection_id = c.id and r.state = 'succeeded' and r.id is distinct from %s)"
        " from connection c where workspace_id = %s and id = %s for update",
        (run_id, *key),
    )
    read_at, ever_synced = await cursor.fetchone() or (None, False)
    known = await _known(conn, opened)
    changes: list[SchemaChange] = []
    if read_at is not None and ever_synced:
        changes += [
            SchemaChange(*each, SchemaChangeKind.ADDED, old.label, None, old.type.value)
            for each, old in known.items()
            if not old.declared and old.first_seen_at > read_at and each not in (declared or {})
        ]
    if declared is not None:
        for each, field in declared.items():
            old = known.get(each)
            if old is None or not old.declared:
                new = old is None or (ever_synced and old.first_seen_at > (read_at or old.first_seen_at))
                if new and read_at is not None:
                    changes.append(SchemaChange(*each, SchemaChangeKind.ADDED, field.label, None, _type(field)))
            else:
                changes += _differences(each, old, field)
            await _declare(conn, key, field, now)
        gone = [each for each, old in known.items() if old.declared and not old.gone and each not in declared]
        changes += [SchemaChange(*each, SchemaChangeKind.REMOVED, known[each].label) for each in gone]
        await conn.execute(
            "update custom_field set gone_at = %s where workspace_id = %s and connection_id = %s"
            " and (record_kind, key) in (select * from unnest(%s::text[], %s::text[]))",
            (now, *key, [kind.value for kind, _ in gone], [name for _, name in gone]),
        )
    await conn.execute("update connection set fields_read_at = %s where workspace_id = %s and id = %s", (now, *key))
    return changes


async def _known(conn: Conn, opened: Opened) -> dict[FieldKey, _Known]:
    cursor = await conn.execute(
        "select record_kind, key, label, type, multiple, options, declared, first_seen_at, gone_at is not null"
        " from custom_field where workspace_id = %s and connection_id = %s order by record_kind, key",
        (opened.workspace_id, opened.id),
    )
    return {
        (RecordKind(kind), key): _Known(
            label, CustomFieldType(of_type), multiple, options or [], declared, seen, gone
        )
        for kind, key, label, of_type, multiple, options, declared, seen, gone in await cursor.fetchall()
    }


def _differences(key: FieldKey, old: _Known, new: CustomField) -> Iterable[SchemaChange]:
    if old.gone:
        yield SchemaChange(*key, SchemaChangeKind.RETURNED, new.label)
    if old.label != new.label:
        yield SchemaChange(*key, SchemaChangeKind.RENAMED, new.label, old.label, new.label)
    before = f"{old.type.value}, several" if old.multiple else old.type.value
    if before != _type(new):
        yield SchemaChange(*key, SchemaChangeKind.RETYPED, new.label, before, _type(new))
    labels = [each["label"] for each in old.options], list(new.options.values())
    if labels[0] != labels[1]:
        told = ["; ".join(each) or "nothing" for each in labels]
        yield SchemaChange(*key, SchemaChangeKind.OPTIONS_CHANGED, new.label, *told)


def _type(field: CustomField) -> str:
    return f"{field.type.value}, several" if field.multiple else field.type.value


async def _declare(conn: Conn, key: tuple[UUID, UUID], field: CustomField, now: datetime) -> None:
    options = [{"value": value, "label": label} for value, label in field.options.items()] or None
    await conn.execute(
        "insert into custom_field (workspace_id, connection_id, record_kind, key, label, type, multiple, options,"
        " declared, first_seen_at, last_seen_at) values (%s, %s, %s, %s, %s, %s, %s, %s, true, %s, %s)"
        " on conflict (workspace_id, connection_id, record_kind, key) do update set label = excluded.label,"
        " type = excluded.type, multiple = excluded.multiple, options = excluded.options, declared = true,"
        " last_seen_at = excluded.last_seen_at, gone_at = null",
        (
            *(*key, field.kind.value, field.key, field.label, field.type.value, field.multiple),
            *(None if options is None else Jsonb(options), now, now),
        ),
    )


async def _keep_changes(conn: Conn, opened: Opened, found: Sequence[SchemaChange], run_id: UUID | None) -> None:
    for each in found:
        await conn.execute(
            "insert into schema_change (workspace_id, id, connection_id, record_kind, key, change, label, before,"
            " after, run_id, at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                *(opened.workspace_id, uuid4(), opened.id, each.kind.value, each.key, each.change.value),
                *(each.label, each.before, each.after, run_id, clock.now()),
            ),
        )


async def _map_again(conn: Conn, opened: Opened, found: Sequence[SchemaChange]) -> None:
    """Records that a mapping fills from a field whose type or options changed are mapped anew."""
    for each in found:
        if each.change in (SchemaChangeKind.RETYPED, SchemaChangeKind.OPTIONS_CHANGED):
            await conn.execute(
                "update field_mapping set pending = array(select distinct unnest(pending || key))"
                " where workspace_id = %s and connection_id = %s and record_kind = %s and key = %s",
                (opened.workspace_id, opened.id, each.kind.value, each.key),
            )


# --- samples


async def sample_fields(office: Office, opened: Opened, run_id: UUID) -> None:
    """Count in how many of the newest records each field has a value, and keep a few values for a look: of all
    fields if the run changed records, else of those that were never counted."""
    async with office.database.loading(opened.workspace_id) as db:
        conn = driver(db)
        cursor = await conn.execute(
            "select distinct f.record_kind from custom_field f join sync_run r"
            " on r.workspace_id = f.workspace_id and r.id = %s where f.workspace_id = %s and f.connection_id = %s"
            " and (f.sampled = 0 or r.created + r.updated + r.deleted > 0)",
            (run_id, opened.workspace_id, opened.id),
        )
        for (kind,) in await cursor.fetchall():
            await conn.execute(
                sql.SQL(_SAMPLING).format(sql.Identifier(RecordKind(kind).table)),
                {
                    "ws": opened.workspace_id,
                    "connection": opened.id,
                    "kind": kind,
                    "newest": SAMPLED,
                    "most": _SAMPLES,
                    "longest": _LONGEST_SAMPLE,
                },
            )


_SAMPLING = """
with newest as materialized (
    select custom from {} where workspace_id = %(ws)s and connection_id = %(connection)s and deleted_at is null
    order by loaded_at desc, id limit %(newest)s
), told as (
    select e.key, count(*) as filled,
        to_jsonb((array_agg(distinct e.value) filter (where length(e.value::text) <= %(longest)s))[1:%(most)s])
            as samples
    from newest, jsonb_each(newest.custom) e where e.value <> 'null'::jsonb group by e.key
)
update custom_field f set sampled = (select count(*) from newest), filled = coalesce(told.filled, 0),
    samples = told.samples
from custom_field of left join told on told.key = of.key
where of.workspace_id = %(ws)s and of.connection_id = %(connection)s and of.record_kind = %(kind)s
    and f.workspace_id = of.workspace_id and f.connection_id = of.connection_id
    and f.record_kind = of.record_kind and f.key = of.key
"""
