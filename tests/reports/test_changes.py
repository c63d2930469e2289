"""What changed between two moments is told by cause, and the causes add up to the difference of the reports."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import combinations, pairwise
from typing import Any

import pytest
from psycopg.rows import dict_row

from core import clock
from reports.campaigns import Statement, campaign_report
from reports.changes import (
    ChangeCause,
    WhatChanged,
    changed_conversions_statement,
    changed_costs_statement,
    what_changed,
)
from tests.reports.conftest import WORKSPACE, Account, ad, day, ident, organic

SPRING = (date(2026, 3, 1), date(2026, 5, 31))
MARCH = (date(2026, 3, 1), date(2026, 3, 31))


async def a_spring(account: Account, moment: clock.Clock) -> list[datetime]:
    """A deal and its costs, and one change a day from the 60th on; gives a moment before, between and after."""
    moments = [moment() - timedelta(hours=1)]

    async def settled(*clients: str, cause: str = "call") -> None:
        await account.settle(*clients, cause=cause)
        moments.append(moment() + timedelta(hours=1))
        moment.advance(timedelta(days=1))

    await account.campaign("brand", name="Brand")
    await account.campaign("sale", name="Sale")
    await account.visit("v1", "anna", day(1), **organic(), loaded_at=moment())
    await account.call("c1", "anna", day(2))
    await account.deal("d1", "anna", day(10), "100.01")
    await account.spend("brand", day(1).date(), "10", at=moment())
    await account.settle_visits("v1")
    await settled("anna")
    await account.visit("v2", "anna", day(5), **ad("brand"), loaded_at=moment())  # late
    await account.settle_visits("v2")
    await settled("anna", cause="visit")
    await account.deal("d1", "anna", day(10), "80")  # another amount
    await account.spend("brand", day(1).date(), "12.50", at=moment(), clicks=11)
    await settled("anna", cause="deal")
    await account.visit("v3", "bella", day(8), **ad("sale"), loaded_at=moment())
    await account.settle_visits("v3")
    await account.call("c2", "bella", day(40))
    await settled("bella")
    for table in ("visit", "call"):
        await account.conn.execute(
            f"update {table} set client_id = %s where client_id = %s",  # noqa: S608
            (ident("anna"), ident("bella")),
        )
    await settled("anna", "bella", cause="merge")
    await account.call("c3", "anna", moment())  # happens now
    await settled("anna")
    await account.delete("deal", "d1")
    await settled("anna", cause="deal")
    return moments


@pytest.fixture
def moment() -> clock.Clock:
    return clock.Clock(day(60))


async def difference(account: Account, days: tuple[date, date], before: datetime, after: datetime) -> Any:
    cells: Counter[Any] = Counter()
    for at, sign in ((before, -1), (after, 1)):
        report = await campaign_report(account.conn, WORKSPACE, *days, as_known_at=at)
        for row in report.rows:
            for figure, amount in row.sums.items():
                cells[row.campaign_id, row.reason, figure] += amount * sign  # type: ignore[assignment]
    return {key: amount for key, amount in cells.items() if amount}


def added_up(changed: WhatChanged) -> Any:
    cells: Counter[Any] = Counter()
    for cell in changed.cells:
        for figure, amount in cell.sums.items():
            cells[cell.campaign_id, cell.reason, figure] += amount  # type: ignore[assignment]
    return {key: amount for key, amount in cells.items() if amount}


@pytest.mark.parametrize("days", [SPRING, MARCH])
async def test_causes_add_up_to_the_difference_of_the_reports(
    account: Account, moment: clock.Clock, days: tuple[date, date]
) -> None:
    with clock.replaced(moment):
        moments = await a_spring(account, moment)
    for before, after in combinations(moments, 2):
        changed = await what_changed(account.conn, WORKSPACE, *days, before, after)
        expected = await difference(account, days, before, after)
        assert added_up(changed) == expected
        for figure, total in changed.totals.items():
            assert total == sum(sums[figure] for sums in changed.by_cause.values())


async def test_each_change_has_its_cause(account: Account, moment: clock.Clock) -> None:
    with clock.replaced(moment):
        moments = await a_spring(account, moment)
    causes = []
    for before, after in pairwise(moments):
        changed = await what_changed(account.conn, WORKSPACE, *SPRING, before, after)
        causes.append(
            {
                cause.value: {figure: f"{amount.normalize():f}" for figure, amount in sums.items() if amount}
                for cause, sums in changed.by_cause.items()
            }
        )
    assert causes[1] == {"late_data": {"visits": "1"}}  # the deal only moved, from organic to brand
    assert causes[2] == {
        "restated_cost": {"cost": "2.5", "clicks": "1"},
        "edited_deal": {"revenue": "-20.01"},
    }
    assert causes[3] == {"late_data": {"visits": "1", "calls": "1"}}
    assert causes[5] == {"happened": {"calls": "1"}}
    assert causes[6] == {"edited_deal": {"new_clients": "-1", "won_deals": "-1", "revenue": "-80"}}
    late = await what_changed(account.conn, WORKSPACE, *SPRING, moments[1], moments[2])
    moved = {cell.name or cell.channel: cell.sums["revenue"] for cell in late.cells}
    assert moved == {"Brand": Decimal("100.01"), "organic": Decimal("-100.01")}
    merged = await what_changed(account.conn, WORKSPACE, *SPRING, moments[4], moments[5])
    assert {cell.cause for cell in merged.cells} == {ChangeCause.MERGE}
    assert merged.totals["revenue"] == 0


async def rows(account: Account, statement: Statement) -> list[dict[str, Any]]:
    async with account.conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.sql.encode(), statement.params)
        return await cursor.fetchall()


async def test_down_to_the_conversions_and_costs(account: Account, moment: clock.Clock) -> None:
    with clock.replaced(moment):
        moments = await a_spring(account, moment)
    span = (WORKSPACE, *SPRING, moments[1], moments[3])
    late = await rows(account, changed_conversions_statement(*span, cause="late_data"))
    assert {row["kind"] for row in late} == {"new_client", "won_deal"}
    for row in late:
        assert (row["channel_before"], row["campaign_after"]) == ("organic", ident("brand"))
        assert (row["version_before"], row["version_after"], row["record_id"]) == (1, 2, ident("d1"))
    (edited,) = await rows(account, changed_conversions_statement(*span, cause="edited_deal"))
    assert (edited["revenue_before"], edited["revenue_after"]) == (Decimal("100.01"), Decimal(80))
    (cost,) = await rows(account, changed_costs_statement(*span))
    assert (cost["cause"], cost["cost_before"], cost["cost_after"], cost["revision"]) == (
        "restated_cost", Decimal(10), Decimal("12.50"), 2
    )  # fmt: skip
    every = await rows(account, changed_conversions_statement(WORKSPACE, *SPRING, moments[0], moments[-1]))
    assert {row["cause"] for row in every} <= set(ChangeCause)
    gone = [row for row in every if row["version_after"] is None]
    assert {row["kind"] for row in gone} == {"new_client", "won_deal"}


async def test_moments_must_be_in_order(account: Account) -> None:
    with pytest.raises(ValueError, match="known later"):
        await what_changed(account.conn, WORKSPACE, *SPRING, day(2), day(1))
    nothing = await what_changed(account.conn, WORKSPACE, *SPRING, day(1), day(1))
    assert nothing.cells == []
