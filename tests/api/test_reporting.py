# ruff: noqa: E501 - queries read better unbroken
"""`campaignReport` and `receipt` over figures that are settled."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text

from schema import tables as t
from tests.api.conftest import Api
from tests.api.market import START, Market, uuid

NIL = UUID(int=0)
REPORT = """query ($from: Date!, $to: Date!, $by: ReportGrain! = CAMPAIGN) { campaignReport(from: $from, to: $to, by: $by) {
    currency metrics { key name nameRu unit formula meaning source basis }
    totals { cost leads cpl romiRevenue }
    rows { name reason period campaign { id spend { totalCount } } cost visits calls leads newClients wonDeals revenue
           cpl cac romiRevenue } } }"""


async def settle(market: Market) -> None:
    """Two cells of a campaign, in two months, and one that belongs to none."""
    for table, day in ((t.RollupDay, "day"), (t.RollupMonth, "month")):
        cells = [
            (date(2026, 2, 10 if day == "day" else 1), uuid("Gcampaign", 1), "", "", "100.50", 2, 0, "0"),
            (date(2026, 3, 1), uuid("Gcampaign", 1), "", "", "301.50", 4, 2, "1000"),
            (date(2026, 3, 1), NIL, "direct_only", "direct", "0", 3, 0, "0"),
        ]
        await market.add(
            table,
            [
                {
                    day: when,
                    "campaign_id": campaign,
                    "reason": reason,
                    "channel": channel,
                    "cost": Decimal(cost),
                    "leads": leads,
                    "new_clients": clients,
                    "revenue": Decimal(revenue),
                }
                for when, campaign, reason, channel, cost, leads, clients, revenue in cells
            ],
        )


async def test_the_report_with_its_unattributed_row_and_definitions(api: Api) -> None:
    await settle(api.market)
    report = (await api.data(REPORT, {"from": "2026-02-01", "to": "2026-03-31"}))["campaignReport"]
    assert report["currency"] == "RUB"
    assert report["totals"] == {"cost": "402.00", "leads": 9, "cpl": "44.67", "romiRevenue": "148.76"}
    campaign, direct = report["rows"]
    assert campaign == {
        "name": "Campaign 1",
        "reason": None,
        "period": None,
        "campaign": {"id": f"Campaign:{uuid('Gcampaign', 1)}", "spend": {"totalCount": 3}},
        "cost": "402.00",
        "visits": 0,
        "calls": 0,
        "leads": 6,
        "newClients": 2,
        "wonDeals": 0,
        "revenue": "1000.00",
        "cpl": "67.00",
        "cac": "201.00",
        "romiRevenue": "148.76",
    }
    assert (direct["reason"], direct["campaign"], direct["leads"], direct["cpl"]) == (
        "DIRECT_ONLY",
        None,
        3,
        "0.00",
    )
    romi = next(each for each in report["metrics"] if each["key"] == "romiRevenue")
    assert romi["formula"] == "(revenue − cost) ÷ cost × 100"
    assert romi["unit"] == "PERCENT"


async def test_other_days_and_grains_of_one_document(api: Api) -> None:
    await settle(api.market)
    for first, last, by, periods in (
        ("2026-02-01", "2026-02-28", "MONTH", ["2026-02-01"]),
        ("2026-02-05", "2026-03-31", "MONTH", ["2026-02-01", "2026-03-01"]),
        ("2026-02-11", "2026-03-02", "DAY", ["2026-03-01"]),
        ("2025-01-01", "2025-01-31", "DAY", []),
    ):
        rows = (await api.data(REPORT, {"from": first, "to": last, "by": by}))["campaignReport"]["rows"]
        assert [row["period"] for row in rows] == periods
    assert await api.code(REPORT, {"from": "2026-03-02", "to": "2026-03-01"}) == "BAD_USER_INPUT"


async def test_as_known_before_anything_was_known(api: Api) -> None:
    async with api.market.database.loading(api.market.workspace_id) as db:
        await db.execute(
            text("update ad_spend set currency = 'USD', cost = 40 where day = '2026-03-02' and known_until is null")
        )
    await settle(api.market)
    left = """query ($known: DateTime) { campaignReport(from: "2026-03-01", to: "2026-03-31", asKnownAt: $known) {
        otherCurrencies { currency cost revenue paidAmount } } }"""
    told = {"currency": "USD", "cost": "40.00", "revenue": "0.00", "paidAmount": "0.00"}
    assert (await api.data(left))["campaignReport"]["otherCurrencies"] == [told]
    before = (await api.data(left, {"known": "2026-01-01T00:00:00Z"}))["campaignReport"]
    assert before["otherCurrencies"] == []
    query = """{ campaignReport(from: "2026-02-01", to: "2026-03-31", asKnownAt: "2026-01-01T00:00:00Z") {
        rows { cost } totals { cost cpl } } }"""
    assert (await api.data(query))["campaignReport"] == {"rows": [], "totals": {"cost": "0", "cpl": None}}


async def test_the_receipt_of_a_cost_adds_up(api: Api) -> None:
    query = """query ($id: ID) { receipt(figure: COST, campaign: $id, from: "2026-03-01", to: "2026-03-31") {
        total items { __typename ... on SpendReceiptItem { counted day campaign { name }
          revisions { revision cost knownUntil } source { stream externalId connection { title } } } } } }"""
    receipt = (await api.data(query, {"id": f"Campaign:{uuid('Gcampaign', 1)}"}))["receipt"]
    assert receipt["total"] == "301.50"
    assert [item["day"] for item in receipt["items"]] == ["2026-03-01", "2026-03-02", "2026-03-03"]
    assert receipt["items"][0] == {
        "__typename": "SpendReceiptItem",
        "counted": "100.50",
        "day": "2026-03-01",
        "campaign": {"name": "Campaign 1"},
        "revisions": [{"revision": 1, "cost": "100.50", "knownUntil": None}],
        "source": {"stream": "costs", "externalId": "1/1", "connection": {"title": "CRM"}},
    }
    assert await api.code(query, {}) == "BAD_USER_INPUT"
    assert await api.code(query, {"id": "x"}) == "BAD_USER_INPUT"


async def test_the_receipt_of_leads_leads_down_to_touches_and_records(api: Api) -> None:
    path: dict[str, Any] = {
        "conversion_id": uuid("path", 1),
        "version": 1,
        "kind": "lead",
        "client_id": uuid("client", 1),
        "record_id": uuid("lead", 1),
        "also_told_by": [],
        "occurred_at": START,
        "value": Decimal(0),
        "currency": "RUB",
        "touch_records": [uuid("visit", 1), uuid("lead", 1), uuid("deal", 1)],
        "touch_kinds": ["visit", "lead", "deal"],
        "touch_times": [START, START, START],
        "touch_channels": ["paid_search", "direct", "direct"],
        "touch_campaigns": [uuid("Gcampaign", 1), NIL, NIL],
        "had_older_touches": False,
        "window_days": 90,
        "rules": "2",
        "digest": b"x",
        "credited": 1,
        "day": START.date(),
        "campaign_id": uuid("Gcampaign", 1),
        "reason": "",
        "channel": "",
        "revenue": Decimal(0),
        "cause": "first",
        "known_from": START,
    }
    await api.market.add(t.Path, [path])
    query = """query ($id: ID) { receipt(figure: LEADS, campaign: $id, from: "2026-03-01", to: "2026-03-31") {
        total items { ... on ConversionReceiptItem { counted kind client { name } record { id ... on Lead { title } }
          records { source { stream externalId } }
          touches { credited channel campaign { name } record { __typename id } source { externalId } } } } } }"""
    receipt = (await api.data(query, {"id": f"Campaign:{uuid('Gcampaign', 1)}"}))["receipt"]
    assert receipt["total"] == "1"
    (item,) = receipt["items"]
    assert item["record"] == {"id": f"Lead:{uuid('lead', 1)}", "title": "Form 1"}
    assert item["records"] == [{"source": {"stream": "leads", "externalId": "1"}}]
    assert [touch["credited"] for touch in item["touches"]] == [True, False, False]
    assert item["touches"][0]["record"] == {"__typename": "Visit", "id": f"Visit:{uuid('visit', 1)}"}
    assert item["touches"][2]["record"] == {"__typename": "Deal", "id": f"Deal:{uuid('deal', 1)}"}
    assert item["touches"][0]["campaign"] == {"name": "Campaign 1"}
