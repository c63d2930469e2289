"""Rows of a page into their table, by COPY: what stands there gives way, unless it is newer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from core.arrays import uuids
from schema.enums import ChangeKind
from sync.rows import Placed, Row, Source, Target

Conn = psycopg.AsyncConnection[tuple[Any, ...]]


async def replace(
    conn: Conn, source: Source, target: Target, placed: Sequence[Placed], clients: Mapping[UUID, UUID | None]
) -> dict[ChangeKind, list[UUID]]:
    """Write the rows of these records; a row that stands there gives way, unless it is of a newer version, or is
    told again without a change. Returns what that did to which records."""
    standing = await _standing(conn, source, target, placed)
    left: set[UUID] = set()
    former: dict[UUID, Row] = {}
    if standing:
        told = {each.id: each.record.updated_at for each in placed}
        left = {id for id, at in standing.items() if at and (new := told[id]) is not None and new < at}
        if target.pieced:
            former = await _former(conn, source, target, standing.keys() - left)
    rows = target.rows([each for each in placed if each.id not in left] if left else placed, source, clients)
    if former:
        pieced = [(id, target.pieced_together(row, former[id]) if id in former else row) for id, row in rows]
        same = {id for id, row in pieced if id in former and target.tells_the_same(row, former[id])}
        left |= same
        rows = iter([each for each in pieced if each[0] not in same])
    await _take_away(conn, source, target, standing.keys() - left)
    await copy(conn, target.table, target.columns, (row for _, row in rows))
    written = [each for each in placed if each.id not in left] if left else placed
    done: dict[ChangeKind, list[UUID]] = defaultdict(list)
    for each in written:
        kind = ChangeKind.CHANGED if standing and each.id in standing else ChangeKind.CREATED
        done[ChangeKind.DELETED if each.record.deleted else kind].append(each.id)
    return done


async def copy(conn: Conn, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows of these columns, whatever stands there."""
    into = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    async with conn.cursor() as cursor, cursor.copy(into) as out:
        spelt = out.formatter.write_row
        for row in rows:
            ready = spelt(row)
            if ready:  # only a full buffer is worth awaiting: `out.write_row` is awaited for every row
                await out.write(ready)


async def _standing(conn: Conn, source: Source, target: Target, placed: Sequence[Placed]) -> dict[UUID, Any]:
    """Those of the records that have a row, with its version."""
    cursor = await conn.execute(
        sql.SQL("select id, updated_at from {} where workspace_id = %s and id = any(%s::uuid[])").format(
            sql.Identifier(target.table)
        ),
        (source.workspace_id, uuids([each.id for each in placed])),
        binary=True,
    )
    return dict(await cursor.fetchall())


async def _former(conn: Conn, source: Source, target: Target, ids: Iterable[UUID]) -> dict[UUID, Row]:
    """The rows that stand there, locked."""
    cursor = await conn.execute(
        sql.SQL("select id, {} from {} where workspace_id = %s and id = any(%s::uuid[]) for update").format(
            sql.SQL(", ").join(map(sql.Identifier, target.columns)), sql.Identifier(target.table)
        ),
        (source.workspace_id, uuids(ids)),
    )
    return {id: tuple(row) for id, *row in await cursor.fetchall()}


async def _take_away(conn: Conn, source: Source, target: Target, ids: Collection[UUID]) -> None:
    if ids:
        await conn.execute(
            sql.SQL("delete from {} where workspace_id = %s and id = any(%s::uuid[])").format(
                sql.Identifier(target.table)
            ),
            (source.workspace_id, uuids(ids)),
        )
