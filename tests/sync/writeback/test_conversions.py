"""What clicks became later goes back to the counter of the site: orders by their ids, goals once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from core.clock import Clock, replaced
from sandbox.server import start
from sync.errors import SettingsRefused
from sync.writeback.dry_run import dry_run
from sync.writeback.rulebook import list_rules
from sync.writeback.undo import undo
from tests.sync.conftest import START, Bench
from tests.sync.writeback.conftest import Writing

ORDERS = "select id, status, revenue, currency, phone from yandex_metrica_order"
WON = (
    "select count(*) from deal d join client c on c.id = d.client_id where d.status = 'won' and c.phone is not null"
    " and d.closed_at >= '2026-03-02Z'"
)


@pytest.fixture
def telling(bench: Bench, tmp_path: Path) -> Iterator[Writing]:
    systems = ("yandex_metrica", "bitrix24")
    with start(tmp_path / "m", seed=5, calls=60, days=20, start=START, limits=0, only=systems) as market:
        yield Writing(bench, market)


async def _connected(telling: Writing) -> tuple[UUID, UUID]:
    counter, portal = await telling.connect("yandex_metrica"), await telling.connect("bitrix24")
    await telling.bench.sync(counter)
    await telling.bench.sync(portal)
    async with telling.bench.office.database.loading(telling.bench.workspace) as db:
        won = "update deal set status = 'won', amount = 1000.5, currency = 'RUB', closed_at = created_at"
        await db.execute(text(won))
    return counter, portal


def _turn(telling: Writing, **switches: Any) -> None:
    address = telling.market.credentials["yandex_metrica"]["base_url"]
    httpx.put(f"{address}/_switches", json=switches, timeout=30).raise_for_status()


async def test_won_deals_become_orders_once_together_and_can_be_taken_back(telling: Writing) -> None:
    bench = telling.bench
    counter, portal = await _connected(telling)
    rule = await telling.rule(counter, "offline_conversion", records_from=portal)
    for language, words in (
        ("en", "goes to «yandex_metrica» as an order"),
        ("ru", "передаётся в «yandex_metrica»"),
    ):
        (shown,) = await list_rules(bench.office, bench.workspace, language)  # type: ignore[arg-type]
        assert words in shown.sentence
    won = await bench.value(WON)
    assert won > 3
    telling.market.fault("yandex_metrica", "drop_answer", match="simple_orders", times=1)

    await telling.deliver(counter, rounds=20)

    assert await telling.states() == {"done": won}
    told = telling.there(ORDERS)
    assert len(told) == won
    assert {status for _, status, *_ in told} == {"PAID"}
    assert {(float(revenue), currency) for _, _, revenue, currency, _ in told} == {(1000.5, "RUB")}
    assert all(phone.isdigit() for *_, phone in told)
    assert (await dry_run(bench.office, bench.workspace, rule.id)).total == 0

    ((first, number),) = await bench.rows("select id, payload ->> 'number' from outbox order by seq limit 1")
    await undo(bench.office, bench.workspace, first)
    await telling.deliver(counter)
    assert dict(telling.there("select id, status from yandex_metrica_order"))[number] == "CANCELLED"
    assert (await dry_run(bench.office, bench.workspace, rule.id)).total == 0, (
        "what was taken back isn't told again"
    )


async def test_a_later_state_waits_until_the_former_file_is_taken_in(telling: Writing) -> None:
    bench = telling.bench
    counter, _ = await _connected(telling)
    await telling.rule(counter, "offline_conversion")
    await telling.deliver(counter, rounds=20)
    files = len(telling.there("select 1 from yandex_metrica_upload"))
    orders = len(telling.there("select 1 from yandex_metrica_order"))
    assert files < orders, "several orders went in one file"
    async with bench.office.database.loading(bench.workspace) as db:
        await db.execute(text("update deal set status = 'lost' where status = 'won'"))
    ((deal, number),) = await bench.rows("select cause_id, payload ->> 'number' from outbox order by seq limit 1")
    rule = await telling.rule(counter, "offline_conversion", goal=None)
    again = await dry_run(bench.office, bench.workspace, rule.id)
    assert again.total == 0, "the second rule has told what the first one has"
    states = await bench.rows("select payload ->> 'status' from outbox where cause_id = :id order by seq", id=deal)
    assert [status for (status,) in states] == ["PAID", "CANCELLED"]
    await telling.deliver(counter, rounds=20)
    assert dict(telling.there("select id, status from yandex_metrica_order"))[number] == "CANCELLED"


async def test_goals_are_reached_once_though_the_answer_was_lost(telling: Writing) -> None:
    bench = telling.bench
    counter, portal = await _connected(telling)
    async with bench.office.database.loading(bench.workspace) as db:
        # the same person came by the site: in the portal's world nobody says so
        await db.execute(text(
            "update visit v set client_id = d.client_id, started_at = d.created_at - interval '1 hour' from"
            " (select client_id, created_at, row_number() over (order by id) as n from deal) d,"
            " (select id, row_number() over (order by id) as n from visit) o where o.id = v.id and o.n = d.n"
        ))  # fmt: skip
    with replaced(Clock(telling.market.now() + timedelta(days=60))):
        rule = await telling.rule(counter, "offline_conversion", goal="order_paid", records_from=portal)
        assert await bench.value("select count(*) from outbox") == 0, "no visit is young enough to be tied"
    with replaced(Clock(telling.market.now())):
        assert (await dry_run(bench.office, bench.workspace, rule.id)).total > 0
        rule = await telling.rule(counter, "offline_conversion", goal="order_paid", records_from=portal)
    wanted = await bench.value("select count(*) from outbox where write = 'conversion.goal'")
    assert wanted > 0
    telling.market.fault("yandex_metrica", "drop_answer", match="offline_conversions/upload", times=2)

    await telling.deliver(counter, rounds=40)

    assert await telling.states() == {"done": wanted}
    told = telling.there("select comment, target, kind from yandex_metrica_conversion")
    assert len(told) == len({comment for comment, *_ in told}) == wanted
    assert {(target, kind) for _, target, kind in told} == {("order_paid", "CLIENT_ID")}
    with replaced(Clock(telling.market.now())):
        assert (await dry_run(bench.office, bench.workspace, rule.id)).total == 0


async def test_a_lead_that_came_to_something_is_an_order_under_way(telling: Writing) -> None:
    bench = telling.bench
    counter, _ = await _connected(telling)
    async with bench.office.database.loading(bench.workspace) as db:
        await db.execute(text(
            "update lead l set client_id = d.client_id, created_at = d.created_at - interval '1 hour' from"
            " (select client_id, created_at, row_number() over (order by id) as n from deal) d,"
            " (select id, row_number() over (order by id) as n from lead) o where o.id = l.id and o.n = d.n"
        ))  # fmt: skip
    await telling.rule(counter, "offline_conversion", happens="qualified_lead")
    states = await bench.rows("select distinct payload ->> 'status' from outbox")
    assert states == [("IN_PROGRESS",)]
    await telling.rule(counter, "offline_conversion")
    ((order, number),) = await bench.rows(
        "select order_key, count(*) from outbox group by 1 having count(*) > 1 limit 1"
    )
    assert number == 2, "the same order is told to be paid"
    await telling.deliver(counter, rounds=20)
    assert dict(telling.there("select id, status from yandex_metrica_order"))[order.partition(":")[2]] == "PAID"


async def test_a_counter_that_may_only_be_viewed_or_has_another_zone_is_said_when_the_rule_is_switched_on(
    telling: Writing,
) -> None:
    counter = await telling.connect("yandex_metrica")
    _turn(telling, permission="view")
    with pytest.raises(SettingsRefused, match="may only view the counter"):
        await telling.rule(counter, "offline_conversion")
    _turn(telling, permission="edit", time_zone="Asia/Omsk")
    with pytest.raises(SettingsRefused, match="time zone is Asia/Omsk"):
        await telling.rule(counter, "offline_conversion")
