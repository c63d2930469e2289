"""A workspace in a fresh database, and rows put into its tables as a loader would leave them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from core import clock
from core.database import Database, PsycopgConnection, driver, open_database
from reports.settle import Settled, mark, settle, settle_spend, settle_visits
from schema.enums import Channel
from tests.conftest import Postgres

WORKSPACE = UUID("00000000-0000-4000-8000-000000000001")
CALL_TRACKER, CRM, CABINET = (UUID(int=number) for number in (101, 102, 103))
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def ident(name: str) -> UUID:
    """A UUID that a reader can tell: the same name, the same id."""
    return UUID(bytes=name.encode().ljust(16, b"\0")[:16])


def day(number: float, *, seconds: float = 0) -> datetime:
    """So many days after the start."""
    return START + timedelta(days=number, seconds=seconds)


class Account:
    """The workspace's rows, written as the loader role within one transaction at a time."""

    def __init__(self, conn: PsycopgConnection) -> None:
        self.conn = conn
        self.workspace_id = WORKSPACE

    async def put(self, table: str, **row: Any) -> UUID:
        """Insert or overwrite one row by its id."""
        row = {"workspace_id": WORKSPACE, **row}
        columns = sql.SQL(", ").join(map(sql.Identifier, row))
        values = sql.SQL(", ").join(sql.Placeholder() * len(row))
        updates = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in row)
        await self.conn.execute(
            sql.SQL("insert into {} ({}) values ({}) on conflict (workspace_id, id) do update set {}").format(
                sql.Identifier(table), columns, values, updates
            ),
            [Jsonb(value) if isinstance(value, dict) else value for value in row.values()],
        )
        return UUID(str(row["id"]))

    async def visit(self, name: str, client: str | None, at: datetime, **more: Any) -> UUID:
        row = {"started_at": at, "visitor_ids": [], **_record(name, CALL_TRACKER, "visits"), **_of(client)}
        return await self.put("visit", **(row | more))

    async def visitor(self, visit: str, *keys: str) -> None:
        """The visitor's cookies as identity keeps them."""
        for key in keys:
            await self.conn.execute(
                "insert into identifier (workspace_id, kind, value, record_id, record_kind, client_kind, raw)"
                " values (%s, 'visitor', %s, %s, 'visit', 'person', %s)",
                (WORKSPACE, key, ident(visit), key),
            )

    async def call(self, name: str, client: str | None, at: datetime, **more: Any) -> UUID:
        told = more.pop("told_by", CALL_TRACKER)
        row = {"started_at": at, "direction": "inbound", "client_phone": "+79161234567", "answered": True}
        row |= {"tags": [], **_record(name, told, "calls"), **_of(client)}
        return await self.put("call", **(row | more))

    async def lead(self, name: str, client: str | None, at: datetime, **more: Any) -> UUID:
        told = more.pop("told_by", CALL_TRACKER)
        row = {"created_at": at, "phones": [], "emails": [], "tags": [], **_record(name, told, "leads")}
        return await self.put("lead", **row, **_of(client), **more)

    async def order(self, name: str, client: str | None, at: datetime, **more: Any) -> UUID:
        row = {"created_at": at, "state": "open", "phones": [], "emails": [], "tags": []}
        return await self.put("sales_order", **(row | _record(name, CRM, "orders") | _of(client) | more))

    async def deal(self, name: str, client: str | None, at: datetime, amount: str | None, **more: Any) -> UUID:
        row = {"title": name, "status": "won", "created_at": at - timedelta(days=1), "closed_at": at, "tags": []}
        row |= {"amount": None if amount is None else Decimal(amount), "currency": "RUB"}
        return await self.put("deal", **(row | _record(name, CRM, "deals") | _of(client) | more))

    async def invoice(
        self, name: str, client: str | None, paid_at: datetime | None, amount: str, **more: Any
    ) -> UUID:
        row = {
            "kind": "invoice",
            "issued_at": START,
            "paid_at": paid_at,
            "amount": Decimal(amount),
            "cancelled": False,
        }
        row |= {"currency": "RUB", **_record(name, CRM, "invoices"), **_of(client)}
        return await self.put("invoice", **(row | more))

    async def contact(self, name: str, client: str, company: str | None) -> UUID:
        row: dict[str, Any] = {"phones": [], "emails": [], "company_id": ident(company) if company else None}
        return await self.put("contact", **row, **_record(name, CRM, "contacts"), **_of(client))

    async def company(self, name: str, client: str) -> UUID:
        row: dict[str, Any] = {"name": name, "phones": [], "emails": []}
        return await self.put("company", **row, **_record(name, CRM, "companies"), **_of(client))

    async def campaign(self, key: str, **more: Any) -> UUID:
        row = {"id": ident(key), "platform": "yandex_direct", "external_id": key, "name": key}
        row |= {"loaded_at": START}
        return await self.put("campaign", **(row | more))

    async def spend(self, campaign: str, on: date, cost: str, *, at: datetime = START, **more: Any) -> None:
        """A revision of what a campaign cost on a day; closes the one before."""
        key = (WORKSPACE, CABINET, ident(campaign), on)
        await self.conn.execute(
            "update ad_spend set known_until = %s where workspace_id = %s and connection_id = %s"
            " and campaign_id = %s and day = %s and known_until is null",
            (at, *key),
        )
        row = {"currency": "RUB", "impressions": 1000, "clicks": 10} | more
        (revisions,) = await self.rows(
            "select count(*) from ad_spend where workspace_id = %s and connection_id = %s and campaign_id = %s"
            " and day = %s",
            *key,
        )
        await self.conn.execute(
            "insert into ad_spend (workspace_id, connection_id, campaign_id, day, revision, stream, source_id,"
            " cost, currency, vat_included, impressions, clicks, known_from)"
            " values (%s, %s, %s, %s, %s, 'report', %s, %s, %s, true, %s, %s, %s)",
            (*key, revisions[0] + 1, f"{campaign}/{on}", Decimal(cost), *row.values(), at),
        )

    async def delete(self, table: str, name: str) -> None:
        await self.conn.execute(
            sql.SQL("update {} set deleted_at = %s where workspace_id = %s and id = %s").format(
                sql.Identifier(table)
            ),
            (START, WORKSPACE, ident(name)),
        )

    async def mark(self, *names: str, cause: str = "call") -> None:
        await mark(self.conn, WORKSPACE, [ident(name) for name in names], cause)

    async def settle(self, *names: str, cause: str = "call") -> Settled:
        """Mark these, and settle all that is marked."""
        await self.mark(*names, cause=cause)
        return await settle(self.conn, WORKSPACE, None)

    async def settle_visits(self, *names: str) -> int:
        return await settle_visits(self.conn, WORKSPACE, [ident(name) for name in names])

    async def settle_spend(self, *campaign_days: tuple[str, date]) -> int:
        return await settle_spend(self.conn, WORKSPACE, [(ident(name), on) for name, on in campaign_days])

    async def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return await (await self.conn.execute(statement, values)).fetchall()

    async def cells(self, table: str = "rollup_day") -> dict[tuple[str, str], dict[str, Any]]:
        """What the rollups hold over all days, without zeros, by (campaign or reason, channel)."""
        names = ("cost", "visits", "calls", "leads", "new_clients", "won_deals", "revenue")
        sums = ", ".join(f"sum({name})" for name in names)
        found = await self.rows(
            f"select campaign_id, reason, channel, {sums} from {table} group by 1, 2, 3"  # noqa: S608
        )
        cells = {}
        for campaign, reason, channel, *amounts in found:
            figures = {name: amount for name, amount in zip(names, amounts, strict=True) if amount}
            if figures:
                cells[reason or campaign.bytes.rstrip(b"\0").decode(), channel] = figures
        return cells


def _record(name: str, connection: UUID, stream: str) -> dict[str, Any]:
    source = {"connection_id": connection, "external_id": name, "stream": stream, "source_id": name}
    return {"id": ident(name), "loaded_at": START, "deleted_at": None, **source}


def _of(client: str | None) -> dict[str, Any]:
    return {"client_id": ident(client) if client else None}


def ad(campaign: str) -> dict[str, Any]:
    """The origin of a record that an ad brought."""
    return {"channel": Channel.PAID_SEARCH, "source": "yandex", "medium": "cpc", "campaign_id": ident(campaign)}


def organic() -> dict[str, Any]:
    return {"channel": Channel.ORGANIC, "source": "yandex", "medium": "organic", "campaign_id": None}


DIRECT: dict[str, Any] = {"channel": Channel.DIRECT, "source": "(direct)", "medium": "(none)", "campaign_id": None}


@pytest.fixture(scope="session")
async def reports_template(postgres: Postgres, migrated_template: str) -> str:
    """A migrated database with one workspace and three connections."""
    name = postgres.create(template=migrated_template)
    async with open_database(postgres.settings_for(name)) as opened:
        async with opened.owner_engine.begin() as connection:
            await driver(connection).execute(
                "insert into workspace (id, slug, title) values (%s, 'shop', 'Shop')", (WORKSPACE,)
            )
        async with opened.workspace(WORKSPACE) as connection:
            for connector, key in (("calltouch", CALL_TRACKER), ("bitrix24", CRM), ("yandex_direct", CABINET)):
                await _connection(driver(connection), connector, key)
    return name


async def _connection(conn: psycopg.AsyncConnection[Any], connector: str, key: UUID) -> None:
    await conn.execute(
        "insert into connection (workspace_id, id, connector, title, account, settings, secrets, data_key)"
        " values (%s, %s, %s, %s, %s, '{}', '{}', '')",
        (WORKSPACE, key, connector, connector, connector),
    )


@pytest.fixture
async def reports_database(postgres: Postgres, reports_template: str) -> AsyncIterator[Database]:
    name = postgres.create(template=reports_template)
    try:
        async with open_database(postgres.settings_for(name)) as opened:
            yield opened
    finally:
        postgres.drop(name)


@pytest.fixture(scope="session")
async def undone_database(postgres: Postgres, reports_template: str) -> AsyncIterator[Database]:
    """A database in which nothing is ever committed, for all tests together."""
    name = postgres.create(template=reports_template)
    try:
        async with open_database(postgres.settings_for(name)) as opened:
            yield opened
    finally:
        postgres.drop(name)


@pytest.fixture
async def account(undone_database: Database) -> AsyncIterator[Account]:
    """The workspace within one transaction as the loader, which is undone after the test."""
    async with undone_database.loader_engine.connect() as connection:
        yield Account(driver(connection))


@pytest.fixture
async def shop(account: Account) -> AsyncIterator[Account]:
    """A shop with two campaigns, and whatever has none, over four months; all settled on day 100."""
    moment = clock.Clock(day(100))
    with clock.replaced(moment):
        await account.campaign("brand", name="Brand")
        await account.campaign("sale", name="Sale", platform="utm", source="vk", medium="cpc")
        await account.conn.execute(
            "insert into campaign_name (workspace_id, campaign_id, known_from, name) values (%s, %s, %s, 'Brand'),"
            " (%s, %s, %s, 'Sale')",
            (WORKSPACE, ident("brand"), START, WORKSPACE, ident("sale"), START),
        )
        spent = []
        for number, cost in ((0, "100.10"), (30, "250"), (31, "3.33"), (95, "0.01")):
            on = day(number).date()
            await account.spend("brand", on, cost, at=day(number))
            spent.append(("brand", on))
        for number in range(12):
            client = f"client{number}"
            origins: tuple[dict[str, Any], ...] = (ad("brand"), ad("sale"), organic(), DIRECT)
            begins = number * 7.9
            await account.visit(f"v{number}", client, day(begins), **origins[number % 4])
            await account.call(f"c{number}", client, day(begins + 1))
            await account.call(f"t{number}", client, day(begins + 1, seconds=9), told_by=CRM)
            await account.lead(f"l{number}", client, day(begins + 2), **origins[number % 2])
            if number % 3 == 0:
                await account.deal(f"d{number}", client, day(begins + 9), f"{1000 + number}.07")
        await account.call("nobody", None, day(50), client_phone="+70")
        await account.deal("late", "walkin", day(60), "77")
        await account.settle_spend(*spent)
        await account.settle_visits(*(f"v{number}" for number in range(12)))
        await account.settle("nobody", "walkin", *(f"client{number}" for number in range(12)))
        yield account
