"""Figures for tests of reports over the API: journeys of the busy market's clients, settled."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from core import clock
from core.database import driver
from reports.settle import mark, settle, settle_spend, settle_visits
from schema import tables as t
from tests.api.market import START, Market, uuid

BRAND, SALE = uuid("Gcampaign", 1), uuid("Gcampaign", 2)
YEAR = {"from": "2026-01-01", "to": "2026-12-31"}
KNOWN = START + timedelta(days=60)
"""When all of it was learnt."""


async def journeys(market: Market) -> None:
    """Client 7 comes by campaign 1, then 2, and buys for 100.01; client 6 comes by 2, calls, and doesn't."""
    await market.client(7)
    for number, client, days, campaign in ((11, 7, 0, BRAND), (12, 7, 4, SALE), (13, 6, 1, SALE)):
        await market.add(
            t.Visit,
            [
                {
                    **market.unified("visit", number),
                    "client_id": uuid("client", client),
                    "started_at": START + timedelta(days=days),
                    "visitor_ids": [f"ym:{number}"],
                    "channel": "paid_search",
                    "source": "yandex",
                    "medium": "cpc",
                    "utm_campaign": "spring",
                    "campaign_id": campaign,
                    "city": "Kazan" if client == 7 else "Perm",
                    "device": "desktop",
                    "landing_url": "https://shop.ru/a?x=1",
                }
            ],
        )
    tagged: dict[str, Any] = {"campaign_id": BRAND, "channel": "paid_search"}
    await market.call(91, 6, started_at=START + timedelta(days=2), is_target=True, answered=True, **tagged)
    sold = {"closed_at": START + timedelta(days=10), "created_at": START + timedelta(days=5)}
    await market.deal(91, 7, status="won", amount=Decimal("100.01"), **sold)
    await settled(
        market, [uuid("client", 7), uuid("client", 6)], [uuid("visit", number) for number in (11, 12, 13)]
    )


async def settled(
    market: Market, clients: list[UUID], visits: list[UUID], *, cause: str = "call", at: datetime = KNOWN
) -> None:
    """Bring the figures of these up to date, as a sync does."""
    days = [(BRAND, date(2026, 3, day)) for day in (1, 2, 3)]
    with clock.replaced(clock.Clock(at)):
        async with market.database.loading(market.workspace_id) as db:
            conn = driver(db)
            await settle_spend(conn, market.workspace_id, days)
            await settle_visits(conn, market.workspace_id, visits)
            await mark(conn, market.workspace_id, clients, cause)
            await settle(conn, market.workspace_id, None)
