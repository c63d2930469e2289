"""Reports by several models as one: a row of each campaign with what every model credits it with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from reports.campaigns import CampaignReport, CampaignRow
from reports.conversions import CONVERSIONS, Conversion
from reports.rollups import VALUED_AS

SHARED = ("cost", "impressions", "clicks", "visits")
"""The figures that are the same by every model."""


@dataclass(frozen=True, slots=True)
class Credit:
    """What a model credits a row with: conversions to six places, and their money (of won deals and paid invoices;
    else 0)."""

    conversions: Decimal
    value: Decimal


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the report; ``shared`` are the figures that no model changes, ``credits`` stand by model."""

    row: CampaignRow
    shared: Mapping[str, Decimal]
    credits: Mapping[str, Credit]


@dataclass(frozen=True, slots=True)
class SideBySide:
    rows: list[Row]
    totals: Row
    currency: str


def side_by_side(reports: Mapping[str, CampaignReport], conversion: Conversion) -> SideBySide:
    """Join the reports by the models that ``reports.by_model.models_report`` made for one conversion.

    A campaign that a model gives nothing has a credit of 0 by it. Rows stand by their greatest credit, cost first.
    Raises ``ValueError`` without a report.
    """
    if not reports:
        raise ValueError("Name at least one model.")
    first = next(iter(reports.values()))
    rows: dict[tuple[object, ...], CampaignRow] = {}
    credited: dict[tuple[object, ...], dict[str, Credit]] = {}
    for model, report in reports.items():
        for row in report.rows:
            key = (row.period, row.campaign_id, row.reason, row.channel, row.channel_group)
            rows.setdefault(key, row)
            credited.setdefault(key, {})[model] = _credit(row, conversion)
    joined = [_row(row, credited[key], reports) for key, row in rows.items()]
    joined.sort(key=_order)
    totals = {model: _credit(report.totals, conversion) for model, report in reports.items()}
    return SideBySide(joined, _row(first.totals, totals, reports), first.currency)


def _credit(row: CampaignRow, conversion: Conversion) -> Credit:
    definition = CONVERSIONS[conversion]
    value = row.sums[VALUED_AS[definition.kind]] if definition.kind in VALUED_AS else Decimal(0)
    return Credit(row.sums[definition.figure], value)


def _row(row: CampaignRow, by_model: Mapping[str, Credit], models: Mapping[str, object]) -> Row:
    nothing = Credit(Decimal(0), Decimal(0))
    shared = {figure: row.sums[figure] for figure in SHARED}
    return Row(row, shared, {model: by_model.get(model, nothing) for model in models})


def _order(row: Row) -> tuple[object, ...]:
    most = max(credit.conversions for credit in row.credits.values())
    name = row.row.name or row.row.channel_group or row.row.reason or ""
    return (str(row.row.period or ""), row.row.reason is not None, -row.shared["cost"], -most, name)
