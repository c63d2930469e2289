"""How calls went, how long it took and what came back, credited as the rollups are."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from reports.campaigns import CampaignRow, Grain, campaign_report
from reports.details import DETAIL_METRICS, DETAILS, detail_metric, detailed_report
from reports.metrics import METRICS
from reports.rollups import FIGURES
from tests.reports.conftest import CRM, WORKSPACE, Account, ad, day, organic

YEAR = (date(2026, 1, 1), date(2026, 12, 31))


async def calls_and_deals(account: Account) -> None:
    await account.campaign("brand", name="Brand")
    await account.spend("brand", day(0).date(), "90")
    await account.visit("v1", "anna", day(0), **ad("brand"))
    await account.settle_visits("v1")
    await account.settle_spend(("brand", day(0).date()))
    await account.call("c1", "anna", day(1), wait_seconds=4, talk_seconds=100, is_target=True, is_unique=True)
    await account.call("t1", "anna", day(1, seconds=5), told_by=CRM, talk_seconds=96, is_unique=False)
    await account.call("c2", "anna", day(2), answered=False, wait_seconds=20, is_unique=False)
    await account.call("c3", "anna", day(3), talk_seconds=50)
    await account.lead("l1", "anna", day(2))
    await account.deal("d1", "anna", day(10), "100", created_at=day(6))
    await account.deal("d2", "anna", day(20), "50.5", created_at=day(19))
    await account.deal("d3", None, day(5), "7", **organic())
    await account.settle("anna", "d3")


def row_of(rows: list[CampaignRow], name: str) -> CampaignRow:
    (row,) = [row for row in rows if name in {row.name, row.channel}]
    return row


async def test_calls_by_hand(account: Account) -> None:
    await calls_and_deals(account)
    report = await detailed_report(account.conn, WORKSPACE, *YEAR)
    brand = row_of(report.rows, "Brand")
    figures = {key: int(brand.sums[key]) for key in ("calls", *DETAILS) if "call" in key}
    assert figures == {
        "calls": 3, "answered_calls": 2, "missed_calls": 1, "target_calls": 1, "unique_calls": 1, "first_calls": 1
    }  # fmt: skip
    assert detail_metric(brand, "average_talk") == 75
    assert detail_metric(brand, "average_wait") == 12
    assert detail_metric(brand, "missed_share") == Decimal("33.33")
    assert detail_metric(brand, "cost_per_target_call") == 90


async def test_deals_by_hand(account: Account) -> None:
    await calls_and_deals(account)
    report = await detailed_report(account.conn, WORKSPACE, *YEAR)
    brand, nobody = row_of(report.rows, "Brand"), row_of(report.rows, "organic")
    assert [detail_metric(brand, key) for key in ("repeat_deals", "repeat_revenue", "first_revenue")] == [
        1, Decimal("50.5"), 100
    ]  # fmt: skip
    assert detail_metric(nobody, "repeat_deals") == 0  # nobody knows whether this was a first deal
    assert detail_metric(brand, "days_to_lead") == 2
    assert detail_metric(brand, "days_to_win") == 15
    assert detail_metric(brand, "days_of_deal") == Decimal("2.50")
    assert detail_metric(nobody, "days_to_win") == 1
    assert detail_metric(report.totals, "days_to_win") == Decimal("10.33")  # of three deals, not of two rows
    assert detail_metric(report.totals, "repeat_share") == Decimal("32.06")


@pytest.mark.parametrize("grain", list(Grain))
async def test_details_belong_to_rows_of_the_report(shop: Account, grain: Grain) -> None:
    report = await detailed_report(shop.conn, WORKSPACE, *YEAR, by=grain)
    plain = await campaign_report(shop.conn, WORKSPACE, *YEAR, by=grain)
    assert [{figure: row.sums[figure] for figure in FIGURES} for row in report.rows] == [
        row.sums for row in plain.rows
    ]
    for figure in DETAILS:
        assert sum(row.sums[figure] for row in report.rows) == report.totals.sums[figure]
    for row in report.rows:
        assert row.sums["answered_calls"] + row.sums["missed_calls"] == row.sums["calls"]
        assert row.sums["dated_wins"] <= row.sums["won_deals"]
    assert report.totals.sums["first_calls"] == 12


def test_definitions_are_apart_from_those_of_the_rollups() -> None:
    assert not DETAIL_METRICS.keys() & METRICS.keys()
    for metric in DETAIL_METRICS.values():
        assert metric.formula.figures() <= {*FIGURES, *DETAILS}
        assert "revenue" not in metric.formula.figures() or metric.key == "repeat_share" or metric.basis
