"""Reports by several models, and beside earlier ones, for people at a terminal and as plain JSON rows.

Credits are fractions of conversions: they are never cut to whole numbers here.
"""

from __future__ import annotations

from typing import Any

from rich import box
from rich.cells import cell_len
from rich.table import Table

from reports.campaigns import CampaignRow
from reports.comparison import DEFINITIONS
from reports.metrics import METRICS
from reports.periods import Compared, Comparison
from reports.render import grouped, label
from reports.side_by_side import Row, SideBySide

_COMPARED = ("cost", "leads", "new_clients", "won_deals", "revenue", "romi_revenue")


def models_as_table(report: SideBySide, *, title: str, width: int) -> Table:
    """A row of each campaign with a column of each model: conversions, and below them their value, if any."""
    table = _table(title)
    valued = any(credit.value for credit in report.totals.credits.values())
    cells = {
        model: [_credit(row, model, valued=valued) for row in (*report.rows, report.totals)]
        for model in report.totals.credits
    }
    periods = any(row.row.period is not None for row in report.rows)
    if periods:
        table.add_column("Period", no_wrap=True)
    names = [label(row.row) for row in report.rows]
    needed = sum(max(_widest(cells[model]), _widest([_name(model)])) + 2 for model in cells) + 12 * periods
    room = max(12, min(max(map(cell_len, names), default=8), width - needed))
    table.add_column("Campaign", footer="Total", width=room, overflow="fold")
    for model, written in cells.items():
        table.add_column(_name(model), written[-1], justify="right", no_wrap=True, min_width=_widest(written))
    for number, row in enumerate(report.rows):
        shown = [str(row.row.period)] if periods else []
        table.add_row(*shown, names[number], *(cells[model][number] for model in cells))
    return table


def models_as_json(report: SideBySide) -> list[dict[str, Any]]:
    """The rows for machines; credits are exact decimals, as texts."""
    return [
        {
            **_whose(row.row),
            "currency": report.currency,
            "spend": str(row.shared["cost"]),
            "credits": {
                model: {"conversions": f"{credit.conversions.normalize():f}", "value": f"{credit.value:f}"}
                for model, credit in row.credits.items()
            },
        }
        for row in report.rows
    ]


def compared_as_table(comparison: Comparison, *, title: str, width: int) -> Table:
    """Each metric now, and by how many percent it changed."""
    table = _table(title)
    rows = (*comparison.rows, comparison.totals)
    cells = {key: [_change(row, key) for row in rows] for key in _COMPARED}
    needed = sum(_widest([*cells[key], METRICS[key].name_en]) + 2 for key in _COMPARED)
    names = [label(row.row) for row in comparison.rows]
    room = max(12, min(max(map(cell_len, names), default=8), width - needed))
    table.add_column("Campaign", footer="Total", width=room, overflow="fold")
    for key, written in cells.items():
        table.add_column(
            METRICS[key].name_en, written[-1], justify="right", no_wrap=True, min_width=_widest(written)
        )
    for number, name in enumerate(names):
        table.add_row(name, *(cells[key][number] for key in _COMPARED))
    return table


def compared_as_json(comparison: Comparison) -> list[dict[str, Any]]:
    """The rows for machines: each metric now and before, the difference and the change in percent."""
    return [{**_whose(row.row), "metrics": {key: _changes(row, key) for key in METRICS}} for row in comparison.rows]


def _changes(row: Compared, key: str) -> dict[str, str | None]:
    change = row.change(METRICS[key])
    values = {
        "now": change.now,
        "before": change.before,
        "difference": change.difference,
        "percent": change.percent,
    }
    return {name: None if value is None else f"{value:f}" for name, value in values.items()}


def _change(row: Compared, key: str) -> str:
    change = row.change(METRICS[key])
    now = "–" if change.now is None else grouped(change.now, 0 if change.now == round(change.now) else 2)
    if change.percent is None:
        return now
    sign = "+" if change.percent > 0 else ""
    return f"{now}\n{sign}{grouped(change.percent, 0)} %"


def _credit(row: Row, model: str, *, valued: bool) -> str:
    credit = row.credits[model]
    conversions = grouped(credit.conversions, 0 if credit.conversions == round(credit.conversions) else 2)
    return f"{conversions}\n{grouped(credit.value, 2)}" if valued else conversions


def _whose(row: CampaignRow) -> dict[str, Any]:
    return {
        "campaign": row.name,
        "campaign_id": str(row.campaign_id) if row.campaign_id else None,
        "channel": row.channel,
        "channel_group": row.channel_group,
        "period": row.period.isoformat() if row.period else None,
        "reason": row.reason,
    }


def _name(model: str) -> str:
    return DEFINITIONS[model].name_en.replace(" ", "\n")


def _widest(texts: list[str]) -> int:
    return max(cell_len(line) for text in texts for line in text.split("\n"))


def _table(title: str) -> Table:
    return Table(
        title=title,
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_footer=True,
        header_style="bold",
        footer_style="bold",
    )
