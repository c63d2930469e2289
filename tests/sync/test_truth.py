"""The campaign table of a synced market against what really happened there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

from core.database import driver
from reports.campaigns import CampaignReport, campaign_report
from sandbox.server import Sandbox
from tests.sync.conftest import START, VENDORS, Bench

VAT = Decimal("1.22")
LAST = START + timedelta(days=39)


async def synced_report(bench: Bench, market: Sandbox, connection_ids: Callable[[str], None]) -> CampaignReport:
    for vendor in VENDORS:
        connection_ids(vendor)
        await bench.sync(await bench.connect(market, vendor))
    async with bench.office.database.loading(bench.workspace) as db:
        return await campaign_report(driver(db), bench.workspace, START, LAST)


async def test_money_is_exact_and_clients_are_those_who_came(
    bench: Bench, market: Sandbox, connection_ids: Callable[[str], None]
) -> None:
    report = await synced_report(bench, market, connection_ids)
    with market.truth() as truth:
        totals = truth.campaign_totals(START, date.fromordinal(LAST.toordinal() + 1))
    sums = report.totals.sums

    # Every won deal's money is in the table once: with a campaign, or in a row that says why there is none.
    assert sums["revenue"] == sum(row.revenue for row in totals)
    assert sums["won_deals"] == sum(row.won_deals for row in totals)

    # What the cabinet tells is what was spent, with VAT, campaign by campaign.
    spent = {row.name: row.sums["cost"] for row in report.rows if row.platform == "yandex_direct"}
    assert len(spent) >= 8
    for row in totals:
        shown = [cost for name, cost in spent.items() if row.name and name and name.startswith(row.name)]
        if shown:
            assert abs(sum(shown) - row.spend * VAT) < Decimal("0.5"), row.name

    # People who buy for one firm are one client here and several in the truth; nobody is counted twice.
    bought = sum(row.new_clients for row in totals)
    assert bought * Decimal("0.9") <= sums["new_clients"] <= bought

    # Most of the money that ads really brought is credited to a campaign, and hardly any other.
    by_ads = sum(row.revenue for row in totals if row.campaign is not None)
    credited = sum(row.sums["revenue"] for row in report.rows if row.reason is None)
    assert by_ads * Decimal("0.6") <= credited <= by_ads * Decimal("1.1")
