"""A report beside an earlier one: the period before, or the same days of last year."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from reports.campaigns import CampaignReport, CampaignRow
from reports.metrics import METRICS, Metric, Unit


class Earlier(StrEnum):
    """What a period is compared with."""

    PERIOD = "previous_period"  # as many days, right before
    YEAR = "last_year"  # the same days a year ago; 29 February is compared with the 28th


@dataclass(frozen=True, slots=True)
class Compared:
    """A row in both reports; one of the two has no sums where the row is only in the other."""

    row: CampaignRow
    now: Mapping[str, Decimal]
    before: Mapping[str, Decimal]

    def change(self, metric: Metric) -> Change:
        """How a metric changed. Ratios are taken of the sums of each period; what has no value has no change."""
        now, before = metric.value(self.now), metric.value(self.before)
        difference = None if now is None or before is None else now - before
        percent = None
        if difference is not None and before:
            percent = (difference * 100 / abs(before)).quantize(Decimal("0.01"))
        return Change(now, before, difference, percent, metric.unit)


@dataclass(frozen=True, slots=True)
class Change:
    """``percent`` is of the earlier value, None where that is 0; ``difference`` has the metric's own ``unit``
    (of shares: percentage points)."""

    now: Decimal | None
    before: Decimal | None
    difference: Decimal | None
    percent: Decimal | None
    unit: Unit


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows of either report, in the order of the later one, then what is in the earlier one alone."""

    rows: list[Compared]
    totals: Compared

    def changes(self, metric: str) -> list[Change]:
        """How a metric of ``reports.metrics`` changed in each row."""
        return [row.change(METRICS[metric]) for row in self.rows]


def earlier(start: date, end: date, than: Earlier | str) -> tuple[date, date]:
    """The days that ``start`` to ``end`` are compared with."""
    if Earlier(than) is Earlier.PERIOD:
        length = end - start + timedelta(days=1)
        return start - length, end - length
    return _a_year_before(start), _a_year_before(end)


def compare(now: CampaignReport, before: CampaignReport) -> Comparison:
    """Put two reports of the same grain side by side, row by row, both without days or months.

    Raises ``ValueError`` for reports by days or months, whose rows have no like in another period.
    """
    if any(row.period is not None for report in (now, before) for row in report.rows):
        raise ValueError("Periods are compared as a whole: ask for reports without days or months.")
    former = {_key(row): row for row in before.rows}
    zero = dict.fromkeys(now.totals.sums, Decimal(0))
    rows = []
    for row in now.rows:
        like = former.pop(_key(row), None)
        rows.append(Compared(row, row.sums, like.sums if like else zero))
    rows += [Compared(row, zero, row.sums) for row in former.values()]
    return Comparison(rows, Compared(now.totals, now.totals.sums, before.totals.sums))


def _key(row: CampaignRow) -> tuple[object, ...]:
    # A campaign's channel may be told anew; it is the same campaign.
    return row.campaign_id, row.reason, *((None, None) if row.campaign_id else (row.channel, row.channel_group))


def _a_year_before(day: date) -> date:
    if (day.month, day.day) == (2, 29):
        return day.replace(year=day.year - 1, day=28)
    return day.replace(year=day.year - 1)
