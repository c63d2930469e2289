"""Reads what figures depend on, for many clients at once: one statement a table, whatever the number, and a column
of a table as one value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any
from uuid import UUID

import numpy as np

from core.database import PsycopgConnection
from reports.columns import Columns, Ids, numbered
from reports.known import NIL, TOUCH_KINDS, WORDS, Histories, PaidInvoices, Told, Touches, WonDeals
from reports.models import Ints
from reports.terms import Terms
from schema.enums import RecordKind

_HEX = attrgetter("hex")

_NIL = f"'{NIL}'::uuid"
# Of each table: its moments, ids, channels and campaigns, then what else is asked of it.
_ORIGIN = f"id, coalesce(channel, ''), coalesce(campaign_id, {_NIL})"
_VISITS = f"""
select started_at, id, coalesce(channel, 'direct'), coalesce(campaign_id, {_NIL}) from visit
where workspace_id = %(workspace)s and {{whose}} and deleted_at is null
"""  # noqa: S608 - the pieces are ours
_ORDERS = f"""
select created_at, {_ORIGIN} from sales_order
where workspace_id = %(workspace)s and {{whose}} and deleted_at is null
and (channel is not null or campaign_id is not null)
"""  # noqa: S608
_CALLS = f"""
select started_at, {_ORIGIN}, connection_id, coalesce(client_phone, '') from call
where workspace_id = %(workspace)s and {{whose}} and direction = 'inbound' and deleted_at is null
"""  # noqa: S608
_LEADS = f"""
select created_at, {_ORIGIN}, connection_id, stream from lead
where workspace_id = %(workspace)s and {{whose}} and deleted_at is null
"""  # noqa: S608
_DEALS = f"""
select coalesce(closed_at, created_at), {_ORIGIN}, created_at, (coalesce(amount, 0) * 100)::bigint,
    coalesce(currency, ''), coalesce((
        select card.client_id from contact card
        where card.workspace_id = deal.workspace_id and card.id = deal.contact_id and card.deleted_at is null
    ), {_NIL})
from deal where workspace_id = %(workspace)s and {{whose}} and status = 'won' and deleted_at is null
"""  # noqa: S608
_INVOICES = f"""
select paid_at, id, '', coalesce(deal_id, {_NIL}), (coalesce(amount, 0) * 100)::bigint, coalesce(currency, '')
from invoice
where workspace_id = %(workspace)s and {{whose}} and kind = 'invoice' and paid_at is not null and not cancelled
and deleted_at is null
"""  # noqa: S608
_MORE: Mapping[str, tuple[str, ...]] = {
    _VISITS: (),
    _ORDERS: (),
    _CALLS: ("uuid", "text"),
    _LEADS: ("uuid", "text"),
    _DEALS: ("moment", "int8", "text", "uuid"),
    _INVOICES: ("int8", "text"),
}
_BETWEEN = "\x1f"
"""Between the words of a column: no record holds it."""

_AGGREGATED = {"text": "string_agg({}, E'\\x1f')"}
_PEOPLE = """
select distinct company.client_id, contact.client_id
from company
join contact on contact.workspace_id = company.workspace_id and contact.company_id = company.id
where company.workspace_id = %(workspace)s and company.client_id = any(%(clients)s::uuid[])
and contact.client_id <> company.client_id and company.deleted_at is null and contact.deleted_at is null
"""
_COMPANIES = """
select company.client_id
from contact
join company on company.workspace_id = contact.workspace_id and company.id = contact.company_id
where contact.workspace_id = %(workspace)s and contact.client_id = any(%(clients)s::uuid[])
and company.client_id is not null and company.deleted_at is null and contact.deleted_at is null
union
select company_id from settled_person where workspace_id = %(workspace)s and person_id = any(%(clients)s::uuid[])
"""
_PHONES_WHEN_SETTLED = (
    "select phone from settled_call where workspace_id = %(workspace)s and call_id = any(%(records)s::uuid[])"
)
_PHONES_NOW = """
select client_phone from call where workspace_id = %(workspace)s and id = any(%(records)s::uuid[])
and client_id is null and client_phone like '+%%'
"""
_FORMER_CALLS = (
    "select call_id from settled_call where workspace_id = %(workspace)s and phone = any(%(phones)s::text[])"
)


@dataclass(frozen=True, slots=True)
class Known:
    """The histories of the clients asked for, and of records without a client that hang together with them."""

    clients: set[UUID]
    histories: Histories
    people: set[tuple[UUID, UUID]]
    """Pairs of company and person, by their clients."""
    records: set[UUID]
    """Records that have or had no client and were looked at."""
    phones: dict[UUID, str]
    """Calls without a client, by the phone by which they were compared."""


async def companies_of(conn: PsycopgConnection, terms: Terms, clients: Collection[UUID]) -> set[UUID]:
    """The companies whose figures depend on these persons, now or when they were last settled."""
    return {row[0] for row in await _fetch(conn, terms, _COMPANIES, clients=clients)}


async def read(
    conn: PsycopgConnection, terms: Terms, clients: Collection[UUID], records: Collection[UUID] = ()
) -> Known:
    """All that the figures of these clients, and of these records as far as they have no client, depend on."""
    pairs = {(row[0], row[1]) for row in await _fetch(conn, terms, _PEOPLE, clients=clients)}
    asked = list(clients)
    everybody = [*asked, *({person for _, person in pairs} - set(asked))]
    reader = _Reader(conn, terms, everybody)
    await reader.read_clients()
    looked_at, phones = await reader.read_nobodys(set(records))
    places = {client: place for place, client in enumerate(everybody)}
    people = np.array([(places[company], places[person]) for company, person in sorted(pairs)], np.int64)
    return Known(set(asked), reader.histories(len(asked), people.reshape(-1, 2)), pairs, looked_at, phones)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of one table: moments, ids, channels and campaigns, and further columns."""

    owners: Ints
    at: Ints
    records: Ids
    channels: list[str]
    campaigns: Ids
    more: tuple[Any, ...]


class _Reader:
    """Reads tables, those of clients first; records without a client get histories of their own after them."""

    def __init__(self, conn: PsycopgConnection, terms: Terms, clients: list[UUID]) -> None:
        self._conn, self._terms, self._clients = conn, terms, clients
        self._nobodys = 0
        self._words = {word: number for number, word in enumerate(WORDS)}
        self._rows: dict[str, list[_Rows]] = {table: [] for table in _MORE}

    async def read_clients(self) -> None:
        for table in _MORE:
            # For each client by itself: in tables that were never analysed, as in a first load, PostgreSQL would
            # otherwise read the whole workspace instead of looking clients up.
            one = table.format(whose="client_id = c.id")
            statement = (
                "select c.place - 1, r.* from unnest(%(clients)s::uuid[]) with ordinality as c(id, place)"  # noqa: S608
                f" cross join lateral ({one} offset 0) r"
            )
            await self._read(table, statement, clients=self._clients)

    async def read_nobodys(self, records: set[UUID]) -> tuple[set[UUID], dict[UUID, str]]:
        """Records without a client: calls of one phone together, all others alone. Gives those that were looked at,
        and calls by phone."""
        theirs = [UUID(bytes=id.tobytes()) for rows in self._rows[_CALLS] for id in rows.records]
        then = await self._fetch(_PHONES_WHEN_SETTLED, records={*records, *theirs})
        now = await self._fetch(_PHONES_NOW, records=records)
        found = {row[0] for row in (*then, *now)}
        former = {row[0] for row in await self._fetch(_FORMER_CALLS, phones=found)}
        looked_at = records | former
        of_nobody = "client_id is null and id = any(%(records)s::uuid[])"
        by_phone = "client_id is null and (id = any(%(records)s::uuid[]) or client_phone = any(%(phones)s::text[]))"
        calls = await self._read_nobody(_CALLS, by_phone, records=looked_at, phones=found)
        for table in (_LEADS, _DEALS, _INVOICES):
            await self._read_nobody(table, of_nobody, records=looked_at)
        ids = [UUID(bytes=id.tobytes()) for id in calls.records] if calls else []
        phones = [_comparable(phone) for phone in calls.more[1]] if calls else []
        return looked_at | set(ids), {id: phone for id, phone in zip(ids, phones, strict=True) if phone}

    def histories(self, asked: int, people: Ints) -> Histories:
        """``asked``: how many of the clients are; the others only touch for companies."""
        number = len(self._clients) + self._nobodys
        clients = b"".join(client.bytes for client in self._clients).ljust(16 * number, b"\0")
        places = np.arange(number)
        told = {table: self._told(table) for table in (_CALLS, _LEADS)}
        deals, invoices = self._all(_DEALS), self._all(_INVOICES)
        return Histories(
            np.frombuffer(clients, "V16").copy(),
            (places < asked) | (places >= len(self._clients)),
            visits=self._touches(_VISITS, RecordKind.VISIT),
            orders=self._touches(_ORDERS, RecordKind.ORDER),
            calls=told[_CALLS],
            leads=told[_LEADS],
            deals=WonDeals(
                deals.owners,
                deals.at,
                deals.records,
                deals.more[0],
                deals.more[1],
                self._numbers(deals.more[2], unknown=self._terms.currency),
                self._numbers(deals.channels),
                deals.campaigns,
                self._contacts(deals, people),
            ),
            invoices=PaidInvoices(
                invoices.owners,
                invoices.at,
                invoices.records,
                invoices.more[0],
                self._numbers(invoices.more[1], unknown=self._terms.currency),
                invoices.campaigns,
            ),
            people=people,
            words=list(self._words),  # the last, when all of them have numbers
        )

    def _contacts(self, deals: _Rows, people: Ints) -> Ints:
        """Those of a company's persons whose deals they are."""
        of = {(company, self._clients[person].bytes): person for company, person in people.tolist()}
        named = zip(deals.owners.tolist(), deals.more[3], strict=True) if of else ()
        found = [of.get((owner, id.tobytes()), -1) for owner, id in named]
        return np.array(found, np.int64) if of else np.full(len(deals.at), -1)

    def _touches(self, table: str, kind: RecordKind) -> Touches:
        rows = self._all(table)
        kinds = np.full(len(rows.at), TOUCH_KINDS.index(kind))
        return Touches(rows.owners, rows.at, kinds, rows.records, self._numbers(rows.channels), rows.campaigns)

    def _told(self, table: str) -> Told:
        """Calls are told by a connection, and compared by phone: a withheld number ('anonymous') doesn't tell that
        two are the same. Leads are told by a stream of a connection; those of one client are compared."""
        rows = self._all(table)
        connections, words = rows.more
        tellers = numbered(connections)[1]
        spelled: dict[str, int] = {}
        if table == _CALLS:
            keys = [spelled.setdefault(word, len(spelled)) if _comparable(word) else -1 for word in words]
        else:
            keys = [0] * len(words)
            streams = np.array([spelled.setdefault(word, len(spelled)) for word in words], np.int64)
            tellers = tellers * (len(spelled) + 1) + streams
        channels = self._numbers(rows.channels)
        return Told(rows.owners, rows.at, rows.records, tellers, np.array(keys, np.int64), channels, rows.campaigns)

    def _numbers(self, words: list[str], *, unknown: str = "") -> Ints:
        known = self._words
        return np.array([known.setdefault(word or unknown, len(known)) for word in words], np.int64)

    def _all(self, table: str) -> _Rows:
        parts = self._rows[table]
        kinds = _MORE[table]
        if not parts:
            none, ids = np.zeros(0, np.int64), np.zeros(0, "V16")
            empty = {"text": [], "uuid": ids}
            return _Rows(none, none, ids, [], ids, tuple(empty.get(kind, none) for kind in kinds))
        if len(parts) == 1:
            return parts[0]
        return _Rows(
            np.concatenate([part.owners for part in parts]),
            np.concatenate([part.at for part in parts]),
            np.concatenate([part.records for part in parts]),
            [word for part in parts for word in part.channels],
            np.concatenate([part.campaigns for part in parts]),
            tuple(
                [word for part in parts for word in part.more[place]]
                if kind == "text"
                else np.concatenate([part.more[place] for part in parts])
                for place, kind in enumerate(kinds)
            ),
        )

    async def _read_nobody(self, table: str, whose: str, **ids: Collection[UUID] | Collection[str]) -> _Rows | None:
        rows = await self._read(table, f"select 0::bigint, r.* from ({table.format(whose=whose)}) r", **ids)  # noqa: S608
        if rows is not None:
            first = len(self._clients) + self._nobodys
            places: dict[object, int] = {}
            phones = rows.more[1] if table == _CALLS else [""] * len(rows.at)
            for row, phone in enumerate(phones):
                rows.owners[row] = first + places.setdefault(_comparable(phone) or row, len(places))
            self._nobodys += len(places)
        return rows

    async def _read(self, table: str, statement: str, **ids: Collection[UUID] | Collection[str]) -> _Rows | None:
        if not any(ids.values()):
            return None
        kinds = ("int8", "moment", "uuid", "text", "uuid", *_MORE[table])
        names = [f"c{place}" for place in range(len(kinds))]
        sums = ", ".join(
            _AGGREGATED.get(kind, "array_agg({})").format(name) for kind, name in zip(kinds, names, strict=True)
        )
        found = await Columns.fetch(
            self._conn,
            f"select {sums} from ({statement}) as t({', '.join(names)})",  # noqa: S608
            {**{name: as_array(values) for name, values in ids.items()}, "workspace": self._terms.workspace_id},
        )
        owners = found.whole(0)
        if not len(owners):
            return None
        more = tuple(_column(found, place, kind) for place, kind in enumerate(kinds[5:], 5))
        channels = found.text(3).split(_BETWEEN)
        rows = _Rows(owners, found.whole(1, "moment"), found.ids(2), channels, found.ids(4), more)
        self._rows[table].append(rows)
        return rows

    async def _fetch(self, statement: str, **ids: Collection[UUID] | Collection[str]) -> list[tuple[Any, ...]]:
        return await _fetch(self._conn, self._terms, statement, **ids)


def _column(found: Columns, place: int, kind: str) -> Any:
    if kind == "text":
        return found.text(place).split(_BETWEEN)
    return found.ids(place) if kind == "uuid" else found.whole(place, kind)


def _comparable(phone: str) -> str | None:
    """The phone if it is one."""
    return phone if phone.startswith("+") else None


def as_array(values: Collection[UUID] | Collection[str]) -> str | list[str]:
    """A parameter for ``::uuid[]`` (or ``::text[]``). Ids go as one text: psycopg's own way with lists takes
    ten times as long."""
    first = next(iter(values), None)
    if isinstance(first, str):
        return [str(value) for value in values]
    return f"{{{','.join(map(_HEX, values))}}}"


async def _fetch(
    conn: PsycopgConnection, terms: Terms, statement: str, **ids: Collection[UUID] | Collection[str]
) -> list[tuple[Any, ...]]:
    if not any(ids.values()):
        return []
    parameters: dict[str, object] = {name: as_array(values) for name, values in ids.items()}
    async with conn.cursor(binary=True) as cursor:
        await cursor.execute(statement, {**parameters, "workspace": terms.workspace_id})
        return await cursor.fetchall()
