"""The short way answers what the ordinary way answers."""

from __future__ import annotations

from typing import Any

import pytest

from api.graphql.direct import Ready
from tests.api.conftest import Api
from tests.api.market import uuid

ONE = f"Client:{uuid('client', 1)}"
PAGE = (
    "query Page($first: Int = 2, $with: Boolean = true) "
    "{ clients(first: $first) { nodes { name id @include(if: $with) } } }"
)
SHORT: list[dict[str, Any]] = [
    {"query": "{ clients(first: 2) { totalCount nodes { name ...C } } } fragment C on Client { phone }"},
    {
        "query": f'{{ client(id: "{ONE}") {{ name }} calls(first: 1) {{ totalCount }} '
        f'again: client(id: "{ONE}") {{ id }} }}'
    },
    {"query": '{ client(id: "Client:nonsense") { name } }'},
    {"query": PAGE},
    {"query": PAGE, "variables": {"first": 1, "with": False}},
    {"query": PAGE, "operationName": "Page", "variables": None},
    {"query": '{ clients(after: "nonsense") { nodes { id } } calls { totalCount } }'},
    {"query": '{ clients(first: 1, filter: {lastSeenAt: {gte: "0001-01-01T00:00:00Z"}}) { totalCount } }'},
    {"query": '{ campaignReport(from: "2026-03-01", to: "2026-03-31") { rows { name revenue } } }'},
    {"query": '{ campaignReport(from: "2026-03-31", to: "2026-03-01") { rows { name } } }'},
]
LONG: list[dict[str, Any]] = [
    {"query": PAGE, "variables": {"first": "many"}},
    {"query": PAGE, "operationName": "Another"},
    {"query": "{ __typename clients { totalCount } }"},
    {"query": "{ ... { clients { totalCount } } }"},
    {"query": "query($n: Boolean!) { clients @skip(if: $n) { totalCount } }", "variables": {"n": False}},
    {"query": "{ clients { totalCount } clients { nodes { id } } }"},
    {"query": "{ clients(first: 1000) { nodes { calls(first: 1000) { nodes { id } } } } }"},
    {"query": "{ clients { totalCount } }", "extensions": {"cost": True}},
    {"query": "query A { clients { totalCount } } query B { calls { totalCount } }"},
]


@pytest.mark.parametrize("media", ["application/json", "application/graphql-response+json"])
async def test_both_ways_answer_the_same(api: Api, monkeypatch: pytest.MonkeyPatch, media: str) -> None:
    taken = 0
    answer = Ready.answer

    async def counted(ready: Ready, *arguments: Any) -> Any:
        nonlocal taken
        taken += 1
        return await answer(ready, *arguments)

    monkeypatch.setattr(Ready, "answer", counted)
    for asked in [*SHORT, *LONG]:
        before = taken
        first, second = [await api.post(asked, accept=media) for _ in range(2)]
        assert second.content == first.content
        assert (second.status_code, dict(second.headers)) == (first.status_code, dict(first.headers)), asked
        assert taken - before == (1 if asked in SHORT else 0) or asked["query"] == PAGE, asked
