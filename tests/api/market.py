"""A small market in the database, made of plain rows, for tests of the API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text

from core.database import Database
from schema import tables as t

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def uuid(kind: str, number: int) -> UUID:
    """Readable ids: the kind's first letter and the number."""
    return UUID(f"{ord(kind[0]):08x}-0000-4000-8000-{number:012d}")


@dataclass
class Market:
    """A workspace with rows in it."""

    database: Database
    workspace_id: UUID
    connection_id: UUID
    _counts: dict[str, int] = field(default_factory=dict)

    async def add(self, model: type[t.Base], rows: list[dict[str, Any]]) -> None:
        async with self.database.workspace(self.workspace_id) as connection:
            await connection.execute(insert(model), [{"workspace_id": self.workspace_id, **row} for row in rows])

    def unified(self, kind: str, number: int) -> dict[str, Any]:
        return {
            "id": uuid(kind, number),
            "connection_id": self.connection_id,
            "external_id": str(number),
            "stream": f"{kind}s",
            "source_id": str(number),
            "loaded_at": START,
        }

    async def client(self, number: int, **values: Any) -> UUID:
        row: dict[str, Any] = {
            "id": uuid("client", number),
            "kind": "person",
            "name": f"Client {number:03d}",
            "phone": f"+7916000{number:04d}",
            "email": f"c{number}@example.ru",
            "founded_at": START,
            "last_seen_at": START + timedelta(hours=number),
            **values,
        }
        await self.add(t.Client, [row])
        return UUID(str(row["id"]))

    async def call(self, number: int, client: int | None, **values: Any) -> UUID:
        row: dict[str, Any] = {
            **self.unified("call", number),
            "client_id": uuid("client", client) if client is not None else None,
            "started_at": START + timedelta(minutes=number),
            "direction": "inbound",
            "client_phone": f"+7916000{client or 0:04d}",
            "answered": number % 3 != 0,
            "talk_seconds": number % 90 if number % 3 else None,
            "tags": [],
            **values,
        }
        await self.add(t.Call, [row])
        return UUID(str(row["id"]))

    async def deal(self, number: int, client: int, **values: Any) -> UUID:
        row: dict[str, Any] = {
            **self.unified("deal", number),
            "client_id": uuid("client", client),
            "title": f"Deal {number}",
            "status": "open",
            "amount": Decimal(1000 * number),
            "currency": "RUB",
            "created_at": START + timedelta(days=1, minutes=number),
            "tags": [],
            **values,
        }
        await self.add(t.Deal, [row])
        return UUID(str(row["id"]))

    async def campaign(self, number: int, **values: Any) -> UUID:
        row: dict[str, Any] = {
            "id": uuid("Gcampaign", number),
            "platform": "yandex_direct",
            "external_id": str(number),
            "name": f"Campaign {number}",
            "loaded_at": START,
            **values,
        }
        await self.add(t.Campaign, [row])
        return UUID(str(row["id"]))


async def open_market(database: Database, number: int = 1) -> Market:
    """A new workspace with one connection and nothing else."""
    workspace_id = uuid("workspace", number)
    async with database.owner_engine.begin() as connection:
        await connection.execute(text("alter table workspace disable row level security"))
        await connection.execute(
            insert(t.Workspace),
            {"id": workspace_id, "slug": f"market-{number}", "title": f"Market {number}"},
        )
        await connection.execute(text("alter table workspace enable row level security"))
    market = Market(database, workspace_id, uuid("kconnection", 1))
    await market.add(
        t.Connection,
        [
            {
                "id": market.connection_id,
                "connector": "bitrix24",
                "title": "CRM",
                "account": "bitrix24:example",
                "settings": {"portal": "example"},
                "secrets": {"webhook": "sealed"},
                "data_key": "wrapped",
            }
        ],
    )
    return market


async def busy_market(database: Database) -> Market:
    """Three campaigns, six clients, calls and deals, a pipeline with moves, leads and visits."""
    market = await open_market(database)
    for number in range(1, 4):
        await market.campaign(number)
    for number in range(1, 7):
        await market.client(number)
    for number in range(1, 31):
        client = number % 5 + 1 if number % 7 else None
        campaign = uuid("Gcampaign", number % 3 + 1) if number % 4 else None
        await market.call(number, client, campaign_id=campaign)
    for number in range(1, 9):
        await market.deal(number, number % 4 + 1, status="won" if number % 2 else "open")
    await market.add(t.Pipeline, [{**market.unified("pipeline", 1), "name": "Sales", "sort": 1}])
    await market.add(
        t.Stage,
        [
            {
                **market.unified("stage", number),
                "pipeline_id": uuid("pipeline", 1),
                "name": f"Stage {number}",
                "sort": number,
                "status": "open",
            }
            for number in (1, 2)
        ],
    )
    await market.add(
        t.StageChange,
        [
            {
                **market.unified("zstage_change", number),
                "deal_id": uuid("deal", number),
                "stage_id": uuid("stage", 1),
                "pipeline_id": uuid("pipeline", 1),
                "changed_at": START + timedelta(days=2, minutes=number),
            }
            for number in range(1, 5)
        ],
    )
    await market.add(
        t.Lead,
        [
            {
                **market.unified("lead", number),
                "client_id": uuid("client", number),
                "created_at": START + timedelta(hours=3, minutes=number),
                "title": f"Form {number}",
                "phones": [f"+7916000{number:04d}"],
                "emails": [],
                "tags": ["site"],
            }
            for number in range(1, 4)
        ],
    )
    await market.add(
        t.Visit,
        [
            {
                **market.unified("visit", number),
                "client_id": uuid("client", number),
                "started_at": START - timedelta(hours=number),
                "visitor_ids": [f"ym:{number}"],
                "channel": "paid_search",
                "source": "yandex",
                "medium": "cpc",
            }
            for number in range(1, 4)
        ],
    )
    await market.add(
        t.AdSpend,
        [
            {
                "connection_id": market.connection_id,
                "campaign_id": uuid("Gcampaign", 1),
                "day": date(2026, 3, day),
                "revision": 1,
                "stream": "costs",
                "source_id": f"1/{day}",
                "cost": Decimal("100.50"),
                "currency": "RUB",
                "vat_included": True,
                "impressions": 10,
                "clicks": 1,
                "known_from": START,
            }
            for day in range(1, 4)
        ],
    )
    return market
