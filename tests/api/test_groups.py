# ruff: noqa: E501 - queries read better unbroken
"""Figures over connections: whole, in groups, with subtotals and conditions, in one statement."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from api.graphql import run
from schema.enums import Role
from tests.api.conftest import Api
from tests.api.market import START, uuid


async def test_figures_over_all_pages_are_those_of_the_rows(api: Api) -> None:
    data = await api.data(
        """{ calls(first: 2, filter: {answered: {eq: true}}) { totalCount
             aggregates { count sum { talkSeconds } average { talkSeconds } min { startedAt talkSeconds }
               max { startedAt } countDistinct { client campaign } } }
           all: calls(first: 100, filter: {answered: {eq: true}}) { nodes { startedAt talkSeconds client { id } campaign { id } } } }"""
    )
    rows = data["all"]["nodes"]
    talk = [row["talkSeconds"] for row in rows]
    average = Decimal(sum(talk)) / len(talk)
    found = data["calls"]["aggregates"]
    assert Decimal(found.pop("average")["talkSeconds"]) == round(average, 6)
    assert found == {
        "count": len(rows),
        "sum": {"talkSeconds": sum(talk)},
        "min": {"startedAt": min(row["startedAt"] for row in rows), "talkSeconds": min(talk)},
        "max": {"startedAt": max(row["startedAt"] for row in rows)},
        "countDistinct": {
            "client": len({row["client"]["id"] for row in rows if row["client"]}),
            "campaign": len({row["campaign"]["id"] for row in rows if row["campaign"]}),
        },
    }


async def test_figures_of_nothing(api: Api) -> None:
    data = await api.data(
        '{ deals(filter: {title: {eq: "none"}}) { aggregates { count sum { amount } max { amount } } groupBy(by: [{dimension: STATUS}]) { level } } }'
    )
    assert data["deals"] == {
        "aggregates": {"count": 0, "sum": {"amount": None}, "max": {"amount": None}},
        "groupBy": [],
    }


async def test_groups_by_a_relation_give_its_row(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    send = run._run

    async def counted(connection: Any, workspace_id: str, sql: bytes, parameters: Any) -> Any:
        sent.append(sql)
        return await send(connection, workspace_id, sql, parameters)

    monkeypatch.setattr(run, "_run", counted)
    data = await api.data(
        """{ calls { groupBy(by: [{dimension: CAMPAIGN}, {dimension: ANSWERED}], rollup: true) {
             level key { campaign { name spend(first: 1) { nodes { cost } } } answered } aggregates { count } } } }"""
    )
    assert len(sent) == 1
    groups = data["calls"]["groupBy"]
    total = groups[-1]
    assert (total["level"], total["aggregates"]["count"]) == (0, 30)
    assert total["key"] == {"campaign": None, "answered": None}
    leaves = [each for each in groups if each["level"] == 2]
    subtotals = {
        (each["key"]["campaign"] or {}).get("name"): each["aggregates"]["count"]
        for each in groups
        if each["level"] == 1
    }
    by_campaign: dict[Any, int] = defaultdict(int)
    for each in leaves:
        by_campaign[(each["key"]["campaign"] or {}).get("name")] += each["aggregates"]["count"]
    assert subtotals == dict(by_campaign)
    assert set(subtotals) == {"Campaign 1", "Campaign 2", "Campaign 3", None}


async def test_groups_by_fields_of_a_relation_and_by_measure(api: Api) -> None:
    data = await api.data(
        """{ calls { groupBy(by: [{dimension: CAMPAIGN_NAME}], having: [{measure: COUNT, gte: "8"}],
             orderBy: [{measure: COUNT, direction: DESC}, {dimension: CAMPAIGN_NAME}], first: 2) {
             key { campaignName } aggregates { count sum { talkSeconds } } } }
           rows: calls(first: 100) { nodes { campaign { name } talkSeconds } } }"""
    )
    sums: dict[Any, list[int]] = defaultdict(list)
    for row in data["rows"]["nodes"]:
        sums[(row["campaign"] or {}).get("name")].append(row["talkSeconds"] or 0)
    expected = sorted(
        ((name, len(values), sum(values)) for name, values in sums.items() if len(values) >= 8),
        key=lambda each: (-each[1], each[0] is None, each[0] or ""),
    )[:2]
    assert [
        (each["key"]["campaignName"], each["aggregates"]["count"], each["aggregates"]["sum"]["talkSeconds"] or 0)
        for each in data["calls"]["groupBy"]
    ] == expected


@pytest.mark.parametrize(
    ("zone", "days"), [("Europe/Moscow", ["2026-02-28", "2026-03-01"]), ("UTC", ["2026-02-28"])]
)
async def test_days_are_those_of_the_time_zone(api: Api, zone: str, days: list[str]) -> None:
    for number, hour in ((800, 20), (801, 22)):  # 23:00 and 01:00 in Moscow
        await api.market.call(number, 1, started_at=datetime(2026, 2, 28, hour, tzinfo=UTC))
    query = """query ($zone: String) { calls(filter: {startedAt: {lt: "2026-03-01T00:00:00Z"}}) {
        groupBy(by: [{dimension: STARTED_AT, grain: DAY}], timeZone: $zone) { key { startedAt } } } }"""
    found = (await api.data(query, {"zone": zone}))["calls"]["groupBy"]
    assert [each["key"]["startedAt"] for each in found] == days
    by_workspace = (await api.data(query))["calls"]["groupBy"]  # its zone is Europe/Moscow
    assert [each["key"]["startedAt"] for each in by_workspace] == ["2026-02-28", "2026-03-01"]
    assert await api.code(query, {"zone": "Mars/Base"}) == "BAD_USER_INPUT"


async def test_several_grains_of_one_time(api: Api) -> None:
    for number in range(4):
        await api.market.deal(900 + number, 1, created_at=START + timedelta(days=40 * number))
    data = await api.data(
        """{ deals { groupBy(by: [{dimension: CREATED_AT, grain: YEAR}, {dimension: CREATED_AT, grain: QUARTER},
             {dimension: CREATED_AT, grain: MONTH}, {dimension: CREATED_AT, grain: WEEK}], rollup: true) {
             level key { createdAt year: createdAt(grain: YEAR) quarter: createdAt(grain: QUARTER) month: createdAt(grain: MONTH) week: createdAt(grain: WEEK) } aggregates { count } } } }"""
    )
    groups = data["deals"]["groupBy"]
    assert groups[0]["key"]["year"] == groups[0]["key"]["createdAt"] == "2026-01-01"
    assert [each["key"]["quarter"] for each in groups if each["level"] == 2] == [
        "2026-01-01",
        "2026-04-01",
    ]
    assert [each["key"]["month"] for each in groups if each["level"] == 3] == [
        "2026-03-01",
        "2026-04-01",
        "2026-05-01",
        "2026-06-01",
    ]
    assert groups[0]["key"]["week"] == "2026-02-23"  # the Monday before Sunday, 1 March
    assert groups[-1]["level"] == 0


async def test_money_of_several_currencies_is_never_summed(api: Api) -> None:
    await api.market.deal(950, 1, currency="USD", amount=Decimal(10))
    data = await api.data(
        """{ deals { aggregates { count sum { amount } average { amount } max { amount } }
             groupBy(by: [{dimension: CURRENCY}]) { key { currency } aggregates { sum { amount } } } } }"""
    )
    assert data["deals"]["aggregates"] == {
        "count": 9,
        "sum": {"amount": None},
        "average": {"amount": None},
        "max": {"amount": None},
    }
    assert data["deals"]["groupBy"] == [
        {"key": {"currency": "RUB"}, "aggregates": {"sum": {"amount": "36000.00"}}},
        {"key": {"currency": "USD"}, "aggregates": {"sum": {"amount": "10.00"}}},
    ]


async def test_sums_beyond_32_bits(api: Api) -> None:
    for number in (960, 961):
        await api.market.call(number, 1, talk_seconds=2**31 - 1)
    data = await api.data(
        "{ calls(filter: {talkSeconds: {gt: 2000000000}}) { aggregates { sum { talkSeconds } } } }"
    )
    assert data["calls"]["aggregates"]["sum"]["talkSeconds"] == 2 * (2**31 - 1)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ calls { groupBy(by: []) { level } } }", "BAD_USER_INPUT"),
        (
            "{ calls { groupBy(by: [{dimension: ANSWERED}]) { key { campaign { name } } } } }",
            "BAD_USER_INPUT",
        ),
        (
            "{ calls { groupBy(by: [{dimension: ANSWERED, grain: DAY}]) { level } } }",
            "BAD_USER_INPUT",
        ),
        (
            "{ calls { groupBy(by: [{dimension: ANSWERED}, {dimension: ANSWERED}]) { level } } }",
            "BAD_USER_INPUT",
        ),
        ("{ calls { groupBy(by: [{dimension: ANSWERED}], first: 1001) { level } } }", "BAD_USER_INPUT"),
        (
            "{ calls { groupBy(by: [{dimension: ANSWERED}], orderBy: [{}]) { level } } }",
            "BAD_USER_INPUT",
        ),
        (
            "{ clients(first: 200) { nodes { calls { groupBy(by: [{dimension: ANSWERED}]) { level } } } } }",
            "QUERY_TOO_EXPENSIVE",
        ),
    ],
)
async def test_what_can_not_be_grouped(api: Api, query: str, code: str) -> None:
    assert await api.code(query) == code


async def test_a_masked_field_is_no_dimension(api: Api) -> None:
    analyst = await api.as_role(Role.ANALYST)
    for query in (
        "{ clients { groupBy(by: [{dimension: NAME}]) { level } } }",
        "{ calls { groupBy(by: [{dimension: CLIENT_NAME}]) { level } } }",
        "{ calls { groupBy(by: [{dimension: CLIENT_PHONE}]) { level } } }",
    ):
        assert await analyst.code(query) == "FORBIDDEN", query
        assert "errors" not in await api.ask(query)
    found = await analyst.data(
        f'{{ calls(filter: {{client: {{eq: "Client:{uuid("client", 2)}"}}}}) {{ groupBy(by: [{{dimension: CLIENT}}]) {{ key {{ client {{ name }} }} }} }} }}'
    )
    assert found["calls"]["groupBy"] == [{"key": {"client": {"name": "C*** 0***"}}}]
