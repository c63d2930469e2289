"""The small workspace that docs/guide.md asks: a kitchen maker with an ad cabinet, a call tracker and a CRM."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.database import Database, driver
from reports.settle import mark, settle, settle_spend, settle_visits
from schema import tables as t
from tests.api.market import Market, open_market, uuid

MARCH = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
NAMES = ("Anna Sokolova", "Ivan Petrov", "OOO Romashka", "Maria Orlova", "Pavel Kim", "Daria Belova")
KITCHENS, WARDROBES = uuid("Gcampaign", 1), uuid("Gcampaign", 2)
TRACKER, CRM = uuid("kconnection", 2), uuid("kconnection", 1)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of March 2026."""
    return MARCH + timedelta(days=day - 1, hours=hour - 6, minutes=minute)


async def workshop(database: Database) -> Market:
    """Fill a database with it and bring its figures up to date."""
    market = await open_market(database)
    async with database.owner_engine.begin() as connection:
        for statement in (
            "alter table workspace disable row level security",
            "update workspace set title = 'Workshop', slug = 'workshop', created_at = '2026-02-01T00:00:00Z'",
            "alter table workspace enable row level security",
        ):
            await connection.execute(text(statement))
    await _systems(market)
    await _people(market)
    await _interactions(market)
    await _sales(market)
    await _figures(market)
    return market


async def _systems(market: Market) -> None:
    async with market.database.workspace(market.workspace_id) as connection:
        await connection.execute(
            text("update connection set title = 'Our CRM', created_at = :at, updated_at = :at"), {"at": at(1, 6)}
        )
    common = {"secrets": {}, "data_key": "wrapped", "created_at": at(1, 6), "updated_at": at(1, 6)}
    await market.add(
        t.Connection,
        [
            {
                **common,
                "id": TRACKER,
                "connector": "calltouch",
                "title": "Calls",
                "account": "calltouch:77",
                "settings": {},
                "state": "needs_reauth",
                "state_reason": "Calltouch no longer takes the key: make a new one in its settings.",
            }
        ],
    )
    run: dict[str, Any] = {
        "id": uuid("run", 1),
        "connection_id": CRM,
        "trigger": "schedule",
        "state": "succeeded",
        "queued_at": at(20, 9),
        "started_at": at(20, 9, 1),
        "finished_at": at(20, 9, 2),
        "fetched": 12,
        "created": 2,
        "updated": 1,
        "unchanged": 8,
        "quarantined": 1,
    }
    await market.add(t.SyncRun, [run])
    await market.add(
        t.Quarantine,
        [
            {
                "connection_id": CRM,
                "stream": "deals",
                "external_id": "907",
                "reason": "OPPORTUNITY: '12 тыс.' isn't a number.",
                "first_at": at(20, 9, 1),
                "last_at": at(20, 9, 1),
                "attempts": 1,
                "hash": b"\0" * 16,
                "raw": b"{}",
            }
        ],
    )


async def _people(market: Market) -> None:
    for number, name in enumerate(NAMES, 1):
        await market.client(
            number,
            name=name,
            kind="company" if name.startswith("OOO") else "person",
            phone=f"+791655501{number:02d}",
            email=f"client{number}@example.ru",
            founded_at=at(number, 10),
            last_seen_at=at(10 + number, 12),
            created_at=at(number, 10),
            changed_at=at(10 + number, 12),
        )
    await market.campaign(1, name="Kitchens")
    await market.campaign(2, name="Wardrobes")
    await market.add(t.User, [{**market.unified("user", 1), "name": "Olga Manager", "active": True}])


async def _interactions(market: Market) -> None:
    paid = {"channel": "paid_search", "source": "yandex", "medium": "cpc"}
    visits = [
        (1, 1, at(2, 9), {**paid, "campaign_id": KITCHENS}),
        (2, 2, at(3, 9), {**paid, "campaign_id": KITCHENS}),
        (3, 3, at(4, 9), {**paid, "campaign_id": WARDROBES}),
        (4, 4, at(5, 9), {"channel": "direct", "source": None, "medium": None, "campaign_id": None}),
    ]
    await market.add(
        t.Visit,
        [
            {
                **market.unified("visit", number),
                "client_id": uuid("client", client),
                "started_at": when,
                "visitor_ids": [f"ym:{number}"],
                **origin,
            }
            for number, client, when, origin in visits
        ],
    )
    for number, client, when, seconds in ((1, 1, at(2, 10), 240), (2, 2, at(3, 11), None), (3, 5, at(6, 15), 95)):
        await market.call(
            number,
            client,
            connection_id=TRACKER,
            started_at=when,
            client_phone=f"+791655501{client:02d}",
            tracking_phone="+74955550100",
            answered=seconds is not None,
            talk_seconds=seconds,
        )
    await market.add(
        t.Lead,
        [
            {
                **market.unified("lead", 1),
                "client_id": uuid("client", 3),
                "created_at": at(4, 10),
                "title": "Wardrobe for the office",
                "phones": ["+79165550103"],
                "emails": [],
                "tags": ["site"],
            }
        ],
    )


async def _sales(market: Market) -> None:
    await market.add(t.Pipeline, [{**market.unified("pipeline", 1), "name": "Sales", "sort": 1}])
    stages = ((1, "New", "open"), (2, "Measuring", "open"), (3, "Paid", "won"))
    await market.add(
        t.Stage,
        [
            {
                **market.unified("stage", number),
                "pipeline_id": uuid("pipeline", 1),
                "name": name,
                "sort": number,
                "status": status,
            }
            for number, name, status in stages
        ],
    )
    deals = (
        (1, 1, "Kitchen, oak", 3, "420000.00", at(2, 12), at(12, 18)),
        (2, 2, "Kitchen, white", 2, "310000.00", at(3, 12), None),
        (3, 3, "Wardrobe for the office", 1, "95000.00", at(4, 12), None),
        (4, 4, "Chest of drawers", 3, "38000.00", at(5, 12), at(14, 18)),
    )
    heard = {1: "7", 2: "8", 4: "7"}
    for number, client, title, stage, amount, created, closed in deals:
        await market.deal(
            number,
            client,
            title=title,
            amount=Decimal(amount),
            status="won" if closed else "open",
            created_at=created,
            closed_at=closed,
            pipeline_id=uuid("pipeline", 1),
            stage_id=uuid("stage", stage),
            responsible_id=uuid("user", 1),
            custom={"UF_CRM_HEARD": heard[number]} if number in heard else None,
        )
    options = [{"value": "7", "label": "From friends"}, {"value": "8", "label": "Saw the showroom"}]
    await market.add(
        t.CustomField,
        [
            {
                "connection_id": CRM,
                "record_kind": "deal",
                "key": "UF_CRM_HEARD",
                "label": "How they heard of us",
                "type": "enumeration",
                "options": options,
                "declared": True,
                "first_seen_at": at(1, 6),
                "last_seen_at": at(20, 6),
                "sampled": 4,
                "filled": 3,
                "samples": ["7", "8"],
            }
        ],
    )


async def _figures(market: Market) -> None:
    spend = ((KITCHENS, 2, "1500.00", 30), (KITCHENS, 3, "1700.00", 34), (WARDROBES, 4, "900.00", 12))
    rows = [
        {
            "connection_id": market.connection_id,
            "campaign_id": campaign,
            "day": date(2026, 3, day),
            "revision": 1,
            "stream": "costs",
            "source_id": f"{campaign}/{day}",
            "cost": Decimal(cost),
            "currency": "RUB",
            "vat_included": True,
            "impressions": clicks * 40,
            "clicks": clicks,
            "known_from": at(5, 6),
        }
        for campaign, day, cost, clicks in spend
    ]
    await market.add(t.AdSpend, rows)
    clients: list[UUID] = [uuid("client", number) for number in range(1, 7)]
    async with market.database.loading(market.workspace_id) as connection:
        conn = driver(connection)
        await mark(conn, market.workspace_id, clients, "first")
        await settle(conn, market.workspace_id, None)
        await settle_visits(conn, market.workspace_id, [uuid("visit", number) for number in range(1, 5)])
        await settle_spend(conn, market.workspace_id, [(row["campaign_id"], row["day"]) for row in rows])
