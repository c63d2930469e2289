"""Reports by any dimensions: equal to the rollups where those serve, and by hand where they don't."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from psycopg.rows import dict_row

from core import clock
from reports.by_model import Question, report_by_model
from reports.campaigns import Grain, campaign_report, campaign_report_statement
from reports.comparison import with_settings
from reports.details import DETAILS, detailed_report
from reports.dimensions import COLUMNS, Dimension, ServedFrom
from reports.facts import ALL_METRICS
from reports.grouped import grouped_statement
from reports.rollups import FIGURES
from reports.stored_paths import DatedBy
from reports.terms import read_terms
from reports.touch_shares import touch_shares
from tests.reports.conftest import WORKSPACE, Account, ad, day, ident

YEAR = (date(2026, 1, 1), date(2026, 12, 31))
EVERY_FIGURE = sorted(set().union(*(metric.formula.figures() for metric in ALL_METRICS.values())))


async def grouped(
    account: Account, by: str, figures: Collection[str], days: tuple[date, date] = YEAR
) -> tuple[list[dict[str, Any]], ServedFrom]:
    terms = await read_terms(account.conn, WORKSPACE)
    statement, served = grouped_statement(terms, *days, [Dimension(each) for each in by.split()], figures)
    async with account.conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.sql.encode(), statement.params)
        return await cursor.fetchall(), served


def totals(rows: list[dict[str, Any]], figures: Collection[str]) -> dict[str, Decimal]:
    return {figure: sum((Decimal(row[figure]) for row in rows), Decimal(0)) for figure in figures}


def cells(rows: list[dict[str, Any]], *keys: str, figure: str) -> dict[Any, Any]:
    found = {tuple(row[key] for key in keys): row[figure] for row in rows if row[figure]}
    return {key[0] if len(key) == 1 else key: value for key, value in found.items()}


@pytest.mark.parametrize(
    "by", ["campaign", "channel", "campaign month", "channel day", "day", "month", "source week"]
)
async def test_the_tree_and_time_come_from_rollups_and_paths_alike(shop: Account, by: str) -> None:
    kept, served = await grouped(shop, by, FIGURES)
    counted, counted_from = await grouped(shop, by, [*FIGURES, "answered_calls"])
    assert (served, counted_from) == (ServedFrom.ROLLUPS, ServedFrom.PATHS)
    whole = await campaign_report(shop.conn, WORKSPACE, *YEAR)
    assert totals(kept, FIGURES) == {figure: whole.totals.sums[figure] for figure in FIGURES}
    keys = [*COLUMNS, *FIGURES]

    def plain(rows: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
        return {tuple(row[key] for key in keys) for row in rows if any(row[figure] for figure in FIGURES)}

    assert plain(kept) == plain(counted)
    assert len(plain(kept)) > 2


async def test_other_dimensions_add_up_to_the_same(shop: Account) -> None:
    detailed = await detailed_report(shop.conn, WORKSPACE, *YEAR)
    figures = [*FIGURES, *DETAILS]
    for by in ("city device", "manager landing_page month", "keyword ad ad_group", "stage lost_reason", ""):
        rows, served = await grouped(shop, by, figures)
        assert served is ServedFrom.PATHS or not by
        assert totals(rows, figures) == {figure: detailed.totals.sums[figure] for figure in figures}


@pytest.mark.parametrize("model", ["first_touch", "linear", "shapley"])
async def test_another_model_by_any_dimensions_adds_up_to_its_own_report(shop: Account, model: str) -> None:
    terms = await read_terms(shop.conn, WORKSPACE)
    question = Question(shop.conn, terms, *YEAR, Grain.CAMPAIGN, None, DatedBy.EVENT)
    shares = await touch_shares(question, model)
    whole = await report_by_model(shop.conn, WORKSPACE, *YEAR, model)
    for by in ("campaign", "city device", "landing_page month", "product"):
        statement, served = grouped_statement(
            terms, *YEAR, [Dimension(each) for each in by.split()], [*FIGURES, "repeat_revenue"], shares=shares
        )
        async with shop.conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(statement.sql.encode(), statement.params)
            rows = await cursor.fetchall()
        assert served is ServedFrom.PATHS
        assert totals(rows, FIGURES) == {figure: whole.totals.sums[figure] for figure in FIGURES}
        if by == "campaign":
            mine = {(row["campaign_id"], row["reason"], row["channel"]): row["revenue"] for row in rows}
            assert mine == {(row.campaign_id, row.reason, row.channel): row.sums["revenue"] for row in whole.rows}
    with pytest.raises(ValueError, match="deals, payments"):
        grouped_statement(terms, *YEAR, [Dimension.CITY], ["deals", "payments"], shares=shares)


@pytest.mark.parametrize("model", ["last_non_direct", "position_based"])
async def test_own_windows_weights_and_days_add_up_to_the_models_own_report(shop: Account, model: str) -> None:
    terms = await read_terms(shop.conn, WORKSPACE)
    settings = with_settings(position=(1, 1, 8), half_life_days=3)
    for window, dated in ((None, DatedBy.FIRST_TOUCH), (5, DatedBy.EVENT), (30, DatedBy.FIRST_TOUCH)):
        question = Question(shop.conn, terms, *YEAR, Grain.CAMPAIGN, None, dated, window_days=window)
        shares = await touch_shares(question, model, settings)
        whole = await report_by_model(
            shop.conn, WORKSPACE, *YEAR, model, by=Grain.CAMPAIGN_MONTH, dated_by=dated, settings=settings,
            window_days=window,
        )  # fmt: skip
        statement, _ = grouped_statement(
            terms, *YEAR, [Dimension.CAMPAIGN, Dimension.MONTH], ["revenue", "leads"], shares=shares
        )
        async with shop.conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(statement.sql.encode(), statement.params)
            rows = await cursor.fetchall()
        mine = {(row["campaign_id"], row["reason"], row["channel"], row["month"]): row["revenue"] for row in rows}
        theirs = {(row.campaign_id, row.reason, row.channel, row.period): row.sums["revenue"] for row in whole.rows}
        assert {key: value for key, value in mine.items() if value} == {
            key: value for key, value in theirs.items() if value
        }


async def test_a_past_moment_by_any_dimensions_is_that_of_the_campaign_report(shop: Account) -> None:
    (first,) = await shop.rows("select min(known_from) from path")
    await shop.deal("late", "anna", day(9), "7000", **ad("brand"))
    await shop.settle("anna")
    terms = await read_terms(shop.conn, WORKSPACE)
    for known in (first[0], clock.now()):
        whole = await campaign_report(shop.conn, WORKSPACE, *YEAR, as_known_at=known)
        statement, _ = grouped_statement(terms, *YEAR, [Dimension.CITY], FIGURES, as_known_at=known)
        async with shop.conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(statement.sql.encode(), statement.params)
            rows = await cursor.fetchall()
        assert totals(rows, FIGURES) == {figure: whole.totals.sums[figure] for figure in FIGURES}
    with pytest.raises(ValueError, match="manager, payments"):
        grouped_statement(terms, *YEAR, [Dimension.MANAGER], ["payments"], as_known_at=first[0])


async def test_what_was_lost_to_fraud_stands_in_the_campaign_report(shop: Account) -> None:
    on = day(0).date()
    await shop.spend("brand", on, "50")
    for name, of, clicks in (("f1", ident("brand"), 3), ("f2", None, 2)):
        row = {
            "external_id": name,
            "stream": "s",
            "source_id": name,
            "day": on,
            "campaign_id": of,
            "clicks": clicks,
        }
        row |= {"workspace_id": WORKSPACE, "connection_id": ident("x"), "loaded_at": day(1)}
        columns = ", ".join(row)
        await shop.conn.execute(
            f"insert into invalid_clicks ({columns}) values ({', '.join(['%s'] * len(row))})",  # noqa: S608
            list(row.values()),
        )
    grain = Grain.CAMPAIGN_DAY
    for known, lost in ((None, 3), (day(2), 3), (day(0), 0)):
        statement = campaign_report_statement(WORKSPACE, *YEAR, by=grain, as_known_at=known, fraud=True)
        async with shop.conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(statement.sql.encode(), statement.params)
            rows = await cursor.fetchall()
        mine = [row for row in rows if row["fraud_clicks"]]
        assert sum(row["fraud_clicks"] for row in mine if row["campaign_id"] == ident("brand")) == lost
        assert sum(row["fraud_clicks"] for row in mine if row["reason"] == "no_campaign") == (2 if lost else 0)
    plain, _ = await grouped(shop, "campaign", ["fraud_cost"])
    assert cells(plain, "name", figure="fraud_cost") == {"Brand": Decimal("15.00")}


async def a_day(account: Account) -> None:
    """Anna comes from Kazan by an ad, calls manager Oleg and buys; Bella's deal is lost; money comes and goes."""
    oleg = ident("oleg")
    await account.campaign("brand", name="Brand")
    await account.visit(
        "v1", "anna", day(0), **ad("brand"), city="Kazan", device="mobile", landing_url="https://a.ru/x?y=1",
        keyword_key="77",
    )  # fmt: skip
    await account.visit("v2", "bella", day(0), **ad("brand"), city="Perm", device="desktop")
    await account.call("c1", "anna", day(1), responsible_id=oleg)
    await account.lead("l1", "anna", day(2))
    await account.lead("l2", "bella", day(2))
    await account.deal("d1", "anna", day(9), "100", created_at=day(4), responsible_id=oleg)
    lost = {"status": "lost", "lost_reason": "price", "stage_id": ident("closed")}
    await account.deal("d2", "bella", day(9), "40", created_at=day(40), **lost)
    await account.deal("d3", "carol", day(60), "1", status="open", created_at=day(3), closed_at=None)
    told = {"connection_id": ident("x"), "loaded_at": day(0), "stream": "s"}
    for name, kind, amount in (("p1", "payment", 90), ("p2", "refund", 5)):
        await account.put(
            "payment", id=ident(name), external_id=name, source_id=name, client_id=ident("anna"), kind=kind,
            paid_at=day(20), amount=amount, currency="RUB", **told,
        )  # fmt: skip
    await account.put(
        "invoice", id=ident("i1"), external_id="i1", source_id="i1", client_id=ident("anna"), kind="invoice",
        issued_at=day(3), paid_at=day(10), amount=95, currency="RUB", cancelled=False, **told,
    )  # fmt: skip
    await account.put(
        "sales_order", id=ident("o1"), external_id="o1", source_id="o1", client_id=ident("anna"), created_at=day(4),
        state="done", cost=60, currency="RUB", deal_id=ident("d1"), phones=[], emails=[], tags=[], **told,
    )  # fmt: skip
    on = day(0).date()
    await account.spend("brand", on, "24.40")
    await account.settle_spend(("brand", on))
    await account.settle_visits("v1", "v2")
    with clock.replaced(clock.Clock(day(90))):
        await account.settle("anna", "bella")


async def test_by_hand(account: Account) -> None:
    await a_day(account)
    rows, _ = await grouped(account, "city device landing_page", EVERY_FIGURE)
    assert cells(rows, "city", "device", "landing_page", figure="revenue") == {
        ("Kazan", "mobile", "https://a.ru/x"): 100
    }
    assert cells(rows, "city", figure="visits") == {"Kazan": 1, "Perm": 1}
    assert cells(rows, "city", figure="cost") == {None: Decimal("24.40")}
    rows, _ = await grouped(account, "manager keyword", EVERY_FIGURE)
    assert cells(rows, "manager_id", "keyword_key", figure="calls") == {(ident("oleg"), "77"): 1}
    assert cells(rows, "manager_id", figure="won_deals") == {ident("oleg"): 1}
    rows, _ = await grouped(account, "lost_reason stage campaign", EVERY_FIGURE)
    assert cells(rows, "lost_reason", "stage_id", "name", figure="lost_amount") == {
        ("price", ident("closed"), "Brand"): 40
    }
    rows, _ = await grouped(account, "campaign", EVERY_FIGURE)
    (brand,) = [row for row in rows if row["name"] == "Brand"]
    expected = {"deals": 2, "lost_deals": 1, "payments": 90, "refunds": 5, "paid_invoices": 1, "paid_amount": 95}
    expected |= {"qualified_leads": 1, "cost_of_goods": 60, "costed_revenue": 100, "open_deals": 0}
    assert {figure: brand[figure] for figure in expected} == expected
    sums = {figure: brand[figure] for figure in EVERY_FIGURE}
    values = {"gross_profit": 40, "win_rate": 50, "romi_margin": Decimal("63.93"), "lead_to_qualified": 50}
    assert {key: ALL_METRICS[key].value(sums) for key in values} == values
    assert cells(rows, "reason", figure="open_deals") == {"no_touches": 1}


async def test_costs_in_full(account: Account) -> None:
    await a_day(account)
    for kind, percent, since, platform in (
        ("vat", "20", date(2020, 1, 1), None),
        ("vat", "22", date(2026, 1, 1), None),
        ("fee", "10", date(2026, 1, 1), "yandex_direct"),
        ("fee", "50", date(2026, 2, 1), None),
    ):
        await account.conn.execute(
            "insert into cost_rule (workspace_id, id, kind, percent, valid_from, platform, author)"
            " values (%s, %s, %s, %s, %s, %s, 'k')",
            (WORKSPACE, uuid4(), kind, percent, since, platform),
        )
    await account.conn.execute(
        "insert into manual_cost (workspace_id, id, campaign_id, title, first_day, last_day, amount, author)"
        " values (%s, %s, %s, 'Film', '2026-03-30', '2026-04-01', 100, 'k')",
        (WORKSPACE, uuid4(), ident("brand")),
    )
    rows, _ = await grouped(account, "campaign", EVERY_FIGURE)
    (brand,) = [row for row in rows if row["name"] == "Brand"]
    expected = {"cost_net": 20, "cost_vat": Decimal("24.40"), "agency_fee": 2, "manual_cost": 100}
    assert {figure: brand[figure] for figure in expected} == expected
    assert ALL_METRICS["full_cost"].value(brand) == 122
    assert ALL_METRICS["cac_full"].value(brand) == 122
    by_month, _ = await grouped(account, "month", ["manual_cost"])
    assert cells(by_month, "month", figure="manual_cost") == {
        date(2026, 3, 1): Decimal("66.67"),
        date(2026, 4, 1): Decimal("33.33"),
    }


async def test_what_can_not_be_asked(account: Account) -> None:
    with pytest.raises(ValueError, match="There are no figures fame"):
        await grouped(account, "day", ["fame"])
    with pytest.raises(ValueError, match="before it starts"):
        await grouped(account, "day", ["cost"], (YEAR[1], YEAR[0]))


def test_metrics_are_told_apart() -> None:
    assert len({metric.name_en for metric in ALL_METRICS.values()}) == len(ALL_METRICS)
    assert {key for key, metric in ALL_METRICS.items() if key != metric.key} == set()


async def test_products_share_what_sales_are_worth(account: Account) -> None:
    await a_day(account)
    for place, (sku, name, amount, cost) in enumerate(
        [("T1", "Tea", 20, 30), ("T2", "Tea set", 10, None), (None, "Cup", 1, 1)], 1
    ):
        await account.conn.execute(
            "insert into order_item (workspace_id, order_id, place, sku, name, quantity, price, amount, cost)"
            " values (%s, %s, %s, %s, %s, 1, %s, %s, %s)",
            (WORKSPACE, ident("o1"), place, sku, name, amount, None if place == 2 else amount, cost),
        )
    # Another order of the same deal tells no lines, and one was cancelled.
    await account.order("o2", "anna", day(4), deal_id=ident("d1"), amount=2, cost=5, currency="RUB")
    await account.order("o3", "anna", day(4), deal_id=ident("d1"), amount=500, state="cancelled")
    await account.put("payment", id=ident("p1"), order_id=ident("o1"), **await _as_stands(account, "payment", "p1"))
    await account.put("invoice", id=ident("i1"), deal_id=ident("d1"), **await _as_stands(account, "invoice", "i1"))
    with clock.replaced(clock.Clock(day(91))):
        await account.settle("anna")
    whole, _ = await grouped(account, "campaign", EVERY_FIGURE)
    for by in ("product", "product campaign month", "product manager city"):
        rows, _ = await grouped(account, by, EVERY_FIGURE)
        assert totals(rows, EVERY_FIGURE) == totals(whole, EVERY_FIGURE), by
    by_product, _ = await grouped(account, "product", EVERY_FIGURE)
    # 100 over 20 + 10 + 1 + 2 of an order without lines; the cost of goods likewise, as one line doesn't tell its.
    assert cells(by_product, "product_key", figure="revenue") == {
        "Cup": Decimal("3.03"), "T1": Decimal("60.61"), "T2": Decimal("30.30"), None: Decimal("6.06"),
    }  # fmt: skip
    assert cells(by_product, "product_key", figure="payments")["T1"] == Decimal("58.07")
    assert cells(by_product, "product_key", figure="paid_amount")["T2"] == Decimal("28.79")
    assert cells(by_product, "product_key", figure="lost_amount") == {None: 40}
    await account.conn.execute("update order_item set cost = 29 where sku = 'T2'")
    by_product, _ = await grouped(account, "product", ["cost_of_goods"])
    assert cells(by_product, "product_key", figure="cost_of_goods") == {
        "Cup": 1, "T1": 30, "T2": 29, None: 5,
    }  # fmt: skip


async def _as_stands(account: Account, table: str, name: str) -> dict[str, Any]:
    async with account.conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(f"select * from {table} where id = %s", (ident(name),))  # noqa: S608
        found = await cursor.fetchone()
    assert found is not None
    return {key: value for key, value in found.items() if key not in ("workspace_id", "id", "order_id", "deal_id")}


async def test_days_from_first_touch_to_deal(account: Account) -> None:
    await a_day(account)
    rows, _ = await grouped(account, "", EVERY_FIGURE)
    # Anna's and Bella's deals were opened 4 and 40 days after their first visits; Carol had none.
    assert ALL_METRICS["days_to_deal"].value(rows[0]) == 22
    assert ALL_METRICS["net_payments"].value(rows[0]) == 85
