"""Marked clients become paths, differences become sums, and nothing that was believed is lost."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from core import clock
from core.database import Database, driver
from reports.rebuild import difference_from_rebuild, rebuild
from reports.settle import settle, settle_orphans, settle_visits
from schema.enums import Channel
from tests.reports.conftest import (
    CABINET,
    CALL_TRACKER,
    CRM,
    DIRECT,
    START,
    WORKSPACE,
    Account,
    ad,
    day,
    ident,
    organic,
)

REVENUE = Decimal("1500.00")


async def consistent(account: Account) -> bool:
    """Stored figures are those of a full recomputation, once all visits are counted."""
    visits = [row[0] for row in await account.rows("select id from visit")]
    await settle_visits(account.conn, WORKSPACE, visits)
    return await difference_from_rebuild(account.conn, WORKSPACE) == []


async def test_a_client_is_counted_for_the_ad_that_brought_him(account: Account) -> None:
    await account.visit("v1", "anna", day(0), **ad("brand"))
    await account.visit("v2", "anna", day(3), **DIRECT)
    await account.call("c1", "anna", day(3, seconds=60))
    await account.lead("l1", "anna", day(4), **organic())
    await account.deal("d1", "anna", day(10), "1500")
    await account.settle_visits("v1", "v2")
    await account.settle("anna")
    assert await account.cells() == {
        ("brand", ""): {"visits": 1, "calls": 1},
        ("direct_only", "direct"): {"visits": 1},
        ("no_campaign", "organic"): {"leads": 1, "new_clients": 1, "won_deals": 1, "revenue": REVENUE},
    }
    assert await account.cells("rollup_month") == await account.cells()
    assert await consistent(account)


async def test_settling_again_changes_nothing(account: Account) -> None:
    await account.visit("v1", "anna", day(0), **ad("brand"))
    await account.call("c1", "anna", day(1))
    first = await account.settle("anna")
    assert (first.clients, first.paths, first.cells, first.remaining) == (1, 1, 1, 0)
    again = await account.settle("anna")
    assert (again.clients, again.paths, again.cells) == (1, 0, 0)


async def test_late_data_adds_a_version_and_keeps_the_former_one(account: Account) -> None:
    moment = clock.Clock(day(20))
    with clock.replaced(moment):
        await account.call("c1", "anna", day(10))
        await account.settle("anna")
        moment.advance(timedelta(days=1))
        await account.visit("v1", "anna", day(9), **ad("brand"))
        await account.settle("anna", cause="visit")
    assert await account.rows(
        "select version, reason, cause, known_from, known_until, ended_by from path order by version"
    ) == [
        (1, "no_touches", "first", day(20), day(21), "late_data"),
        (2, "", "late_data", day(21), None, None),
    ]
    assert await account.cells() == {("brand", ""): {"calls": 1}}
    assert await consistent(account)


async def test_a_merge_moves_what_the_other_client_had(account: Account) -> None:
    await account.visit("v1", "anna", day(0), **ad("brand"))
    await account.call("c1", "bella", day(1))
    await account.settle("anna", "bella")
    assert await account.cells() == {("no_touches", ""): {"calls": 1}}
    await account.call("c1", "anna", day(1))
    await account.settle("anna", "bella", cause="merge")
    assert await account.cells() == {("brand", ""): {"calls": 1}}
    assert await account.rows("select version, client_id, cause, ended_by from path order by version") == [
        (1, ident("bella"), "first", "merge"),
        (2, ident("anna"), "merge", None),
    ]
    await account.call("c1", "bella", day(1))
    await account.settle("anna", "bella", cause="split")
    assert await account.cells() == {("no_touches", ""): {"calls": 1}}
    assert (await account.rows("select cause from path where version = 3")) == [("split",)]
    assert await consistent(account)


async def test_clients_may_be_settled_in_any_order(account: Account) -> None:
    await account.call("c1", "bella", day(1))
    await account.call("c2", "bella", day(5))
    await account.settle("bella")
    await account.call("c1", "anna", day(1))
    await account.mark("bella", "anna", cause="merge")
    done = await settle(account.conn, WORKSPACE, None, batch=1)
    assert (done.clients, done.remaining) == (1, 1)
    await settle(account.conn, WORKSPACE, None, batch=1)
    assert await account.cells() == {("no_touches", ""): {"calls": 2}}
    assert await consistent(account)


async def test_a_deleted_record_is_taken_out(account: Account) -> None:
    await account.visit("v1", "anna", day(0), **ad("brand"))
    await account.deal("d1", "anna", day(2), "1500")
    await account.settle_visits("v1")
    await account.settle("anna")
    await account.delete("deal", "d1")
    await account.delete("visit", "v1")
    await account.settle_visits("v1")
    await account.settle("anna", cause="deal")
    assert await account.cells() == {}
    assert await account.rows("select distinct ended_by from path") == [("edited_deal",)]
    await account.deal("d1", "anna", day(2), "1700")
    await account.settle("anna", cause="deal")
    assert await account.rows("select version, revenue from path where kind = 'won_deal' order by 1") == [
        (1, Decimal("1500.00")),
        (2, Decimal("1700.00")),
    ]
    assert await consistent(account)


async def test_an_edited_amount_is_an_edited_deal(account: Account) -> None:
    await account.deal("d1", "anna", day(2), "1500")
    await account.settle("anna")
    await account.deal("d1", "anna", day(2), "900")
    await account.settle("anna", cause="deal")
    assert await account.rows("select cause, revenue from path where kind = 'won_deal' and version = 2") == [
        ("edited_deal", Decimal("900.00"))
    ]
    assert (await account.cells())["no_touches", ""]["revenue"] == Decimal("900.00")


async def test_an_earlier_deal_makes_the_client_new_at_another_time(account: Account) -> None:
    await account.deal("d2", "anna", day(40), "10")
    await account.settle("anna")
    await account.deal("d1", "anna", day(2), "20")
    await account.settle("anna", cause="deal")
    assert await account.rows(
        "select record_id, known_until is null from path where kind = 'new_client' order by occurred_at"
    ) == [(ident("d1"), True), (ident("d2"), False)]
    assert await account.cells() == {
        ("no_touches", ""): {"new_clients": 1, "won_deals": 2, "revenue": Decimal("30.00")}
    }
    assert await consistent(account)


async def test_revenue_in_another_currency_is_left_out_and_the_deal_counted(account: Account) -> None:
    await account.deal("d1", "anna", day(2), "1500", currency="USD")
    await account.settle("anna")
    assert await account.cells() == {("no_touches", ""): {"new_clients": 1, "won_deals": 1}}
    assert await account.rows("select value, currency, revenue from path where kind = 'won_deal'") == [
        (REVENUE, "USD", Decimal("0.00"))
    ]


async def test_a_company_deal_is_brought_by_its_people(account: Account) -> None:
    await account.visit("v1", "anna", day(0), **ad("brand"))
    await account.company("acme-card", "acme")
    await account.deal("d1", "acme", day(5), "1500")
    await account.settle("acme")
    assert list(await account.cells()) == [("no_touches", "")]
    await account.contact("anna-card", "anna", "acme-card")
    await account.settle("anna", cause="contact")
    assert list(await account.cells()) == [("brand", "")]
    await account.visit("v2", "anna", day(4), **ad("sale"))
    await account.settle("anna", cause="visit")
    assert list(await account.cells()) == [("sale", "")]
    await account.contact("anna-card", "anna", None)
    await account.settle("anna", cause="contact")
    assert list(await account.cells()) == [("no_touches", "")]
    assert await consistent(account)


async def test_calls_of_nobody_are_counted_once_whatever_becomes_of_one(account: Account) -> None:
    await account.call("c1", None, day(1), **ad("brand"))
    await account.call("c2", None, day(1, seconds=30), told_by=CRM)
    await account.settle("c1", "c2")
    assert await account.cells() == {("brand", ""): {"calls": 1}}
    assert await account.rows("select record_id, also_told_by, client_id from path") == [
        (ident("c1"), [ident("c2")], None)
    ]
    await account.call("c1", "anna", day(1), **ad("brand"))
    await account.settle("anna")  # the other one, still nobody's, isn't marked
    assert await account.cells() == {("brand", ""): {"calls": 1}, ("no_client", ""): {"calls": 1}}
    assert await account.rows("select cause from path where client_id is not null") == [("identified",)]
    assert await consistent(account)


async def test_a_corrected_phone_parts_calls_of_nobody(account: Account) -> None:
    await account.call("c1", None, day(1))
    await account.call("c2", None, day(1, seconds=30), told_by=CRM)
    await settle_orphans(account.conn, WORKSPACE, [ident("c1"), ident("c2")])
    await account.call("c1", None, day(1), client_phone="+79990000000")
    await settle_orphans(account.conn, WORKSPACE, [ident("c1")])
    assert await account.cells() == {("no_client", ""): {"calls": 2}}
    assert await consistent(account)


async def test_withheld_numbers_are_not_one_caller(account: Account) -> None:
    await account.call("c1", None, day(1), client_phone="anonymous")
    await account.call("c2", None, day(1), client_phone="anonymous", told_by=CRM)
    await account.settle("c1", "c2")
    assert await account.cells() == {("no_client", ""): {"calls": 2}}


async def test_leads_and_deals_of_nobody(account: Account) -> None:
    await account.lead("l1", None, day(1), **ad("brand"))
    await account.lead("l2", None, day(1))
    await account.deal("d1", None, day(2), "1500", **ad("sale"))
    await account.settle("l1", "l2", "d1")
    assert await account.cells() == {
        ("brand", ""): {"leads": 1},
        ("no_client", ""): {"leads": 1},
        ("sale", ""): {"won_deals": 1, "revenue": REVENUE},
    }
    assert await consistent(account)


async def test_outbound_calls_do_not_count(account: Account) -> None:
    await account.call("c1", "anna", day(1), direction="outbound", **ad("brand"))
    await account.deal("d1", "anna", day(2), None)
    await account.settle("anna")
    assert await account.cells() == {("no_touches", ""): {"new_clients": 1, "won_deals": 1}}


async def test_days_are_those_of_the_workspace(account: Account) -> None:
    late = START.replace(hour=21, minute=30)  # half past midnight in Moscow
    await account.visit("v1", "anna", late, **ad("brand"))
    await account.call("c1", "anna", late)
    await account.settle_visits("v1")
    await account.settle("anna")
    assert await account.rows("select day, visits, calls from rollup_day") == [(date(2026, 3, 3), 1, 1)]


async def test_a_visit_that_changes_moves_to_another_cell(account: Account) -> None:
    await account.visit("v1", None, day(0), **ad("brand"))
    assert await account.settle_visits("v1") == 1
    assert await account.settle_visits("v1") == 0
    await account.visit("v1", None, day(35), **organic())
    assert await account.settle_visits("v1") == 1
    assert await account.cells("rollup_month") == {("no_campaign", Channel.ORGANIC): {"visits": 1}}
    assert await consistent(account)


@pytest.mark.parametrize("order", list(permutations(("tracker", "counter", "later"))))
async def test_a_visit_that_two_systems_tell_of_counts_once(account: Account, order: tuple[str, ...]) -> None:
    """The call tracker and the web counter share the visitor's cookie; the one that knows the campaign counts."""
    told: dict[str, tuple[datetime, dict[str, Any]]] = {
        "tracker": (day(0), organic() | {"connection_id": CALL_TRACKER}),
        "counter": (day(0, seconds=40), ad("brand") | {"connection_id": CABINET}),
        "later": (day(1), organic() | {"connection_id": CALL_TRACKER}),  # the same visitor, another visit
    }
    for name in order:
        at, more = told[name]
        await account.visit(name, None, at, **more)
        await account.visitor(name, "ym:1", f"own:{name}")
        await account.settle_visits(name)
    assert await account.cells("rollup_month") == {
        ("brand", ""): {"visits": 1},
        ("no_campaign", Channel.ORGANIC): {"visits": 1},
    }
    assert await consistent(account)

    await account.delete("visit", "counter")  # then the tracker's word is all there is
    await account.settle_visits("counter")
    assert await account.cells("rollup_month") == {("no_campaign", Channel.ORGANIC): {"visits": 2}}
    assert await consistent(account)


async def test_a_restated_cost_replaces_the_former(account: Account) -> None:
    on = date(2026, 3, 2)
    await account.spend("brand", on, "100.50")
    await account.settle_spend(("brand", on))
    await account.spend("brand", on, "99.25", clicks=11)
    assert await account.settle_spend(("brand", on), ("brand", on)) == 1
    assert await account.settle_spend(("brand", on)) == 0
    assert await account.rows("select cost, impressions, clicks from rollup_month") == [
        (Decimal("99.25"), 1000, 11)
    ]
    await account.spend("brand", on, "5", currency="USD")
    await account.settle_spend(("brand", on))
    assert await account.rows("select cost, clicks from rollup_day") == [(Decimal("0.00"), 10)]
    assert await consistent(account)


async def test_rebuild_makes_everything_from_the_records(account: Account) -> None:
    on = date(2026, 3, 2)
    await account.visit("v1", "anna", day(0), **ad("brand"))
    await account.visit("v2", None, day(0))
    await account.call("c1", "anna", day(1))
    await account.call("c2", None, day(1))
    await account.spend("brand", on, "100")
    await account.mark("anna", "c2")
    assert await difference_from_rebuild(account.conn, WORKSPACE) != []
    assert await rebuild(account.conn, WORKSPACE) == 2
    assert await consistent(account)
    assert await account.rows("select * from client_mark") == []
    assert await account.cells() == {
        ("brand", ""): {"cost": 100, "visits": 1, "calls": 1},
        ("direct_only", "direct"): {"visits": 1},
        ("no_client", ""): {"calls": 1},
    }
    assert await account.settle_visits("v1", "v2") == 0
    assert await account.settle_spend(("brand", on)) == 0
    assert await rebuild(account.conn, WORKSPACE) == 0


async def test_a_discrepancy_is_found_wherever_it_is(account: Account) -> None:
    await account.visit("v1", "anna", day(0), **ad("brand"))
    await account.call("c1", "anna", day(1))
    await account.settle_visits("v1")
    await account.settle("anna")
    for damage, what in (
        ("update path set digest = ''", "path"),
        ("update rollup_day set calls = calls + 1", "rollup_day"),
        ("update rollup_month set revenue = 0.01", "rollup_month"),
        ("delete from settled_visit", "settled_visit"),
    ):
        async with account.conn.transaction(force_rollback=True):
            await account.conn.execute(damage.encode())
            wrong = await difference_from_rebuild(account.conn, WORKSPACE)
            assert {discrepancy.what for discrepancy in wrong} == {what}
    assert await consistent(account)


async def test_a_mark_that_an_open_transaction_holds_is_left(reports_database: Database) -> None:
    async with reports_database.loading(WORKSPACE) as connection:
        first = Account(driver(connection))
        await first.call("c1", "anna", day(1))
        await first.mark("anna", "bella")
    async with reports_database.loading(WORKSPACE) as loading, reports_database.loading(WORKSPACE) as settling:
        loader, settler = Account(driver(loading)), Account(driver(settling))
        await loader.call("c2", "anna", day(2))
        await loader.mark("anna")
        done = await settle(settler.conn, WORKSPACE, None)
        assert (done.clients, done.remaining) == (1, 1)
    async with reports_database.loading(WORKSPACE) as connection:
        last = Account(driver(connection))
        assert (await settle(last.conn, WORKSPACE, None)).clients == 1
        assert await last.cells() == {("no_touches", ""): {"calls": 2}}


async def test_the_app_role_may_settle_too(reports_database: Database) -> None:
    async with reports_database.workspace(WORKSPACE) as connection:
        account = Account(driver(connection))
        await account.visit("v1", "anna", day(0), **ad("brand"))
        await account.call("c1", "anna", day(1))
        await account.settle_visits("v1")
        await account.settle("anna")
        assert await account.cells() == {("brand", ""): {"visits": 1, "calls": 1}}


async def test_settling_refuses_a_transaction_that_sees_old_figures(account: Account) -> None:
    conn = account.conn
    await conn.rollback()
    await conn.execute("set transaction isolation level repeatable read")
    with pytest.raises(RuntimeError, match="READ COMMITTED"):
        await settle(conn, WORKSPACE, None)


async def test_settling_an_unknown_workspace_says_so(account: Account) -> None:
    with pytest.raises(LookupError, match="There is no workspace"):
        await settle(account.conn, ident("nobody"), None)
