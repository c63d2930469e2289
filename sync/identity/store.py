"""Identity's SQL: reading the neighbourhood of records, and writing what changed, a page at a time.

Every statement names the workspace, because the loader's role is bound by no policy. Look-ups go through lateral
subqueries that ``offset 0`` keeps whole: a plan made while the tables were empty must stay one of index look-ups
when they hold millions of rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from schema.enums import RecordKind
from sync.identity.candidates import Candidate
from sync.identity.clusters import Apart, Member, NodeKey, decision_key
from sync.identity.founding import ClientRow, Founding

Conn = psycopg.AsyncConnection[Any]

CAP, OFFICE, LISTED = "cap", "office", "listed"
SAME, APART = "same", "apart"
_KEYS: LiteralString = (
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
        select distinct i.record_id from {_KEYS} cross join lateral (
            select record_id from identifier
            where workspace_id = %(workspace)s and kind = k.kind and value = k.value
                and client_kind = k.client_kind offset 0
        ) i
        where i.record_id <> all (%(known)s::uuid[])
    )
    {_MEMBERS}"""  # noqa: S608  # of constants; values are bound
_SHARED: LiteralString = f"""
    select s.client_kind, s.kind, s.value, s.reason from {_KEYS} cross join lateral (
        select * from shared_key
        where workspace_id = %(workspace)s and client_kind = k.client_kind and kind = k.kind
            and value = k.value offset 0
    ) s"""  # noqa: S608  # of constants; values are bound
_CARRIED: LiteralString = f"""
    select k.client_kind, k.kind, k.value from {_KEYS} where exists (
        select from identifier
        where workspace_id = %(workspace)s and kind = k.kind and value = k.value
            and client_kind = k.client_kind and record_id <> all (%(but)s::uuid[])
    )"""  # noqa: S608  # of constants; values are bound
_DROP_SHARED: LiteralString = f"""
    delete from shared_key s using {_KEYS}
    where s.workspace_id = %(workspace)s and s.client_kind = k.client_kind and s.kind = k.kind
        and s.value = k.value"""  # noqa: S608  # of constants; values are bound


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
    return await _read(conn, _BY_KEY, {"workspace": workspace_id, "known": uuids(known), **_columns(keys)})


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


def _columns(keys: Iterable[NodeKey]) -> dict[str, Any]:
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
        {"workspace": workspace_id, **_columns(keys)},
    )
    return {NodeKey(*key): reason for *key, reason in await cursor.fetchall()}


async def carried(conn: Conn, workspace_id: UUID, keys: Collection[NodeKey], but: Collection[UUID]) -> set[NodeKey]:
    """Which of the keys any record carries, apart from these records."""
    if not keys:
        return set()
    cursor = await conn.execute(_CARRIED, {"workspace": workspace_id, "but": uuids(but), **_columns(keys)})
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


async def write_decision(
    conn: Conn, workspace_id: UUID, decision_id: UUID, verdict: str, sides: Mapping[UUID, int], actor: str
) -> None:
    """Keep what a person decided about records."""
    await conn.execute(
        """insert into identity_decision (workspace_id, decision_id, verdict, actor, record_id, side)
        select %s, %s, %s, %s, * from unnest(%s::uuid[], %b::int[])""",
        (workspace_id, decision_id, verdict, actor, uuids(sides), list(sides.values())),
    )


async def drop_apart(conn: Conn, workspace_id: UUID, record_ids: Collection[UUID]) -> None:
    """Take back the decisions that keep any of these records from each other."""
    await conn.execute(
        """delete from identity_decision d using (
            select decision_id from identity_decision
            where workspace_id = %(workspace)s and verdict = %(verdict)s and record_id = any(%(records)s::uuid[])
            group by decision_id having count(distinct side) = 2
        ) both_sides
        where d.workspace_id = %(workspace)s and d.decision_id = both_sides.decision_id""",
        {"workspace": workspace_id, "verdict": APART, "records": uuids(record_ids)},
    )


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


async def write_keys(
    conn: Conn, workspace_id: UUID, before: Mapping[UUID, Member], candidates: Iterable[Candidate]
) -> None:
    """Replace the keys of records; a key that stays isn't touched."""
    lost: list[tuple[UUID, NodeKey]] = []
    rows: list[tuple[str, str, UUID, str, str, str]] = []
    for candidate in candidates:
        old = before.get(candidate.record_id)
        kept = {(key.kind, key.value) for key in old.keys} if old else set[tuple[str, str]]()
        told = {(key.kind, key.value) for key in candidate.keys}
        if old is not None:
            lost += [(old.record_id, key) for key in old.keys if (key.kind, key.value) not in told]
        rows += [
            (key.kind, key.value, candidate.record_id, candidate.record_kind, candidate.client_kind, key.raw)
            for key in candidate.keys
            if (key.kind, key.value) not in kept
        ]
    await drop_keys(conn, workspace_id, lost)
    await add_keys(conn, workspace_id, rows)


async def add_keys(conn: Conn, workspace_id: UUID, rows: Sequence[tuple[str, str, UUID, str, str, str]]) -> None:
    """Store keys: kind, value, record, its kind, its client's kind, raw text."""
    if not rows:
        return
    kinds, values, records, record_kinds, client_kinds, raws = map(list, zip(*rows, strict=True))
    await conn.execute(
        """insert into identifier (workspace_id, kind, value, record_id, record_kind, client_kind, raw)
        select %s, * from unnest(%b::text[], %b::text[], %s::uuid[], %b::text[], %b::text[], %b::text[])
        on conflict do nothing""",
        (workspace_id, kinds, values, uuids(records), record_kinds, client_kinds, raws),
    )


async def drop_keys(conn: Conn, workspace_id: UUID, lost: Sequence[tuple[UUID, NodeKey]]) -> None:
    """Forget that these records carry these keys."""
    if not lost:
        return
    await conn.execute(
        """delete from identifier i
        using unnest(%s::uuid[], %b::text[], %b::text[]) as k (record_id, kind, value)
        where i.workspace_id = %s and i.kind = k.kind and i.value = k.value and i.record_id = k.record_id""",
        (
            uuids(record for record, _ in lost),
            [key.kind for _, key in lost],
            [key.value for _, key in lost],
            workspace_id,
        ),
    )


async def drop_records(conn: Conn, workspace_id: UUID, record_ids: list[UUID]) -> None:
    """These records tell nothing any more."""
    if not record_ids:
        return
    for table in ("identifier", "identity_record"):
        await conn.execute(
            f"delete from {table} where workspace_id = %s and record_id = any(%s::uuid[])",  # noqa: S608
            (workspace_id, uuids(record_ids)),
        )


async def write_records(
    conn: Conn, workspace_id: UUID, rows: Sequence[tuple[Candidate, str | None, UUID | None]]
) -> None:
    """Store records with their comparable name and their client."""
    if not rows:
        return
    await conn.execute(
        """insert into identity_record as r
            (workspace_id, record_id, record_kind, connection_id, client_kind, at, name, client_id)
        select %s, * from unnest(%s::uuid[], %b::text[], %s::uuid[], %b::text[], %b::timestamptz[], %b::text[],
            %s::uuid[])
        on conflict (workspace_id, record_id) do update set record_kind = excluded.record_kind,
            connection_id = excluded.connection_id, client_kind = excluded.client_kind, at = excluded.at,
            name = excluded.name, client_id = excluded.client_id""",
        (
            workspace_id,
            uuids(candidate.record_id for candidate, _, _ in rows),
            [candidate.record_kind for candidate, _, _ in rows],
            uuids(candidate.connection_id for candidate, _, _ in rows),
            [candidate.client_kind for candidate, _, _ in rows],
            [candidate.at for candidate, _, _ in rows],
            [name for _, name, _ in rows],
            uuids(client for _, _, client in rows),
        ),
    )


async def write_shared(conn: Conn, workspace_id: UUID, rows: Mapping[NodeKey, tuple[str, int]]) -> None:
    """These keys join nobody from now on, for a reason, with so many people on them; a listed one stays listed."""
    if not rows:
        return
    await conn.execute(
        """insert into shared_key as s (workspace_id, client_kind, kind, value, reason, carriers, at)
        select %(workspace)s, k.*, now()
        from unnest(%(client_kinds)b::text[], %(kinds)b::text[], %(values)b::text[], %(reasons)b::text[],
            %(carriers)s::int[]) as k (client_kind, kind, value, reason, carriers)
        on conflict (workspace_id, client_kind, kind, value) do update
            set reason = excluded.reason, carriers = excluded.carriers, at = excluded.at
            where s.reason <> 'listed'""",
        {
            "workspace": workspace_id,
            "reasons": [reason for reason, _ in rows.values()],
            "carriers": [carriers for _, carriers in rows.values()],
            **_columns(rows),
        },
    )


async def drop_shared(conn: Conn, workspace_id: UUID, keys: Collection[NodeKey]) -> None:
    """These keys join again."""
    if not keys:
        return
    await conn.execute(
        _DROP_SHARED,
        {"workspace": workspace_id, **_columns(keys)},
    )


async def write_clients(conn: Conn, workspace_id: UUID, founding: Founding) -> None:
    """New clients, and where the merged ones point."""
    if founding.founded:
        await conn.execute(
            """insert into client (workspace_id, id, kind, founded_at, last_seen_at)
            select %s, c.*, c.at from unnest(%s::uuid[], %b::text[], %b::timestamptz[]) as c (id, kind, at)""",
            (
                workspace_id,
                uuids(row.id for row in founding.founded),
                [row.kind for row in founding.founded],
                [row.founded_at for row in founding.founded],
            ),
        )
    if founding.pointed:
        await conn.execute(
            """update client c set merged_into = p.target, changed_at = now()
            from unnest(%s::uuid[], %s::uuid[]) as p (id, target) where c.workspace_id = %s and c.id = p.id""",
            (uuids(founding.pointed), uuids(founding.pointed.values()), workspace_id),
        )


async def move(conn: Conn, workspace_id: UUID, moved: Sequence[tuple[UUID, str, UUID | None]]) -> None:
    """Give records (id, kind) another client, in identity and on the rows themselves."""
    by_table: dict[str, list[tuple[UUID, UUID | None]]] = {"identity_record": []}
    for record_id, kind, client_id in moved:
        by_table["identity_record"].append((record_id, client_id))
        by_table.setdefault(RecordKind(kind).value, []).append((record_id, client_id))
    for table, pairs in by_table.items():
        if not pairs:
            continue
        column = "record_id" if table == "identity_record" else "id"
        await conn.execute(
            f"update {table} t set client_id = m.client_id"  # noqa: S608
            f" from unnest(%s::uuid[], %s::uuid[]) as m (id, client_id) where t.workspace_id = %s"
            f" and t.{column} = m.id and t.client_id is distinct from m.client_id",
            (uuids(id for id, _ in pairs), uuids(client for _, client in pairs), workspace_id),
        )


async def move_deals(
    conn: Conn, workspace_id: UUID, record_ids: Collection[UUID]
) -> list[tuple[UUID, UUID | None, UUID | None]]:
    """Give the deals that name any of these records their client: that of their company, else of their
    contact, else of their lead. Returns the deals moved, each with its former and its new client."""
    if not record_ids:
        return []
    cursor = await conn.execute(
        """with named as materialized (select id from unnest(%(records)s::uuid[]) id),
        met as materialized (
            select d.id from named n cross join lateral (
                select id from deal where workspace_id = %(workspace)s and contact_id = n.id offset 0) d
            union select d.id from named n cross join lateral (
                select id from deal where workspace_id = %(workspace)s and company_id = n.id offset 0) d
            union select d.id from named n cross join lateral (
                select id from deal where workspace_id = %(workspace)s and lead_id = n.id offset 0) d
        )
        select d.id, d.client_id, coalesce(company.client_id, contact.client_id, lead.client_id)
        from met m
        join deal d on d.workspace_id = %(workspace)s and d.id = m.id
        left join identity_record company
            on company.workspace_id = %(workspace)s and company.record_id = d.company_id
        left join identity_record contact
            on contact.workspace_id = %(workspace)s and contact.record_id = d.contact_id
        left join identity_record lead on lead.workspace_id = %(workspace)s and lead.record_id = d.lead_id
        where d.client_id is distinct from coalesce(company.client_id, contact.client_id, lead.client_id)""",
        {"workspace": workspace_id, "records": uuids(record_ids)},
    )
    moved = await cursor.fetchall()
    if not moved:
        return []
    await conn.execute(
        """update deal d set client_id = m.client_id from unnest(%s::uuid[], %s::uuid[]) as m (id, client_id)
        where d.workspace_id = %s and d.id = m.id""",
        (uuids(id for id, _, _ in moved), uuids(new for _, _, new in moved), workspace_id),
    )
    return moved


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


async def write_log(
    conn: Conn,
    workspace_id: UUID,
    rows: Iterable[tuple[str, UUID, UUID | None, list[UUID], dict[str, Any]]],
    actor: str,
    run_id: UUID | None,
) -> None:
    """Append merges and splits: kind, client, other client, records that moved, evidence."""
    async with conn.cursor() as cursor:
        await cursor.executemany(
            "insert into merge_log (workspace_id, kind, client_id, other_id, records, evidence, actor, run_id)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (workspace_id, kind, client, other, records, Jsonb(evidence), actor, run_id)
                for kind, client, other, records, evidence in rows
            ],
        )
