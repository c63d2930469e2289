"""A shop of the pretend market from its API to the figures: orders are sales, counted once; changes go back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
from psycopg.types.json import Jsonb

from connectors.contract import Delivery
from core.database import driver
from sandbox.server import Sandbox, start
from schema.enums import RunState
from sync.connections import create_connection
from sync.inbox.accept import accept
from sync.inbox.doors import open_door
from sync.inbox.process import process_inbox
from sync.writeback.deliver import deliver
from tests.sync.conftest import START, Bench


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A market that sells in its shop only."""
    home = tmp_path_factory.mktemp("shop")
    with start(
        home, seed=5, calls=90, days=30, start=START, crms=("advantshop",), limits=0, only=("advantshop",)
    ) as sandbox:
        yield sandbox


async def connect(bench: Bench, shop: Sandbox, *, exchange: bool) -> UUID:
    values = {**shop.credentials["advantshop"], "since": str(START), "exchange": exchange}
    id, health = await create_connection(bench.office, bench.workspace, "advantshop", "Shop", values)
    assert health.ok, health.sentence
    return id


@pytest.mark.parametrize("exchange", [False, True])
async def test_a_shops_orders_are_sales_counted_once(bench: Bench, shop: Sandbox, exchange: bool) -> None:
    connection = await connect(bench, shop, exchange=exchange)
    first = await bench.sync(connection)
    assert (first.state, first.error, first.counts.quarantined) == (RunState.SUCCEEDED, None, 0)
    with shop.truth() as truth:
        deals = {deal.deal: deal for deal in truth.deals()}
        orders = {record.vendor_id: deals[record.origin] for record in truth.records("advantshop", "order")}
        customers = {record.vendor_id: record.person for record in truth.records("advantshop", "customer")}
    assert orders
    assert {id for (id,) in await bench.rows("select external_id from sales_order")} == set(orders)
    assert {id for (id,) in await bench.rows("select external_id from contact")} == set(customers)
    won = {id: deal for id, deal in orders.items() if deal.outcome == "won"}
    told = await bench.rows("select external_id, amount, closed_at from deal where status = 'won'")
    assert {id: amount for id, amount, _ in told} == {id: deal.amount for id, deal in won.items()}
    if exchange:
        days = {id: deal.closed_at for id, deal in won.items() if deal.closed_at is not None}
        assert {id: closed for id, _, closed in told} == {id: at.replace(microsecond=0) for id, at in days.items()}
    assert await bench.value("select count(*) from payment") == len(won)
    assert await bench.value("select sum(amount) from payment") == sum(deal.amount for deal in won.values())
    assert await bench.value("select sum(revenue) from rollup_month") == sum(deal.amount for deal in won.values())
    # Every order, its deal and its money are one client's: the customer's.
    apart = await bench.value(
        "select count(*) from sales_order o join deal d on d.external_id = o.external_id"
        " join contact c on c.id = o.contact_id left join payment p on p.order_id = o.id"
        " where o.client_id is null or d.client_id is distinct from o.client_id"
        " or c.client_id is distinct from o.client_id or (p.id is not null and p.client_id <> o.client_id)"
    )
    assert apart == 0
    lines = await bench.value(
        "select count(*) from sales_order o where amount <>"
        " (select sum(i.amount) from order_item i where i.order_id = o.id)"
    )
    assert lines == 0
    again = await bench.sync(connection)
    assert (again.counts.created, again.counts.updated, again.counts.deleted) == (0, 0, 0)
    assert await bench.unsettled() == []


def ask(shop: Sandbox, path: str, body: dict[str, Any] | None = None) -> Any:
    """What the shop itself answers."""
    given = shop.credentials["advantshop"]
    method, key = "GET" if body is None else "POST", {"apikey": given["api_key"]}
    return httpx.request(method, f"{given['base_url']}/api/{path}", params=key, json=body).json()


async def intend(bench: Bench, connection: UUID, write: str, id: str, payload: dict[str, Any]) -> None:
    """Put a change into the outbox, as a rule or a person would."""
    async with bench.office.database.loading(bench.workspace) as db:
        await driver(db).execute(
            "insert into outbox (workspace_id, id, connection_id, write, key, order_key, cause_kind, cause_id,"
            " cause_at, payload, external_id) values (%s, gen_random_uuid(), %s, %s, %s, %s, 'deal',"
            " gen_random_uuid(), now(), %s, %s)",
            (bench.workspace, connection, write, f"{write} {id}", f"{write} {id}", Jsonb(payload), id),
        )


async def test_statuses_and_managers_go_back(bench: Bench, shop: Sandbox) -> None:
    connection = await connect(bench, shop, exchange=False)
    await bench.sync(connection)
    order = await bench.value("select external_id from deal where status = 'open' order by created_at limit 1")
    (customer, email), *_ = await bench.rows(
        "select external_id, emails[1] from contact where emails <> '{}' order by external_id"
    )
    manager = await bench.value("select max(external_id) from user_account")
    await intend(bench, connection, "deal.update", order, {"stage": "3"})
    await intend(bench, connection, "deal.pay", order, {"paid": True})
    await intend(bench, connection, "contact.update", customer, {"responsible": manager, "first_name": "Новое"})
    await intend(bench, connection, "deal.update", "99999", {"stage": "3"})
    assert await deliver(bench.office, bench.workspace, connection) == {"done": 3, "failed": 1}
    card = ask(shop, f"customers/{customer}")
    assert (str(card["managerId"]), card["firstName"], card["email"]) == (manager, "Новое", email)  # still there
    await bench.sync(connection)
    assert await bench.rows("select status, stage_id is not null from deal where external_id = :id", id=order) == [
        ("won", True)
    ]
    assert await bench.value("select status from sales_order where external_id = :id", id=order) == "Комплектуется"


async def test_what_changes_in_the_shop_changes_here(bench: Bench, shop: Sandbox) -> None:
    connection = await connect(bench, shop, exchange=True)
    await bench.sync(connection)
    open_order = await bench.value("select external_id from deal where status = 'open' order by created_at limit 1")

    assert ask(shop, "order/changestatus", {"OrderId": int(open_order), "StatusId": 6})["result"]
    result = await bench.sync(connection)
    assert result.counts.updated == 1  # found by the day of its change, however long ago it was made
    assert await bench.rows("select state, status from sales_order where external_id = :id", id=open_order) == [
        ("cancelled", "Отменен")
    ]
    assert await bench.value("select status from deal where external_id = :id", id=open_order) == "lost"

    other = await bench.value("select external_id from deal where status = 'open' order by created_at limit 1")
    assert ask(shop, "order/setpaid", {"OrderId": int(other)})["result"]
    address = await open_door(bench.office, bench.workspace, connection)
    public_id, secret = urlsplit(address.url).path.rstrip("/").split("/")[-2:]
    hook = Delivery(json.dumps({"Id": int(other), "Number": other, "IsPaied": True}).encode(), httpx.Headers())
    await accept(bench.office, public_id, secret, hook)
    await process_inbox(bench.office, bench.workspace, connection)
    assert await bench.value("select status from deal where external_id = :id", id=other) == "won"
    assert await bench.value("select count(*) from payment where external_id = :id", id=f"{other}:paid") == 1
    assert await bench.unsettled() == []
