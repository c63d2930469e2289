# ruff: noqa: E501 - queries read better unbroken
"""Vendors' own fields over the API: listed, read, filtered and grouped."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from schema import tables as t
from schema.enums import Role
from tests.api.conftest import Api
from tests.api.market import START, uuid

OPTIONS = [{"value": "84", "label": "Дорого"}, {"value": "85", "label": "Далеко"}]
VALUES: list[dict[str, Any] | None] = [
    {"UF_WHY": "84", "UF_DAY": "2026-03-05T03:00:00+03:00", "UF_SUM": "1500.50|RUB", "UF_VIP": "Y"},
    {"UF_WHY": 85, "UF_DAY": "2026-03-31", "UF_SUM": "9|RUB", "UF_VIP": "0", "UF_MANY": ["84", "85"]},
    {"UF_WHY": "84", "UF_DAY": "2026-02-31", "UF_AT": "2026-03-31T23:30:00+00:00", "UF_VIP": True},
    {"UF_WHY": "99", "UF_AT": "2026-04-01T02:00:00+03:00", "UF_MANY": [], "UF_SUM": 1500.5},
    None,
]

CONDITIONS: list[tuple[str, set[int]]] = [
    ('{key: "UF_WHY", labelIn: ["Дорого"]}', {50, 52}),
    ('{key: "UF_WHY", labelIn: ["Дорого", "99"]}', {50, 52, 53}),
    ('{key: "UF_MANY", labelIn: ["Далеко"]}', {51}),
    ('{key: "UF_WHY", eq: 85}', {51}),
    ('{key: "UF_WHY", in: [85, "99"]}', {51, 53}),
    ('{key: "UF_MANY", eq: "84"}', {51}),
    ('{key: "UF_MANY", isNull: false}', {51, 53}),
    ('{key: "UF_VIP", eq: true}', {50, 52}),
    ('{key: "UF_VIP", eq: false}', {51}),
    ('{key: "UF_DAY", eq: "2026-03-05"}', {50}),
    ('{key: "UF_DAY", gte: "2026-03-05", lte: "2026-03-31"}', {50, 51}),
    ('{key: "UF_AT", gt: "2026-03-31T23:00:00Z"}', {52}),
    ('{key: "UF_AT", gte: "2026-03-31T23:00:00Z"}', {52, 53}),
    ('{key: "UF_AT", lt: "2026-04-01"}', {52}),
    ('{key: "UF_SUM", gte: 1000}', {50, 53}),
    ('{key: "UF_SUM", startsWith: "15"}', {50, 53}),
    ('{key: "UF_WHY", gte: "2026-02-31"}', {50, 51, 52, 53}),
]


def known(key: str, type_: str, label: str, **more: Any) -> dict[str, Any]:
    blank = {"multiple": False, "options": None, "declared": True, "sampled": 0, "filled": 0, "samples": None}
    return {"record_kind": "deal", "key": key, "type": type_, "label": label, **blank, **more}


@pytest.fixture
async def deals(api: Api) -> Api:
    for number, custom in enumerate(VALUES, start=50):
        tags = ["vip", "new"] if number == 50 else ["vip"] if number == 51 else []
        await api.market.deal(number, 1, custom=custom, created_at=START + timedelta(number), tags=tags)
    fields = [
        known("UF_WHY", "enumeration", "Причина", options=OPTIONS, sampled=4, filled=3, samples=["84", 85]),
        known("UF_MANY", "enumeration", "Причины", options=OPTIONS, multiple=True),
        known("UF_DAY", "date", "День"),
        known("UF_AT", "datetime", "Время"),
        known("UF_SUM", "money", "Сумма"),
        known("UF_VIP", "boolean", "VIP"),
    ]
    await api.market.add(t.CustomField, [{"connection_id": api.market.connection_id, **each} for each in fields])
    return api


async def found(api: Api, *conditions: str) -> set[int]:
    query = "{ deals(first: 100, filter: {custom: [" + ", ".join(conditions) + "]}) { nodes { id } } }"
    return {int(node["id"][-12:]) for node in (await api.data(query))["deals"]["nodes"]}


async def test_values_come_with_names_types_and_labels(deals: Api) -> None:
    query = """query ($id: ID!) { deal(id: $id) { customValues { key label type value text number flag date dateTime } } }"""
    empty = dict.fromkeys(("number", "flag", "date", "dateTime"))

    async def of(number: int) -> Any:
        return (await deals.data(query, {"id": f"Deal:{uuid('deal', number)}"}))["deal"]["customValues"]

    assert await of(50) == [
        {"key": "UF_VIP", "label": "VIP", "type": "BOOLEAN", "value": "Y", "text": "Y"} | empty | {"flag": True},
        {
            "key": "UF_DAY",
            "label": "День",
            "type": "DATE",
            "value": "2026-03-05T03:00:00+03:00",
            "text": "2026-03-05T03:00:00+03:00",
        }
        | empty
        | {"date": "2026-03-05"},
        {"key": "UF_WHY", "label": "Причина", "type": "ENUMERATION", "value": "84", "text": "Дорого"} | empty,
        {"key": "UF_SUM", "label": "Сумма", "type": "MONEY", "value": "1500.50|RUB", "text": "1500.50|RUB"}
        | empty
        | {"number": "1500.50"},
    ]
    assert [(each["key"], each["text"], each["value"]) for each in await of(51) if each["key"] == "UF_MANY"] == [
        ("UF_MANY", "Дорого, Далеко", ["84", "85"])
    ]
    (at, *_) = [each for each in await of(52) if each["key"] == "UF_AT"]
    assert (at["date"], at["dateTime"]) == ("2026-03-31", "2026-03-31T23:30:00+00:00")
    assert await of(54) == []
    analyst = await deals.as_role(Role.ANALYST)
    (hidden, *_) = (await analyst.data(query, {"id": f"Deal:{uuid('deal', 50)}"}))["deal"]["customValues"]
    assert hidden == {"key": "UF_VIP", "label": "VIP", "type": "BOOLEAN", "value": None, "text": None} | empty


async def test_fields_are_filtered_by_what_they_are_compared_with(deals: Api) -> None:
    for condition, expected in CONDITIONS:
        assert await found(deals, condition) == expected, condition


async def test_one_plan_serves_values_of_any_kind(deals: Api) -> None:
    query = "query ($v: JSON, $k: String!) { deals(filter: {custom: [{key: $k, eq: $v}]}) { totalCount } }"
    for key, value, count in (
        ("UF_WHY", "84", 2),
        ("UF_WHY", 84, 2),
        ("UF_DAY", "2026-03-31", 1),
        ("UF_AT", "2026-03-31T23:00:00Z", 1),
        ("UF_VIP", True, 2),
        ("UF_WHY", "'; drop table deal", 0),
    ):
        assert (await deals.data(query, {"k": key, "v": value}))["deals"]["totalCount"] == count, (key, value)


async def test_rows_are_grouped_by_fields_and_by_tags(deals: Api) -> None:
    data = await deals.data(
        """query ($why: String!) {
          why: FOUND { groupBy(by: [{dimension: CUSTOM, customField: $why}], orderBy: [{dimension: CUSTOM}]) {
            key { custom(key: "UF_WHY") customLabel(key: "UF_WHY") other: custom(key: "UF_X") } aggregates { count } } }
          month: FOUND { groupBy(by: [{dimension: CUSTOM, customField: "UF_DAY", grain: MONTH}]) { key { custom(key: "UF_DAY") } aggregates { count } } }
          at: FOUND { groupBy(timeZone: "Europe/Moscow", by: [{dimension: CUSTOM, customField: "UF_AT", grain: DAY}]) { key { custom(key: "UF_AT", grain: DAY) } aggregates { count } } }
          many: FOUND { groupBy(by: [{dimension: CUSTOM, customField: "UF_MANY"}]) { key { customLabel(key: "UF_MANY") } aggregates { count } } }
          tags: deals(filter: {tags: {has: "vip"}}) { groupBy(by: [{dimension: TAGS}]) { key { tags } aggregates { count sum { amount } } } }
        }""".replace("FOUND", 'deals(filter: {custom: [{key: "UF_WHY", isNull: false}]})'),
        {"why": "UF_WHY"},
    )

    def groups(name: str, *fields: str) -> list[Any]:
        return [
            (*(each["key"][field] for field in fields), each["aggregates"]["count"])
            for each in data[name]["groupBy"]
        ]

    assert groups("why", "custom", "customLabel", "other") == [
        ("84", "Дорого", None, 2),
        ("85", "Далеко", None, 1),
        ("99", "99", None, 1),
    ]
    assert groups("month", "custom") == [("2026-03-01", 2), (None, 2)]  # there is no 31 February
    assert groups("at", "custom") == [("2026-04-01", 2), (None, 2)]
    assert groups("many", "customLabel") == [("Дорого", 1), ("Далеко", 1), (None, 3)]
    assert groups("tags", "tags") == [("new", 1), ("vip", 2)]
    assert [each["aggregates"]["sum"]["amount"] for each in data["tags"]["groupBy"]] == ["50000.00", "101000.00"]
    for by in ("{dimension: CUSTOM}", "{dimension: TAGS, grain: DAY}"):
        assert await deals.code("{ deals { groupBy(by: [" + by + "]) { level } } }") == "BAD_USER_INPUT"
    assert (
        await deals.code('{ deals { groupBy(by: [{dimension: TAGS}]) { key { custom(key: "UF_X") } } } }')
        == "BAD_USER_INPUT"
    )
    analyst = await deals.as_role(Role.ANALYST)
    assert (
        await analyst.code('{ deals { groupBy(by: [{dimension: CUSTOM, customField: "UF_X"}]) { level } } }')
        == "FORBIDDEN"
    )


async def test_groups_are_ordered_by_every_dimension_that_is_asked_for(api: Api) -> None:
    held = [("9", "b"), (10, "a"), ("9", "a"), (100, "b"), (10, "b")]
    for number, (size, city) in enumerate(held, start=50):
        await api.market.deal(number, 1, custom={"S": size, "C": city}, created_at=START + timedelta(days=number))
    query = """query ($by: [DealGroupBy!]!, $order: [DealGroupOrder!], $rollup: Boolean!) {
      deals(filter: {custom: [{key: "S", isNull: false}]}) { groupBy(by: $by, orderBy: $order, rollup: $rollup) {
        key { size: custom(key: "S") city: custom(key: "C") } } } }"""
    by = [{"dimension": "CUSTOM", "customField": key} for key in ("S", "C")]

    async def groups(*order: tuple[str, str], rollup: bool = False) -> list[Any]:
        terms = [{"dimension": "CUSTOM", "customField": key, "direction": way} for key, way in order]
        answer = await api.data(query, {"by": by, "order": terms, "rollup": rollup})
        return [(each["key"]["size"], each["key"]["city"]) for each in answer["deals"]["groupBy"]]

    assert await groups(("C", "DESC"), ("S", "ASC")) == [
        ("9", "b"),
        ("10", "b"),
        ("100", "b"),
        ("9", "a"),
        ("10", "a"),
    ]
    assert await groups(("S", "DESC"), ("C", "ASC")) == [
        ("100", "b"),
        ("10", "a"),
        ("10", "b"),
        ("9", "a"),
        ("9", "b"),
    ]
    assert (await groups(("S", "DESC"), ("C", "ASC"), rollup=True))[:2] == [("100", "b"), ("100", None)]
    dated = await api.data(
        """{ deals { groupBy(by: [{dimension: CREATED_AT, grain: YEAR}, {dimension: CREATED_AT, grain: DAY}],
          orderBy: [{dimension: CREATED_AT, grain: DAY, direction: DESC}]) { key { createdAt(grain: DAY) } } } }"""
    )
    days = [each["key"]["createdAt"] for each in dated["deals"]["groupBy"]]
    assert len(set(days)) > 1
    assert days == sorted(days, reverse=True)
    wrong = '{ deals { groupBy(by: [{dimension: STATUS}], orderBy: [{dimension: STATUS, customField: "S"}]) { level } } }'
    assert await api.code(wrong) == "BAD_USER_INPUT"


async def test_pages_by_several_of_the_vendors_fields_go_forth_and_back(api: Api) -> None:
    held: list[Any] = [("9", "b"), (10, "a"), ("9", "a"), (100, None), (10, "b"), (None, "a"), ("many", "b")]
    for number, (size, city) in enumerate(held, start=50):
        await api.market.deal(number, 1, custom={"S": size, "C": city, "T": 1}, created_at=START)
    query = """query ($first: Int, $after: String, $last: Int, $before: String) {
      deals(first: $first, after: $after, last: $last, before: $before, filter: {custom: [{key: "T", eq: 1}]}, orderBy: [
        {field: CUSTOM, customField: "C", direction: DESC}, {field: CUSTOM, customField: "S", nulls: FIRST}]) {
        nodes { c: customField(key: "C") s: customField(key: "S") } pageInfo { startCursor endCursor } } }"""
    expected = [("b", "many"), ("b", "9"), ("b", 10), ("a", None), ("a", "9"), ("a", 10), (None, 100)]
    for size, cursor, way in (("first", "after", "endCursor"), ("last", "before", "startCursor")):
        seen: list[Any] = []
        at = None
        while len(seen) < len(expected):
            page = (await api.data(query, {size: 2, cursor: at}))["deals"]
            rows = [(each["c"], each["s"]) for each in page["nodes"]]
            assert rows
            seen = seen + rows if size == "first" else rows + seen
            at = page["pageInfo"][way]
        assert seen == expected
    named = """query ($field: String!, $after: String) { deals(first: 1, after: $after, filter: {custom: [{key: "T", eq: 1}]},
      orderBy: [{field: CUSTOM, customField: $field}]) { nodes { c: customField(key: "C") } pageInfo { endCursor } } }"""
    at = (await api.data(named, {"field": "C"}))["deals"]["pageInfo"]["endCursor"]
    assert (await api.data(named, {"field": "C", "after": at}))["deals"]["nodes"] == [{"c": "a"}]
    (error,) = (await api.ask(named, {"field": "S", "after": at}))["errors"]
    assert error["message"].startswith("The cursor belongs to the order by the field 'C', not 'S'")


async def test_fields_are_listed_with_options_samples_and_what_became_of_them(deals: Api) -> None:
    market = deals.market
    of = {"connection_id": market.connection_id, "record_kind": "deal"}
    await market.add(
        t.SchemaChange,
        [
            {
                **of,
                "id": uuid4(),
                "key": "UF_WHY",
                "change": change,
                "label": "Причина",
                "before": before,
                "at": START + timedelta(days=day),
            }
            for day, change, before in ((1, "added", None), (2, "renamed", "Отказ"))
        ],
    )
    await market.add(
        t.FieldMapping, [{**of, "target": "lost_reason", "key": "UF_WHY", "actor": "x", "pending": ["UF_WHY"]}]
    )
    await market.add(t.FieldMapping, [{**of, "target": "title", "key": None, "actor": "x", "pending": ["UF_OLD"]}])
    system = f"ConnectedSystem:{market.connection_id}"
    query = """query ($id: ID!) {
      customFields(type: DEAL, connection: $id) { of key label type multiple declared options { value label } records sampled fillShare samples fills connection { title } }
      none: customFields(type: CALL) { key } all: customFields { key }
      connection(id: $id) { customFields { key } fieldMappings { of fills waiting field { label } }
        schemaChanges(first: 1) { totalCount nodes { of change key before field { label } } } } }"""
    data = await deals.data(query, {"id": system})
    (why,) = [each for each in data["customFields"] if each["key"] == "UF_WHY"]
    assert why == {
        "of": "DEAL", "key": "UF_WHY", "label": "Причина", "type": "ENUMERATION", "multiple": False, "declared": True,
        "options": OPTIONS, "records": 3, "sampled": 4, "fillShare": 0.75, "samples": ["84", 85],
        "fills": ["lost_reason"], "connection": {"title": "CRM"},
    }  # fmt: skip
    assert [each["label"] for each in data["customFields"]] == sorted(
        each["label"] for each in data["customFields"]
    )
    assert data["none"] == []
    assert len(data["all"]) == len(data["connection"]["customFields"]) == 6
    assert data["connection"]["fieldMappings"] == [
        {"of": "DEAL", "fills": "lost_reason", "waiting": True, "field": {"label": "Причина"}}
    ]
    assert data["connection"]["schemaChanges"] == {
        "totalCount": 2,
        "nodes": [
            {"of": "DEAL", "change": "RENAMED", "key": "UF_WHY", "before": "Отказ", "field": {"label": "Причина"}}
        ],
    }
    analyst = await deals.as_role(Role.ANALYST)
    masked = await analyst.data("{ customFields { key samples options { label } } }")
    assert {each["samples"] for each in masked["customFields"]} == {None}
    assert ["Дорого", "Далеко"] in [[o["label"] for o in each["options"]] for each in masked["customFields"]]


async def test_a_mapping_is_set_and_taken_back_over_the_api(deals: Api) -> None:
    system = f"ConnectedSystem:{deals.market.connection_id}"
    answer = """{ connection { fieldMappings { of fills key waiting } } problems { field code message } }"""
    variables = "$id: ID!, $key: String!, $fills: String!"
    arguments = "connection: $id, type: DEAL, key: $key, fills: $fills"
    to_map = f"mutation ({variables}) {{ mapCustomField({arguments}) {answer} }}"

    async def mapped(**values: str) -> Any:
        return (await deals.data(to_map, {"id": system, **values}))["mapCustomField"]

    assert (await mapped(key="UF_WHY", fills="lost_reason"))["connection"]["fieldMappings"] == [
        {"of": "DEAL", "fills": "lost_reason", "key": "UF_WHY", "waiting": True}
    ]
    assert (await mapped(key="UF_WHY", fills="amount"))["problems"] == [
        {
            "field": "fills",
            "code": "TYPES_DIFFER",
            "message": "«Причина» is of type enumeration; amount can be filled from money, number, text.",
        }
    ]
    for key, fills, code in (("UF_NO", "title", "NO_SUCH_CUSTOM_FIELD"), ("UF_WHY", "id", "NOT_MAPPABLE_FIELD")):
        refused = await mapped(key=key, fills=fills)
        assert [each["code"] for each in refused["problems"]] == [code]
        assert refused["connection"] is None
    preview = f"query ({variables}) {{ previewFieldMapping({arguments}) {{ records problems {{ code }} }} }}"
    told = await deals.data(preview, {"id": system, "key": "UF_WHY", "fills": "amount"})
    assert told["previewFieldMapping"] == {"records": 0, "problems": [{"code": "TYPES_DIFFER"}]}
    back = f'mutation ($id: ID!) {{ unmapCustomField(connection: $id, type: DEAL, fills: "lost_reason") {answer} }}'
    assert (await deals.data(back, {"id": system}))["unmapCustomField"]["connection"]["fieldMappings"] == []
    again = (await deals.data(back, {"id": system}))["unmapCustomField"]
    assert [each["code"] for each in again["problems"]] == ["NOT_FOUND"]
    async with deals.market.database.workspace(deals.market.workspace_id) as db:
        queued = (
            await db.execute(text("select count(*) from jobs.procrastinate_jobs where task_name = 'map_fields'"))
        ).scalar_one()
        waits = (await db.execute(text("select key, pending from field_mapping"))).all()
    assert queued == 1
    assert waits == [(None, ["UF_WHY"])]  # what is undone in no stored record yet
    fields = (await deals.data("{ mappableFields { of name from several } }"))["mappableFields"]
    assert {"of": "DEAL", "name": "expected_at", "from": ["DATE", "DATETIME", "TEXT"], "several": False} in fields
    analyst = await deals.as_role(Role.ANALYST)
    assert await analyst.code(back, {"id": system}) == "FORBIDDEN"
