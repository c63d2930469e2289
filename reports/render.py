"""The campaign report for people at a terminal, and as plain JSON rows."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rich import box
from rich.cells import cell_len
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

_SHORT_REASONS = {
    Unattributed.NO_TOUCHES: "No touches",
    Unattributed.WINDOW_PASSED: "Window passed",
    Unattributed.DIRECT_ONLY: "Direct only",
    Unattributed.NO_CAMPAIGN: "No campaign",
    Unattributed.NO_CLIENT: "No client",
}

_SHORT_REASONS_RU = {
    Unattributed.NO_TOUCHES: "Нет касаний",
    Unattributed.WINDOW_PASSED: "Окно прошло",
    Unattributed.DIRECT_ONLY: "Прямые заходы",
    Unattributed.NO_CAMPAIGN: "Без кампании",
    Unattributed.NO_CLIENT: "Клиент неизвестен",
}

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
"""The metrics that the table shows where there is room."""

_LEFT_OUT_FIRST = ("cost_share", "visits", "cpl", "won_deals", "leads", "calls", "cac", "romi_revenue")
_HEADINGS = {
    "cost": "Ad cost",
    "new_clients": "New\nclients",
    "won_deals": "Won\ndeals",
    "romi_revenue": "ROMI",
    "cost_share": "Cost\nshare",
}
_SIGNS = {"RUB": "₽", "USD": "$", "EUR": "€"}
_NAMES_ROOM = 18  # what names of campaigns get at least, before figures are left out
_PERIOD_ROOM = 10
_GAP = 2


def as_table(report: CampaignReport, *, title: str | None = None, width: int = 140) -> Table:
    """The report as a table for ``width`` columns: campaigns, then what has none, then the totals.

    Figures are never cut or wrapped: those that don't fit are left out, and the caption names them.
    """
    figures = {key: [_written(METRICS[key], row) for row in (*report.rows, report.totals)] for key in COLUMNS}
    sign = _SIGNS.get(report.currency, report.currency)
    headings = {key: _heading(METRICS[key], sign) for key in COLUMNS}
    widths = {key: max(map(cell_len, (*headings[key].split("\n"), *figures[key]))) for key in COLUMNS}
    periods = any(row.period is not None for row in report.rows)
    shown, names_width = _fitting(widths, width - (_PERIOD_ROOM + _GAP if periods else 0), report.rows)

    table = Table(
        title=title,
        caption=_caption(report.rows, shown),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_footer=True,
        header_style="bold",
        footer_style="bold",
    )
    if periods:
        table.add_column("Period", no_wrap=True, width=_PERIOD_ROOM)
    table.add_column("Campaign", footer="Total", width=names_width, overflow="fold", vertical="bottom")
    for key in shown:
        table.add_column(
            headings[key], figures[key][-1], justify="right", vertical="bottom", no_wrap=True, min_width=widths[key]
        )
    for number, row in enumerate(report.rows):
        begins = row.reason is not None and number > 0 and report.rows[number - 1].reason is None
        if begins:
            table.add_section()
        period = [str(row.period)] if periods else []
        name = Text(label(row), style="italic" if row.reason else "")
        table.add_row(*period, name, *(figures[key][number] for key in shown))
    return table


def label(row: CampaignRow, language: str = "en") -> str:
    """What to call a row, in few letters; ``REASONS`` tells more of a row without a campaign."""
    if row.reason is not None:
        reason = Unattributed(row.reason)
        channel = f": {row.channel}" if row.channel and reason is Unattributed.NO_CAMPAIGN else ""
        return f"{(_SHORT_REASONS_RU if language == 'ru' else _SHORT_REASONS)[reason]}{channel}"
    return row.name or row.channel_group or row.channel or "All"


def _heading(metric: Metric, sign: str) -> str:
    heading = _HEADINGS.get(metric.key, metric.name_en)
    return f"{heading}, {sign}" if metric.unit is Unit.MONEY else heading


def _fitting(widths: dict[str, int], room: int, rows: Sequence[CampaignRow]) -> tuple[list[str], int]:
    """The metrics that ``room`` holds beside the names of campaigns, and what remains for those names."""
    longest = max((cell_len(label(row)) for row in rows), default=0)
    shown = list(COLUMNS)

    def left() -> int:
        return room - sum(widths[key] + _GAP for key in shown)

    for key in _LEFT_OUT_FIRST:
        if left() >= min(_NAMES_ROOM, longest):
            break
        shown.remove(key)
    return shown, max(len("Campaign"), min(longest, left()))


def _caption(rows: Sequence[CampaignRow], shown: Sequence[str]) -> str:
    lines = [
        f"{_SHORT_REASONS[reason]}: {sentence}."
        for reason, sentence in REASONS.items()
        if any(row.reason == reason for row in rows)
    ]
    missing = [METRICS[key].name_en for key in COLUMNS if key not in shown]
    if missing:
        lines.append(f"A wider window shows also: {', '.join(missing)}.")
    return "\n".join(lines)


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
        "channel_group": row.channel_group,
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
    # Models that split conversions give fractions of them.
    return int(value) if metric.unit is Unit.COUNT and value % 1 == 0 else float(value)


def _written(metric: Metric, row: CampaignRow) -> str:
    value = metric.value(row.sums)
    if value is None:
        return "–"
    if metric.unit is Unit.PERCENT:
        return f"{grouped(value, 0)} %"
    return grouped(value, 2 if metric.unit is Unit.COUNT and value % 1 else 0)


def grouped(value: Decimal, places: int) -> str:
    """A number for people, with thin spaces between thousands."""
    rounded = round(value, places) or Decimal(0)  # not −0
    return f"{rounded:,.{places}f}".replace(",", "\u202f").replace("-", "−")
