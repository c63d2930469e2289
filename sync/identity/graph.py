"""A client's evidence as a graph: its records, and the keys that hold them together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from core.arrays import uuids
from schema.enums import RecordKind
from sync.identity import reading
from sync.identity.explain import Evidence, why
from sync.identity.likely import PROBABLE
from sync.identity.reading import Conn

_SAYS: dict[RecordKind, LiteralString] = {
    RecordKind.CONTACT: "coalesce(name, phones[1], emails[1])",
    RecordKind.COMPANY: "name",
    RecordKind.LEAD: "coalesce(name, phones[1], emails[1])",
    RecordKind.CALL: "client_phone",
}
"""What a record is called on the picture; others by their kind and day alone."""


@dataclass(frozen=True, slots=True)
class Node:
    """A record: the system that it came from, what it is, when it was, and what it is called."""

    id: UUID
    system: str
    kind: RecordKind
    at: datetime
    said: str | None


@dataclass(frozen=True, slots=True)
class Edge:
    """A key on several records (or a probable match of two, with its weight in ``bits``). ``parts``: without it
    alone the client would fall apart."""

    kind: str
    value: str
    bits: float | None
    records: tuple[UUID, ...]
    parts: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """All of a client's records by system and time, and what joins them."""

    client: UUID
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


async def graph_of(conn: Conn, workspace_id: UUID, client_id: UUID) -> Graph:
    """The evidence of a client, also by the id of one that was merged into it. Raises NoSuchClient."""
    explained = await why(conn, workspace_id, client_id)
    members = await reading.members_of(conn, workspace_id, client_id)
    systems = await _systems(conn, workspace_id, members)
    said = await _said(conn, workspace_id, ((RecordKind(m.record_kind), m.record_id) for m in members.values()))
    nodes = [
        Node(id, systems.get(id, "—"), RecordKind(member.record_kind), member.at, said.get(id))
        for id, member in members.items()
    ]
    return Graph(
        next((member.client_id for member in members.values() if member.client_id), client_id),
        tuple(sorted(nodes, key=lambda node: (node.system, node.at, node.id))),
        tuple(_edge(each) for each in explained.joined_by),
    )


def _edge(found: Evidence) -> Edge:
    bits = float(found.value.split()[0]) if found.kind == PROBABLE else None
    return Edge(found.kind, found.value, bits, tuple(id for _, id, _ in found.records), found.parts)


async def _systems(conn: Conn, workspace_id: UUID, records: Iterable[UUID]) -> dict[UUID, str]:
    cursor = await conn.execute(
        """select r.record_id, coalesce(c.title, c.connector) from identity_record r
        join connection c on c.workspace_id = r.workspace_id and c.id = r.connection_id
        where r.workspace_id = %s and r.record_id = any(%s::uuid[])""",
        (workspace_id, uuids(records)),
    )
    return dict(await cursor.fetchall())


async def _said(conn: Conn, workspace_id: UUID, records: Iterable[tuple[RecordKind, UUID]]) -> dict[UUID, str]:
    by_kind: dict[RecordKind, list[UUID]] = {}
    for kind, id in records:
        by_kind.setdefault(kind, []).append(id)
    said: dict[UUID, str] = {}
    for kind, expression in _SAYS.items():
        if kind in by_kind:
            cursor = await conn.execute(
                (
                    f"select id, {expression} from {kind.table}"  # noqa: S608 - names of ours
                    " where workspace_id = %s and id = any(%s::uuid[])"
                ).encode(),
                (workspace_id, uuids(by_kind[kind])),
            )
            said |= {id: text for id, text in await cursor.fetchall() if text}
    return said
