# ruff: noqa: E501 - queries read better unbroken
"""Rows are chosen by their own values, by those of rows that they are tied to, and by vendors' own fields."""

from __future__ import annotations

from typing import Any

import pytest

from schema import tables as t
from schema.enums import Role
from tests.api.conftest import Api
from tests.api.market import START, uuid


async def numbers(api: Api, root: str, filter_: str, order: str = "") -> list[int]:
    """The numbers of the rows that a filter leaves (the last digits of their ids)."""
    query = f"{{ {root}(first: 100, filter: {{{filter_}}}{order}) {{ nodes {{ id }} totalCount }} }}"
    found = (await api.data(query))[root]
    assert found["totalCount"] == len(found["nodes"])
    return [int(node["id"][-12:]) for node in found["nodes"]]


@pytest.mark.parametrize(
    ("root", "filter_", "expected"),
    [
        ("clients", 'name: {ne: "Client 001"}', {2, 3, 4, 5, 6}),
        ("clients", 'name: {notIn: ["Client 001", "Client 002"]}', {3, 4, 5, 6}),
        ("clients", 'phone: {eq: "8 (916) 000-00-03"}', {3}),
        ("clients", 'phone: {in: ["+7 916 000 0003", "89160000004"]}', {3, 4}),
        ("clients", 'phone: {contains: "00-05"}', {5}),
        ("clients", 'phone: {contains: "8 916 000-00-06"}', {6}),
        ("clients", 'phone: {startsWith: "+7 (916)"}', {1, 2, 3, 4, 5, 6}),
        ("clients", 'email: {eq: "C2@Example.RU"}', {2}),
        ("clients", 'email: {startsWith: "C3"}', {3}),
        ("clients", 'deals: {some: {amount: {gte: "8000"}}}', {1}),
        ("clients", "deals: {none: {}}", {5, 6}),
        ("clients", "calls: {some: {}}, deals: {none: {}}", {5}),
        ("clients", 'leads: {some: {}}, not: {deals: {some: {status: {eq: WON}}}}', {1, 3}),
        ("clients", 'or: [{name: {eq: "Client 001"}}, {and: [{name: {eq: "Client 002"}}, {kind: {ne: COMPANY}}]}]', {1, 2}),
        ("deals", 'client: {is: {name: {eq: "Client 002"}}}', {1, 5}),
        ("deals", 'client: {is: {calls: {none: {}}}}', set()),
        ("deals", "responsible: {isNull: true}", {1, 2, 3, 4, 5, 6, 7, 8}),
        ("deals", "responsible: {is: {}}", set()),
        ("deals", 'stageChanges: {some: {stage: {is: {name: {eq: "Stage 1"}}}}}', {1, 2, 3, 4}),
        ("deals", 'stageChanges: {none: {}}', {5, 6, 7, 8}),
        ("pipelines", 'stages: {some: {status: {eq: OPEN}}}', {1}),
        ("leads", 'phones: {has: "8 916 000 00 01"}', {1}),
        ("leads", 'phones: {hasAny: ["89160000001", "89160000002"]}, tags: {hasAll: ["site"]}', {1, 2}),
        ("leads", "emails: {isEmpty: true}", {1, 2, 3}),
        ("campaigns", 'calls: {some: {client: {is: {name: {eq: "Client 001"}}}}}, spend: {some: {}}', {1}),
    ],
)  # fmt: skip
async def test_filters(shared_api: Api, root: str, filter_: str, expected: set[int]) -> None:
    assert set(await numbers(shared_api, root, filter_)) == expected


async def test_emails_on_cards_are_case_blind(api: Api) -> None:
    await api.market.add(
        t.Contact,
        [
            {**api.market.unified("ocontact", number), "phones": [], "emails": [email]}
            for number, email in ((1, "Ann@Mail.ru"), (2, "bob@mail.ru"))
        ],
    )
    assert await numbers(api, "contacts", 'emails: {has: "ANN@mail.RU"}') == [1]


async def test_a_filter_through_a_relation_tells_nothing_masked(api: Api) -> None:
    analyst = await api.as_role(Role.ANALYST)
    for query in (
        '{ deals(filter: {client: {is: {phone: {eq: "1"}}}}) { totalCount } }',
        '{ campaigns(filter: {calls: {some: {clientPhone: {contains: "1"}}}}) { totalCount } }',
        '{ deals(filter: {custom: [{key: "X", eq: "1"}]}) { totalCount } }',
        '{ deals(orderBy: [{field: CUSTOM, customField: "X"}]) { totalCount nodes { id } } }',
    ):
        assert await analyst.code(query) == "FORBIDDEN", query


async def custom_deals(api: Api) -> None:
    values: list[Any] = [
        {"UF_SIZE": 9, "UF_CITY": "Казань"},
        {"UF_SIZE": "10", "UF_CITY": "Москва"},
        {"UF_SIZE": 100, "UF_VIP": True, "UF_TAGS": ["a", "b"]},
        {"UF_SIZE": "many"},
        None,
    ]
    for number, custom in enumerate(values, start=50):
        await api.market.deal(number, 1, custom=custom, created_at=START)


async def test_vendors_own_fields_are_read_filtered_and_sorted(api: Api) -> None:
    await custom_deals(api)
    deal = f"Deal:{uuid('deal', 52)}"
    data = await api.data(
        f'{{ deal(id: "{deal}") {{ custom size: customField(key: "UF_SIZE") none: customField(key: "x") tags: customField(key: "UF_TAGS") }} }}'
    )
    assert data["deal"] == {
        "custom": {"UF_SIZE": 100, "UF_VIP": True, "UF_TAGS": ["a", "b"]},
        "size": 100,
        "none": None,
        "tags": ["a", "b"],
    }
    for filter_, expected in (
        ('{key: "UF_SIZE", eq: 9}', {50}),
        ('{key: "UF_SIZE", gte: 10}', {51, 52}),
        ('{key: "UF_SIZE", gt: "9", lt: 50}', {51}),
        ('{key: "UF_SIZE", isNull: false}', {50, 51, 52, 53}),
        ('{key: "UF_VIP", eq: true}', {52}),
        ('{key: "UF_CITY", in: ["Казань", "Москва"]}', {50, 51}),
        ('{key: "UF_CITY", contains: "сКв"}', {51}),
        ('{key: "UF_CITY", startsWith: "Каз"}', {50}),
        ('{key: "UF_CITY", contains: "%"}', set()),
        ('{key: "UF_SIZE", gte: 10}, {key: "UF_CITY", eq: "Москва"}', {51}),
    ):
        assert set(await numbers(api, "deals", f"custom: [{filter_}]")) == expected, filter_
    query = "query ($c: [CustomFieldFilter!]) { deals(filter: {custom: $c}) { totalCount } }"
    for condition, count in (
        ({"key": "UF_CITY", "in": ["Казань"]}, 1),
        ({"key": "UF_CITY", "in": ["Казань", "Москва"]}, 2),
        ({"key": "UF_VIP", "in": [True, "x"]}, 1),
    ):
        assert (await api.data(query, {"c": [condition]}))["deals"]["totalCount"] == count
    assert await api.code(query, {"c": [{"key": "UF_CITY", "eq": {"a": 1}}]}) == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("", [50, 51, 52, 53]),
        (", direction: DESC", [52, 51, 50, 53]),
    ],
)
async def test_order_by_a_vendors_field_pages_through_numbers_and_texts(
    api: Api, term: str, expected: list[int]
) -> None:
    await custom_deals(api)
    query = f"""query ($after: String) {{ deals(first: 2, after: $after, filter: {{custom: [{{key: "UF_SIZE", isNull: false}}]}},
        orderBy: [{{field: CUSTOM, customField: "UF_SIZE"{term}}}]) {{ nodes {{ id }} pageInfo {{ hasNextPage endCursor }} }} }}"""
    seen: list[int] = []
    cursor = None
    while True:
        page = (await api.data(query, {"after": cursor}))["deals"]
        seen += [int(node["id"][-12:]) for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        cursor = page["pageInfo"]["endCursor"]
    assert seen == expected
    assert await api.code("{ deals(orderBy: [{field: CUSTOM}]) { nodes { id } } }") == "BAD_USER_INPUT"


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_rows_without_a_value_stand_where_they_are_asked_to(api: Api, direction: str) -> None:
    await api.market.client(7, name=None)
    await api.market.client(8, name=None)
    query = f"""query ($first: Int, $after: String, $last: Int, $before: String) {{ clients(first: $first, after: $after, last: $last,
        before: $before, orderBy: [{{field: NAME, direction: {direction}, nulls: FIRST}}]) {{ nodes {{ name id }} pageInfo {{ startCursor endCursor }} }} }}"""
    whole = (await api.data(query, {"first": 100}))["clients"]["nodes"]
    named = [f"Client {number:03d}" for number in range(1, 7)]
    assert [node["name"] for node in whole] == [None, None, *(named if direction == "ASC" else named[::-1])]
    one = (await api.data(query, {"first": 1}))["clients"]
    rest = (await api.data(query, {"first": 100, "after": one["pageInfo"]["endCursor"]}))["clients"]
    assert one["nodes"] + rest["nodes"] == whole
    back = (await api.data(query, {"last": 7}))["clients"]
    before = (await api.data(query, {"last": 7, "before": back["pageInfo"]["startCursor"]}))["clients"]
    assert before["nodes"] + back["nodes"] == whole
