"""The campaign report for people at a terminal, and as plain JSON rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rich.table import Table
from rich.text import Text

from reports.campaigns import CampaignReport, CampaignRow
from reports.metrics import METRICS, Metric, Unit
from schema.enums import Unattributed

REASONS = {
    Unattributed.NO_TOUCHES: "no visit, call or lead with a source is known of the client",
    Unattributed.WINDOW_PASSED: "all touches are older than the attribution window",
    Unattributed.DIRECT_ONLY: "the client only ever came directly",
    Unattributed.NO_CAMPAIGN: "the source is known, but no campaign",
    Unattributed.NO_CLIENT: "the record has neither a client nor a source",
}
"""Why a row has no campaign, for people."""

COLUMNS = (
    "cost",
    "visits",
    "calls",
    "leads",
    "new_clients",
    "won_deals",
    "revenue",
    "cpl",
    "cac",
    "romi_revenue",
    "cost_share",
)
"""The metrics that the table shows."""

_SHORT = {"romi_revenue": "ROMI (revenue)", "cost_share": "Cost share"}
_SIGNS = {"RUB": "₽", "USD": "$", "EUR": "€"}


def as_table(report: CampaignReport, *, title: str | None = None) -> Table:
    """The report as a table: campaigns, then what has none with the reason, then the totals."""
    sign = _SIGNS.get(report.currency, report.currency)
    shown = Table(title=title, show_footer=True, header_style="bold", footer_style="bold", row_styles=("", "dim"))
    periods = any(row.period is not None for row in report.rows)
    if periods:
        shown.add_column("Period", no_wrap=True)
    shown.add_column("Campaign", footer="Total", min_width=14, overflow="fold")
    for key in COLUMNS:
        metric = METRICS[key]
        heading = _SHORT.get(key, metric.name_en)
        if metric.unit is Unit.MONEY:
            heading = f"{heading}, {sign}"
        shown.add_column(heading, justify="right", footer=_written(metric, report.totals))
    former = False
    for row in report.rows:
        if row.reason is not None and not former:
            shown.add_section()
        former = row.reason is not None
        period = [str(row.period)] if periods else []
        figures = [_written(METRICS[key], row) for key in COLUMNS]
        shown.add_row(*period, Text(label(row), style="italic" if row.reason else ""), *figures)
    return shown


def label(row: CampaignRow) -> str:
    """What to call a row."""
    if row.reason is not None:
        reason = f"No campaign: {REASONS[Unattributed(row.reason)]}"
        return f"{reason} ({row.channel})" if row.channel and row.reason == Unattributed.NO_CAMPAIGN else reason
    return row.name or row.channel or "All"


def as_json(report: CampaignReport) -> list[dict[str, Any]]:
    """The rows for machines: money and ratios as numbers, None where a ratio has nothing below the line."""
    return [_json_row(row, report.currency) for row in report.rows]


def _json_row(row: CampaignRow, currency: str) -> dict[str, Any]:
    figures = {key: _number(METRICS[key], row) for key in METRICS if key != "cost"}
    return {
        "campaign": row.name,
        "campaign_id": str(row.campaign_id) if row.campaign_id else None,
        "platform": row.platform,
        "source": row.source,
        "medium": row.medium,
        "channel": row.channel,
        "period": row.period.isoformat() if row.period else None,
        "reason": row.reason,
        "currency": currency,
        "spend": _number(METRICS["cost"], row),
        **figures,
    }


def _number(metric: Metric, row: CampaignRow) -> int | float | None:
    value = metric.value(row.sums)
    if value is None:
        return None
    return int(value) if metric.unit is Unit.COUNT else float(value)


def _written(metric: Metric, row: CampaignRow) -> str:
    value = metric.value(row.sums)
    if value is None:
        return "–"
    if metric.unit is Unit.PERCENT:
        return f"{_grouped(value, 1)} %"
    return _grouped(value, 0)


def _grouped(value: Decimal, places: int) -> str:
    return f"{value:,.{places}f}".replace(",", "\u202f").replace("-", "−")
