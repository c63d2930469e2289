"""Reads what figures depend on, for many clients at once: one statement a table, whatever the number."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter
from typing import Any
from uuid import UUID

from core.database import PsycopgConnection
from reports.paths import NIL, History, PaidInvoice, Told, Touch, WonDeal, touches_of
from reports.terms import Terms
from schema.enums import Channel, RecordKind

_HEX = attrgetter("hex")

_VISITS = """
select client_id, started_at, id, channel, campaign_id from visit
where workspace_id = %(workspace)s and {whose} and deleted_at is null
"""
_CALLS = """
select client_id, started_at, id, connection_id, client_phone, channel, campaign_id from call
where workspace_id = %(workspace)s and {whose} and direction = 'inbound' and deleted_at is null
"""
_LEADS = """
select client_id, created_at, id, connection_id, stream, channel, campaign_id from lead
where workspace_id = %(workspace)s and {whose} and deleted_at is null
"""
_ORDERS = """
select client_id, created_at, id, channel, campaign_id from sales_order
where workspace_id = %(workspace)s and {whose} and deleted_at is null
and (channel is not null or campaign_id is not null)
"""
_DEALS = """
select client_id, coalesce(closed_at, created_at), id, created_at, amount, currency, channel, campaign_id, (
    select card.client_id from contact card
    where card.workspace_id = deal.workspace_id and card.id = deal.contact_id and card.deleted_at is null
)
from deal where workspace_id = %(workspace)s and {whose} and status = 'won' and deleted_at is null
"""
_INVOICES = """
select client_id, paid_at, id, amount, currency, deal_id from invoice
where workspace_id = %(workspace)s and {whose} and kind = 'invoice' and paid_at is not null and not cancelled
and deleted_at is null
"""
_OF_CLIENT = "client_id = c.id"
_OF_NOBODY = "client_id is null and id = any(%(records)s::uuid[])"
_OF_NOBODY_BY_PHONE = (
    "client_id is null and (id = any(%(records)s::uuid[]) or client_phone = any(%(phones)s::text[]))"
)

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

    clients: dict[UUID, History]
    nobodys: list[History]
    people: set[tuple[UUID, UUID]] = field(default_factory=set)
    """Pairs of company and person, by their clients."""
    records: set[UUID] = field(default_factory=set)
    """Records that have or had no client and were looked at."""
    phones: dict[UUID, str] = field(default_factory=dict)
    """Calls without a client, by the phone by which they were compared."""

    def all(self) -> Iterable[History]:
        yield from self.clients.values()
        yield from self.nobodys


async def companies_of(conn: PsycopgConnection, terms: Terms, clients: Collection[UUID]) -> set[UUID]:
    """The companies whose figures depend on these persons, now or when they were last settled."""
    return {row[0] for row in await _fetch(conn, terms, _COMPANIES, clients=clients)}


async def read(
    conn: PsycopgConnection, terms: Terms, clients: Collection[UUID], records: Collection[UUID] = ()
) -> Known:
    """All that the figures of these clients, and of these records as far as they have no client, depend on."""
    pairs = {(row[0], row[1]) for row in await _fetch(conn, terms, _PEOPLE, clients=clients)}
    histories = await _read_clients(conn, terms, {*clients, *(person for _, person in pairs)})
    touches = {person: touches_of(histories[person]) for _, person in pairs}
    for company, person in sorted(pairs):
        histories[company].people[person] = touches[person]
    own = {client: histories[client] for client in clients}
    return await _read_nobodys(conn, terms, own, pairs, set(records))


async def _read_clients(conn: PsycopgConnection, terms: Terms, clients: Collection[UUID]) -> dict[UUID, History]:
    histories = {client: History(client) for client in clients}
    for client, at, record, channel, campaign in await _fetch(conn, terms, _for_each(_VISITS), clients=clients):
        touch = Touch(at, RecordKind.VISIT, record, channel or Channel.DIRECT, campaign or NIL)
        histories[client].visits.append(touch)
    for row in await _fetch(conn, terms, _for_each(_CALLS), clients=clients):
        histories[row[0]].calls.append(_call(row))
    for row in await _fetch(conn, terms, _for_each(_LEADS), clients=clients):
        histories[row[0]].leads.append(_lead(row))
    for client, at, record, channel, campaign in await _fetch(conn, terms, _for_each(_ORDERS), clients=clients):
        histories[client].orders.append(Touch(at, RecordKind.ORDER, record, channel or "", campaign or NIL))
    for row in await _fetch(conn, terms, _for_each(_DEALS), clients=clients):
        histories[row[0]].deals.append(_deal(row, terms))
    for row in await _fetch(conn, terms, _for_each(_INVOICES), clients=clients):
        histories[row[0]].invoices.append(_invoice(row, terms))
    return histories


async def _read_nobodys(
    conn: PsycopgConnection,
    terms: Terms,
    clients: dict[UUID, History],
    people: set[tuple[UUID, UUID]],
    records: set[UUID],
) -> Known:
    """Records without a client: calls of one phone together, all others alone."""
    theirs = {call.record_id for history in clients.values() for call in history.calls}
    then = await _fetch(conn, terms, _PHONES_WHEN_SETTLED, records=records | theirs)
    now = await _fetch(conn, terms, _PHONES_NOW, records=records)
    found = {row[0] for row in (*then, *now)}
    former = {row[0] for row in await _fetch(conn, terms, _FORMER_CALLS, phones=found)}
    looked_at = records | former
    by_phone: dict[str | None, History] = {}
    nobodys: list[History] = []
    phones: dict[UUID, str] = {}
    for row in await _fetch(conn, terms, _CALLS.format(whose=_OF_NOBODY_BY_PHONE), records=looked_at, phones=found):
        call, phone = _call(row), _comparable(row[4])
        looked_at.add(call.record_id)
        if phone is None:
            nobodys.append(History(None, calls=[call]))
        else:
            by_phone.setdefault(phone, History(None)).calls.append(call)
            phones[call.record_id] = phone
    leads = await _fetch(conn, terms, _LEADS.format(whose=_OF_NOBODY), records=looked_at)
    nobodys.extend(History(None, leads=[_lead(row)]) for row in leads)
    deals = await _fetch(conn, terms, _DEALS.format(whose=_OF_NOBODY), records=looked_at)
    nobodys.extend(History(None, deals=[_deal(row, terms)]) for row in deals)
    invoices = await _fetch(conn, terms, _INVOICES.format(whose=_OF_NOBODY), records=looked_at)
    nobodys.extend(History(None, invoices=[_invoice(row, terms)]) for row in invoices)
    return Known(clients, [*by_phone.values(), *nobodys], people, looked_at, phones)


def _call(row: tuple[Any, ...]) -> Told:
    _, at, record, connection, phone, channel, campaign = row
    return Told(at, record, connection, _comparable(phone), channel, campaign)


def _comparable(phone: str | None) -> str | None:
    """The phone if it is one: a withheld number ('anonymous') doesn't tell that two calls are the same."""
    return phone if phone is not None and phone.startswith("+") else None


def _lead(row: tuple[Any, ...]) -> Told:
    _, at, record, connection, stream, channel, campaign = row
    return Told(at, record, (connection, stream), "lead", channel, campaign)


def _deal(row: tuple[Any, ...], terms: Terms) -> WonDeal:
    _, at, record, created_at, amount, currency, channel, campaign, person = row
    money = currency or terms.currency
    return WonDeal(at, record, created_at, amount or Decimal(0), money, channel, campaign, person)


def _invoice(row: tuple[Any, ...], terms: Terms) -> PaidInvoice:
    _, at, record, amount, currency, deal = row
    return PaidInvoice(at, record, amount or Decimal(0), currency or terms.currency, deal)


def _for_each(statement: str) -> str:
    """The statement for each client by itself. In tables that were never analysed, as in a first load,
    PostgreSQL would otherwise read the whole workspace instead of looking clients up."""
    one = statement.format(whose=_OF_CLIENT)
    return f"select r.* from unnest(%(clients)s::uuid[]) as c(id) cross join lateral ({one} offset 0) r"  # noqa: S608


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
