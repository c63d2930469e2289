"""Reports as charts: cost beside revenue by campaign and over time, and attribution models side by side.

Drawn by matplotlib without its global state, so that any thread may draw. Its wheel brings the DejaVu fonts, which
have Cyrillic, and needs nothing of the system. Imported where a chart is asked for: it takes half a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from reports.campaigns import CampaignReport, CampaignRow
from reports.comparison import DEFINITIONS
from reports.metrics import METRICS
from reports.render import grouped, label
from reports.side_by_side import SideBySide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COST, REVENUE = "#a3b1c6", "#0d7a6f"
INK, FAINT, GRID = "#1f2937", "#6b7280", "#e5e7eb"
MODELS = (
    "#0d7a6f",
    "#e0932f",
    "#3b6fb6",
    "#c2473d",
    "#7b5ea7",
    "#58a65c",
    "#d07fa8",
    "#8c6d4f",
    "#5f9ea0",
    "#9aa43b",
)
"""Colours of models, in their order."""
MOST_ROWS = 12
"""So many campaigns have bars of their own; the others share one."""
FORMS = (".svg", ".png", ".html")
_OTHERS = {"en": "Others", "ru": "Остальные"}


def chart(report: CampaignReport, title: str, language: str = "en") -> Figure:
    """Cost beside revenue: over time where the report has days or months, else of the greatest campaigns."""
    if any(row.period is not None for row in report.rows):
        return over_time(report, title, language)
    return by_campaign(report.rows, report.currency, title, language)


def by_campaign(
    rows: Sequence[CampaignRow],
    currency: str,
    title: str,
    language: str = "en",
    *,
    width: float = 9,
    most: int = MOST_ROWS,
) -> Figure:
    """Bars of cost and revenue, the greatest first; rows without either are left out."""
    told = [row for row in rows if row.sums["cost"] or row.sums["revenue"]]
    told.sort(key=lambda row: -max(row.sums["cost"], row.sums["revenue"]))
    bars = [(label(row, language), row.sums["cost"], row.sums["revenue"]) for row in told[:most]]
    if rest := told[most:]:
        cost, revenue = (sum((row.sums[figure] for row in rest), Decimal(0)) for figure in ("cost", "revenue"))
        bars.append((_OTHERS[language], cost, revenue))
    figure, axes = _page(title, width, 1.4 + 0.52 * max(len(bars), 2))
    for number, (_, *amounts) in enumerate(bars):
        for place, (amount, colour) in enumerate(zip(amounts, (COST, REVENUE), strict=True)):
            y = number - 0.19 + 0.38 * place
            axes.barh(y, float(amount), 0.34, color=colour)
            axes.annotate(
                grouped(amount, 0), (float(amount), y), (4, 0), textcoords="offset points", va="center",
                fontsize=8, color=FAINT,
            )  # fmt: skip
    axes.set_yticks(range(len(bars)), [_short(name) for name, *_ in bars])
    axes.invert_yaxis()
    axes.margins(x=0.14, y=0.01)
    _money_axis(axes, "x")
    _legend(axes, _names(currency, language))
    return figure


def over_time(report: CampaignReport, title: str, language: str = "en", *, width: float = 9) -> Figure:
    """Bars of cost and a line of revenue, day by day or month by month."""
    periods = sorted({row.period for row in report.rows if row.period is not None})
    sums = {
        figure: [
            float(sum((row.sums[figure] for row in report.rows if row.period == period), Decimal(0)))
            for period in periods
        ]
        for figure in ("cost", "revenue")
    }
    figure, axes = _page(title, width, 4)
    places = range(len(periods))
    axes.bar(places, sums["cost"], 0.62, color=COST)
    axes.plot(places, sums["revenue"], color=REVENUE, linewidth=2.2, marker="o", markersize=4)
    months = all(period.day == 1 for period in periods)
    step = max(1, len(periods) // 12)
    shown = [f"{period:%m.%Y}" if months and len(periods) > 1 else f"{period:%d.%m}" for period in periods]
    axes.set_xticks([*places][::step], shown[::step])
    axes.set_ylim(bottom=0)
    _money_axis(axes, "y")
    _legend(axes, _names(report.currency, language))
    return figure


def by_model(both: SideBySide, title: str, language: str = "en") -> Figure:
    """What each model credits the greatest campaigns with: revenue where there is any, else conversions."""
    by_value = any(credit.value for row in both.rows for credit in row.credits.values())
    models = list(both.totals.credits)

    def worth(row: object, model: str) -> float:
        credit = row.credits[model]  # type: ignore[attr-defined]  # rows and totals alike
        return float(credit.value if by_value else credit.conversions)

    rows = sorted(both.rows, key=lambda row: -max(worth(row, model) for model in models))[:8]
    figure, axes = _page(title, 9, 1.6 + len(rows) * (0.3 + 0.13 * len(models)))
    height = 0.8 / len(models)
    for place, model in enumerate(models):
        ys = [number - 0.4 + height * (place + 0.5) for number in range(len(rows))]
        axes.barh(ys, [worth(row, model) for row in rows], height * 0.9, color=MODELS[place % len(MODELS)])
    axes.set_yticks(range(len(rows)), [_short(label(row.row, language)) for row in rows])
    axes.invert_yaxis()
    _money_axis(axes, "x")
    names = [DEFINITIONS[model].name_ru if language == "ru" else DEFINITIONS[model].name_en for model in models]
    _legend(axes, list(zip(names, MODELS, strict=False)))
    return figure


def save(figure: Figure, path: Path, title: str) -> None:
    """Write it as the file's ending says: SVG, PNG, or a page of HTML with the SVG in it.

    Raises ``ValueError`` for another ending.
    """
    if path.suffix not in FORMS:
        raise ValueError(f"A chart's file ends with {', '.join(FORMS)}, not {path.suffix or 'nothing'!r}.")
    if path.suffix == ".png":
        path.write_bytes(png(figure))
    elif path.suffix == ".svg":
        path.write_text(svg(figure), encoding="utf-8")
    else:
        page = (
            f'<!doctype html><html><head><meta charset="utf-8"><title>{escape(title)}</title><style>'
            "body{margin:2rem auto;max-width:960px;font-family:sans-serif}svg{width:100%;height:auto}</style>"
            f"</head><body>{svg(figure)}</body></html>"
        )
        path.write_text(page, encoding="utf-8")


def svg(figure: Figure) -> str:
    """The chart as an SVG element, the same bytes for the same figures."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    out = BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "skvoz"}):
        figure.set_canvas(FigureCanvasSVG(figure))
        figure.savefig(out, format="svg", dpi=72, metadata={"Date": None, "Creator": None})
    text = out.getvalue().decode()
    return text[text.index("<svg") :]


def png(figure: Figure, dpi: int = 160) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    out = BytesIO()
    figure.set_canvas(FigureCanvasAgg(figure))
    figure.savefig(out, format="png", dpi=dpi)
    return out.getvalue()


def _page(title: str, width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.subplots()
    if title:
        axes.set_title(title, loc="left", fontsize=13, fontweight="bold", color=INK, pad=26)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, labelsize=9, colors=INK)
    axes.set_axisbelow(True)
    return figure, axes


def _money_axis(axes: Axes, which: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(lambda value, _: grouped(Decimal(str(value)), 0))
    axis.grid(color=GRID, linewidth=0.8)
    axis.set_tick_params(labelcolor=FAINT, labelsize=8)


def _legend(axes: Axes, named: Sequence[tuple[str, str]]) -> None:
    from matplotlib.patches import Patch

    axes.legend(
        handles=[Patch(color=colour, label=name) for name, colour in named],
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(len(named), 5), frameon=False, fontsize=8.5,
        borderaxespad=0.2, handlelength=1, handleheight=1, columnspacing=1.4, labelcolor=INK,
    )  # fmt: skip


def _names(currency: str, language: str) -> list[tuple[str, str]]:
    metrics = (METRICS["cost"], METRICS["revenue"])
    names = [each.name_ru if language == "ru" else each.name_en for each in metrics]
    return [(f"{name}, {currency}", colour) for name, colour in zip(names, (COST, REVENUE), strict=True)]


def _short(name: str) -> str:
    return name if len(name) <= 34 else name[:33] + "…"
