"""Mappings of vendors' own fields to unified ones: a user's settings, in force from the moment they are set.

Every page that is loaded asks for the rules in force, under a lock that a change of the rules waits for: so each
record is mapped by a page that knows the change or by the mapping anew that follows it, and never by neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from core.database import driver
from schema.enums import CustomFieldType, RecordKind
from sync.errors import Refused, SettingsProblem
from sync.field_rules import ACCEPTS, MAPPABLE, FieldRule
from sync.office import Office

Conn = psycopg.AsyncConnection[tuple[Any, ...]]

_LOCK = "hashtextextended('fields ' || %s::uuid, 0)"


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """A mapping as it stands. ``waiting``: stored records are still to be mapped anew for it."""

    connection_id: UUID
    kind: RecordKind
    key: str
    label: str
    target: str
    waiting: bool


async def rules_in_force(conn: Conn, workspace_id: UUID, connection_id: UUID) -> list[FieldRule]:
    """The rules for a connection's records. Until the caller's transaction ends nobody changes them."""
    await conn.execute(f"select pg_advisory_xact_lock_shared({_LOCK})", (connection_id,))
    cursor = await conn.execute(
        "select m.record_kind, m.key, m.target, f.options from field_mapping m left join custom_field f"
        " on f.workspace_id = m.workspace_id and f.connection_id = m.connection_id"
        " and f.record_kind = m.record_kind and f.key = m.key"
        " where m.workspace_id = %s and m.connection_id = %s and m.key is not null"
        " order by m.record_kind, m.target",
        (workspace_id, connection_id),
    )
    return [
        FieldRule(
            RecordKind(kind), key, MAPPABLE[RecordKind(kind)][target],
            {each["value"]: each["label"] for each in options or ()},
        )
        for kind, key, target, options in await cursor.fetchall()
        if target in MAPPABLE.get(RecordKind(kind), {})
    ]  # fmt: skip


async def list_mappings(office: Office, workspace_id: UUID, connection_id: UUID) -> list[FieldMapping]:
    async with office.database.workspace(workspace_id) as db:
        cursor = await driver(db).execute(
            "select m.connection_id, m.record_kind, m.key, coalesce(f.label, m.key), m.target, m.pending <> '{}'"
            " from field_mapping m left join custom_field f on f.workspace_id = m.workspace_id"
            " and f.connection_id = m.connection_id and f.record_kind = m.record_kind and f.key = m.key"
            " where m.workspace_id = %s and m.connection_id = %s and m.key is not null"
            " order by m.record_kind, m.target",
            (workspace_id, connection_id),
        )
        return [FieldMapping(id, RecordKind(kind), *rest) for id, kind, *rest in await cursor.fetchall()]


async def set_mapping(
    office: Office, workspace_id: UUID, connection_id: UUID, kind: RecordKind, key: str, target: str, actor: str
) -> None:
    """Let the vendor's field ``key`` fill the unified field ``target`` of the connection's records from now on, in
    place of another one that did. Stored records wait to be mapped anew. Raises Refused."""
    await rule_for(office, workspace_id, connection_id, kind, key, target)
    async with office.database.workspace(workspace_id) as db:
        conn = driver(db)
        await conn.execute(f"select pg_advisory_xact_lock({_LOCK})", (connection_id,))
        await conn.execute(
            "insert into field_mapping as m (workspace_id, connection_id, record_kind, target, key, pending, actor)"
            " values (%s, %s, %s, %s, %s, array[%s], %s)"
            " on conflict (workspace_id, connection_id, record_kind, target) do update set key = excluded.key,"
            " actor = excluded.actor, changed_at = clock_timestamp(), pending = array(select distinct p"
            " from unnest(m.pending || m.key || excluded.key) p where p is not null)"
            " where m.key is distinct from excluded.key",
            (workspace_id, connection_id, kind.value, target, key, key, actor),
        )


async def remove_mapping(
    office: Office, workspace_id: UUID, connection_id: UUID, kind: RecordKind, target: str, actor: str
) -> bool:
    """Take a mapping back. Stored records wait to be mapped anew, without it. False if there is none."""
    async with office.database.workspace(workspace_id) as db:
        conn = driver(db)
        await conn.execute(f"select pg_advisory_xact_lock({_LOCK})", (connection_id,))
        cursor = await conn.execute(
            "update field_mapping set pending = array(select distinct p from unnest(pending || key) p), key = null,"
            " actor = %s, changed_at = clock_timestamp() where workspace_id = %s and connection_id = %s"
            " and record_kind = %s and target = %s and key is not null",
            (actor, workspace_id, connection_id, kind.value, target),
        )
        return cursor.rowcount == 1


async def rule_for(
    office: Office, workspace_id: UUID, connection_id: UUID, kind: RecordKind, key: str, target: str
) -> FieldRule:
    """The rule that a mapping would be. Raises Refused where the two fields don't fit."""
    mappable = MAPPABLE.get(kind)
    if mappable is None:
        raise _refused("type", "NOT_MAPPABLE", f"Fields of {kind.value} records can't be filled.", kind=kind.value)
    if target not in mappable:
        known = ", ".join(mappable)
        sentence = f"{kind.value} has no field {target!r} to fill; it has {known}."
        raise _refused("fills", "NOT_MAPPABLE_FIELD", sentence, kind=kind.value, field=target, known=known)
    async with office.database.workspace(workspace_id) as db:
        cursor = await driver(db).execute(
            "select type, options, label from custom_field"
            " where workspace_id = %s and connection_id = %s and record_kind = %s and key = %s",
            (workspace_id, connection_id, kind.value, key),
        )
        row = await cursor.fetchone()
    if row is None:
        sentence = f"The account has no field {key!r} of {kind.value} records."
        raise _refused("key", "NO_SUCH_CUSTOM_FIELD", sentence, kind=kind.value, key=key)
    if CustomFieldType(row[0]) not in ACCEPTS[mappable[target].holds]:
        fitting = ", ".join(sorted(ACCEPTS[mappable[target].holds]))
        sentence = f"«{row[2]}» is of type {row[0]}; {target} can be filled from {fitting}."
        raise _refused("fills", "TYPES_DIFFER", sentence, label=row[2], type=row[0], field=target, fitting=fitting)
    return FieldRule(kind, key, mappable[target], {each["value"]: each["label"] for each in row[1] or ()})


async def waiting_keys(conn: Conn, workspace_id: UUID, connection_id: UUID) -> dict[RecordKind, list[str]]:
    """The vendor's fields whose stored records are to be mapped anew, by the kind of record."""
    cursor = await conn.execute(
        "select record_kind, array_agg(distinct p) from field_mapping, unnest(pending) p"
        " where workspace_id = %s and connection_id = %s group by record_kind order by record_kind",
        (workspace_id, connection_id),
    )
    return {RecordKind(kind): keys for kind, keys in await cursor.fetchall()}


async def settled(
    conn: Conn, workspace_id: UUID, connection_id: UUID, kind: RecordKind, keys: Sequence[str]
) -> None:
    """The records with these fields are mapped by the rules in force: for them nothing waits any more."""
    await conn.execute(
        "update field_mapping set pending = array(select p from unnest(pending) p where p <> all(%s))"
        " where workspace_id = %s and connection_id = %s and record_kind = %s",
        (list(keys), workspace_id, connection_id, kind.value),
    )
    await conn.execute(
        "delete from field_mapping"  # what was taken back, and is undone everywhere
        " where workspace_id = %s and connection_id = %s and key is null and pending = '{}'",
        (workspace_id, connection_id),
    )


def _refused(argument: str, code: str, sentence: str, /, **values: object) -> Refused:
    return Refused([SettingsProblem(argument, sentence, code, values)])
