"""The campaign report, its receipts, and what both said at a past moment."""

from __future__ import annotations

import io
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg.rows import dict_row
from rich.console import Console

from core import clock
from reports.campaigns import CampaignReport, CampaignRow, Grain, campaign_report, campaign_report_statement
from reports.metrics import METRICS, Ratio
from reports.receipt import Whose, receipt_statement
from reports.render import COLUMNS, as_json, as_table
from reports.rollups import FIGURES
from schema.enums import Channel, Unattributed
from schema.traffic import Origin, Traffic, origin
from tests.reports.conftest import CALL_TRACKER, CRM, WORKSPACE, Account, ad, day, ident

YEAR = (date(2026, 1, 1), date(2026, 12, 31))


async def report(
    account: Account, start: date, end: date, by: str = "campaign", at: datetime | None = None
) -> CampaignReport:
    return await campaign_report(account.conn, WORKSPACE, start, end, by=by, as_known_at=at)


async def receipt(
    account: Account, metric: str, whose: Whose, start: date, end: date, at: datetime | None = None
) -> list[dict[str, Any]]:
    statement = receipt_statement(WORKSPACE, metric, whose, start, end, as_known_at=at)
    async with account.conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.sql.encode(), statement.params)
        return await cursor.fetchall()


def found(rows: list[CampaignRow], name: str) -> CampaignRow:
    (row,) = [row for row in rows if name in {row.name, row.reason}]
    return row


async def test_the_report_names_campaigns_and_reasons(shop: Account) -> None:
    result = await report(shop, *YEAR)
    brand = found(result.rows, "Brand")
    assert (brand.platform, brand.channel, brand.reason) == ("yandex_direct", Channel.PAID_SEARCH, None)
    assert brand.sums["cost"] == Decimal("353.44")
    assert brand.metric("cpl") == (Decimal("353.44") / brand.sums["leads"]).quantize(Decimal("0.01"))
    sale = found(result.rows, "Sale")
    assert (sale.source, sale.medium, sale.channel) == ("vk", "cpc", Channel.PAID_SOCIAL)
    assert sale.metric("romi_revenue") is None
    assert found(result.rows, Unattributed.NO_CLIENT).sums["calls"] == 1
    assert found(result.rows, Unattributed.NO_TOUCHES).sums["revenue"] == 77
    assert found(result.rows, Unattributed.NO_CAMPAIGN).channel == Channel.ORGANIC
    assert result.totals.sums["calls"] == 13
    assert result.totals.sums["leads"] == 12
    assert result.totals.sums["won_deals"] == 5
    assert result.totals.sums["revenue"] == Decimal("4095.28")
    assert result.totals.metric("cac") == Decimal("70.69")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2026, 3, 1), date(2026, 3, 31)),
        (date(2026, 3, 3), date(2026, 5, 20)),
        (date(2026, 2, 28), date(2026, 4, 30)),
        (date(2026, 3, 31), date(2026, 4, 1)),
        (date(2026, 4, 1), date(2026, 6, 15)),
        (date(2026, 3, 10), date(2026, 3, 20)),
        (date(2026, 4, 2), date(2026, 4, 2)),
    ],
)
async def test_months_and_edge_days_are_the_sum_of_the_days(shop: Account, start: date, end: date) -> None:
    whole, months, days = [await report(shop, start, end, by) for by in ("campaign", "campaign_month", "day")]
    direct = await shop.rows(
        f"select {', '.join(f'coalesce(sum({figure}), 0)' for figure in FIGURES)} from rollup_day"  # noqa: S608
        " where day between %s and %s",
        start,
        end,
    )
    expected = dict(zip(FIGURES, direct[0], strict=True))
    assert whole.totals.sums == months.totals.sums == days.totals.sums == expected
    assert all(row.period and start <= row.period <= end for row in days.rows)
    assert all(row.period and row.period.day == 1 for row in months.rows)


@pytest.mark.parametrize("grain", Grain)
async def test_every_grain_adds_up_to_the_same(shop: Account, grain: Grain) -> None:
    result = await report(shop, *YEAR, grain)
    assert result.totals.sums == (await report(shop, *YEAR)).totals.sums
    keys = [(row.campaign_id, row.channel, row.period, row.reason) for row in result.rows]
    assert len(set(keys)) == len(keys)
    assert (await report(shop, *YEAR, grain, day(101))).rows == result.rows


async def test_channels_hold_what_has_no_campaign_too(shop: Account) -> None:
    rows = {row.channel or row.reason: row for row in (await report(shop, *YEAR, "channel")).rows}
    assert set(rows) == {"paid_search", "paid_social", "organic", "direct", "no_client", "no_touches"}
    assert rows["organic"].sums["visits"] == 3


async def test_every_cell_has_a_receipt_that_adds_up_to_it(shop: Account) -> None:
    start, end = date(2026, 3, 5), date(2026, 5, 25)
    for row in (await report(shop, start, end)).rows:
        whose = Whose(row.campaign_id) if row.campaign_id else Whose(reason=row.reason, channel=row.channel or "")
        for figure in FIGURES:
            items = await receipt(shop, figure, whose, start, end)
            assert sum(item["counted"] for item in items) == row.sums[figure], (row, figure)


async def test_a_receipt_goes_down_to_the_source_records(shop: Account) -> None:
    (item,) = [
        item
        for item in await receipt(shop, "calls", Whose(ident("brand")), *YEAR)
        if item["client_id"] == ident("client0")
    ]
    assert [record["source"] for record in item["records"]] == [
        {"connection_id": str(CALL_TRACKER), "connector": "calltouch", "stream": "calls", "external_id": "c0"},
        {"connection_id": str(CRM), "connector": "bitrix24", "stream": "calls", "external_id": "t0"},
    ]
    (touch,) = item["touches"]
    assert (touch["kind"], touch["credited"], touch["source"]["external_id"]) == ("visit", True, "v0")
    assert touch["campaign_id"] == str(ident("brand"))
    assert (item["rules"], item["cause"], item["window_days"]) == ("2", "first", 90)


async def test_a_receipt_of_cost_shows_the_revisions(shop: Account) -> None:
    on = day(30).date()
    await shop.spend("brand", on, "260", at=day(101))
    await shop.settle_spend(("brand", on))
    (item,) = await receipt(shop, "cost", Whose(ident("brand")), on, on)
    assert item["counted"] == 260
    assert [revision["cost"] for revision in item["revisions"]] == [250, 260]
    assert item["source"]["external_id"] == f"brand/{on}"
    (then,) = await receipt(shop, "cost", Whose(ident("brand")), on, on, day(100))
    assert then["counted"] == 250
    assert len(then["revisions"]) == 1


async def test_a_past_report_stays_as_it_was_known(shop: Account) -> None:
    """Late visits, restated costs, edited deals and new names change the present only."""
    before = await report(shop, *YEAR)
    with clock.replaced(clock.Clock(day(120))):
        await shop.visit("late", "walkin", day(55), **(ad("sale") | {"loaded_at": day(120)}))
        await shop.deal("d0", "client0", day(9), "1")
        await shop.spend("brand", day(0).date(), "999", at=day(120))
        await shop.campaign("brand", name="Brand renamed")
        await shop.conn.execute(
            "insert into campaign_name (workspace_id, campaign_id, known_from, name)"
            " values (%s, %s, %s, 'Brand renamed')",
            (WORKSPACE, ident("brand"), day(120)),
        )
        await shop.settle_visits("late")
        await shop.settle_spend(("brand", day(0).date()))
        await shop.settle("walkin", "client0", cause="deal")
    now = await report(shop, *YEAR)
    assert found(now.rows, "Brand renamed").sums["cost"] == Decimal("1252.34")
    assert found(now.rows, "Sale").sums["revenue"] == found(before.rows, "Sale").sums["revenue"] + 77
    then = await report(shop, *YEAR, at=day(110))
    assert then.rows == before.rows
    for row in then.rows:
        whose = Whose(row.campaign_id) if row.campaign_id else Whose(reason=row.reason, channel=row.channel or "")
        for figure in FIGURES:
            items = await receipt(shop, figure, whose, *YEAR, day(110))
            assert sum(item["counted"] for item in items) == row.sums[figure], (row, figure)
    assert (await report(shop, *YEAR, at=day(99) - timedelta(days=200))).rows == []


async def test_metrics_are_the_same_in_sql_and_in_python(shop: Account) -> None:
    statement = campaign_report_statement(WORKSPACE, *YEAR)
    ratios = {key: metric for key, metric in METRICS.items() if isinstance(metric.formula, Ratio)}
    columns = ", ".join(metric.formula.sql("r") for metric in ratios.values())
    sql = f"select {columns} from ({statement.sql}) r"  # noqa: S608
    computed = await (await shop.conn.execute(sql.encode(), statement.params)).fetchall()
    rows = (await report(shop, *YEAR)).rows
    assert computed == [tuple(metric.value(row.sums) for metric in ratios.values()) for row in rows]
    assert any(value is None for row in computed for value in row)


async def test_the_channel_of_a_campaign_is_that_of_its_visits(account: Account) -> None:
    expected: dict[str, Channel] = {}
    sources = ("", "yandex", "ya", "google", "vk", "tg", "email", "direct", "habr")
    for platform in ("yandex_direct", "vk_ads", "utm"):
        for source in sources:
            for medium in ("", "cpc", "email", "organic", "social", "referral", "banner", "strange"):
                name = f"{len(expected)}"
                traffic = Traffic(source=source, medium=medium, platform=platform, campaign=name)
                told = origin(traffic)
                assert isinstance(told, Origin)
                expected[name] = told.channel
                await account.campaign(name, platform=platform, source=source or None, medium=medium or None)
                await account.spend(name, date(2026, 3, 2), "1")
    await account.settle_spend(*((name, date(2026, 3, 2)) for name in expected))
    rows = (await report(account, *YEAR)).rows
    assert {row.name: row.channel for row in rows} == expected


async def test_the_table_shows_campaigns_reasons_and_totals(shop: Account) -> None:
    result = await report(shop, *YEAR)
    written = io.StringIO()
    Console(file=written, width=220, color_system=None).print(as_table(result, title="Campaigns"))
    text = written.getvalue()
    lines = text.splitlines()
    (brand,) = [line for line in lines if "Brand" in line]
    assert "353" in brand
    (total,) = [line for line in lines if "Total" in line]
    assert "4\u202f095" in total
    assert "No client: the record has neither a client nor a source." in text
    assert lines.index(brand) < next(number for number, line in enumerate(lines) if "No client" in line)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
async def test_the_table_fits_and_cuts_no_figure(shop: Account, width: int) -> None:
    result = await report(shop, *YEAR)
    written = io.StringIO()
    Console(file=written, width=width, color_system=None).print(as_table(result, width=width))
    text = written.getvalue()
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text
    (total,) = [line for line in lines if line.startswith("Total")]
    assert "4\u202f095" in total
    hidden = [key for key in COLUMNS if METRICS[key].name_en in text.partition("A wider window")[2]]
    assert len(total.split()) + len(hidden) >= 1 + len(COLUMNS)
    assert not hidden or width < 120


async def test_rows_as_json(shop: Account) -> None:
    rows = as_json(await report(shop, *YEAR))
    (brand,) = [row for row in rows if row["campaign"] == "Brand"]
    assert brand["spend"] == 353.44
    assert {"campaign", "spend", "calls", "leads", "new_clients", "revenue", "cac", "romi_revenue"} <= brand.keys()
    (nobody,) = [row for row in rows if row["reason"] == "no_client"]
    assert nobody["campaign"] is None
    assert nobody["cpl"] is None


async def test_what_can_not_be_asked_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        campaign_report_statement(WORKSPACE, date(2026, 3, 2), date(2026, 3, 1))
    with pytest.raises(ValueError, match="is not a valid Grain"):
        campaign_report_statement(WORKSPACE, *YEAR, by="keyword")
    with pytest.raises(ValueError, match="not for 'cpl'"):
        receipt_statement(WORKSPACE, "cpl", Whose(reason="no_client"), *YEAR)
    with pytest.raises(ValueError, match="not for both"):
        Whose(ident("brand"), "no_client")
