"""The change feed: what was created, changed, merged, split and deleted, in the order of commits.

Whoever changes records collects what it did in `Changes` and appends it as the last step of its transaction. A
trigger of the table gives the rows their position while it holds the workspace's feed until the commit, so that a
reader who has read up to a position never misses what a slower transaction adds later: that comes after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from core.arrays import uuids
from schema.enums import ChangeKind, ChangeType, MergeKind, RecordKind
from sync.identity.absorb import Outcome

Conn = psycopg.AsyncConnection[tuple[Any, ...]]

KEPT = timedelta(days=30)
"""How long changes are kept, and deliveries of them."""
_IDS_IN_ROW = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """Records of one type to which one transaction did the same. ``others`` stand beside the ids: the client that
    it became part of, or that came out of it (None: nothing tells now who that was)."""

    type: ChangeType
    kind: ChangeKind
    ids: Sequence[UUID]
    others: Sequence[UUID | None] | None = None
    position: int = 0


class Changes:
    """What a transaction did so far."""

    def __init__(self) -> None:
        self._rows: list[Change] = []

    def __iter__(self) -> Iterator[Change]:
        return iter(self._rows)

    def __bool__(self) -> bool:
        return bool(self._rows)

    def add(self, what: ChangeType, kind: ChangeKind, ids: Collection[UUID]) -> None:
        """Note that records of a type were created, changed or deleted."""
        if ids:
            self._rows.append(Change(what, kind, list(ids)))

    def add_identity(self, outcome: Outcome, touched: Collection[UUID]) -> None:
        """Note what became of clients: founded, merged, parted, and the rest of those ``touched`` as changed."""
        merged = {old: new for kind, new, old in outcome.decided if kind == MergeKind.MERGE and old is not None}
        parted = [(old, new) for kind, old, new in outcome.decided if kind == MergeKind.SPLIT]
        new = outcome.new_clients
        self.add(ChangeType.CLIENT, ChangeKind.CREATED, sorted(new))
        for kind, pairs in ((ChangeKind.MERGED, list(merged.items())), (ChangeKind.SPLIT, parted)):
            if pairs:
                ids, others = zip(*pairs, strict=True)
                self._rows.append(Change(ChangeType.CLIENT, kind, ids, others))
        self.add(ChangeType.CLIENT, ChangeKind.CHANGED, sorted({*touched} - new - merged.keys()))


def type_of(kind: RecordKind) -> ChangeType:
    """What records of a kind are called in the feed."""
    return ChangeType(kind.value)


async def append(conn: Conn, workspace_id: UUID, changes: Changes) -> None:
    """Add to the feed, as the last thing before the caller commits: other writers of the workspace wait from here
    until then, and whoever took another lock after this one could meet one that took them the other way round."""
    rows = [
        (
            workspace_id,
            change.type.value,
            change.kind.value,
            uuids(change.ids[start : start + _IDS_IN_ROW]),
            None if change.others is None else uuids(change.others[start : start + _IDS_IN_ROW]),
        )
        for change in changes
        for start in range(0, len(change.ids), _IDS_IN_ROW)
    ]
    if rows:
        async with conn.cursor() as cursor:
            await cursor.executemany(
                "insert into change (workspace_id, position, type, kind, ids, others)"
                " values (%s, 0, %s, %s, %s::uuid[], %s::uuid[])",
                rows,
            )


async def end_of_feed(conn: Conn, workspace_id: UUID) -> int:
    """The position of the newest change: whatever commits from now on comes after it."""
    found = await conn.execute(
        "select greatest((select max(position) from change where workspace_id = %(ws)s),"
        " (select position from feed_horizon where workspace_id = %(ws)s), 0)",
        {"ws": workspace_id},
    )
    row = await found.fetchone()
    return int(row[0]) if row is not None else 0


async def read_after(conn: Conn, workspace_id: UUID, position: int, *, limit: int = 100) -> list[Change]:
    """The changes after a position, oldest first, at most ``limit`` rows of many records each."""
    found = await conn.execute(
        "select type, kind, ids, others, position from change where workspace_id = %s and position > %s"
        " order by position limit %s",
        (workspace_id, position, limit),
        binary=True,
    )
    return [
        Change(ChangeType(what), ChangeKind(kind), ids, others, position)
        for what, kind, ids, others, position in await found.fetchall()
    ]
