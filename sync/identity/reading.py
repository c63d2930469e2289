"""Identity's SQL, the reading half: the neighbourhood of records, a page at a time.

Every statement names the workspace, because the loader's role is bound by no policy. Look-ups go through lateral
subqueries that ``offset 0`` keeps whole: a plan made while the tables were empty must stay one of index look-ups
when they hold millions of rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from sync.identity.clusters import Apart, Member, NodeKey, decision_key
from sync.identity.founding import ClientRow

Conn = psycopg.AsyncConnection[Any]

CAP, OFFICE, LISTED = "cap", "office", "listed"
SAME, APART = "same", "apart"
KEYS: LiteralString = (
    "unnest(%(client_kinds)b::text[], %(kinds)b::text[], %(values)b::text[]) as k (client_kind, kind, value)"
)
_MEMBERS: LiteralString = """
    select r.record_id, r.record_kind, r.client_kind, r.at, r.name, r.client_id, i.kinds, i.values
    from met m
    cross join lateral (
        select * from identity_record
        where workspace_id = %(workspace)s and record_id = m.record_id offset 0
    ) r
    cross join lateral (
        select array_agg(kind) as kinds, array_agg(value) as values from identifier
        where workspace_id = %(workspace)s and record_id = m.record_id offset 0
    ) i
"""
_BY_ID: LiteralString = f"""
    with met as materialized (select distinct record_id from unnest(%(records)s::uuid[]) record_id)
    {_MEMBERS}"""  # noqa: S608  # of constants; values are bound
_BY_KEY: LiteralString = f"""
    with met as materialized (
        select distinct i.record_id from {KEYS} cross join lateral (
            select record_id from identifier
            where workspace_id = %(workspace)s and kind = k.kind and value = k.value
                and client_kind = k.client_kind offset 0
        ) i
        where i.record_id <> all (%(known)s::uuid[])
    )
    {_MEMBERS}"""  # noqa: S608  # of constants; values are bound
_SHARED: LiteralString = f"""
    select s.client_kind, s.kind, s.value, s.reason from {KEYS} cross join lateral (
        select * from shared_key
        where workspace_id = %(workspace)s and client_kind = k.client_kind and kind = k.kind
            and value = k.value offset 0
    ) s"""  # noqa: S608  # of constants; values are bound
_CARRIED: LiteralString = f"""
    select k.client_kind, k.kind, k.value from {KEYS} where exists (
        select from identifier
        where workspace_id = %(workspace)s and kind = k.kind and value = k.value
            and client_kind = k.client_kind and record_id <> all (%(but)s::uuid[])
    )"""  # noqa: S608  # of constants; values are bound


def uuids(ids: Iterable[UUID | None]) -> str:
    """An array of uuids as PostgreSQL reads it: many times cheaper than adapting each one."""
    return "{" + ",".join("NULL" if id is None else id.hex for id in ids) + "}"


async def lock(conn: Conn, workspace_id: UUID) -> None:
    """Let one transaction at a time change who is who in a workspace; it holds until the transaction ends.

    Whoever writes a client's id onto a record (a deal, say) takes it too, or a concurrent merge passes it by.
    The transaction must read committed data (PostgreSQL's default), so that what follows sees the others' work.
    """
    await conn.execute(
        "select pg_advisory_xact_lock(hashtextextended('identity ' || %s::text, 0))", (workspace_id,)
    )


async def members(conn: Conn, workspace_id: UUID, record_ids: Iterable[UUID]) -> dict[UUID, Member]:
    """Records with their keys, as they are stored."""
    return await _read(conn, _BY_ID, {"workspace": workspace_id, "records": uuids(record_ids)})


async def carriers(
    conn: Conn, workspace_id: UUID, keys: Collection[NodeKey], known: Collection[UUID]
) -> dict[UUID, Member]:
    """The records that carry any of ``keys``, each with all its keys, except those ``known`` already."""
    if not keys:
        return {}
    return await _read(conn, _BY_KEY, {"workspace": workspace_id, "known": uuids(known), **columns_of(keys)})


async def _read(conn: Conn, query: LiteralString, parameters: dict[str, Any]) -> dict[UUID, Member]:
    cursor = await conn.execute(query, parameters, binary=True)
    return {
        record_id: Member(
            record_id,
            record_kind,
            client_kind,
            at,
            name,
            frozenset(NodeKey(client_kind, *key) for key in zip(kinds or (), values or (), strict=True)),
            client_id,
        )
        for record_id, record_kind, client_kind, at, name, client_id, kinds, values in await cursor.fetchall()
    }


def columns_of(keys: Iterable[NodeKey]) -> dict[str, Any]:
    """Keys as the parameters that ``KEYS`` reads."""
    keys = list(keys)
    return {
        "client_kinds": [key.client_kind for key in keys],
        "kinds": [key.kind for key in keys],
        "values": [key.value for key in keys],
    }


async def shared(conn: Conn, workspace_id: UUID, keys: Collection[NodeKey]) -> dict[NodeKey, str]:
    """Which of the keys join nobody, and the reason."""
    if not keys:
        return {}
    cursor = await conn.execute(
        _SHARED,
        {"workspace": workspace_id, **columns_of(keys)},
    )
    return {NodeKey(*key): reason for *key, reason in await cursor.fetchall()}


async def carried(conn: Conn, workspace_id: UUID, keys: Collection[NodeKey], but: Collection[UUID]) -> set[NodeKey]:
    """Which of the keys any record carries, apart from these records."""
    if not keys:
        return set()
    cursor = await conn.execute(_CARRIED, {"workspace": workspace_id, "but": uuids(but), **columns_of(keys)})
    return {NodeKey(*key) for key in await cursor.fetchall()}


async def names_on(conn: Conn, workspace_id: UUID, key: NodeKey, but: Collection[UUID]) -> set[str]:
    """The comparable names of all who carry a key, except of these records."""
    cursor = await conn.execute(
        """select distinct r.name from identifier i
        join identity_record r on r.workspace_id = i.workspace_id and r.record_id = i.record_id
        where i.workspace_id = %s and i.client_kind = %s and i.kind = %s and i.value = %s
            and r.name is not null and i.record_id <> all (%s::uuid[])""",
        (workspace_id, *key, uuids(but)),
    )
    return {name for (name,) in await cursor.fetchall()}


async def same_keys(conn: Conn, workspace_id: UUID, record_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """The decisions 'same' that speak of these records, as values of vendor keys: they join like one."""
    cursor = await conn.execute(
        "select record_id, decision_id from identity_decision"
        " where workspace_id = %s and verdict = %s and record_id = any(%s::uuid[])",
        (workspace_id, SAME, uuids(record_ids)),
    )
    found: dict[UUID, list[str]] = {}
    for record_id, decision_id in await cursor.fetchall():
        found.setdefault(record_id, []).append(decision_key(decision_id))
    return found


async def apart(conn: Conn, workspace_id: UUID, record_ids: Iterable[UUID]) -> list[Apart]:
    """The decisions 'apart' that speak of any of these records."""
    cursor = await conn.execute(
        """select array_agg(d.record_id) filter (where d.side = 0), array_agg(d.record_id) filter (where d.side = 1)
        from identity_decision d
        where d.workspace_id = %(workspace)s and d.verdict = %(verdict)s and d.record_id = any(%(records)s::uuid[])
        group by d.decision_id order by d.decision_id""",
        {"workspace": workspace_id, "verdict": APART, "records": uuids(record_ids)},
    )
    return [Apart(frozenset(out), frozenset(rest)) for out, rest in await cursor.fetchall() if out and rest]


async def members_of(conn: Conn, workspace_id: UUID, client_id: UUID) -> dict[UUID, Member]:
    """The records of a client, also by the id of one that was merged into it."""
    cursor = await conn.execute(
        """select r.record_id from client c join identity_record r
            on r.workspace_id = c.workspace_id and r.client_id = coalesce(c.merged_into, c.id)
        where c.workspace_id = %s and c.id = %s""",
        (workspace_id, client_id),
    )
    return await members(conn, workspace_id, [id for (id,) in await cursor.fetchall()])


async def deals_of(conn: Conn, workspace_id: UUID, record_ids: Collection[UUID]) -> set[UUID]:
    """The deals that name any of these records."""
    cursor = await conn.execute(
        """select id from deal where workspace_id = %(workspace)s and (contact_id = any(%(records)s::uuid[])
            or company_id = any(%(records)s::uuid[]) or lead_id = any(%(records)s::uuid[]))""",
        {"workspace": workspace_id, "records": uuids(record_ids)},
    )
    return {id for (id,) in await cursor.fetchall()}


async def clients(conn: Conn, workspace_id: UUID, ids: Iterable[UUID]) -> list[ClientRow]:
    """The clients with these ids and those that were merged into them."""
    cursor = await conn.execute(
        """with wanted as materialized (select distinct id from unnest(%(ids)s::uuid[]) id)
        select c.id, c.kind, c.founded_at, c.merged_into from wanted w cross join lateral (
            select * from client where workspace_id = %(workspace)s and id = w.id offset 0) c
        union
        select c.id, c.kind, c.founded_at, c.merged_into from wanted w cross join lateral (
            select * from client where workspace_id = %(workspace)s and merged_into = w.id
                and merged_into is not null offset 0) c""",
        {"workspace": workspace_id, "ids": uuids(ids)},
        binary=True,
    )
    return [ClientRow(*row) for row in await cursor.fetchall()]


async def inhabited(conn: Conn, workspace_id: UUID, client_ids: Collection[UUID]) -> set[UUID]:
    """Which of the clients have any record."""
    if not client_ids:
        return set()
    cursor = await conn.execute(
        "select distinct client_id from identity_record where workspace_id = %s and client_id = any(%s::uuid[])",
        (workspace_id, uuids(client_ids)),
    )
    return {id for (id,) in await cursor.fetchall()}


async def raw_keys(
    conn: Conn, workspace_id: UUID, record_ids: Collection[UUID]
) -> list[tuple[UUID, str, str, str]]:
    """All keys of records as the external systems spell them: record, kind, value, raw."""
    cursor = await conn.execute(
        "select record_id, kind, value, raw from identifier"
        " where workspace_id = %s and record_id = any(%s::uuid[]) order by kind, value, record_id",
        (workspace_id, uuids(record_ids)),
    )
    return await cursor.fetchall()
