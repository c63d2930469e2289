# ruff: noqa: E501 - queries read better unbroken
"""Where the workspace has it so, a manager's key reaches the manager's own clients and nobody else's."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from api.tokens import create_token
from core.database import driver
from reports.rebuild import rebuild
from schema import tables as t
from schema.enums import Role
from tests.api.conftest import Api, bearer
from tests.api.market import START, uuid

ME, OTHER = uuid("user", 1), uuid("user", 2)


async def managed(api: Api) -> Api:
    """Client 2 is mine, client 3 another's; deal 70 of client 3 is mine. Asked with my key."""
    market = api.market
    await market.add(
        t.User, [{**market.unified("user", number), "name": f"User {number}", "active": True} for number in (1, 2)]
    )
    async with market.database.workspace(market.workspace_id) as connection:
        await connection.execute(text("update workspace set managers_see = 'own'"))
        for client, user in ((2, ME), (3, OTHER)):
            await connection.execute(
                text("update client set responsible_id = :user where id = :id"),
                {"user": user, "id": uuid("client", client)},
            )
    await market.deal(70, 3, responsible_id=ME, created_at=START)
    token = await create_token(market.database, market.workspace_id, Role.MANAGER, "mine", user_ids=[ME])
    import httpx

    http = httpx.AsyncClient(transport=api.http._transport, base_url="http://skvoz", headers=bearer(token))
    return Api(http, market, token)


async def test_lists_ids_relations_figures_and_search_give_own_clients_only(api: Api) -> None:
    me = await managed(api)
    data = await me.data(
        f"""{{ clients {{ totalCount nodes {{ id name }} aggregates {{ count }} }}
            mine: client(id: "Client:{uuid("client", 2)}") {{ name visits {{ totalCount }} leads {{ totalCount }} }}
            theirs: client(id: "Client:{uuid("client", 3)}") {{ name }}
            node(id: "Lead:{uuid("lead", 3)}") {{ id }}
            nodes(ids: ["Client:{uuid("client", 1)}", "Client:{uuid("client", 2)}"]) {{ id }}
            leads {{ nodes {{ id }} }} visits {{ nodes {{ id }} }}
            deal(id: "Deal:{uuid("deal", 70)}") {{ title client {{ name }} }}
            calls(first: 100) {{ nodes {{ client {{ id }} }} groupBy(by: [{{dimension: CLIENT}}]) {{ key {{ client {{ name }} }} }} }}
            campaigns {{ nodes {{ calls(first: 100) {{ nodes {{ client {{ id }} }} }} }} }}
            stageChanges {{ nodes {{ deal {{ id }} }} }}
            search(text: "Client") {{ client {{ name }} }} }}"""
    )
    own: dict[str, Any] = {"id": f"Client:{uuid('client', 2)}"}
    assert data["clients"] == {
        "totalCount": 1,
        "nodes": [{**own, "name": "Client 002"}],
        "aggregates": {"count": 1},
    }
    assert data["mine"] == {"name": "Client 002", "visits": {"totalCount": 1}, "leads": {"totalCount": 1}}
    assert data["theirs"] is None
    assert data["node"] is None
    assert data["nodes"] == [None, own]
    assert [lead["id"] for lead in data["leads"]["nodes"]] == [f"Lead:{uuid('lead', 2)}"]
    assert data["deal"] == {"title": "Deal 70", "client": None}
    assert {call["client"]["id"] for call in data["calls"]["nodes"]} == {own["id"]}
    assert data["calls"]["groupBy"] == [{"key": {"client": {"name": "Client 002"}}}]
    for campaign in data["campaigns"]["nodes"]:
        assert all(call["client"] == own for call in campaign["calls"]["nodes"])
    assert [each["deal"]["id"] for each in data["stageChanges"]["nodes"]] == [f"Deal:{uuid('deal', 1)}"]
    assert data["search"] == [{"client": {"name": "Client 002"}}]


async def test_filters_tell_nothing_of_others_clients(api: Api) -> None:
    me = await managed(api)
    query = '{ deals(filter: {client: {is: {name: {eq: "Client 003"}}}}) { totalCount } }'
    assert (await me.data(query))["deals"]["totalCount"] == 0
    assert (await api.data(query))["deals"]["totalCount"] > 0


RECEIPTS = """{ receipt(figure: %s, campaign: "%s", from: "2026-02-01", to: "2026-04-30") {
    total hiddenCount items { ... on ConversionReceiptItem { counted client { id } record { id } }
                              ... on VisitReceiptItem { counted client { id } } } } }"""


async def test_a_receipt_lists_what_is_of_own_clients_and_says_how_much_is_not(api: Api) -> None:
    market = api.market
    me = await managed(api)
    async with market.database.loading(market.workspace_id) as db:
        await rebuild(driver(db), market.workspace_id, None)
        figures = "select distinct campaign_id from path where known_until is null and campaign_id <> :nil"
        campaigns = [row[0] for row in await db.execute(text(figures), {"nil": uuid("\0", 0)})]
    own, seen, hidden = f"Client:{uuid('client', 2)}", 0, 0
    assert campaigns
    for figure in ("CALLS", "LEADS", "VISITS", "NEW_CLIENTS", "WON_DEALS", "REVENUE"):
        for campaign in campaigns:
            query = RECEIPTS % (figure, f"Campaign:{campaign}")
            whole, mine = (await api.data(query))["receipt"], (await me.data(query))["receipt"]
            assert whole["hiddenCount"] == 0
            assert mine["total"] == whole["total"]  # the figure is the workspace's
            assert len(mine["items"]) + mine["hiddenCount"] == len(whole["items"])
            assert all(item["client"] == {"id": own} for item in mine["items"])
            mine_of_all = [item for item in whole["items"] if item["client"] == {"id": own}]
            assert [item["counted"] for item in mine["items"]] == [item["counted"] for item in mine_of_all]
            seen, hidden = seen + len(mine["items"]), hidden + mine["hiddenCount"]
    assert seen > 0
    assert hidden > 0


async def test_a_key_without_employees_reaches_no_client_and_others_reach_all(api: Api) -> None:
    await managed(api)
    assert (await (await api.as_role(Role.MANAGER)).data("{ clients { totalCount } }"))["clients"][
        "totalCount"
    ] == 0
    for role in (Role.OWNER, Role.ANALYST, Role.INTEGRATION):
        assert (await (await api.as_role(role)).data("{ clients { totalCount } }"))["clients"]["totalCount"] == 6
