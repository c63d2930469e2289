# ruff: noqa: E501 - queries read better unbroken
"""Filters, orders and pages of connections."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.api.market import START, uuid


async def names(api: Api, filter_: str, order: str = "[{field: NAME}]") -> list[str]:
    data = await api.data(f"{{ clients(first: 50, filter: {filter_}, orderBy: {order}) {{ nodes {{ name }} }} }}")
    return [client["name"][-1] for client in data["clients"]["nodes"]]


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("{}", "123456"),
        ('{name: {eq: "Client 003"}}', "3"),
        ('{name: {in: ["Client 003", "Client 005", "x"]}}', "35"),
        ('{name: {contains: "NT 00"}}', "123456"),
        ('{name: {contains: "%"}}', ""),
        ('{name: {startsWith: "client 004"}}', "4"),
        ('{phone: {eq: "8 916 000-00-02"}}', "2"),
        ('{phone: {in: ["+7 (916) 0000003", "79160000001"]}}', "13"),
        ("{email: {isNull: true}}", ""),
        ("{kind: {eq: PERSON}}", "123456"),
        ("{kind: {in: [COMPANY]}}", ""),
        ('{lastSeenAt: {gte: "2026-03-01T13:00:00Z", lt: "2026-03-01T15:00:00Z"}}', "45"),
        ('{lastSeenAt: {gt: "2026-03-01T16:00:00+03:00"}}', "56"),
        ('{or: [{name: {eq: "Client 001"}}, {phone: {eq: "+79160000002"}}]}', "12"),
        ('{and: [{name: {contains: "client"}}, {not: {name: {in: ["Client 001", "Client 002"]}}}]}', "3456"),
        ("{not: {responsible: {isNull: true}}}", ""),
        ("{or: []}", ""),
        ("{and: []}", "123456"),
    ],
)
async def test_filters(api: Api, filter_: str, expected: str) -> None:
    assert "".join(await names(api, filter_)) == expected


async def test_filters_by_variables_of_every_form(api: Api) -> None:
    query = (
        "query ($f: ClientFilter) { clients(first: 50, filter: $f, orderBy: [{field: NAME}]) { nodes { name } } }"
    )
    for filter_, expected in (
        ({"name": {"in": ["Client 001", "Client 006"]}}, "16"),
        ({"name": {"in": ["Client 002"]}}, "2"),
        ({"name": {"in": []}}, ""),
        ({"or": [{"name": {"eq": "Client 002"}}, {"kind": {"eq": "COMPANY"}}]}, "2"),
        ({"not": {"or": [{"name": {"eq": "Client 002"}}, {"name": {"eq": "Client 003"}}]}}, "1456"),
        (None, "123456"),
    ):
        data = await api.data(query, {"f": filter_})
        assert "".join(client["name"][-1] for client in data["clients"]["nodes"]) == expected
    for bad in ({"name": None}, {"name": {"eq": None}}):
        assert await api.code(query, {"f": bad}) == "BAD_USER_INPUT"


async def test_variables_inside_literals(api: Api) -> None:
    query = """query ($a: String, $b: String!) {
        clients(filter: {or: [{name: {eq: $a}}, {name: {in: [$b, "Client 004"]}}]}, orderBy: [{field: NAME}]) { nodes { name } } }"""
    for a, b, expected in (("Client 001", "Client 002", "124"), ("Client 003", "x", "34")):
        data = await api.data(query, {"a": a, "b": b})
        assert "".join(client["name"][-1] for client in data["clients"]["nodes"]) == expected
    without = await api.data(query, {"b": "Client 002"})
    assert len(without["clients"]["nodes"]) == 6  # {eq: $a} without $a is an empty condition, which holds


async def test_filters_on_relations_arrays_numbers_and_days(api: Api) -> None:
    campaign = f"Campaign:{uuid('Gcampaign', 2)}"
    data = await api.data(
        f"""{{ calls(first: 100, filter: {{campaign: {{eq: "{campaign}"}}, answered: {{eq: true}}, talkSeconds: {{gte: 10}}}}) {{
                 nodes {{ talkSeconds answered campaign {{ id }} }} }}
              deals(filter: {{amount: {{gt: "3000.5", lte: "6000"}}, status: {{eq: WON}}}}) {{ nodes {{ amount }} }}
              leads(filter: {{tags: {{has: "site"}}, phones: {{hasAny: ["8 916 0000003"]}}}}) {{ nodes {{ title }} }}
              campaign(id: "{uuid("x", 1)}") {{ id }}
              spend: campaigns(filter: {{name: {{eq: "Campaign 1"}}}}) {{ nodes {{
                 spend(filter: {{day: {{in: ["2026-03-02", "2026-03-03"]}}}}) {{ nodes {{ day }} }} }} }} }}"""
    )
    assert data["calls"]["nodes"]
    assert all(call["campaign"]["id"] == campaign and call["talkSeconds"] >= 10 for call in data["calls"]["nodes"])
    assert data["deals"]["nodes"] == [{"amount": "5000.00"}]
    assert data["leads"]["nodes"] == [{"title": "Form 3"}]
    assert data["campaign"] is None
    assert [day["day"] for day in data["spend"]["nodes"][0]["spend"]["nodes"]] == ["2026-03-03", "2026-03-02"]


async def test_bad_values_are_the_callers_fault(api: Api) -> None:
    for query in (
        '{ calls(filter: {campaign: {eq: "Client:00000000-0000-0000-0000-000000000000"}}) { totalCount } }',
        '{ calls(filter: {campaign: {eq: "x"}}) { totalCount } }',
        "{ clients(first: 1001) { totalCount nodes { id } } }",
        "{ clients(first: 1, last: 1) { nodes { id } } }",
        '{ clients(last: 1, after: "x") { nodes { id } } }',
        '{ clients(filter: {name: {eq: "a\\u0000b"}}) { nodes { id } } }',
        "{ clients(filter: {and: [{and: [{and: [{and: [{and: [{and: [{}]}]}]}]}]}]}) { nodes { id } } }",
    ):
        assert await api.code(query) == "BAD_USER_INPUT", query


@pytest.mark.parametrize(
    "order",
    [
        "[{field: NAME}]",
        "[{field: LAST_SEEN_AT, direction: DESC}]",
        "[{field: FOUNDED_AT}, {field: NAME, direction: DESC}]",
        "[]",
    ],
)
async def test_pages_in_both_directions_hold_every_row_once(api: Api, order: str) -> None:
    await api.market.client(7, name=None)
    await api.market.client(8, name=None)
    query = f"""query ($first: Int, $after: String, $last: Int, $before: String) {{
        clients(first: $first, after: $after, last: $last, before: $before, orderBy: {order}) {{
          nodes {{ id }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"""
    whole = (await api.data(query, {"first": 100}))["clients"]["nodes"]
    assert len(whole) == 8
    forwards: list[Any] = []
    cursor = None
    while True:
        page = (await api.data(query, {"first": 3, "after": cursor}))["clients"]
        assert page["pageInfo"]["hasPreviousPage"] is bool(forwards)
        forwards += page["nodes"]
        assert page["pageInfo"]["hasNextPage"] is (len(forwards) < 8)
        if not page["pageInfo"]["hasNextPage"]:
            break
        cursor = page["pageInfo"]["endCursor"]
    assert forwards == whole
    backwards: list[Any] = []
    cursor = None
    while True:
        page = (await api.data(query, {"last": 3, "before": cursor}))["clients"]
        assert page["pageInfo"]["hasNextPage"] is bool(backwards)
        backwards = page["nodes"] + backwards
        assert page["pageInfo"]["hasPreviousPage"] is (len(backwards) < 8)
        if not page["pageInfo"]["hasPreviousPage"]:
            break
        cursor = page["pageInfo"]["startCursor"]
    assert backwards == whole


async def test_pages_stand_still_while_rows_come_and_go(api: Api) -> None:
    query = """query ($after: String) { calls(first: 5, after: $after) {
        nodes { id } pageInfo { hasNextPage endCursor } } }"""
    before = [call["id"] for call in (await api.data("{ calls(first: 100) { nodes { id } } }"))["calls"]["nodes"]]
    seen: list[str] = []
    cursor, number = None, 500
    while True:
        page = (await api.data(query, {"after": cursor}))["calls"]
        seen += [call["id"] for call in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        cursor = page["pageInfo"]["endCursor"]
        await api.market.call(number, 1, started_at=START + timedelta(days=number))  # in front of the page
        number += 1
    assert seen == before


async def test_many_rows_at_one_moment(api: Api) -> None:
    for number in range(600, 612):
        await api.market.call(number, 6, started_at=START)
    client = f"Client:{uuid('client', 6)}"
    query = """query ($id: ID!, $after: String) { client(id: $id) { calls(first: 5, after: $after) {
        edges { cursor node { id } } pageInfo { hasNextPage } } } }"""
    seen: list[str] = []
    cursor = None
    while True:
        page = (await api.data(query, {"id": client, "after": cursor}))["client"]["calls"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        cursor = page["edges"][-1]["cursor"]
    assert len(seen) == len(set(seen)) == 12


async def test_a_cursor_of_another_order_is_refused(api: Api) -> None:
    first = await api.data("{ clients(first: 1, orderBy: [{field: NAME}]) { pageInfo { endCursor } } }")
    cursor = first["clients"]["pageInfo"]["endCursor"]
    query = "query ($c: String) { clients(after: $c, orderBy: [{field: LAST_SEEN_AT}]) { nodes { id } } }"
    assert await api.code(query, {"c": cursor}) == "BAD_USER_INPUT"


async def test_a_forged_cursor_is_the_callers_fault(api: Api) -> None:
    import base64
    import json

    query = "query ($c: String) { clients(after: $c, orderBy: [{field: LAST_SEEN_AT}]) { nodes { id } } }"
    forgeries: list[Any] = [
        ["lastSeenAt,id", "x", "y"],
        ["lastSeenAt,id", None, None],
        ["lastSeenAt,id", [], {}],
        {},
        [1],
    ]
    for values in forgeries:
        forged = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
        answer = await api.ask(query, {"c": forged})
        assert [error["extensions"]["code"] for error in answer.get("errors", [])] in ([], ["BAD_USER_INPUT"])


async def test_deleted_records_are_left_out_unless_asked(api: Api) -> None:
    await api.market.deal(90, 1, deleted_at=START)
    query = "query ($all: Boolean!) { deals(includeDeleted: $all) { totalCount } }"
    assert (await api.data(query, {"all": False}))["deals"]["totalCount"] == 8
    assert (await api.data(query, {"all": True}))["deals"]["totalCount"] == 9
