"""Identity's SQL, the reading half: the neighbourhood of records, a page at a time.

A key leads to whole clients, so a neighbourhood is read in few rounds: keys, their clients, those clients' keys.
Every statement names the workspace, because the loader's role is bound by no policy. Look-ups go through lateral
subqueries that ``offset 0`` keeps whole: a plan made while the tables were empty must stay one of index look-ups
when they hold millions of rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from core.arrays import texts, uuids
from sync.identity.clusters import Apart, Member, NodeKey, decision_key
from sync.identity.founding import ClientRow

Conn = psycopg.AsyncConnection[Any]

CAP, OFFICE, LISTED = "cap", "office", "listed"
SAME, APART = "same", "apart"
KEYS: LiteralString = (
    "unnest(%(client_kinds)s::text[], %(kinds)s::text[], %(values)s::text[]) as k (client_kind, kind, value)"
)
_KEYS_OF_MET: LiteralString = """
    select m.record_id, m.record_kind, m.client_kind, m.at, m.name, m.client_id, i.kinds, i.values
    from met m cross join lateral (
        select array_agg(kind) as kinds, array_agg(value) as values from identifier
        where workspace_id = %(workspace)s and record_id = m.record_id offset 0
    ) i
"""
_OF_CLIENTS: LiteralString = f"""
    with met as materialized (
        select r.* from unnest(%(records)s::uuid[]) as w (id) cross join lateral (
            select * from identity_record where workspace_id = %(workspace)s and record_id = w.id offset 0
        ) r
        union all
        select r.* from unnest(%(clients)s::uuid[]) as w (id) cross join lateral (
            select * from identity_record where workspace_id = %(workspace)s and client_id = w.id offset 0
        ) r
    )
    {_KEYS_OF_MET}"""  # noqa: S608  # of constants; values are bound
_OF_CLIENT: LiteralString = f"""
    with met as materialized (
        select r.* from client c cross join lateral (
            select * from identity_record
            where workspace_id = %(workspace)s and client_id = coalesce(c.merged_into, c.id) offset 0
        ) r
        where c.workspace_id = %(workspace)s and c.id = %(client)s
    )
    {_KEYS_OF_MET}"""  # noqa: S608  # of constants; values are bound
_MET: LiteralString = """
    with judged as materialized (
        select k.*, s.reason from unnest(
            %(client_kinds)s::text[], %(kinds)s::text[], %(values)s::text[]
        ) with ordinality as k (client_kind, kind, value, place)
        left join lateral (
            select reason from shared_key where k.place <= %(judged)s and workspace_id = %(workspace)s
                and client_kind = k.client_kind and kind = k.kind and value = k.value offset 0
        ) s on true
    )
    select place, reason, null::uuid, null::uuid, null::boolean from judged where reason is not null
    union all
    select null::bigint, null, m.record_id, m.client_id, c.closed from (
    select distinct case when r.client_id is null then r.record_id end, r.client_id
    from judged k
    cross join lateral (
        select record_id from identifier
        where workspace_id = %(workspace)s and kind = k.kind and value = k.value
            and client_kind = k.client_kind offset 0
    ) i
    cross join lateral (
        select record_id, client_id from identity_record
        where workspace_id = %(workspace)s and record_id = i.record_id offset 0
    ) r
    where k.reason is null
    ) m (record_id, client_id)
    left join lateral (
        select closed from client where workspace_id = %(workspace)s and id = m.client_id offset 0
    ) c on true"""
_CARRIED: LiteralString = f"""
    select k.client_kind, k.kind, k.value from {KEYS} where exists (
        select from identifier
        where workspace_id = %(workspace)s and kind = k.kind and value = k.value
            and client_kind = k.client_kind and record_id <> all (%(but)s::uuid[])
    )"""  # noqa: S608  # of constants; values are bound


async def lock(conn: Conn, workspace_id: UUID) -> None:
    """Let one transaction at a time change who is who in a workspace; it holds until the transaction ends.

    Whoever writes a client's id onto a record (a deal, say) takes it too, or a concurrent merge passes it by.
    The transaction must read committed data (PostgreSQL's default), so that what follows sees the others' work.
    """
    await conn.execute(
        "select pg_advisory_xact_lock(hashtextextended('identity ' || %s::text, 0))", (workspace_id,)
    )


async def members(
    conn: Conn, workspace_id: UUID, record_ids: Iterable[UUID], client_ids: Iterable[UUID] = ()
) -> dict[UUID, Member]:
    """Records with all their keys, as they are stored: these, and all of these clients."""
    return await _members(
        conn,
        _OF_CLIENTS,
        {"workspace": workspace_id, "records": uuids(record_ids), "clients": uuids(client_ids)},
    )


async def _members(conn: Conn, statement: LiteralString, values: dict[str, Any]) -> dict[UUID, Member]:
    cursor = await conn.execute(statement, values, binary=True)
    return {
        record_id: Member(
            record_id,
            record_kind,
            client_kind,
            at,
            name,
            frozenset(map(NodeKey, repeat(client_kind), kinds or (), values or ())),
            client_id,
        )
        for record_id, record_kind, client_kind, at, name, client_id, kinds, values in await cursor.fetchall()
    }


@dataclass(frozen=True, slots=True)
class Met:
    """What keys lead to: the shared ones among them, with the reason, lead nowhere; the others to clients, and to
    records that are in none. The keys of ``closed`` clients lead no further."""

    shared: dict[NodeKey, str]
    clients: set[UUID]
    records: set[UUID]
    closed: set[UUID]


async def met(conn: Conn, workspace_id: UUID, guarded: Iterable[NodeKey], unguarded: Iterable[NodeKey]) -> Met:
    """Where keys lead. ``unguarded`` ones are followed without asking whether they are shared."""
    judged = list(guarded)
    keys = [*judged, *unguarded]
    found = Met({}, set(), set(), set())
    if not keys:
        return found
    cursor = await conn.execute(
        _MET, {"workspace": workspace_id, "judged": len(judged), **columns_of(keys)}, binary=True
    )
    for place, reason, record, client, closed in await cursor.fetchall():
        if place is not None:
            found.shared[keys[place - 1]] = reason
        elif client is not None:
            found.clients.add(client)
            if closed:
                found.closed.add(client)
        else:
            found.records.add(record)
    return found


def columns_of(keys: Iterable[NodeKey]) -> dict[str, Any]:
    """Keys as the parameters that ``KEYS`` reads."""
    keys = list(keys)
    return {
        "client_kinds": "{" + ",".join([key.client_kind for key in keys]) + "}",
        "kinds": "{" + ",".join([key.kind for key in keys]) + "}",
        "values": texts(key.value for key in keys),
    }


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
    return await _members(conn, _OF_CLIENT, {"workspace": workspace_id, "client": client_id})


async def clients_of_records(conn: Conn, workspace_id: UUID, record_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """The client of each record, of those that have one."""
    cursor = await conn.execute(
        "select record_id, client_id from identity_record"
        " where workspace_id = %s and record_id = any(%s::uuid[]) and client_id is not null",
        (workspace_id, uuids(record_ids)),
    )
    return dict(await cursor.fetchall())


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
        """with known as materialized (
            select c.* from unnest(%(ids)s::uuid[]) as w (id) cross join lateral (
                select id, kind, founded_at, merged_into, closed from client
                where workspace_id = %(workspace)s and id = w.id offset 0
            ) c
        )
        select * from known
        union
        select c.* from known k cross join lateral (
            select id, kind, founded_at, merged_into, closed from client
            where workspace_id = %(workspace)s and merged_into = k.id and merged_into is not null offset 0
        ) c""",
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
    conn: Conn, workspace_id: UUID, carried: Collection[tuple[UUID, NodeKey]]
) -> dict[tuple[UUID, NodeKey], str]:
    """How the external systems spell keys of records."""
    if not carried:
        return {}
    carried = list(carried)
    cursor = await conn.execute(
        """select k.place, i.raw from unnest(%s::uuid[], %s::text[], %s::text[])
            with ordinality as k (record_id, kind, value, place)
        cross join lateral (
            select raw from identifier where workspace_id = %s and kind = k.kind and value = k.value
                and record_id = k.record_id offset 0
        ) i""",
        (
            uuids(record for record, _ in carried),
            texts(key.kind for _, key in carried),
            texts(key.value for _, key in carried),
            workspace_id,
        ),
    )
    return {carried[place - 1]: raw for place, raw in await cursor.fetchall()}
