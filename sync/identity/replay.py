"""Who was who on a day: the log of merges read backwards from what holds now. Nothing is changed by asking.

The log tells of every record that went from one client to another. It can't tell of a record that is in no client
now because its system deleted it, and a record that was nobody's before is taken to have been this client's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from core.arrays import uuids
from schema.enums import MergeKind, RecordKind
from sync.identity.explain import NoSuchClient
from sync.identity.reading import Conn

_MOST_CHANGES = 200


class Change(NamedTuple):
    """A merge or a split: the records that went ``origin`` → ``to``, by which evidence, and who did it."""

    at: datetime
    kind: MergeKind
    origin: UUID
    to: UUID | None
    records: tuple[UUID, ...]
    evidence: Mapping[str, Any]
    actor: str


class Was(NamedTuple):
    """A record that was the client's, and the client that it is in now."""

    kind: str
    id: UUID
    client: UUID | None


@dataclass(frozen=True, slots=True)
class Past:
    """A client on a day. ``client`` is the one that the id asked for led to then; ``changes`` are what has joined
    or parted its records since, the oldest first."""

    client: UUID
    at: datetime
    records: tuple[Was, ...]
    changes: tuple[Change, ...]


async def as_of(conn: Conn, workspace_id: UUID, client_id: UUID, at: datetime) -> Past:
    """The records that a client had at a time (also one that was merged away, before or since), and what became of
    them. Raises NoSuchClient if no record was known as its then."""
    client = await _led_to(conn, workspace_id, client_id, at)
    changes = await _changes(conn, workspace_id, {client}, at)
    there = await _records_of(conn, workspace_id, client)
    for change in reversed(changes):  # the newest first: each step gives the records of before it
        if change.to == client:
            there -= set(change.records)
        if change.origin == client:
            there |= set(change.records)
    records = await _known(conn, workspace_id, there, at)
    if not records:
        raise NoSuchClient(f"No record was known as the client {client_id}'s at {at:%Y-%m-%d %H:%M}.")
    later = await _what_became(conn, workspace_id, client, changes, at)
    return Past(client, at, tuple(records), later)


async def _led_to(conn: Conn, workspace_id: UUID, client_id: UUID, at: datetime) -> UUID:
    """The client that an id led to at a time: merges before it are followed, splits before it end them."""
    seen = {client_id}
    while True:
        cursor = await conn.execute(
            "select kind, client_id from merge_log where workspace_id = %s and other_id = %s and at <= %s"
            " order by id desc limit 1",
            (workspace_id, client_id, at),
        )
        row = await cursor.fetchone()
        if row is None or row[0] != MergeKind.MERGE or row[1] in seen:
            return client_id
        client_id = row[1]
        seen.add(client_id)


async def _changes(conn: Conn, workspace_id: UUID, clients: Collection[UUID], at: datetime) -> list[Change]:
    """What the log has of clients after a time, the oldest first."""
    cursor = await conn.execute(
        """select at, kind, client_id, other_id, records, evidence, actor from merge_log
        where workspace_id = %(workspace)s and at > %(at)s
            and (client_id = any(%(clients)s::uuid[]) or other_id = any(%(clients)s::uuid[]))
        order by id""",
        {"workspace": workspace_id, "at": at, "clients": uuids(clients)},
    )
    return [_change(*row) for row in await cursor.fetchall()]


def _change(
    at: datetime,
    kind: str,
    client: UUID,
    other: UUID | None,
    records: Iterable[UUID],
    evidence: dict[str, Any],
    actor: str,
) -> Change:
    if kind == MergeKind.MERGE and other is not None:
        return Change(at, MergeKind.MERGE, other, client, tuple(records), evidence, actor)
    return Change(at, MergeKind.SPLIT, client, other, tuple(records), evidence, actor)


async def _records_of(conn: Conn, workspace_id: UUID, client_id: UUID) -> set[UUID]:
    cursor = await conn.execute(
        "select record_id from identity_record where workspace_id = %s and client_id = %s",
        (workspace_id, client_id),
    )
    return {id for (id,) in await cursor.fetchall()}


async def _known(conn: Conn, workspace_id: UUID, records: Collection[UUID], at: datetime) -> list[Was]:
    """Those of the records that a sync had brought by then, the oldest first."""
    cursor = await conn.execute(
        "select record_kind, record_id, client_id, at from identity_record"
        " where workspace_id = %s and record_id = any(%s::uuid[]) order by at, record_id",
        (workspace_id, uuids(records)),
    )
    rows = await cursor.fetchall()
    later = set[UUID]()
    for kind in {kind for kind, *_ in rows}:
        table = RecordKind(kind).table
        cursor = await conn.execute(
            f"""select r.id from {table} r join source_record s on s.workspace_id = r.workspace_id
                and s.connection_id = r.connection_id and s.stream = r.stream and s.external_id = r.source_id
            where r.workspace_id = %s and r.id = any(%s::uuid[]) and s.first_seen_at > %s""".encode(),  # noqa: S608
            (workspace_id, uuids(id for each, id, *_ in rows if each == kind), at),
        )
        later.update(id for (id,) in await cursor.fetchall())
    return [Was(kind, id, client) for kind, id, client, _ in rows if id not in later]


async def _what_became(
    conn: Conn, workspace_id: UUID, client: UUID, changes: list[Change], at: datetime
) -> tuple[Change, ...]:
    """The changes of a client, and of those to which its records went."""
    known, news = {client}, {change.to for change in changes if change.to is not None} - {client}
    found = {(change.at, change.origin, change.to): change for change in changes}
    while news and len(found) < _MOST_CHANGES:
        for change in await _changes(conn, workspace_id, news, at):
            found[change.at, change.origin, change.to] = change
        known |= news
        news = {change.to for change in found.values() if change.origin in known and change.to is not None} - known
    return tuple(sorted(found.values(), key=lambda change: change.at)[:_MOST_CHANGES])
