"""Judged clicks: counted by campaign in the report, with what they cost, and from files just so."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx

from core.database import driver
from reports.dimensions import Dimension
from reports.grouped import grouped_statement
from reports.terms import read_terms
from sandbox.server import Sandbox
from schema.enums import RunState
from tests.sync.conftest import START, Bench

LAST = START + timedelta(days=39)


async def report(bench: Bench) -> dict[str | None, dict[str, Any]]:
    """Figures by campaign's name, as ``report`` of the API counts them."""
    figures = ("clicks", "cost", "fraud_clicks", "fraud_cost")
    async with bench.office.database.loading(bench.workspace) as db:
        conn = driver(db)
        terms = await read_terms(conn, bench.workspace)
        statement, _ = grouped_statement(terms, START, LAST, (Dimension.CAMPAIGN,), figures)
        cursor = await conn.execute(statement.sql.encode(), statement.params)
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]
    return {row["name"]: row for row in rows}


async def judged(market: Sandbox) -> Counter[tuple[str, str]]:
    """What the service itself says: blocked clicks by campaign and day."""
    given, found = market.credentials["clickfraud"], Counter[tuple[str, str]]()
    headers, cursor = {"Authorization": f"Bearer {given['token']}"}, ""
    async with httpx.AsyncClient(headers=headers, base_url=given["base_url"]) as client:
        while cursor is not None:
            query: dict[str, str] = {"per_page": "100", "verdict": "blocked", "cursor": cursor}
            page = (await client.get(f"/api/v1/sites/{given['site_id']}/clicks", params=query)).json()
            for click in page["data"]:
                found[click["campaign_id"], click["id"][1:9]] += 1
            cursor = page["meta"]["next_cursor"]
    return found


async def test_the_report_shows_what_was_lost_to_fraud_and_a_second_run_changes_nothing(
    bench: Bench, market: Sandbox
) -> None:
    for vendor in ("yandex_direct", "vk_ads", "google_ads"):
        assert (await bench.sync(await bench.connect(market, vendor))).error is None
    connection = await bench.connect(market, "clickfraud")
    first = await bench.sync(connection)
    assert (first.state, first.error) == (RunState.SUCCEEDED, None)
    assert first.counts.fetched == first.counts.created
    rows = await report(bench)
    told = await judged(market)
    assert sum(row["fraud_clicks"] for row in rows.values()) == sum(told.values()) > 20
    days = {
        (external_id, f"{day:%Y%m%d}"): (cost, clicks)
        for external_id, day, cost, clicks in await bench.rows(
            "select k.external_id, s.day, s.cost, s.clicks from ad_spend s join campaign k"
            " on k.workspace_id = s.workspace_id and k.id = s.campaign_id where s.known_until is null"
        )
    }
    lost = sum(Decimal(number) * days[key][0] / days[key][1] for key, number in told.items())
    shown = sum(row["fraud_cost"] for row in rows.values())
    assert abs(shown - lost) < Decimal("0.01") * sum(told.values())
    assert all(row["fraud_cost"] <= row["cost"] for row in rows.values() if row["fraud_clicks"])
    assert {"VK | Бизнес", "Google | Поиск"} & {name for name, row in rows.items() if row["fraud_clicks"]}
    again = await bench.sync(connection)
    assert (again.counts.created, again.counts.updated) == (0, 0)
    assert again.counts.fetched == again.counts.unchanged
    assert await bench.unsettled() == []


async def test_a_cleared_click_leaves_the_report(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "clickfraud")
    await bench.sync(connection)
    for _ in range(4):
        own_market.advance(hours=12)
        await bench.sync(connection)
    told = await judged(own_market)
    assert await bench.value("select sum(clicks) from invalid_clicks") == sum(told.values())
    async with httpx.AsyncClient() as client:
        given = own_market.credentials["clickfraud"]
        query, headers = {"verdict": "cleared"}, {"Authorization": f"Bearer {given['token']}"}
        address = f"{given['base_url']}/api/v1/sites/{given['site_id']}/clicks"
        cleared = (await client.get(address, params=query, headers=headers)).json()["data"]
    assert cleared, "the market has given back some clicks"
    gone = [click["id"] for click in cleared]
    assert await bench.value("select count(*) from invalid_clicks where external_id = any(:ids)", ids=gone) == 0
