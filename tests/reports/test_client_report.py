"""The monthly report: its figures are those of the campaign report, its words and pages of both languages."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest

from reports.campaigns import campaign_report
from reports.client_document import document
from reports.client_page import as_html
from reports.client_pdf import as_pdf
from reports.client_report import client_report
from reports.freezing import freeze
from reports.periods import Earlier, earlier
from reports.terms import read_terms
from tests.reports.conftest import WORKSPACE, Account, day, ident

APRIL = (date(2026, 4, 1), date(2026, 4, 30))


async def works(account: Account) -> None:
    await account.put("client", id=ident("client3"), kind="person", name="Иван <Петров>", closed=False,
                      founded_at=day(0), last_seen_at=day(1))  # fmt: skip
    for title, done in (("Аудит сайта", day(31)), ("Позже", None)):
        await account.put("task", id=uuid4(), client_id=ident("client3"), title=title, done_at=done)
    await account.put(
        "note", id=uuid4(), client_id=ident("client3"), text="Согласовали\nбюджет", author="key", created_at=day(32)
    )


async def test_of_the_whole_business(shop: Account) -> None:
    await works(shop)
    terms = await read_terms(shop.conn, WORKSPACE)
    found = await client_report(shop.conn, terms, APRIL[0])
    now = await campaign_report(shop.conn, WORKSPACE, *APRIL)
    before = await campaign_report(shop.conn, WORKSPACE, date(2026, 3, 1), date(2026, 3, 31))
    assert (found.compared.totals.now, found.compared.totals.before) == (now.totals.sums, before.totals.sums)
    assert found.by_day.totals.sums == now.totals.sums
    assert sum(sale.amount for sale in found.sales) == now.totals.sums["revenue"]
    assert dict(found.work_counts) == {"task": 1, "note": 1}
    assert [work.title for work in found.works] == ["Согласовали\nбюджет", "Аудит сайта"]
    assert earlier(*APRIL, Earlier.PERIOD) == (date(2026, 3, 2), date(2026, 3, 31))


async def test_of_one_client(shop: Account) -> None:
    await works(shop)
    terms = await read_terms(shop.conn, WORKSPACE)
    found = await client_report(shop.conn, terms, APRIL[0], ident("client3"))
    totals = found.compared.totals.now
    assert (totals["visits"], totals["calls"], totals["leads"], totals["won_deals"]) == (0, 0, 0, 1)
    assert totals["revenue"] == Decimal("1003.07")
    march = found.compared.totals.before
    assert (march["visits"], march["calls"], march["leads"], march["cost"]) == (1, 1, 1, 0)
    for other in (ident("client0"), uuid4()):
        await shop.put("client", id=other, kind="person", closed=False, founded_at=day(0), last_seen_at=day(1))
    whole = await client_report(shop.conn, terms, date(2026, 3, 1), ident("client0"))
    cost = (await campaign_report(shop.conn, WORKSPACE, date(2026, 3, 1), date(2026, 3, 31))).totals.sums["cost"]
    assert whole.compared.totals.now["cost"] == cost  # the only visit of that campaign in March is theirs
    assert found.title == "Иван <Петров>"
    masked = await client_report(shop.conn, terms, APRIL[0], ident("client3"), masked=True)
    assert (masked.title, masked.works, masked.sales[0].client) == ("", [], None)
    with pytest.raises(LookupError):
        await client_report(shop.conn, terms, APRIL[0], uuid4())


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_pages(shop: Account, language: str) -> None:
    await works(shop)
    terms = await read_terms(shop.conn, WORKSPACE)
    await freeze(shop.conn, WORKSPACE, *APRIL, day(101), "key")
    page = document(await client_report(shop.conn, terms, APRIL[0]), language, of_client=False)
    html = as_html(page)
    assert html.count("<svg") == 2
    said = {"ru": ("Отчёт о продвижении", "Апрель 2026", "Период закрыт"),
            "en": ("Marketing report", "April 2026", "The period is closed")}  # fmt: skip
    for words in (*said[language], "Иван &lt;Петров&gt;", "Аудит сайта"):
        assert words in html
    paper = as_pdf(page)
    assert paper.startswith(b"%PDF-")
    assert b"DejaVuSans" in paper
    with pytest.raises(ValueError, match="not in 'de'"):
        document(await client_report(shop.conn, terms, APRIL[0]), "de", of_client=False)
