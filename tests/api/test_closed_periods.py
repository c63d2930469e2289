# ruff: noqa: E501 - queries read better unbroken
"""Cohorts and closed periods over the API."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from tests.api.conftest import Api
from tests.api.market import uuid
from tests.api.shop import KNOWN, SALE, YEAR, journeys, settled

CLOSE = """mutation ($from: Date!, $to: Date!, $at: DateTime) { closePeriod(from: $from, to: $to, asKnownAt: $at) {
    period { id firstDay knownAt } problems { code field } } }"""


async def test_cohorts(api: Api) -> None:
    await journeys(api.market)
    query = """query ($from: Date!, $to: Date!, $months: Int! = 12) { cohorts(from: $from, to: $to, months: $months) {
        name clients cost cac paybackMonths months { month active retention ltv nrr } } }"""
    found = (await api.data(query, YEAR))["cohorts"]
    assert [(row["name"], row["clients"], row["cac"]) for row in found] == [("Campaign 2", 1, None)]
    assert found[0]["months"][0] == {
        "month": 0,
        "active": 1,
        "retention": "100.00",
        "ltv": "100.01",
        "nrr": "100.00",
    }
    assert await api.code(query, {**YEAR, "months": 0}) == "BAD_USER_INPUT"
    served = """query ($from: Date!, $to: Date!, $rates: [ManagerRate!], $rate: Decimal = "2000") {
        cohorts(from: $from, to: $to, hourRate: $rate, managerRates: $rates) { months { hours costToServe ltvServed } } }"""
    months = (await api.data(served, YEAR))["cohorts"][0]["months"]
    assert months[0] == {"hours": None, "costToServe": None, "ltvServed": None}
    for wrong in ({"rate": "-1"}, {"rates": [{"manager": "nobody", "perHour": "1"}]}):
        assert await api.code(served, {**YEAR, **wrong}) == "BAD_USER_INPUT"


async def test_a_closed_period(api: Api) -> None:
    await journeys(api.market)
    at = (KNOWN + timedelta(hours=1)).isoformat()
    period = (await api.data(CLOSE, {"from": "2026-03-01", "to": "2026-03-31", "at": at}))["closePeriod"]["period"]
    again = (await api.data(CLOSE, {"from": "2026-03-31", "to": "2026-04-30"}))["closePeriod"]
    assert again["problems"] == [{"code": "CLOSED_ALREADY", "field": "from"}]
    async with api.market.database.workspace(api.market.workspace_id) as db:
        await db.execute(text("update deal set amount = 80 where id = :id"), {"id": uuid("deal", 91)})
    await settled(api.market, [uuid("client", 7)], [], cause="deal", at=KNOWN + timedelta(days=1))
    preview = "query ($id: ID!) { previewOpening(id: $id) { cause revenue wonDeals } }"
    assert (await api.data(preview, {"id": period["id"]}))["previewOpening"] == [
        {"cause": "EDITED_DEAL", "revenue": "-20.01", "wonDeals": 0},
        {"cause": None, "revenue": "-20.01", "wonDeals": 0},
    ]
    report = """query ($at: DateTime) { campaignReport(from: "2026-03-01", to: "2026-03-31", asKnownAt: $at) {
        totals { revenue } } }"""
    then = (await api.data(report, {"at": period["knownAt"]}))["campaignReport"]["totals"]
    assert then == {"revenue": "100.01"}
    both = """query ($now: Boolean = false, $at: DateTime) {
        campaignReport(from: "2026-03-02", to: "2026-03-31", asKnownNow: $now, asKnownAt: $at) {
            totals { revenue } knownAt closedPeriod campaignRules channelRules }
        modelsReport(from: "2026-03-02", to: "2026-03-31", models: [LINEAR], asKnownNow: $now, asKnownAt: $at) {
            totals { credits { value } } knownAt closedPeriod }
        receipt(figure: REVENUE, campaign: $campaign, from: "2026-03-02", to: "2026-03-31", asKnownNow: $now) { total } }"""
    both = both.replace("($now", "($campaign: ID!, $now")
    campaign = {"campaign": f"Campaign:{SALE}"}
    held = await api.data(both, campaign)
    assert held["campaignReport"] == {
        "totals": {"revenue": "100.01"}, "knownAt": period["knownAt"], "closedPeriod": period["id"],
        "campaignRules": 0, "channelRules": 0,
    }  # fmt: skip
    assert held["modelsReport"]["totals"] == {"credits": [{"value": "100.01"}]}
    assert held["modelsReport"]["closedPeriod"] == period["id"]
    assert held["receipt"] == {"total": "100.01"}
    now = await api.data(both, {**campaign, "now": True})
    assert now["campaignReport"]["totals"] == {"revenue": "80.00"}
    assert (now["campaignReport"]["knownAt"], now["campaignReport"]["closedPeriod"]) == (None, None)
    assert now["modelsReport"]["totals"] == {"credits": [{"value": "80.00"}]}
    assert now["receipt"] == {"total": "80.00"}
    assert (
        await api.code(report.replace("asKnownAt: $at", "asKnownAt: $at, asKnownNow: true"), {"at": at})
        == "BAD_USER_INPUT"
    )
    beside = """query ($now: Boolean! = false) {
        changes: reportChanges(from: "2026-03-01", to: "2026-03-31") { totals { revenue } byCause { cause } }
        cohorts(from: "2026-03-01", to: "2026-03-31", asKnownNow: $now) { clients }
        reportComparison(from: "2026-04-01", to: "2026-05-01", asKnownNow: $now) { totals { before { revenue } } }
        unattributed(from: "2026-03-01", to: "2026-03-31", asKnownNow: $now) { reason } }"""
    for asked, revenue in ((False, "100.01"), (True, "80.00")):
        found = await api.data(beside, {"now": asked})
        assert found["changes"] == {"totals": {"revenue": "-20.01"}, "byCause": [{"cause": "EDITED_DEAL"}]}
        assert found["reportComparison"]["totals"]["before"]["revenue"] == revenue
        assert [each["clients"] for each in found["cohorts"]] == [1]
    open_days = beside.replace("2026-03-31", "2026-04-01")
    assert await api.code(open_days, {}) == "BAD_USER_INPUT"
    across = report.replace("2026-03-31", "2026-04-01")
    assert (await api.data(across))["campaignReport"]["totals"] == {"revenue": "80.00"}
    opened = "mutation ($id: ID!) { openPeriod(id: $id) { removed } }"
    assert (await api.data(opened, {"id": period["id"]}))["openPeriod"] == {"removed": True}
    assert (await api.data("{ closedPeriods { id } }"))["closedPeriods"] == []
    assert (await api.data(preview, {"id": period["id"]}))["previewOpening"] is None
    assert await api.code(preview, {"id": "x"}) == "BAD_USER_INPUT"
