"""Our figures beside those of the systems themselves: differences by cause add up, whatever the measure."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from reports.campaigns import campaign_report
from reports.reconciliation import By, Cause, Measure, Reconciled, reconcile
from reports.terms import read_terms
from tests.reports.conftest import CABINET, CALL_TRACKER, CRM, WORKSPACE, Account, ad, day, ident, organic

YEAR = (date(2026, 1, 1), date(2026, 12, 31))


async def look(
    account: Account, connection: UUID, measure: Measure, days: Any = YEAR, by: By = By.SOURCE
) -> Reconciled:
    terms = await read_terms(account.conn, WORKSPACE)
    return await reconcile(account.conn, terms, connection, measure, *days, by=by)


async def rate(account: Account, kind: str, percent: str) -> None:
    await account.conn.execute(
        "insert into cost_rule (workspace_id, id, kind, percent, valid_from, author)"
        " values (%s, %s, %s, %s, '2026-01-01', 'test')",
        (WORKSPACE, uuid4(), kind, percent),
    )


async def everything(shop: Account) -> None:
    await rate(shop, "vat", "20")
    await rate(shop, "fee", "10")
    await shop.conn.execute(
        "insert into manual_cost (workspace_id, id, campaign_id, title, first_day, last_day, amount, author)"
        " values (%s, %s, %s, 'poster', %s, %s, 100, 'test')",
        (WORKSPACE, uuid4(), ident("brand"), day(0).date(), day(2).date()),
    )
    await shop.spend("brand", day(40).date(), "50", currency="USD")
    await shop.settle_spend(("brand", day(40).date()))
    await shop.spend("brand", day(41).date(), "7")  # not settled
    late = day(20).replace(hour=22)  # the next day in Moscow
    await shop.visit("late", "client1", late, **ad("brand"))
    await shop.settle_visits("late")
    await shop.visit("new", "client1", day(21), **ad("brand"))
    await shop.visit("gone", "client1", day(21), deleted_at=day(22), **ad("brand"))
    await shop.call("night", "client1", late, is_unique=True)
    await shop.call("tagged", "client2", day(80), is_unique=True, **organic())
    await shop.call("theirs", "client3", day(81), told_by=CRM)
    await shop.settle("client1", "client2", "client3")
    await shop.call("waits", "client4", day(82))
    await shop.call("out", "client4", day(83), direction="outbound")
    await shop.conn.execute('update connection set settings = \'{"time_zone": "UTC"}\'')


@pytest.mark.parametrize("measure", list(Measure))
@pytest.mark.parametrize("by", list(By))
async def test_differences_add_up(shop: Account, measure: Measure, by: By) -> None:
    await everything(shop)
    connection = CABINET if measure in {Measure.COST, Measure.CLICKS} else CALL_TRACKER
    for days in (YEAR, (day(0).date(), day(20).date()), (day(21).date(), day(90).date())):
        found = await look(shop, connection, measure, days, by)
        assert found.rows
        for row in (*found.rows, found.totals):
            assert row.theirs + sum(row.differences.values()) == row.ours
        assert sum(row.ours for row in found.rows) == found.totals.ours
        whole = (await campaign_report(shop.conn, WORKSPACE, *days)).totals.sums
        if measure is Measure.CALLS:
            assert found.totals.ours == whole["calls"]
        if measure is Measure.CLICKS:
            assert found.totals.theirs == whole["clicks"] + (10 if days[1] >= day(41).date() else 0)


async def test_causes_by_hand(shop: Account) -> None:
    await everything(shop)
    cost = (await look(shop, CABINET, Measure.COST)).totals
    assert cost.theirs == Decimal("410.44")
    net = [Decimal(each) for each in ("83.42", "208.33", "2.78", "0.01", "5.83")]
    assert cost.differences == {
        Cause.VAT: sum(net) - Decimal("360.44"),
        Cause.AGENCY_FEE: Decimal("8.34") + Decimal("20.83") + Decimal("0.28") + Decimal("0.58"),
        Cause.MANUAL_COST: Decimal(100),
        Cause.OTHER_CURRENCY: Decimal(-50),
        Cause.NOT_SETTLED: Decimal(-7),
    }
    clicks = (await look(shop, CABINET, Measure.CLICKS)).totals
    assert (clicks.theirs, clicks.ours) == (60, 4)
    assert clicks.differences == {Cause.NO_VISIT: -54, Cause.DELETED: -1, Cause.NOT_SETTLED: -1}
    calls = await look(shop, CALL_TRACKER, Measure.CALLS)
    assert {cause: calls.totals.differences[cause] for cause in (Cause.OUTBOUND, Cause.NOT_SETTLED)} == {
        Cause.OUTBOUND: -1, Cause.NOT_SETTLED: -1
    }  # fmt: skip
    assert calls.totals.differences[Cause.TOLD_BY_OTHERS] == 1
    (organic_row,) = [row for row in calls.rows if row.name == "organic"]
    assert organic_row.theirs == 1
    night = day(20).date()
    first = (await look(shop, CALL_TRACKER, Measure.CALLS, (night, night))).totals
    assert first.differences == {Cause.TIME_ZONE: -1}
    second = (await look(shop, CALL_TRACKER, Measure.CALLS, (night + timedelta(days=1),) * 2)).totals
    assert second.differences[Cause.TIME_ZONE] == 1
    unique = (await look(shop, CALL_TRACKER, Measure.UNIQUE_CALLS)).totals
    assert unique.differences[Cause.CALLED_BEFORE] == -2
    assert unique.differences[Cause.FIRST_HERE] == 12


async def test_what_can_not_be_reconciled(account: Account) -> None:
    with pytest.raises(LookupError):
        await look(account, ident("none"), Measure.COST)
    with pytest.raises(ValueError, match="before"):
        await look(account, CABINET, Measure.COST, YEAR[::-1])
