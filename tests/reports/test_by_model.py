"""The campaign report by any model, beside the rollups and beside a plain reading of the same paths."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from core import clock
from reports import by_model
from reports.by_model import models_report, report_by_model
from reports.campaigns import CampaignReport, CampaignRow, Grain, campaign_report
from reports.comparison import DEFINITIONS, with_settings
from schema.enums import Channel, Unattributed
from tests.reports.conftest import DIRECT, WORKSPACE, Account, ad, day, organic

YEAR = (date(2026, 1, 1), date(2026, 12, 31))
CONVERSIONS = ("calls", "leads", "new_clients", "won_deals", "revenue")


def key(row: CampaignRow) -> tuple[object, ...]:
    return (row.campaign_id, row.reason, row.channel, row.period)


def sums(report: CampaignReport, figure: str) -> dict[str, str]:
    return {
        row.name or row.channel or row.reason or "": f"{row.sums[figure].normalize():f}"
        for row in report.rows
        if row.sums[figure]
    }


@pytest.mark.parametrize("grain", list(Grain))
async def test_last_non_direct_out_of_paths_is_what_the_rollups_hold(
    shop: Account, grain: Grain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_model, "ROLLED_UP", "")
    computed = await report_by_model(shop.conn, WORKSPACE, *YEAR, "last_non_direct", by=grain)
    kept = await campaign_report(shop.conn, WORKSPACE, *YEAR, by=grain)
    assert [key(row) for row in computed.rows] == [key(row) for row in kept.rows]
    assert [row.sums for row in computed.rows] == [row.sums for row in kept.rows]
    assert len(kept.rows) > 2


@pytest.mark.parametrize("grain", ["campaign", "channel"])
async def test_every_model_has_the_same_totals(shop: Account, grain: str) -> None:
    found = await models_report(shop.conn, WORKSPACE, *YEAR, by=grain)
    kept = await campaign_report(shop.conn, WORKSPACE, *YEAR, by=grain)
    assert list(found) == list(DEFINITIONS)
    assert {model: report.totals.sums for model, report in found.items()} == dict.fromkeys(
        DEFINITIONS, kept.totals.sums
    )
    assert len({str(sorted(sums(report, "leads").items())) for report in found.values()}) > 2


async def two_journeys(account: Account) -> None:
    """Anna comes by brand, then sale, then directly, and buys; Bella comes by sale and doesn't."""
    await account.campaign("brand", name="Brand")
    await account.campaign("sale", name="Sale", platform="utm", source="vk", medium="cpc")
    for name, at, origin in (("v1", 0, ad("brand")), ("v2", 7, ad("sale")), ("v3", 14, DIRECT)):
        await account.visit(name, "anna", day(at), **origin)
    await account.call("c1", "anna", day(8))
    await account.deal("d1", "anna", day(14), "100.01", created_at=day(9))
    await account.visit("v4", "bella", day(1), **ad("sale"))
    await account.visit("v5", None, day(1), visitor_ids=["ym:1"], **organic())
    await account.visit("v6", None, day(2), visitor_ids=["ym:1"], **ad("sale"))
    await account.settle("anna", "bella")


async def test_credits_by_hand(account: Account) -> None:
    await two_journeys(account)
    models = ["first_touch", "linear", "position_based", "w_shaped", "time_decay", "markov", "shapley"]
    found = await models_report(account.conn, WORKSPACE, *YEAR, models)
    assert {model: sums(report, "revenue") for model, report in found.items()} == {
        "first_touch": {"Brand": "100.01"},
        "linear": {"Brand": "33.33", "Sale": "33.34", "direct": "33.34"},
        "position_based": {"Brand": "40", "Sale": "20", "direct": "40.01"},
        # brand was first; sale led to the call and to the deal; the direct visit is one of the others
        "w_shaped": {"Brand": "30", "Sale": "60.01", "direct": "10"},
        "time_decay": {"Brand": "14.29", "Sale": "28.57", "direct": "57.15"},
        # Bella and the visitor end after sale, which therefore converts 1 of 3, as does each way to it: without
        # brand or organic ⅓ of the conversions is lost, without sale or the direct visit all.
        "markov": {"Brand": "12.5", "organic": "12.5", "Sale": "37.51", "direct": "37.5"},
        "shapley": {"Brand": "33.33", "Sale": "33.34", "direct": "33.34"},
    }
    assert sums(found["w_shaped"], "won_deals") == {"Brand": "0.3", "Sale": "0.6", "direct": "0.1"}


async def test_weights_of_ones_own(account: Account) -> None:
    await two_journeys(account)
    report = await report_by_model(
        account.conn, WORKSPACE, *YEAR, "position_based", settings=with_settings(position=(1, 0, 3))
    )
    assert sums(report, "won_deals") == {"Brand": "0.25", "direct": "0.75"}


async def test_journeys_of_nobody_count_as_not_converted(account: Account) -> None:
    await two_journeys(account)
    # By channels: Anna's journey converts 1 of 1 with all three; organic and social are seen in one that doesn't.
    before = await report_by_model(account.conn, WORKSPACE, *YEAR, "markov", by="channel")
    for number in range(4):
        await account.visit(f"w{number}", None, day(3), visitor_ids=[f"ym:w{number}"], **DIRECT)
    after = await report_by_model(account.conn, WORKSPACE, *YEAR, "markov", by="channel")
    assert sums(before, "won_deals") != sums(after, "won_deals")
    assert after.totals.sums["won_deals"] == 1


async def test_as_known_then_uses_the_versions_believed_then(account: Account) -> None:
    moment = clock.Clock(day(20))
    with clock.replaced(moment):
        await account.campaign("brand", name="Brand")
        await account.visit("v1", "anna", day(9), **organic())
        await account.deal("d1", "anna", day(10), "100")
        await account.settle("anna")
        moment.advance(timedelta(days=1))
        await account.visit("v2", "anna", day(8), **ad("brand"))
        await account.settle("anna", cause="visit")
    then = await report_by_model(account.conn, WORKSPACE, *YEAR, "linear", as_known_at=day(20.5))
    now = await report_by_model(account.conn, WORKSPACE, *YEAR, "linear")
    assert sums(then, "revenue") == {Channel.ORGANIC: "100"}
    assert sums(now, "revenue") == {"Brand": "50", Channel.ORGANIC: "50"}


async def test_a_cohort_counts_on_the_day_of_its_first_touch(account: Account) -> None:
    await account.campaign("brand", name="Brand")
    await account.visit("v1", "anna", day(0), **ad("brand"))
    await account.deal("d1", "anna", day(40), "100")
    await account.deal("d2", "bella", day(40), "7")
    await account.settle("anna", "bella")
    march = (date(2026, 3, 1), date(2026, 3, 31))
    april = (date(2026, 4, 1), date(2026, 4, 30))
    by = {"dated_by": "first_touch", "by": "campaign_month"}
    first = await report_by_model(account.conn, WORKSPACE, *march, "linear", **by)  # type: ignore[arg-type]
    later = await report_by_model(account.conn, WORKSPACE, *april, "linear", **by)  # type: ignore[arg-type]
    assert [(row.period, row.sums["revenue"]) for row in first.rows] == [(date(2026, 3, 1), Decimal(100))]
    assert sums(later, "revenue") == {Unattributed.NO_TOUCHES: "7"}
    whole = await report_by_model(account.conn, WORKSPACE, *april, "linear")
    assert whole.totals.sums["revenue"] == 107


async def test_batches_of_days_add_up(shop: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await models_report(shop.conn, WORKSPACE, *YEAR, ["linear", "shapley"])
    monkeypatch.setattr("reports.stored_paths.PATHS_AT_ONCE", 3)
    monkeypatch.setattr("reports.unconverted.TOUCHES_AT_ONCE", 2)
    assert await models_report(shop.conn, WORKSPACE, *YEAR, ["linear", "shapley"]) == whole


async def test_what_can_not_be_asked(account: Account) -> None:
    with pytest.raises(ValueError, match="without days or months"):
        await models_report(account.conn, WORKSPACE, *YEAR, ["markov"], by="campaign_day")
    with pytest.raises(ValueError, match="no model best"):
        await models_report(account.conn, WORKSPACE, *YEAR, ["best"])


async def test_nothing_gives_an_empty_report(account: Account) -> None:
    found = await models_report(account.conn, WORKSPACE, *YEAR)
    assert {model: report.rows for model, report in found.items()} == {model: [] for model in DEFINITIONS}
