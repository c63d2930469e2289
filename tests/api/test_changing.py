# ruff: noqa: E501 - queries read better unbroken
"""`reportComparison`, `reportChanges` and `unattributed`."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from tests.api.conftest import Api
from tests.api.market import START, Market, uuid
from tests.api.shop import BRAND, KNOWN, YEAR, journeys, settled
from tests.api.test_own import managed

COMPARISON = """query ($from: Date!, $to: Date!, $than: Earlier! = PERIOD, $by: ReportGrain! = CAMPAIGN) {
  reportComparison(from: $from, to: $to, than: $than, by: $by) { earlierFrom earlierTo
    totals { now { cost revenue romiRevenue } before { cost revenue } difference { revenue romiRevenue } growth { cost revenue } }
    rows { name reason campaign { id } now { revenue visits cpl } before { revenue visits } difference { revenue } growth { visits } } } }"""
CHANGES = """query ($from: Date!, $to: Date!, $before: DateTime!, $after: DateTime!, $cause: ChangeCause) {
  reportChanges(from: $from, to: $to, knownBefore: $before, knownAfter: $after) {
    totals { revenue wonDeals cost } byCause { cause events revenue wonDeals visits }
    rows { cause campaign { name } revenue }
    conversions(cause: $cause) { cause kind at record { __typename id } client { id } revenueBefore revenueAfter campaignBefore { id } campaignAfter { id } versionAfter run { id } }
    costs { campaign { name } day costBefore costAfter } } }"""


async def test_a_month_beside_the_one_before(api: Api) -> None:
    await journeys(api.market)
    april = {"from": "2026-04-01", "to": "2026-05-01"}
    found = (await api.data(COMPARISON, april))["reportComparison"]
    assert (found["earlierFrom"], found["earlierTo"]) == ("2026-03-01", "2026-03-31")
    assert found["totals"] == {
        "now": {"cost": "0", "revenue": "0", "romiRevenue": None},
        "before": {"cost": "301.50", "revenue": "100.01"},
        "difference": {"revenue": "-100.01", "romiRevenue": None},
        "growth": {"cost": "-100.00", "revenue": "-100.00"},
    }
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["Campaign 2"]["before"] == {"revenue": "100.01", "visits": 2}
    assert rows["Campaign 2"]["now"] == {"revenue": "0", "visits": 0, "cpl": None}
    assert rows["Campaign 1"]["campaign"]["id"] == f"Campaign:{BRAND}"
    assert rows["Campaign 1"]["growth"] == {"visits": "-100.00"}


async def test_last_year_and_grains(api: Api) -> None:
    await journeys(api.market)
    found = await api.data(COMPARISON, {"from": "2027-03-01", "to": "2027-03-31", "than": "YEAR", "by": "CHANNEL"})
    assert found["reportComparison"]["earlierFrom"] == "2026-03-01"
    assert found["reportComparison"]["totals"]["before"]["revenue"] == "100.01"
    assert await api.code(COMPARISON, {**YEAR, "by": "DAY"}) == "BAD_USER_INPUT"


async def change(market: Market) -> None:
    """The deal turns out to be of another amount, and a day's cost is restated."""
    async with market.database.workspace(market.workspace_id) as db:
        await db.execute(text("update deal set amount = 80 where id = :id"), {"id": uuid("deal", 91)})
    await settled(market, [uuid("client", 7)], [], cause="deal", at=KNOWN + timedelta(days=1))


async def test_what_changed_and_why(api: Api) -> None:
    await journeys(api.market)
    await change(api.market)
    moments = {"before": (KNOWN + timedelta(hours=1)).isoformat(), "after": (KNOWN + timedelta(days=2)).isoformat()}
    found = (await api.data(CHANGES, {**YEAR, **moments}))["reportChanges"]
    assert found["totals"] == {"revenue": "-20.01", "wonDeals": 0, "cost": "0"}
    assert found["byCause"] == [
        {"cause": "EDITED_DEAL", "events": 2, "revenue": "-20.01", "wonDeals": 0, "visits": 0}
    ]
    assert found["rows"] == [{"cause": "EDITED_DEAL", "campaign": {"name": "Campaign 2"}, "revenue": "-20.01"}]
    (event,) = found["conversions"]
    assert (event["kind"], event["revenueBefore"], event["revenueAfter"], event["versionAfter"]) == (
        "WON_DEAL",
        "100.01",
        "80.00",
        2,
    )
    assert event["record"] == {"__typename": "Deal", "id": f"Deal:{uuid('deal', 91)}"}
    assert found["costs"] == []
    none = (await api.data(CHANGES, {**YEAR, **moments, "cause": "MERGE"}))["reportChanges"]
    assert none["conversions"] == []
    me = await managed(api)
    hidden = (await me.data(CHANGES, {**YEAR, **moments}))["reportChanges"]
    assert (hidden["totals"]["revenue"], hidden["conversions"]) == ("-20.01", [])
    everything = {"before": START.isoformat(), "after": moments["after"]}
    all_of_it = (await api.data(CHANGES, {**YEAR, **everything}))["reportChanges"]
    assert sum(Decimal(row["revenue"]) for row in all_of_it["byCause"]) == Decimal(all_of_it["totals"]["revenue"])
    assert Decimal(all_of_it["totals"]["revenue"]) == 80


@pytest.mark.parametrize("wrong", [{"after": "2026-01-01T00:00:00Z"}, {"to": "2025-01-01"}])
async def test_moments_and_days_in_the_wrong_order(shared_api: Api, wrong: dict[str, Any]) -> None:
    asked = {**YEAR, "before": "2026-03-01T00:00:00Z", "after": "2026-03-02T00:00:00Z", **wrong}
    assert await shared_api.code(CHANGES, asked) == "BAD_USER_INPUT"


async def test_what_belongs_to_no_campaign_and_what_would_mend_it(api: Api) -> None:
    await api.market.client(8)
    sold = {"closed_at": START + timedelta(days=10), "created_at": START + timedelta(days=5)}
    await api.market.deal(92, 8, status="won", amount=Decimal(7), **sold)
    await settled(api.market, [uuid("client", 8)], [])
    query = """query ($from: Date!, $to: Date!) { unattributed(from: $from, to: $to) {
        reason channel why whyRu fix fixRu wonDeals revenue } }"""
    (row,) = (await api.data(query, YEAR))["unattributed"]
    assert (row["reason"], row["wonDeals"], row["revenue"]) == ("NO_TOUCHES", 1, "7.00")
    assert row["fix"].startswith("Connect the call tracker")
    assert row["fixRu"].startswith("Подключите")
