"""Server-sent events: one operation, one stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from api.http import is_subscription, takes_events
from api.tokens import public_id, revoke_token
from schema.enums import ChangeKind, ChangeType, Role
from tests.api.live.conftest import Server

CHANGED = "subscription { clientChanged { name } }"
URQL = "application/graphql-response+json, application/graphql+json, application/json, text/event-stream"
EVENTS = {"Accept": "text/event-stream"}


class Events:
    """The events of one response, pings left out."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self) -> tuple[str, Any]:
        name = data = None
        async with asyncio.timeout(10):
            async for line in self._lines:
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    data = line.removeprefix("data: ")
                elif not line and name is not None:
                    return name, json.loads(data) if data else None
        raise AssertionError("the stream ended")


@asynccontextmanager
async def asked(server: Server, query: str, token: str | None = None, **headers: str) -> AsyncIterator[Events]:
    async with server.http(token) as http:
        request = http.stream("POST", "/graphql", json={"query": query}, headers={**EVENTS, **headers})
        async with request as response:
            yield Events(response)


async def test_events_come_and_pings_between_them(server: Server) -> None:
    async with asked(server, CHANGED) as events:
        assert events.response.status_code == 200
        assert events.response.headers["content-type"].startswith("text/event-stream")
        assert events.response.headers["x-content-type-options"] == "nosniff"
        await asyncio.sleep(0.5)
        await server.tell(ChangeType.CLIENT, ChangeKind.CHANGED, 1)
        assert await events.next() == ("next", {"data": {"clientChanged": [{"name": "Client 001"}]}})
        await server.tell(ChangeType.CLIENT, ChangeKind.CHANGED, 2)
        assert await events.next() == ("next", {"data": {"clientChanged": [{"name": "Client 002"}]}})


async def test_the_operation_decides_for_clients_that_take_everything(server: Server) -> None:
    """urql puts text/event-stream into every request: a query still gets its JSON."""
    async with server.http() as http:
        answer = await http.post("/graphql", json={"query": "{ __typename }"}, headers={"Accept": URQL})
        assert answer.headers["content-type"].startswith("application/graphql-response+json")
        assert answer.json() == {"data": {"__typename": "Query"}}
    async with asked(server, CHANGED, Accept=URQL) as events:
        assert events.response.headers["content-type"].startswith("text/event-stream")


async def test_a_query_over_events_is_one_event(server: Server) -> None:
    async with asked(server, "{ clients { totalCount } }") as events:
        assert await events.next() == ("next", {"data": {"clients": {"totalCount": 6}}})
        assert await events.next() == ("complete", None)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ nothing", "GRAPHQL_PARSE_FAILED"),
        ('subscription { clientChanged(id: "rubbish") { id } }', "BAD_USER_INPUT"),
    ],
)
async def test_errors_come_as_events(server: Server, query: str, code: str) -> None:
    async with asked(server, query) as events:
        name, answer = await events.next()
        assert (name, answer["errors"][0]["extensions"]["code"]) == ("next", code)
        assert await events.next() == ("complete", None)


async def test_a_subscription_without_a_stream_is_refused(server: Server) -> None:
    async with server.http() as http:
        answer = await http.post("/graphql", json={"query": CHANGED})
        assert answer.status_code == 406
        assert "text/event-stream" in answer.json()["errors"][0]["message"]
        unauthenticated = await http.post(
            "/graphql", json={"query": CHANGED}, headers={**EVENTS, "Authorization": "Bearer wrong"}
        )
        assert unauthenticated.status_code == 401


async def test_the_end_of_a_key_ends_its_streams(server: Server) -> None:
    token = await server.key(Role.MANAGER)
    async with asked(server, CHANGED, token) as events:
        await asyncio.sleep(0.5)
        await revoke_token(server.market.database, server.market.workspace_id, public_id(token))
        async with asyncio.timeout(5):
            name, answer = await events.next()
        assert (name, answer["errors"][0]["extensions"]["code"]) == ("next", "UNAUTHENTICATED")
        assert (await events.next())[0] == "complete"


async def test_a_key_has_so_many_streams(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.live.sessions.CONNECTIONS_PER_TOKEN", 1)
    async with asked(server, CHANGED) as first:
        assert first.response.status_code == 200
        async with asked(server, CHANGED) as second:
            assert second.response.status_code == 429
    await asyncio.sleep(0.3)
    async with asked(server, CHANGED) as third:
        assert third.response.status_code == 200


def test_what_asks_for_a_stream() -> None:
    assert takes_events("text/event-stream")
    assert takes_events(URQL)
    assert not takes_events("text/event-stream;q=0, application/json")
    assert not takes_events("*/*")
    assert not takes_events(None)
    assert is_subscription("subscription { a }", None)
    assert not is_subscription("query subscription { a }", None)
    both = "query A { a } subscription B { b }"
    assert (is_subscription(both, "A"), is_subscription(both, "B")) == (False, True)
    assert not is_subscription("subscription {", None)
