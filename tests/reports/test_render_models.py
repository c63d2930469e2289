"""Reports by models and beside earlier ones as people and machines get them: no credit is cut."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal

from rich.console import Console, RenderableType

from reports.by_model import models_report, report_by_model
from reports.conversions import Conversion
from reports.periods import Earlier, compare, earlier
from reports.render import as_json, as_table
from reports.render_models import compared_as_json, compared_as_table, models_as_json, models_as_table
from reports.side_by_side import side_by_side
from tests.reports.conftest import WORKSPACE, Account, ad, day

MARCH = (date(2026, 3, 1), date(2026, 3, 31))


async def three_touches(account: Account) -> None:
    for name in ("brand", "sale", "video"):
        await account.campaign(name, name=name.capitalize())
    for number, name in enumerate(("brand", "sale", "video")):
        await account.visit(f"v{number}", "anna", day(number), **ad(name))
    await account.deal("d1", "anna", day(9), "100")
    await account.spend("brand", day(0).date(), "50")
    await account.settle_spend(("brand", day(0).date()))
    await account.settle_visits("v0", "v1", "v2")
    await account.settle("anna")


def printed(table: RenderableType, width: int = 100) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, force_terminal=False).print(table)
    return stream.getvalue()


async def test_models_side_by_side(account: Account) -> None:
    await three_touches(account)
    found = await models_report(account.conn, WORKSPACE, *MARCH, ["linear", "last_touch"], conversion="won_deal")
    both = side_by_side(found, Conversion.WON_DEAL)
    rows = models_as_json(both)
    assert [row["credits"]["linear"] for row in rows] == [  # Brand costs, Video is the last
        {"conversions": "0.333333", "value": "33.33"},
        {"conversions": "0.333334", "value": "33.34"},
        {"conversions": "0.333333", "value": "33.33"},
    ]
    text = printed(models_as_table(both, title="Campaigns", width=100))
    assert "Linear" in text
    assert "0.33" in text
    assert "33.34" in text
    assert "100.00" in text.splitlines()[-1]


async def test_one_model_shows_fractions(account: Account) -> None:
    await three_touches(account)
    report = await report_by_model(account.conn, WORKSPACE, *MARCH, "linear")
    assert sum(Decimal(str(row["won_deals"])) for row in as_json(report)) == 1
    assert len(report.rows) == 3
    assert "0.33" in printed(as_table(report, width=200), 200)


async def test_beside_the_period_before(account: Account) -> None:
    await three_touches(account)
    april = (date(2026, 4, 1), date(2026, 4, 30))
    reports = [
        await report_by_model(account.conn, WORKSPACE, *days, "linear")
        for days in (MARCH, earlier(*MARCH, Earlier.PERIOD), april, earlier(*april, Earlier.PERIOD))
    ]
    risen, fallen = compare(*reports[:2]), compare(*reports[2:])
    (brand, *_) = [row for row in compared_as_json(risen) if row["campaign"] == "Brand"]
    assert brand["metrics"]["revenue"] == {"now": "33.33", "before": "0", "difference": "33.33", "percent": None}
    text = printed(compared_as_table(fallen, title="Campaigns", width=120), 120)
    assert "−100 %" in text
