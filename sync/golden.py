"""Golden records as people steer them: fields pinned by hand, and rules of choice with a look at their effect.

No figure depends on any of this: figures count records, and a record stays what it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.database import Database, driver
from schema.enums import ChangeKind, ChangeType
from sync.errors import NotFound, Refused, SettingsProblem
from sync.feed import Changes, append
from sync.identity import reading
from sync.identity.choosing import FIELDS, Rules, rules_of, set_rules
from sync.identity.golden import choose_anew
from sync.identity.reading import Conn

PINNABLE = (*FIELDS, "kind")
BATCH = 1000
LOOKED_AT = 5000
"""So many clients, those with the newest records, are tried in a preview."""
_SAMPLES = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """A field of a client that would have another value."""

    client_id: UUID
    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class RulesPreview:
    """What rules would do. ``changing``: how many of the clients ``looked_at`` would change, and by field."""

    clients: int
    looked_at: int
    changing: int
    by_field: Mapping[str, int]
    samples: Sequence[Sample]


async def pin(conn: Conn, workspace_id: UUID, client_id: UUID, values: Mapping[str, str], actor: str) -> None:
    """Let these values hold whatever the records say, in the caller's transaction as the loader.

    Raises NotFound."""
    await reading.lock(conn, workspace_id)
    record = await _spokesman(conn, workspace_id, client_id)
    for name, value in values.items():
        await conn.execute(
            "insert into client_pin as p (workspace_id, record_id, field, value, actor) values (%s, %s, %s, %s, %s)"
            " on conflict (workspace_id, record_id, field) do update"
            " set value = excluded.value, actor = excluded.actor, at = clock_timestamp()",
            (workspace_id, record, name, value, actor),
        )
    await _chosen(conn, workspace_id, [client_id])


async def unpin(conn: Conn, workspace_id: UUID, client_id: UUID, fields: Collection[str]) -> bool:
    """Let the rules choose these fields again. Whether any of them was pinned."""
    await reading.lock(conn, workspace_id)
    cursor = await conn.execute(
        "delete from client_pin p using identity_record r where p.workspace_id = %s and p.field = any(%s)"
        " and r.workspace_id = p.workspace_id and r.record_id = p.record_id and r.client_id = %s",
        (workspace_id, list(fields), client_id),
    )
    await _chosen(conn, workspace_id, [client_id])
    return cursor.rowcount > 0


async def _spokesman(conn: Conn, workspace_id: UUID, client_id: UUID) -> UUID:
    """The record to which a pin is bound: the client's founder, or the oldest one that is left."""
    cursor = await conn.execute(
        "select record_id from identity_record where workspace_id = %s and client_id = %s"
        " order by record_id <> client_id, at, record_id limit 1",
        (workspace_id, client_id),
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound("There is no client of that id with any record.")
    record: UUID = row[0]
    return record


async def _chosen(conn: Conn, workspace_id: UUID, clients: Sequence[UUID]) -> None:
    changes = Changes()
    changes.add(
        ChangeType.CLIENT, ChangeKind.CHANGED, await choose_anew(conn, workspace_id, clients, unpinned=True)
    )
    await append(conn, workspace_id, changes)


async def set_golden_rules(
    database: Database, workspace_id: UUID, rules: Rules, author: str, *, within: AsyncConnection | None = None
) -> int:
    """Let these rules hold; `apply_rules` chooses anew. Returns their version. Raises Refused."""
    async with database.within(workspace_id, within) as db:
        return await set_rules(driver(db), workspace_id, rules, author)


async def undo_golden_rules(database: Database, workspace_id: UUID, author: str) -> int:
    """Let the rules hold that held before the present ones, as a new version. Raises Refused if there are none."""
    async with database.workspace(workspace_id) as db:
        conn = driver(db)
        await reading.lock(conn, workspace_id)
        present = await rules_of(conn, workspace_id)
        if present.version == 0:
            sentence = "No rules have been set: there is nothing to take back."
            raise Refused([SettingsProblem(None, sentence, "NO_RULES_TO_UNDO")])
        before = await rules_of(conn, workspace_id, present.version - 1)
        return await set_rules(conn, workspace_id, before, author)


async def apply_rules(database: Database, workspace_id: UUID) -> int:
    """Choose the fields of all clients by the rules in force, a batch in each transaction; a kill in between loses
    nothing, since the same again changes nothing. Returns how many clients changed."""
    after, changed = UUID(int=0), 0
    async with database.workspace(workspace_id) as db:
        version = (await rules_of(driver(db), workspace_id)).version
    while True:
        async with database.loading(workspace_id) as db:
            conn = driver(db)
            await reading.lock(conn, workspace_id)
            batch = await _after(conn, workspace_id, after)
            if not batch:
                await conn.execute(_APPLIED, (workspace_id, version))
                return changed
            anew = await choose_anew(conn, workspace_id, batch)
            changes = Changes()
            changes.add(ChangeType.CLIENT, ChangeKind.CHANGED, anew)
            await append(conn, workspace_id, changes)
        after, changed = batch[-1], changed + len(anew)


async def preview_rules(database: Database, workspace_id: UUID, rules: Rules) -> RulesPreview:
    """What these rules would do: tried, looked at and taken back in one transaction. Raises Refused."""
    async with database.loading(workspace_id) as db:
        conn = driver(db)
        total = (await db.execute(text(_COUNT), {"ws": workspace_id})).scalar_one()
        clients = [id for (id,) in await db.execute(text(_NEWEST), {"ws": workspace_id, "most": LOOKED_AT})]
        async with db.begin_nested() as tried:
            await set_rules(conn, workspace_id, rules, "preview")
            before = await _fields(conn, workspace_id, clients)
            await choose_anew(conn, workspace_id, clients)
            after = await _fields(conn, workspace_id, clients)
            await tried.rollback()
    samples = [
        Sample(id, name, before[id][place], after[id][place])
        for id in clients
        for place, name in enumerate(FIELDS)
        if before[id][place] != after[id][place]
    ]
    by_field = {name: sum(each.field == name for each in samples) for name in FIELDS}
    changing = len({each.client_id for each in samples})
    return RulesPreview(total, len(clients), changing, by_field, samples[:_SAMPLES])


async def _fields(conn: Conn, workspace_id: UUID, clients: Sequence[UUID]) -> dict[UUID, tuple[Any, ...]]:
    cursor = await conn.execute(_VALUES, (workspace_id, list(clients)))
    return {id: tuple(values) for id, *values in await cursor.fetchall()}


async def _after(conn: Conn, workspace_id: UUID, id: UUID) -> list[UUID]:
    cursor = await conn.execute(_NEXT, (workspace_id, id, BATCH))
    return [id for (id,) in await cursor.fetchall()]


_COUNT = "select count(*) from client where workspace_id = :ws and merged_into is null"
_NEWEST = """
select id from client where workspace_id = :ws and merged_into is null order by last_seen_at desc, id limit :most
"""
_NEXT = "select id from client where workspace_id = %s and id > %s and merged_into is null order by id limit %s"
_VALUES = """
select id, name, phone, email, responsible_id::text from client where workspace_id = %s and id = any(%s)
"""
_APPLIED = "update golden_rules set applied_at = clock_timestamp() where workspace_id = %s and version = %s"
