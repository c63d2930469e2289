# ruff: noqa: E501 - queries read better unbroken
"""Every feature of GraphQL holds although one statement answers a root field."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.graphql import run
from schema.enums import Role
from tests.api.conftest import Api
from tests.api.market import START, open_market, uuid

ONE = f"Client:{uuid('client', 1)}"


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The statements that were sent for root fields."""
    seen: list[bytes] = []
    send = run._run

    async def counted(connection: Any, workspace_id: str, sql: bytes, parameters: Any) -> Any:
        seen.append(sql)
        return await send(connection, workspace_id, sql, parameters)

    monkeypatch.setattr(run, "_run", counted)
    return seen


async def test_a_deep_query_is_one_statement(api: Api, statements: list[bytes]) -> None:
    data = await api.data(
        """{ clients(first: 3) { totalCount pageInfo { hasNextPage } edges { node {
               calls(first: 2) { nodes { startedAt campaign { name spend(first: 1) { nodes { cost } } } } }
               deals { nodes { amount stageChanges { stage { name pipeline { name } } } } }
               history(first: 3) { nodes { __typename ... on Deal { client { name } } } } } } } }"""
    )
    assert len(statements) == 1
    assert data["clients"]["totalCount"] == 6
    assert [len(edge["node"]["calls"]["nodes"]) for edge in data["clients"]["edges"]] == [0, 2, 2]


async def test_each_root_field_is_one_statement(api: Api, statements: list[bytes]) -> None:
    await api.data("{ a: clients { nodes { id } } b: calls { totalCount } workspace { title } __typename }")
    assert len(statements) == 3


async def test_the_statement_count_is_what_the_server_sees(api: Api) -> None:
    """PostgreSQL's own count: one root field is the binding and the statement, in one transaction."""
    database = api.market.database
    query = "{ clients { nodes { name calls { nodes { id campaign { name } } } } } }"
    await api.data(query)
    async with database.app_pool.connection() as connection:
        prepared = await connection.execute("select statement from pg_prepared_statements")
        texts = [row[0] for row in await prepared.fetchall()]
    planned = [text for text in texts if "json_agg" in text]
    assert len(planned) == 1
    assert sum("set_config" in text for text in texts) == 1


async def test_aliases_of_one_field_with_other_arguments(api: Api) -> None:
    data = await api.data(
        f"""{{ client(id: "{ONE}") {{
              few: calls(first: 1) {{ nodes {{ when: startedAt }} }}
              more: calls(first: 3) {{ n: nodes {{ startedAt }} again: nodes {{ id }} }} }} }}"""
    )
    assert [len(data["client"]["few"]["nodes"]), len(data["client"]["more"]["n"])] == [1, 3]
    assert set(data["client"]["more"]["again"][0]) == {"id"}


async def test_aliases_longer_than_a_column_name(api: Api) -> None:
    long, longer = "a" * 64, "a" * 65
    data = await api.data(
        f"""{{ {long}: client(id: "{ONE}") {{ {long}: name {longer}: kind name
              {longer}calls: calls(first: 2) {{ {long}: nodes {{ {long}: id {longer}: answered }} }}
              {long}x: responsible {{ name }} }} }}"""
    )
    client = data[long]
    assert client[long] == client["name"] == "Client 001"
    assert client[longer] == "PERSON"
    assert client[f"{long}x"] is None
    assert [set(call) for call in client[f"{longer}calls"][long]] == [{long, longer}] * 2


async def test_an_alias_cannot_capture_a_name_of_ours(api: Api) -> None:
    names = ["t", "r", "o", "i", "id", "kind", "at", "cursor", "j0", "s0", "workspace_id", "select"]
    wanted = " ".join(f"{name}: name" for name in names)
    data = await api.data(f"{{ clients(first: 2) {{ edges {{ id: node {{ {wanted} }} }} totalCount }} }}")
    for edge in data["clients"]["edges"]:
        assert set(edge["id"]) == set(names)
        assert len(set(edge["id"].values())) == 1


async def test_fragments_merge_into_one_object(api: Api) -> None:
    data = await api.data(
        f"""query {{ client(id: "{ONE}") {{ ...A ...B ... {{ kind }} ... on Client {{ deals {{ nodes {{ id }} }} }} }} }}
           fragment A on Client {{ name deals {{ nodes {{ title }} totalCount }} }}
           fragment B on Node {{ id ... on Client {{ phone }} ... on Call {{ answered }} }}"""
    )
    client = data["client"]
    assert set(client) == {"name", "deals", "id", "phone", "kind"}
    assert [set(deal) for deal in client["deals"]["nodes"]] == [{"title", "id"}] * 2


@pytest.mark.parametrize(
    ("skip", "include", "there"), [(True, True, False), (False, True, True), (False, False, False)]
)
async def test_skip_and_include_by_variables(api: Api, skip: bool, include: bool, there: bool) -> None:
    query = """query ($skip: Boolean!, $include: Boolean!) { clients(first: 1) { nodes { id
        name @skip(if: $skip) @include(if: $include)
        ... @include(if: $include) { calls { nodes { id } } } } } }"""
    data = await api.data(query, {"skip": skip, "include": include})
    (client,) = data["clients"]["nodes"]
    assert ("name" in client, "calls" in client) == (there, include)


async def test_a_selection_that_is_skipped_whole_is_an_empty_object(api: Api) -> None:
    data = await api.data(
        "{ clients(first: 2) { nodes { id @skip(if: true) } pageInfo { endCursor @skip(if: true) } } }"
    )
    assert data == {"clients": {"nodes": [{}, {}], "pageInfo": {}}}


async def test_typename_is_told_everywhere(api: Api) -> None:
    data = await api.data(
        f"""{{ __typename clients(first: 1) {{ __typename edges {{ __typename node {{ __typename }} }}
              pageInfo {{ __typename }} }} node(id: "{ONE}") {{ __typename }} }}"""
    )
    assert data["__typename"] == "Query"
    assert data["clients"]["__typename"] == "ClientConnection"
    assert data["clients"]["edges"] == [{"__typename": "ClientEdge", "node": {"__typename": "Client"}}]
    assert data["clients"]["pageInfo"] == {"__typename": "PageInfo"}
    assert data["node"] == {"__typename": "Client"}


async def test_introspection_mixes_with_data(api: Api) -> None:
    data = await api.data('{ clients(first: 0) { nodes { id } } __type(name: "Call") { name } }')
    assert data == {"clients": {"nodes": []}, "__type": {"name": "Call"}}


async def test_nodes_keep_their_order_and_unknown_ones_are_null(api: Api) -> None:
    call = f"Call:{uuid('call', 3)}"
    ids = [call, "nonsense", f"Client:{uuid('client', 99)}", ONE, f"Nothing:{uuid('client', 1)}"]
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Call { answered } ... on Client { name } } }"
    data = await api.data(query, {"ids": ids})
    assert data["nodes"] == [
        {"id": call, "answered": False},
        None,
        None,
        {"id": ONE, "name": "Client 001"},
        None,
    ]
    literal = await api.data(f'{{ nodes(ids: ["{ONE}", "x"]) {{ id }} }}')
    assert literal["nodes"] == [{"id": ONE}, None]


async def test_more_than_a_hundred_ids_are_refused(api: Api) -> None:
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert await api.code(query, {"ids": [ONE] * 101}) == "BAD_USER_INPUT"
    assert len((await api.data(query, {"ids": [ONE] * 100}))["nodes"]) == 100


async def test_one_failing_root_field_leaves_the_others(api: Api) -> None:
    answer = await api.ask(
        '{ clients(first: -1) { nodes { id } } calls(after: "rubbish") { totalCount nodes { id } } workspace { title } }'
    )
    assert answer["data"] == {"clients": None, "calls": None, "workspace": {"title": "Market 1"}}
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}
    assert sorted(error["path"][0] for error in answer["errors"]) == ["calls", "clients"]


async def test_relations_that_lead_nowhere_are_null(api: Api) -> None:
    await api.market.call(900, 1, campaign_id=uuid("Gcampaign", 77), started_at=START + timedelta(days=9))
    data = await api.data("{ calls(first: 1) { nodes { campaign { name } deal { title } client { name } } } }")
    assert data["calls"]["nodes"] == [{"campaign": None, "deal": None, "client": {"name": "Client 001"}}]


async def test_a_merged_client_is_found_by_its_old_id(api: Api) -> None:
    await api.market.client(50, merged_into=uuid("client", 51))
    await api.market.client(51, merged_into=uuid("client", 2))
    for number in (50, 51, 2):
        found = f"Client:{uuid('client', number)}"
        data = await api.data(f'{{ client(id: "{found}") {{ name }} node(id: "{found}") {{ id }} }}')
        assert data == {"client": {"name": "Client 002"}, "node": {"id": f"Client:{uuid('client', 2)}"}}
    assert (await api.data("{ clients { totalCount } }"))["clients"]["totalCount"] == 6


async def test_history_is_everything_in_order_of_time(api: Api) -> None:
    query = f"""query ($n: Int, $after: String, $kinds: [HistoryItemKind!]) {{ client(id: "{ONE}") {{
        history(first: $n, after: $after, kinds: $kinds) {{ totalCount pageInfo {{ hasNextPage endCursor }}
          nodes {{ __typename ... on Visit {{ at: startedAt }} ... on Call {{ at: startedAt }}
            ... on Lead {{ at: createdAt }} ... on Deal {{ at: createdAt }} ... on StageChange {{ at: changedAt }} }} }} }} }}"""
    whole = (await api.data(query, {"n": 100}))["client"]["history"]
    times = [event["at"] for event in whole["nodes"]]
    assert times == sorted(times, reverse=True)
    assert {event["__typename"] for event in whole["nodes"]} == {"Visit", "Call", "Lead", "Deal", "StageChange"}
    assert whole["totalCount"] == len(times)
    paged: list[Any] = []
    after = None
    while True:
        page = (await api.data(query, {"n": 2, "after": after}))["client"]["history"]
        paged += page["nodes"]
        assert page["totalCount"] == len(times)
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert paged == whole["nodes"]
    only = (await api.data(query, {"n": 100, "kinds": ["DEAL", "VISIT"]}))["client"]["history"]
    assert {event["__typename"] for event in only["nodes"]} == {"Deal", "Visit"}
    none = (await api.data(query, {"n": 100, "kinds": []}))["client"]["history"]
    assert none["nodes"] == []


async def test_history_of_a_period(api: Api) -> None:
    query = """query ($id: ID!, $from: DateTime, $to: DateTime) { client(id: $id) {
        history(first: 100, from: $from, to: $to) { totalCount nodes { __typename } } } }"""
    day = {"from": "2026-03-02T00:00:00+03:00", "to": "2026-03-03T00:00:00+03:00"}
    within = (await api.data(query, {"id": ONE, **day}))["client"]["history"]
    assert {event["__typename"] for event in within["nodes"]} == {"Deal"}
    assert within["totalCount"] == len(within["nodes"]) == 2
    before = (await api.data(query, {"id": ONE, "to": day["from"]}))["client"]["history"]
    after = (await api.data(query, {"id": ONE, "from": day["to"]}))["client"]["history"]
    whole = (await api.data(query, {"id": ONE}))["client"]["history"]
    assert before["totalCount"] + within["totalCount"] + after["totalCount"] == whole["totalCount"]
    assert await api.code(query, {"id": ONE, "from": "2026-03-02T00:00:00"}) == "BAD_USER_INPUT"


async def test_one_plan_serves_other_values_and_other_roles_get_their_own(api: Api) -> None:
    query = "query ($n: Int, $id: ID!) { clients(first: $n) { nodes { id } } client(id: $id) { phone } }"
    first = await api.data(query, {"n": 1, "id": ONE})
    second = await api.data(query, {"n": 2, "id": f"Client:{uuid('client', 2)}"})
    assert [len(each["clients"]["nodes"]) for each in (first, second)] == [1, 2]
    assert (first["client"]["phone"], second["client"]["phone"]) == ("+79160000001", "+79160000002")
    analyst = await api.as_role(Role.ANALYST)
    assert (await analyst.data(query, {"n": 1, "id": ONE}))["client"]["phone"] == "+7 9** ***-**-01"


async def test_another_workspace_is_out_of_reach(api: Api) -> None:
    other = await open_market(api.market.database, 2)
    await other.client(70)
    found = f"Client:{uuid('client', 70)}"
    data = await api.data(
        f'{{ client(id: "{found}") {{ id }} node(id: "{found}") {{ id }} clients {{ totalCount }} }}'
    )
    assert data == {"client": None, "node": None, "clients": {"totalCount": 6}}


async def test_row_level_security_holds_when_the_planner_forgets(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    other = await open_market(api.market.database, 2)
    await other.client(70)
    monkeypatch.setattr("api.graphql.plan.Planner.tenant", lambda *_: "true")
    data = await api.data("{ clients { totalCount nodes { name calls { totalCount } } } }")
    assert data["clients"]["totalCount"] == 6
    assert "Client 070" not in [client["name"] for client in data["clients"]["nodes"]]
