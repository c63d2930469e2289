"""Cohorts by first campaign, by hand; and closed periods with what opening them would change."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from core import clock
from reports.changes import ChangeCause
from reports.cohorts import CohortMonth, cohorts
from reports.freezing import freeze, frozen, thaw, thaw_preview
from reports.serving import Rates
from reports.terms import read_terms
from tests.reports.conftest import CRM, WORKSPACE, Account, ad, day, ident, organic

MARCH = (date(2026, 3, 1), date(2026, 3, 31))


async def three_clients(account: Account) -> None:
    """Anna and Bella come by one campaign on 12 March; Anna buys again in her second and third month. Carol is
    organic and too young for a month."""
    await account.campaign("brand", name="Brand")
    for number, (name, origin) in enumerate((("anna", ad("brand")), ("bella", ad("brand")), ("carol", organic()))):
        await account.visit(f"v{number}", name, day(0), **origin)
    await account.deal("d1", "anna", day(10), "100")
    await account.deal("d2", "anna", day(10 + 32), "40")
    await account.deal("d3", "anna", day(10 + 63), "20")
    await account.deal("d4", "bella", day(10), "60")
    await account.deal("d5", "carol", day(28), "5")
    await account.spend("brand", day(0).date(), "180")
    await account.settle_spend(("brand", day(0).date()))
    await account.settle_visits("v0", "v1", "v2")
    await account.settle("anna", "bella", "carol")


async def test_by_hand(account: Account) -> None:
    await three_clients(account)
    terms = await read_terms(account.conn, WORKSPACE)
    brand, unripe = await cohorts(account.conn, terms, *MARCH, date(2026, 5, 12))
    assert (brand.name, brand.clients, brand.payback_months) == ("Brand", 2, 2)
    assert (brand.cost, brand.cac) == (Decimal(180), Decimal(90))
    months: list[CohortMonth] = [
        CohortMonth(0, 2, 2, Decimal(160), Decimal(100), Decimal(100), Decimal(80)),
        CohortMonth(1, 2, 1, Decimal(40), Decimal(50), Decimal(25), Decimal(100)),
    ]
    assert list(brand.months) == months
    assert (unripe.channel, unripe.clients, unripe.cac, unripe.payback_months) == ("organic", 1, None, None)
    (later, _) = await cohorts(account.conn, terms, *MARCH, date(2026, 12, 1), most=3)
    assert [(each.active, each.ltv) for each in later.months] == [
        (2, Decimal(80)), (1, Decimal(100)), (1, Decimal(110))
    ]  # fmt: skip
    assert len((await cohorts(account.conn, terms, *MARCH, date(2026, 4, 13)))[0].months) == 1
    assert len(unripe.months) <= 1


async def test_the_hours_of_calls_make_the_cost_to_serve_and_unknown_ones_nothing(account: Account) -> None:
    await three_clients(account)
    oleg, told = ident("oleg"), {"direction": "outbound", "client_phone": "+71"}
    await account.call("before", "anna", day(5), talk_seconds=3600, **told)
    await account.call("c1", "anna", day(11), talk_seconds=3600, **told)
    twice = {"told_by": CRM, "responsible_id": oleg, **told}
    await account.call("c1 again", "anna", day(11, seconds=30), talk_seconds=3000, **twice)
    await account.call("c2", "bella", day(10 + 40), talk_seconds=1800, **told)
    await account.call("c3", "bella", day(10 + 41), talk_seconds=None, **told)
    terms = await read_terms(account.conn, WORKSPACE)

    async def served(rates: Rates) -> list[tuple[Decimal | None, ...]]:
        (brand, _) = await cohorts(account.conn, terms, *MARCH, date(2026, 6, 15), most=3, rates=rates)
        return [(each.hours, each.cost_to_serve, each.ltv_served) for each in brand.months]

    hours = [Decimal("0.83"), Decimal("0.50"), None]
    assert await served(Rates()) == [(known, None, None) for known in hours]
    of_oleg = Rates(None, {oleg: Decimal(24)})
    assert await served(of_oleg) == [
        (hours[0], Decimal(20), Decimal(70)), (hours[1], None, Decimal(90)), (None, None, Decimal(100))
    ]  # fmt: skip
    assert (await served(Rates(Decimal(60), {oleg: Decimal(24)})))[1] == (hours[1], Decimal(30), Decimal(75))
    with pytest.raises(ValueError, match="less than 0"):
        Rates(Decimal(-1))


async def test_what_can_not_be_asked(account: Account) -> None:
    terms = await read_terms(account.conn, WORKSPACE)
    assert await cohorts(account.conn, terms, *MARCH, date(2026, 12, 1)) == []
    for months in (0, 37):
        with pytest.raises(ValueError, match="1 to 36"):
            await cohorts(account.conn, terms, *MARCH, date(2026, 12, 1), most=months)


async def test_a_closed_period_says_what_opening_would_change(account: Account) -> None:
    moment = clock.Clock(day(50))
    with clock.replaced(moment):
        await account.visit("v1", "anna", day(0), **organic(), loaded_at=day(50))
        await account.deal("d1", "anna", day(10), "100")
        await account.settle("anna")
        moment.advance(timedelta(days=1))
        made = await freeze(account.conn, WORKSPACE, *MARCH, moment(), "key")
        moment.advance(timedelta(days=1))
        await account.deal("d1", "anna", day(10), "70")
        await account.settle("anna", cause="deal")
    assert await frozen(account.conn, WORKSPACE) == [made]
    found = await thaw_preview(account.conn, WORKSPACE, made.id, day(60))
    assert found.totals["revenue"] == -30
    assert list(found.by_cause) == [ChangeCause.EDITED_DEAL]
    with pytest.raises(ValueError, match="closed already"):
        await freeze(account.conn, WORKSPACE, MARCH[1], date(2026, 4, 2), day(60), "key")
    assert await thaw(account.conn, WORKSPACE, made.id, day(61))
    assert not await thaw(account.conn, WORKSPACE, made.id, day(61))
    with pytest.raises(LookupError):
        await thaw_preview(account.conn, WORKSPACE, ident("x"), day(60))
