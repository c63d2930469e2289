# ruff: noqa: E501 - queries read better unbroken
"""Orders, documents, money, messages and tasks over the API: both ways, masked, and to whom they belong."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api.tokens import create_token
from schema import tables as t
from schema.enums import Role
from tests.api.conftest import Api, bearer
from tests.api.market import START, Market, uuid

ME = uuid("user", 1)


async def sell(market: Market) -> None:
    """Two clients with an order, an invoice, a payment, a message and a task each; those of client 2 are mine."""
    for n in (2, 3):
        named = {"client_id": uuid("client", n), "deal_id": uuid("deal", n), "connection_id": market.connection_id}
        at = START + timedelta(days=n)
        order = {"created_at": at, "state": "done", "name": f"Buyer {n}", "phones": [f"+7916000000{n}"]}
        order |= {"emails": [f"b{n}@example.ru"], "tags": [], "amount": Decimal(100 * n), "currency": "RUB"}
        await market.add(
            t.Order,
            [
                {
                    **market.unified("order", n),
                    **named,
                    **order,
                    "number": f"N-{n}",
                    "campaign_id": uuid("Gcampaign", n),
                }
            ],
        )
        lines: list[dict[str, Any]] = [
            {"order_id": uuid("order", n), "place": place, "sku": f"S{place}", "name": "Thing", "quantity": place,
             "amount": Decimal(10 * n)} for place in (1, 2)
        ]  # fmt: skip
        await market.add(t.OrderItem, lines)
        bill = {
            "kind": "invoice",
            "issued_at": at,
            "amount": Decimal(100 * n),
            "currency": "RUB",
            "cancelled": False,
        }
        await market.add(
            t.Invoice, [{**market.unified("invoice", n), **named, **bill, "order_id": uuid("order", n)}]
        )
        paid = {"kind": "payment", "paid_at": at, "amount": Decimal(60 * n), "currency": "RUB"}
        paid |= {"order_id": uuid("order", n), "invoice_id": uuid("invoice", n)}
        await market.add(t.Payment, [{**market.unified("payment", n), **named, **paid}])
        said = {
            "channel": "email",
            "direction": "inbound",
            "sent_at": at,
            "subject": "Hello",
            "text": "Where is it?",
        }
        said |= {"phones": [], "emails": [f"b{n}@example.ru"]}
        await market.add(t.Message, [{**market.unified("message", n), **named, **said}])
        await market.add(
            t.Task, [{**market.unified("xtask", n), **named, "title": "Call", "order_id": uuid("order", n)}]
        )


async def test_a_client_leads_to_all_and_all_lead_back(api: Api) -> None:
    await sell(api.market)
    data = await api.data(
        f"""{{ client(id: "Client:{uuid("client", 2)}") {{
            orders(first: 5) {{ nodes {{ number state amount currency items {{ sku quantity amount }} deal {{ title orders {{ totalCount }} }}
                client {{ id }} campaign {{ orders(first: 5) {{ nodes {{ number }} }} }}
                invoices(first: 5) {{ nodes {{ order {{ number }} payments(first: 5) {{ nodes {{ amount invoice {{ kind }} order {{ number }} }} }} }} }}
                tasks {{ nodes {{ title connection {{ title }} order {{ number }} author }} }} }} aggregates {{ sum {{ amount }} }} }}
            payments {{ totalCount }} messages {{ nodes {{ channel text client {{ id }} }} }}
            history {{ nodes {{ __typename }} }} }}
        orderItems(filter: {{order: {{is: {{number: {{eq: "N-3"}}}}}}}}) {{ nodes {{ sku order {{ number }} }}
            groupBy(by: [{{dimension: SKU}}]) {{ key {{ sku }} aggregates {{ sum {{ amount quantity }} }} }} }} }}"""
    )
    (found,) = (await api.data('{ search(text: "N-3") { client { id } } }'))["search"]
    assert found["client"]["id"] == f"Client:{uuid('client', 3)}"
    client = data["client"]
    (order,) = client["orders"]["nodes"]
    assert (order["number"], order["state"], order["amount"]) == ("N-2", "DONE", "200.00")
    assert [item["sku"] for item in order["items"]] == ["S1", "S2"]
    assert order["deal"]["orders"]["totalCount"] == 1
    assert order["campaign"]["orders"]["nodes"] == [{"number": "N-2"}]
    (bill,) = order["invoices"]["nodes"]
    assert bill["payments"]["nodes"][0]["invoice"] == {"kind": "INVOICE"}
    assert order["tasks"]["nodes"] == [
        {"title": "Call", "connection": {"title": "CRM"}, "order": {"number": "N-2"}, "author": None}
    ]
    assert client["messages"]["nodes"][0]["client"] == order["client"] == {"id": f"Client:{uuid('client', 2)}"}
    met = {each["__typename"] for each in client["history"]["nodes"]}
    assert {"Order", "Invoice", "Payment", "Message", "Deal", "Visit"} <= met
    assert [each["order"] for each in data["orderItems"]["nodes"]] == [{"number": "N-3"}] * 2
    assert len(data["orderItems"]["groupBy"]) == 2


@pytest.mark.parametrize(("role", "open_to"), [(Role.OWNER, True), (Role.ANALYST, False)])
async def test_what_is_personal_is_masked_for_analysts(api: Api, role: Role, open_to: bool) -> None:
    await sell(api.market)
    caller = await api.as_role(role)
    data = await caller.data(
        "{ orders { nodes { name phones emails comment amount } } messages { nodes { subject text emails } } tasks { nodes { title } } }"
    )
    order, letter = data["orders"]["nodes"][-1], data["messages"]["nodes"][-1]
    assert order["amount"] == "200.00"
    assert (order["name"] == "Buyer 2") is open_to
    assert (order["phones"] == ["+79160000002"]) is open_to
    assert (order["emails"] == ["b2@example.ru"]) is open_to
    assert (letter["subject"], letter["text"]) == (("Hello", "Where is it?") if open_to else (None, None))
    assert (letter["emails"] == ["b2@example.ru"]) is open_to
    assert (data["tasks"]["nodes"][-1]["title"] == "Call") is open_to


async def test_a_manager_sees_the_sales_of_own_clients_only(api: Api) -> None:
    market = api.market
    await sell(market)
    async with market.database.workspace(market.workspace_id) as connection:
        await connection.execute(text("update workspace set managers_see = 'own'"))
        await connection.execute(
            text("update client set responsible_id = :me where id = :id"), {"me": ME, "id": uuid("client", 2)}
        )
    token = await create_token(market.database, market.workspace_id, Role.MANAGER, "mine", user_ids=[ME])
    me = Api(
        httpx.AsyncClient(transport=api.http._transport, base_url="http://skvoz", headers=bearer(token)),
        market,
        token,
    )
    kinds = ("orders", "orderItems", "invoices", "payments", "messages", "tasks")
    asked = " ".join(f"{kind} {{ totalCount aggregates {{ count }} }}" for kind in kinds)
    theirs = f'order(id: "Order:{uuid("order", 3)}") {{ number }} node(id: "Payment:{uuid("payment", 3)}") {{ id }}'
    data = await me.data(f"{{ {asked} {theirs} }}")
    assert {kind: data[kind]["totalCount"] for kind in kinds} == {**dict.fromkeys(kinds, 1), "orderItems": 2}
    assert {kind: data[kind]["aggregates"]["count"] for kind in kinds} == {
        **dict.fromkeys(kinds, 1),
        "orderItems": 2,
    }
    assert (data["order"], data["node"]) == (None, None)


async def test_a_task_of_another_system_is_changed_only_there(api: Api) -> None:
    await sell(api.market)
    task = f"Task:{uuid('xtask', 2)}"
    answer = await api.data(f'mutation {{ editTask(id: "{task}", done: true) {{ problems {{ field code }} }} }}')
    assert answer["editTask"]["problems"] == [{"field": "id", "code": "KEPT_ELSEWHERE"}]
    answer = await api.data(f'mutation {{ removeTask(id: "{task}") {{ removed problems {{ field code }} }} }}')
    assert answer["removeTask"] == {
        "removed": False,
        "problems": [{"field": "id", "code": "KEPT_ELSEWHERE"}],
    }
    async with api.market.database.workspace(api.market.workspace_id) as db:
        assert await db.scalar(text("select count(*) from task where done_at is null and deleted_at is null")) == 2
