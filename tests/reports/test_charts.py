"""Charts of reports: what they show, and the files they become."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from reports import charts
from reports.by_model import models_report
from reports.campaigns import Grain, campaign_report
from reports.conversions import Conversion
from reports.side_by_side import side_by_side
from tests.reports.conftest import WORKSPACE, Account

YEAR = (date(2026, 1, 1), date(2026, 12, 31))


async def test_charts(shop: Account, tmp_path: Path) -> None:
    report = await campaign_report(shop.conn, WORKSPACE, *YEAR)
    drawn = charts.chart(report, "Кампании <2026>", "ru")
    axes = drawn.axes[0]
    widths = sorted(patch.get_width() for patch in axes.patches)
    assert widths[-1] == pytest.approx(float(max(row.sums["revenue"] for row in report.rows)))
    assert "Brand" in [tick.get_text() for tick in axes.get_yticklabels()]
    picture = charts.svg(drawn)
    assert picture == charts.svg(charts.chart(report, "Кампании <2026>", "ru"))
    assert "Кампании &lt;2026&gt;" in picture
    for name in ("a.svg", "a.png", "a.html"):
        charts.save(drawn, tmp_path / name, "Кампании <2026>")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "<title>Кампании &lt;2026&gt;</title>" in (tmp_path / "a.html").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="ends with"):
        charts.save(drawn, tmp_path / "a.gif", "")


async def test_over_time_and_by_model(shop: Account) -> None:
    months = charts.chart(await campaign_report(shop.conn, WORKSPACE, *YEAR, by=Grain.MONTH), "Months")
    assert len(months.axes[0].lines[0].get_xdata()) == 4  # type: ignore[arg-type]
    models = ["linear", "first_touch"]
    found = await models_report(shop.conn, WORKSPACE, *YEAR, models, conversion=Conversion.WON_DEAL)
    drawn = charts.by_model(side_by_side(found, Conversion.WON_DEAL), "Models")
    assert len(drawn.axes[0].containers) == 2
