"""Identity's SQL, the writing half: what a page changed, in a few statements over arrays.

It inserts rather than copies: PostgreSQL refuses COPY FROM under row-level security, and what a person decides is
written as the app's role. Every statement names the workspace, because the loader's role is bound by no policy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from core.arrays import texts, times, uuids
from schema.enums import RecordKind
from sync.identity.candidates import Candidate
from sync.identity.clusters import Member, NodeKey
from sync.identity.founding import Founding
from sync.identity.reading import APART, KEYS, Conn, columns_of

_DROP_SHARED: LiteralString = f"""
    delete from shared_key s using {KEYS}
    where s.workspace_id = %(workspace)s and s.client_kind = k.client_kind and s.kind = k.kind
        and s.value = k.value"""  # noqa: S608  # of constants; values are bound


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


async def drop_decision(conn: Conn, workspace_id: UUID, decision_id: UUID) -> set[UUID]:
    """Forget a decision; returns the records that it spoke of."""
    cursor = await conn.execute(
        "delete from identity_decision where workspace_id = %s and decision_id = %s returning record_id",
        (workspace_id, decision_id),
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
        select %s, * from unnest(%s::text[], %s::text[], %s::uuid[], %s::text[], %s::text[], %s::text[])
        on conflict do nothing""",
        (
            workspace_id,
            texts(kinds),
            texts(values),
            uuids(records),
            *map(texts, (record_kinds, client_kinds, raws)),
        ),
    )


async def drop_keys(conn: Conn, workspace_id: UUID, lost: Sequence[tuple[UUID, NodeKey]]) -> None:
    """Forget that these records carry these keys."""
    if not lost:
        return
    await conn.execute(
        """delete from identifier i
        using unnest(%s::uuid[], %s::text[], %s::text[]) as k (record_id, kind, value)
        where i.workspace_id = %s and i.kind = k.kind and i.value = k.value and i.record_id = k.record_id""",
        (
            uuids(record for record, _ in lost),
            texts(key.kind for _, key in lost),
            texts(key.value for _, key in lost),
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
        select %s, * from unnest(%s::uuid[], %s::text[], %s::uuid[], %s::text[], %s::timestamptz[], %s::text[],
            %s::uuid[])
        on conflict (workspace_id, record_id) do update set record_kind = excluded.record_kind,
            connection_id = excluded.connection_id, client_kind = excluded.client_kind, at = excluded.at,
            name = excluded.name, client_id = excluded.client_id""",
        (
            workspace_id,
            uuids(candidate.record_id for candidate, _, _ in rows),
            texts(candidate.record_kind for candidate, _, _ in rows),
            uuids(candidate.connection_id for candidate, _, _ in rows),
            texts(candidate.client_kind for candidate, _, _ in rows),
            times(candidate.at for candidate, _, _ in rows),
            texts(name for _, name, _ in rows),
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
        from unnest(%(client_kinds)s::text[], %(kinds)s::text[], %(values)s::text[], %(reasons)s::text[],
            %(carriers)s::int[]) as k (client_kind, kind, value, reason, carriers)
        on conflict (workspace_id, client_kind, kind, value) do update
            set reason = excluded.reason, carriers = excluded.carriers, at = excluded.at
            where s.reason <> 'listed'""",
        {
            "workspace": workspace_id,
            "reasons": texts(reason for reason, _ in rows.values()),
            "carriers": [carriers for _, carriers in rows.values()],
            **columns_of(rows),
        },
    )


async def drop_shared(conn: Conn, workspace_id: UUID, keys: Collection[NodeKey]) -> None:
    """These keys join again."""
    if not keys:
        return
    await conn.execute(
        _DROP_SHARED,
        {"workspace": workspace_id, **columns_of(keys)},
    )


async def write_clients(conn: Conn, workspace_id: UUID, founding: Founding) -> None:
    """New clients, where the merged ones point, and which are closed."""
    if founding.founded:
        await conn.execute(
            """insert into client (workspace_id, id, kind, founded_at, closed, last_seen_at)
            select %s, c.*, c.at from unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::boolean[])
                as c (id, kind, at, closed)""",
            (
                workspace_id,
                uuids(row.id for row in founding.founded),
                texts(row.kind for row in founding.founded),
                times(row.founded_at for row in founding.founded),
                [row.closed for row in founding.founded],
            ),
        )
    if founding.pointed:
        await conn.execute(
            """update client c set merged_into = p.target, changed_at = now()
            from unnest(%s::uuid[], %s::uuid[]) as p (id, target) where c.workspace_id = %s and c.id = p.id""",
            (uuids(founding.pointed), uuids(founding.pointed.values()), workspace_id),
        )
    if founding.closed:
        await conn.execute(
            """update client c set closed = n.closed from unnest(%s::uuid[], %s::boolean[]) as n (id, closed)
            where c.workspace_id = %s and c.id = n.id""",
            (uuids(founding.closed), list(founding.closed.values()), workspace_id),
        )


async def move(conn: Conn, workspace_id: UUID, moved: Sequence[tuple[UUID, str, UUID | None]]) -> None:
    """Give records (id, kind) another client, in identity and on the rows themselves."""
    by_table: dict[str, list[tuple[UUID, UUID | None]]] = {"identity_record": []}
    for record_id, kind, client_id in moved:
        by_table["identity_record"].append((record_id, client_id))
        by_table.setdefault(RecordKind(kind).table, []).append((record_id, client_id))
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
