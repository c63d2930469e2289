"""Why a record is missing from the report, for one and in bulk with totals that add up."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from reports.missing import Test, Traced, why_missing
from reports.missing_in_bulk import FIGURE_OF, Outcome, whats_missing
from reports.terms import read_terms
from schema.enums import RecordKind
from tests.reports.conftest import CALL_TRACKER, CRM, WORKSPACE, Account, ad, day, ident

YEAR = (date(2026, 1, 1), date(2026, 12, 31))


async def quarantined(account: Account, stream: str, name: str) -> None:
    await account.conn.execute(
        "insert into quarantine (workspace_id, connection_id, stream, external_id, hash, raw, reason, first_at,"
        " last_at) values (%s, %s, %s, %s, '', '', 'no phone in it', now(), now())",
        (WORKSPACE, CALL_TRACKER, stream, name),
    )


async def mixed(shop: Account) -> None:
    """On top of the shop: whatever keeps a record out of the report."""
    await shop.invoice("paid", "client1", day(30), "70")
    await shop.invoice("owed", "client1", None, "5")
    await shop.invoice("void", "client1", day(30), "5", cancelled=True)
    await shop.invoice("act", "client1", day(30), "5", kind="act")
    await shop.invoice("dollars", None, day(31), "5", currency="USD")
    for name, kind, currency, client in (
        ("in", "payment", "RUB", "client1"),
        ("back", "refund", "RUB", "client1"),
        ("stray", "payment", "RUB", None),
        ("cents", "payment", "USD", "client1"),
    ):
        await shop.put(
            "payment", id=ident(name), external_id=name, source_id=name, connection_id=CRM, stream="payments",
            loaded_at=day(0), client_id=client and ident(client), kind=kind, paid_at=day(32), amount=7,
            currency=currency,
        )  # fmt: skip
    await shop.settle("client1", "dollars", cause="invoice")
    await shop.call("out", "client1", day(3), direction="outbound")
    await shop.call("gone", "client1", day(4), deleted_at=day(5))
    await shop.call("waits", "client2", day(70))
    await shop.mark("client2")
    await shop.deal("open", "client1", day(9), "5", status="open", closed_at=None)
    await shop.deal("lost", "client1", day(9), "5", status="lost")
    await shop.deal("usd", "client4", day(20), "9", currency="USD")
    await shop.settle_visits()
    await quarantined(shop, "calls", "unreadable")
    await quarantined(shop, "calls", "c1")
    await shop.spend("brand", day(0).date(), "90", at=day(50))
    await shop.settle_spend(("brand", day(0).date()))


@pytest.mark.parametrize("kind", list(FIGURE_OF))
@pytest.mark.parametrize("days", [YEAR, (day(0).date(), day(40).date()), (date(2020, 1, 1), date(2020, 1, 2))])
async def test_all_records_add_up(shop: Account, kind: RecordKind, days: tuple[date, date]) -> None:
    await mixed(shop)
    terms = await read_terms(shop.conn, WORKSPACE)
    found = await whats_missing(shop.conn, terms, kind, *days, [("calltouch", "calls"), ("bitrix24", "empty")])
    assert found.counted == found.report
    assert found.records + found.other_days == found.read + found.more_of_one
    assert found.sources == found.read + found.skipped + found.unreadable
    money = sum(line.money for line in found.lines)
    assert money == found.report_money


async def test_outcomes_of_calls_and_deals(shop: Account) -> None:
    await mixed(shop)
    terms = await read_terms(shop.conn, WORKSPACE)
    calls = await whats_missing(shop.conn, terms, RecordKind.CALL, *YEAR)
    numbers = {line.outcome: line.number for line in calls.lines if line.outcome is not Outcome.UNATTRIBUTED}
    assert numbers.pop(Outcome.ATTRIBUTED) > 0
    assert numbers == {
        Outcome.TOLD_BY_ANOTHER: 12, Outcome.OUTBOUND: 1, Outcome.DELETED: 1, Outcome.NOT_SETTLED: 1
    }  # fmt: skip
    assert (calls.sources, calls.read, calls.unreadable) == (29, 28, 1)
    deals = await whats_missing(shop.conn, terms, RecordKind.DEAL, *YEAR)
    outcomes = {line.outcome: line.number for line in deals.lines}
    assert (outcomes[Outcome.OPEN], outcomes[Outcome.LOST], outcomes[Outcome.NOT_SETTLED]) == (1, 1, 1)
    invoices = await whats_missing(shop.conn, terms, RecordKind.INVOICE, *YEAR)
    assert {line.outcome: (line.number, line.money) for line in invoices.lines if line.reason is None} == {
        Outcome.ATTRIBUTED: (1, Decimal(70)),
        Outcome.ACT: (1, Decimal(0)),
        Outcome.CANCELLED: (1, Decimal(0)),
        Outcome.UNPAID: (1, Decimal(0)),
    }
    assert (invoices.report, invoices.report_money) == (2, 70)
    payments = await whats_missing(shop.conn, terms, RecordKind.PAYMENT, *YEAR)
    assert {(line.outcome, line.reason): (line.number, line.money) for line in payments.lines} == {
        (Outcome.ATTRIBUTED, None): (1, Decimal(7)),
        (Outcome.UNATTRIBUTED, "no_touches"): (1, Decimal(7)),
        (Outcome.OTHER_CURRENCY, None): (1, Decimal(0)),
        (Outcome.REFUND, None): (1, Decimal(0)),
    }
    with pytest.raises(ValueError, match="not task"):
        await whats_missing(shop.conn, terms, RecordKind.TASK, *YEAR)


async def one(account: Account, record: str) -> Traced:
    (found,) = await why_missing(account.conn, await read_terms(account.conn, WORKSPACE), record, *YEAR)
    return found


async def test_one_record(shop: Account) -> None:
    await mixed(shop)

    async def decides(name: str) -> Test | None:
        failed = (await one(shop, str(ident(name)))).failed
        return failed and failed.test

    assert await decides("out") is Test.INBOUND
    assert await decides("gone") is Test.NOT_DELETED
    assert await decides("open") is Test.WON
    assert await decides("t1") is Test.TOLD_ONCE
    assert await decides("owed") is Test.PAID
    assert await decides("act") is Test.PAID
    assert await decides("paid") is None
    assert await decides("in") is None
    assert await decides("cents") is Test.CURRENCY
    assert await decides("stray") is Test.ATTRIBUTED
    assert await decides("waits") is Test.ATTRIBUTED
    assert await decides("late") is Test.ATTRIBUTED
    assert await decides("d0") is None
    found = await one(shop, str(ident("c1")))
    assert found.campaign_id == ident("sale")
    tests = {each.test: each for each in found.tests}
    assert tests[Test.READABLE].passed is False
    assert "no phone in it" in tests[Test.READABLE].said
    assert tests[Test.IN_WINDOW].passed
    late = {each.test: each for each in (await one(shop, str(ident("late")))).tests}
    assert late[Test.IN_WINDOW].passed is False
    assert late[Test.IN_WINDOW].fix
    waits = {each.test: each for each in (await one(shop, str(ident("waits")))).tests}
    assert waits[Test.SETTLED].passed is False
    nobody = {each.test: each for each in (await one(shop, str(ident("nobody")))).tests}
    assert nobody[Test.CLIENT_KNOWN].passed is False


async def test_a_record_that_is_none(account: Account) -> None:
    await quarantined(account, "calls", "77")
    refused = await one(account, "77")
    assert refused.failed
    assert (refused.failed.test, refused.connector) == (Test.READABLE, "calltouch")
    never = await one(account, "78")
    assert never.failed
    assert never.failed.test is Test.LOADED


async def test_found_by_click_and_days(account: Account) -> None:
    await account.campaign("brand")
    await account.visit("v1", None, day(1), click_id="y123", **ad("brand"))
    await account.settle_visits("v1")
    terms = await read_terms(account.conn, WORKSPACE)
    (found,) = await why_missing(account.conn, terms, "yclid:y123", date(2027, 1, 1), date(2027, 1, 2))
    assert (found.kind, found.campaign_id) == (RecordKind.VISIT, ident("brand"))
    assert found.failed
    assert found.failed.test is Test.IN_PERIOD
    assert found.connector == "calltouch"
