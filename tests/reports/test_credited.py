"""Any model's receipt adds up to its report, and a conversion is what the business chooses."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from psycopg.rows import dict_row

from reports.by_model import Question, models_report, report_by_model
from reports.campaigns import CampaignRow, Grain
from reports.comparison import DEFINITIONS
from reports.conversions import CONVERSIONS, Conversion
from reports.credited import credited, credited_statement
from reports.receipt import Whose
from reports.side_by_side import side_by_side
from reports.stored_paths import DatedBy
from reports.terms import read_terms
from tests.reports.conftest import CRM, DIRECT, WORKSPACE, Account, ad, day, ident, organic

YEAR = (date(2026, 1, 1), date(2026, 12, 31))


async def items(account: Account, conversion: Conversion, model: str, row: CampaignRow, **more: Any) -> list[Any]:
    terms = await read_terms(account.conn, WORKSPACE)
    question = Question(
        account.conn, terms, *YEAR, Grain.CAMPAIGN, None, DatedBy.EVENT, CONVERSIONS[conversion], **more
    )
    whose = Whose(row.campaign_id) if row.campaign_id else Whose(reason=row.reason, channel=row.channel)
    statement = credited_statement(WORKSPACE, await credited(question, model, whose))
    async with account.conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.sql.encode(), statement.params)
        return await cursor.fetchall()


@pytest.mark.parametrize("window", [None, 5])
async def test_receipts_of_all_models_add_up_to_their_report(shop: Account, window: int | None) -> None:
    conversion = Conversion.WON_DEAL
    reports = await models_report(
        shop.conn, WORKSPACE, *YEAR, [key for key in DEFINITIONS if key != "markov"], conversion=conversion,
        window_days=window,
    )  # fmt: skip
    compared = 0
    for model, report in reports.items():
        for row in report.rows:
            found = await items(shop, conversion, model, row, window_days=window)
            assert sum(item["counted"] for item in found) == row.sums["won_deals"]
            assert sum(item["amount"] for item in found) == row.sums["revenue"]
            for item in found:
                shares = sum(Decimal(str(touch["share"])) for touch in item["touches"])
                assert shares == (1 if any(touch["share"] for touch in item["touches"]) else 0)
            compared += len(found)
    assert compared > 20


async def test_markov_has_no_receipt(shop: Account) -> None:
    report = await report_by_model(shop.conn, WORKSPACE, *YEAR, "linear")
    with pytest.raises(ValueError, match="all journeys together"):
        await items(shop, Conversion.LEAD, "markov", report.rows[0])


async def two_calls_and_leads(account: Account) -> None:
    await account.campaign("brand", name="Brand")
    await account.visit("v1", "anna", day(0), **ad("brand"))
    await account.visit("v2", "bella", day(0), **organic())
    await account.call("c1", "anna", day(1))
    await account.call("t1", "anna", day(1, seconds=5), told_by=CRM, is_target=True)
    await account.call("c2", "bella", day(1), is_target=False, client_phone="+79161234568")
    await account.lead("l1", "anna", day(2))
    await account.lead("l2", "anna", day(5))
    await account.lead("l3", "bella", day(2))
    await account.deal("d1", "anna", day(9), "10", created_at=day(4))
    await account.deal("d2", None, day(9), "10", created_at=day(8), lead_id=ident("l3"))
    await account.settle("anna", "bella", "d2")


@pytest.mark.parametrize(
    ("conversion", "expected"),
    [
        ("call", {"Brand": 1, "organic": 1}),
        ("target_call", {"Brand": 1}),
        ("lead", {"Brand": 2, "organic": 1}),
        ("qualified_lead", {"Brand": 1, "organic": 1}),
        ("new_client", {"Brand": 1}),
        ("won_deal", {"Brand": 1, "no_client": 1}),
    ],
)
async def test_conversions(account: Account, conversion: str, expected: dict[str, int]) -> None:
    await two_calls_and_leads(account)
    models = ["first_touch", "linear", "markov", "shapley"]
    reports = await models_report(account.conn, WORKSPACE, *YEAR, models, conversion=conversion)
    both = side_by_side(reports, Conversion(conversion))
    found: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for row in both.rows:
        for model, credit in row.credits.items():
            if credit.conversions:
                found[model][row.row.name or row.row.channel or row.row.reason or ""] = credit.conversions
    assert found == dict.fromkeys(models, expected)
    assert both.totals.credits["markov"].conversions == sum(expected.values())
    value = Decimal(20) if conversion == "won_deal" else Decimal(0)
    assert {credit.value for credit in both.totals.credits.values()} == {value}


async def test_a_narrower_window_leaves_older_touches_out(account: Account) -> None:
    await account.campaign("brand", name="Brand")
    await account.visit("v1", "anna", day(0), **ad("brand"))
    await account.visit("v2", "anna", day(8), **DIRECT)
    await account.deal("d1", "anna", day(10), "10")
    await account.deal("d2", "anna", day(30), "1")
    await account.settle("anna")
    found = {}
    for window in (10, 9):
        report = await report_by_model(
            account.conn, WORKSPACE, *YEAR, "linear", conversion="won_deal", window_days=window
        )
        found[window] = {row.name or row.reason: row.sums["revenue"] for row in report.rows}
    assert found == {
        10: {"Brand": 5, "direct_only": 5, "window_passed": 1},
        9: {"direct_only": 10, "window_passed": 1},
    }
    cohort = await report_by_model(
        account.conn, WORKSPACE, day(8).date(), day(8).date(), "linear",
        conversion="won_deal", window_days=9, dated_by="first_touch",
    )  # fmt: skip
    assert cohort.totals.sums["revenue"] == 10
    with pytest.raises(ValueError, match="ask for 1 to 90"):
        await report_by_model(account.conn, WORKSPACE, *YEAR, "linear", window_days=91)
