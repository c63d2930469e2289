"""Whose the records are that follow others: deals, documents, money, tasks, and what their own keys don't tell.

Each follows the first of the records that it names whose client is known. Where a row follows another row (a
payment its invoice, the invoice its order), the kinds are taken in an order in which that one is settled already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from core.arrays import uuids
from schema.enums import RecordKind
from sync.identity.reading import Conn

DEAL, ORDER, INVOICE, PAYMENT, MESSAGE, TASK = (
    RecordKind.DEAL,
    RecordKind.ORDER,
    RecordKind.INVOICE,
    RecordKind.PAYMENT,
    RecordKind.MESSAGE,
    RecordKind.TASK,
)
COMPANY, CONTACT, LEAD = RecordKind.COMPANY, RecordKind.CONTACT, RecordKind.LEAD

FOLLOWS: Mapping[RecordKind, tuple[RecordKind, ...]] = {
    DEAL: (COMPANY, CONTACT, LEAD, ORDER),
    ORDER: (COMPANY, ORDER, CONTACT, DEAL),
    INVOICE: (COMPANY, CONTACT, ORDER, DEAL),
    PAYMENT: (COMPANY, CONTACT, INVOICE, ORDER, DEAL),
    MESSAGE: (MESSAGE, COMPANY, DEAL),
    TASK: (COMPANY, CONTACT, LEAD, ORDER, DEAL),
}
"""By which records the client of a kind is told, the strongest first; its own kind stands for its own keys (among
which are the contact and the lead that it names). A deal follows an order that names it."""

COUNTED_ALONE = (DEAL, INVOICE)
"""Of these, the kinds that figures count even where they are nobody's."""

_TOLD_BY_KEYS = frozenset({COMPANY, CONTACT, LEAD})

_CLIENT_OF_ORDERS = """(
    select coalesce(c.client_id, i.client_id) from sales_order o
    left join identity_record c on c.workspace_id = o.workspace_id and c.record_id = o.company_id
    left join identity_record i on i.workspace_id = o.workspace_id and i.record_id = o.id
    where o.workspace_id = %(workspace)s and o.deal_id = f.id and coalesce(c.client_id, i.client_id) is not null
    order by o.created_at, o.id limit 1
)"""
"""The client of a deal's orders, as keys tell it: what an order has from its deal must not come back to it."""


class Followed(NamedTuple):
    """A record that went from one client to another."""

    kind: RecordKind
    id: UUID
    former: UUID | None
    client: UUID | None


async def follow(conn: Conn, workspace_id: UUID, changed: Mapping[UUID, RecordKind]) -> list[Followed]:
    """Give their client to the rows among ``changed`` records (by id, with their kind), and to those that name any
    of them. It only touches rows whose client is another now, and returns those. The caller holds the workspace's
    identity (`sync.identity.reading.lock`)."""
    ids: dict[RecordKind, set[UUID]] = defaultdict(set)
    for id, kind in changed.items():
        ids[kind].add(id)
    moved: list[Followed] = []

    async def settle(kind: RecordKind, ids: dict[RecordKind, set[UUID]]) -> set[UUID]:
        if kind not in ids and not any(named in ids for named in FOLLOWS[kind]):
            return set()
        found = await _settle(conn, workspace_id, kind, ids)
        moved.extend(Followed(kind, *each) for each in found)
        return {id for id, _, _ in found}

    for kind in FOLLOWS:
        gone = await settle(kind, ids)
        if kind is ORDER and gone:  # a deal may follow them, and other orders that deal
            back = await settle(DEAL, {ORDER: gone})
            if back:
                ids[DEAL] |= back
                gone |= await settle(ORDER, {DEAL: back})
        if gone:
            ids[kind] |= gone
    return moved


def clients_of(moved: Iterable[Followed]) -> set[UUID]:
    """All clients that got or lost a record."""
    return {client for each in moved for client in (each.former, each.client) if client is not None}


def counted_alone(moved: Iterable[Followed]) -> set[UUID]:
    """The deals and invoices that were nobody's, or are from now on: figures count them by themselves."""
    return {
        each.id for each in moved if each.kind in COUNTED_ALONE and (each.former is None or each.client is None)
    }


async def _settle(
    conn: Conn, workspace_id: UUID, kind: RecordKind, ids: Mapping[RecordKind, set[UUID]]
) -> list[tuple[UUID, UUID | None, UUID | None]]:
    named = [each for each in FOLLOWS[kind] if each in ids]
    found = await conn.execute(
        _STATEMENTS[kind][0].format(met=" union ".join([_OWN, *(_met(kind, each) for each in named)])).encode(),
        {
            "workspace": workspace_id,
            "own": uuids(ids.get(kind, ())),
            **{each.value: uuids(ids[each]) for each in named},
        },
    )
    moved: list[tuple[UUID, UUID | None, UUID | None]] = await found.fetchall()
    if moved:
        await conn.execute(
            _STATEMENTS[kind][1].encode(),
            (uuids(id for id, _, _ in moved), uuids(new for _, _, new in moved), workspace_id),
        )
    return moved


_OWN = "select id from unnest(%(own)s::uuid[]) as own (id)"


def _met(kind: RecordKind, named: RecordKind) -> str:
    """The rows of ``kind`` that name any of the changed records of another kind; each look-up by index, whatever
    PostgreSQL knows of the tables."""
    if named is kind:
        return _OWN
    if (kind, named) == (DEAL, ORDER):
        table, key, column = ORDER.table, "id", "deal_id"
    else:
        table, key, column = kind.table, f"{named}_id", "id"
    return (
        f"select r.id from unnest(%({named})s::uuid[]) as n (id) cross join lateral ("  # noqa: S608 - names of ours
        f"select {column} as id from {table} where workspace_id = %(workspace)s and {key} = n.id offset 0) r"
    )


def _statements(kind: RecordKind) -> tuple[str, str]:
    """What finds the rows whose client is another, and what writes it."""
    joins, told = [], []
    for named in FOLLOWS[kind]:
        if (kind, named) == (DEAL, ORDER):
            told.append(_CLIENT_OF_ORDERS)
            continue
        table, key = (
            ("identity_record", "record_id") if named is kind or named in _TOLD_BY_KEYS else (named.table, "id")
        )
        names = "f.id" if named is kind else f"f.{named}_id"
        joins.append(
            f"left join {table} {named}_ on {named}_.workspace_id = %(workspace)s and {named}_.{key} = {names}"
        )
        told.append(f"{named}_.client_id")
    client = f"coalesce({', '.join(told)})"
    read_elsewhere = "and f.connection_id is not null" if kind is TASK else ""  # ours are about whom they say
    find = f"""
        with met as materialized ({{met}})
        select f.id, f.client_id, {client}
        from met m join {kind.table} f on f.workspace_id = %(workspace)s and f.id = m.id
        {" ".join(joins)}
        where f.client_id is distinct from {client} {read_elsewhere}"""  # noqa: S608 - names of ours
    write = f"""
        update {kind.table} f set client_id = m.client_id from unnest(%s::uuid[], %s::uuid[]) as m (id, client_id)
        where f.workspace_id = %s and f.id = m.id"""  # noqa: S608 - names of ours
    return find, write


_STATEMENTS = {kind: _statements(kind) for kind in FOLLOWS}
