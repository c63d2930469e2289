"""Periods side by side: each ratio is that of its own sums, in rows and in totals."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from reports.campaigns import CampaignReport, CampaignRow, totals
from reports.metrics import METRICS, Unit
from reports.periods import Change, Earlier, compare, earlier
from reports.rollups import FIGURES
from tests.reports.conftest import ident


def row(name: str, *, period: date | None = None, **sums: int) -> CampaignRow:
    amounts = dict.fromkeys(FIGURES, Decimal(0)) | {figure: Decimal(amount) for figure, amount in sums.items()}
    return CampaignRow(ident(name), name, None, None, None, "paid_search", period, None, amounts)


def report(*rows: CampaignRow) -> CampaignReport:
    return CampaignReport(list(rows), totals(rows), "RUB")


@pytest.mark.parametrize(
    ("start", "end", "than", "expected"),
    [
        (date(2026, 3, 1), date(2026, 3, 31), "previous_period", (date(2026, 1, 29), date(2026, 2, 28))),
        (date(2026, 3, 5), date(2026, 3, 5), "previous_period", (date(2026, 3, 4), date(2026, 3, 4))),
        (date(2028, 2, 1), date(2028, 2, 29), "last_year", (date(2027, 2, 1), date(2027, 2, 28))),
    ],
)
def test_the_days_that_are_compared_with(start: date, end: date, than: str, expected: tuple[date, date]) -> None:
    assert earlier(start, end, than) == earlier(start, end, Earlier(than)) == expected


def test_rows_of_either_period_and_ratios_of_sums() -> None:
    now = report(row("brand", cost=100, leads=2), row("new", cost=300, leads=1))
    before = report(row("brand", cost=100, leads=4), row("gone", cost=50))
    compared = compare(now, before)
    assert [item.row.name for item in compared.rows] == ["brand", "new", "gone"]
    brand, new, gone = compared.changes("cpl")
    assert brand == Change(Decimal(50), Decimal(25), Decimal(25), Decimal(100), Unit.MONEY)
    assert new == Change(Decimal(300), None, None, None, Unit.MONEY)
    assert (gone.now, gone.before) == (None, None)
    total = compared.totals.change(METRICS["cpl"])
    assert (total.now, total.before) == (Decimal("133.33"), Decimal("37.50"))
    assert total.percent == Decimal("255.55")


def test_nothing_before_has_no_percent() -> None:
    (change,) = compare(report(row("brand", leads=3)), report()).changes("leads")
    assert change == Change(Decimal(3), Decimal(0), Decimal(3), None, Unit.COUNT)


def test_months_are_not_compared_with_others() -> None:
    with pytest.raises(ValueError, match="without days or months"):
        compare(report(row("brand", period=date(2026, 3, 1))), report())
