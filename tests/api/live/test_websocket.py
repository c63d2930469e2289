"""Subscriptions over a real socket."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, text, update
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from api.tokens import create_token, public_id, revoke_token
from core.settings import Settings
from schema import tables as t
from schema.enums import ChangeKind, ChangeType, Role
from tests.api.conftest import bearer, serving
from tests.api.live.conftest import PROTOCOL, Server, Socket, opened
from tests.api.market import Market, uuid

NEW_CALLS = "subscription ($filter: CallFilter) { newCalls(filter: $filter) { id client { name } } }"
CHANGED = "subscription ($id: ID) { clientChanged(id: $id) { id name phone } }"
PROGRESS = """subscription ($connection: ID) { syncProgress(connectionId: $connection) {
    state fetched connection { title } streams { name done } } }"""


async def fresh_call(server: Server, number: int, client: int | None = 1, **values: Any) -> None:
    await server.market.call(number, client, started_at=datetime.now(UTC), **values)


async def test_new_calls_come_with_what_is_selected_of_them(server: Server) -> None:
    async with opened(server) as socket:
        all_calls = await socket.subscribe(NEW_CALLS)
        missed = await socket.subscribe(NEW_CALLS, filter={"answered": {"eq": False}})
        await socket.ready()
        await fresh_call(server, 101, answered=True)
        await fresh_call(server, 102, answered=False)
        await server.tell(ChangeType.CALL, ChangeKind.CREATED, 101, 102, 1)  # 1 is months old: no news
        got = {}
        for _ in range(2):
            message = await socket.receive()
            got[message["id"]] = [call["id"] for call in message["payload"]["data"]["newCalls"]]
        both = [f"Call:{uuid('call', number)}" for number in (101, 102)]
        assert got == {all_calls: both, missed: both[1:]}
        await server.tell(ChangeType.CALL, ChangeKind.CHANGED, 101)  # not new
        await fresh_call(server, 103)
        await server.tell(ChangeType.CALL, ChangeKind.CREATED, 103)
        (call,) = (await socket.next(all_calls))["newCalls"]
        assert call == {"id": f"Call:{uuid('call', 103)}", "client": {"name": "Client 001"}}


async def test_new_leads_come(server: Server) -> None:
    async with opened(server) as socket:
        id = await socket.subscribe("subscription { newLeads(maxAgeHours: 8784) { title } }")
        await socket.ready()
        await server.tell(ChangeType.LEAD, ChangeKind.CREATED, 2)
        assert await socket.next(id) == {"newLeads": [{"title": "Form 2"}]}


async def test_a_client_is_followed_through_a_merge(server: Server) -> None:
    async with opened(server) as socket:
        id = await socket.subscribe(CHANGED, id=f"Client:{uuid('client', 2)}")
        await socket.ready()
        await server.tell(ChangeType.CLIENT, ChangeKind.CHANGED, 1, 2, 3)
        assert [client["name"] for client in (await socket.next(id))["clientChanged"]] == ["Client 002"]
        async with server.market.database.workspace(server.market.workspace_id) as db:
            await db.execute(
                update(t.Client).where(t.Client.id == uuid("client", 2)).values(merged_into=uuid("client", 1))
            )
        await server.tell(ChangeType.CLIENT, ChangeKind.CHANGED, 1)
        assert [client["name"] for client in (await socket.next(id))["clientChanged"]] == ["Client 001"]


async def test_an_analyst_gets_events_masked(server: Server) -> None:
    async with opened(server, await server.key(Role.ANALYST)) as socket:
        id = await socket.subscribe(CHANGED)
        refused = await socket.subscribe(NEW_CALLS, filter={"clientPhone": {"eq": "+79160000001"}})
        error = await socket.receive()
        assert (error["type"], error["id"]) == ("error", refused)
        assert error["payload"][0]["extensions"]["code"] == "FORBIDDEN"
        await socket.ready()
        await server.tell(ChangeType.CLIENT, ChangeKind.CHANGED, 1)
        (client,) = (await socket.next(id))["clientChanged"]
        assert (client["name"], client["phone"]) == ("C*** 0***", "+7 9** ***-**-01")


async def test_progress_of_a_sync(server: Server) -> None:
    market, run = server.market, uuid("run", 1)
    connection = f"ConnectedSystem:{market.connection_id}"
    async with opened(server) as socket:
        id = await socket.subscribe(PROGRESS, connection=connection)
        await socket.ready()
        await market.add(
            t.SyncRun,
            [{"id": run, "connection_id": market.connection_id, "trigger": "button", "state": "queued"}],
        )
        first = (await socket.next(id))["syncProgress"]
        assert first == {"state": "QUEUED", "fetched": 0, "connection": {"title": "CRM"}, "streams": []}
        async with market.database.workspace(market.workspace_id) as db:
            await db.execute(
                insert(t.StreamRun).values(workspace_id=market.workspace_id, run_id=run, stream="deals")
            )
            await db.execute(text("update sync_run set state = 'running', fetched = 50"))
        moved = (await socket.next(id))["syncProgress"]
        assert (moved["state"], moved["fetched"], moved["streams"]) == (
            "RUNNING",
            50,
            [{"name": "deals", "done": None}],
        )
        # Whoever comes later is told at once how it stands.
        later = await socket.subscribe(PROGRESS)
        assert (await socket.next(later))["syncProgress"]["fetched"] == 50
        other = await socket.subscribe(PROGRESS, connection=f"ConnectedSystem:{uuid('kconnection', 9)}")
        await socket.send(id=later, type="complete")
        await socket.ready()
        async with market.database.workspace(market.workspace_id) as db:
            await db.execute(text("update sync_run set state = 'succeeded', fetched = 60"))
        assert (await socket.next(id))["syncProgress"]["state"] == "SUCCEEDED"
        await socket.send(id=other, type="complete")


async def test_queries_and_mutations_go_over_the_socket_too(server: Server) -> None:
    async with opened(server) as socket:
        first = await socket.subscribe("{ clients { totalCount } }")
        assert await socket.next(first) == {"clients": {"totalCount": 6}}
        assert await socket.receive() == {"id": first, "type": "complete"}
        # Two operations at once keep their own plans.
        one = await socket.subscribe(
            "query A { x: client(id: $id) { name } }".replace("A", "A($id: ID!)"), id=CLIENT
        )
        two = await socket.subscribe("query A($id: ID!) { x: client(id: $id) { phone } }", id=CLIENT)
        got = {}
        for _ in range(4):
            message = await socket.receive()
            if message["type"] == "next":
                got[message["id"]] = message["payload"]["data"]["x"]
        assert got == {one: {"name": "Client 001"}, two: {"phone": "+79160000001"}}


CLIENT = f"Client:{uuid('client', 1)}"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { newCalls(maxAgeHours: 0) { id } }", "BAD_USER_INPUT"),
        ('subscription { clientChanged(id: "rubbish") { id } }', "BAD_USER_INPUT"),
        ('subscription { syncProgress(connectionId: "Call:1") { state } }', "BAD_USER_INPUT"),
        ("subscription { a: newCalls { id } b: newLeads { id } }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_wrong_subscriptions_come_back_as_errors_of_theirs(server: Server, query: str, code: str) -> None:
    async with opened(server) as socket:
        id = await socket.subscribe(query)
        message = await socket.receive()
        assert (message["type"], message["id"]) == ("error", id), message
        assert message["payload"][0]["extensions"]["code"] == code
        assert "Traceback" not in json.dumps(message)
        await socket.ready()  # the socket lives on


async def test_operations_on_a_socket_count_as_requests_do(settings: Settings, market: Market) -> None:
    token = await create_token(market.database, market.workspace_id, Role.OWNER, "test")
    slow = settings.model_copy(update={"requests_per_minute": 30})
    async with serving(slow, market) as address, opened(Server(address, slow, market, token)) as socket:
        for _ in range(5):  # ten seconds' worth
            await socket.subscribe("{ __typename }")
            assert (await socket.receive())["type"] == "next"
            assert (await socket.receive())["type"] == "complete"
        id = await socket.subscribe("{ __typename }")
        message = await socket.receive()
        assert (message["type"], message["id"]) == ("error", id)
        assert message["payload"][0]["extensions"]["code"] == "TOO_MANY_REQUESTS"
        async with httpx.AsyncClient(base_url=address, headers=bearer(token)) as http:  # one count for both
            assert (await http.post("/graphql", json={"query": "{ __typename }"})).status_code == 429
            events = {"Accept": "text/event-stream"}
            live = {"query": "subscription { newCalls { id } }"}
            assert (await http.post("/graphql", json=live, headers=events)).status_code == 429


async def test_only_trusted_documents_run_on_a_socket_where_only_they_are_taken(
    settings: Settings, market: Market, tmp_path: Path
) -> None:
    trusted = tmp_path / "documents.json"
    trusted.write_text(
        json.dumps({"doc-1": "{ clients { totalCount } }", "doc-2": "subscription { newCalls { id } }"})
    )
    token = await create_token(market.database, market.workspace_id, Role.OWNER, "test")
    strict = settings.model_copy(update={"trusted_documents": trusted, "trusted_documents_only": True})
    async with serving(strict, market) as address:
        server = Server(address, strict, market, token)
        async with opened(server) as socket:
            untrusted = (
                {"query": "{ __typename }"},
                {"query": "subscription { newLeads { id } }"},
                {"documentId": "x"},
            )
            for payload in untrusted:
                await socket.send(id="1", type="subscribe", payload=payload)
                message = await socket.receive()
                assert (message["type"], message["id"]) == ("error", "1"), payload
                assert message["payload"][0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"
            for payload in ({"documentId": "doc-1"}, {"query": "{ clients { totalCount } }"}):
                await socket.send(id="2", type="subscribe", payload=payload)
                assert (await socket.receive())["payload"] == {"data": {"clients": {"totalCount": 6}}}
                assert (await socket.receive())["type"] == "complete"
        async with server.http() as http:
            events = {"Accept": "text/event-stream"}
            live = {"query": "subscription { newLeads { id } }"}
            told = (await http.post("/graphql", json=live, headers=events)).text
            assert "DOCUMENT_NOT_TRUSTED" in told


async def closes(server: Server, *messages: str | bytes) -> tuple[int, str]:
    """The code with which the server answers these messages."""
    async with connect(server.socket_address, subprotocols=[PROTOCOL]) as raw:
        for message in messages:
            await raw.send(message)
        return await Socket(raw).closed()


INIT = '{"type":"connection_init","payload":{"token":"%s"}}'


async def test_whoever_breaks_the_protocol_is_told_how(server: Server) -> None:
    good = INIT % server.token
    subscribe = '{"id":"1","type":"subscribe","payload":{"query":"subscription { newCalls { id } }"}}'
    assert await closes(server, INIT % "wrong") == (4403, "Forbidden")
    assert await closes(server, '{"type":"connection_init"}') == (4403, "Forbidden")
    assert await closes(server, subscribe) == (4401, "Unauthorized")
    assert await closes(server, good, good) == (4429, "Too many initialisation requests")
    assert await closes(server, good, subscribe, subscribe) == (4409, "Subscriber for 1 already exists")
    for rubbish in ("rubbish", "[]", "5", "null", '{"type":5}', '{"type":"strange"}', '{"type":"subscribe"}'):
        assert (await closes(server, good, rubbish))[0] == 4400, rubbish
    for payload in (
        "null",
        "[]",
        '{"query":5}',
        '{"query":"{a}","variables":[1]}',
        '{"query":"{a}","operationName":1}',
    ):
        message = f'{{"id":"1","type":"subscribe","payload":{payload}}}'
        assert (await closes(server, good, message))[0] == 4400, payload
    assert (await closes(server, good, b"\x00\x01"))[0] == 4400
    assert (await closes(server, good, "[" * 200_000))[0] == 4400
    assert (await closes(server, good, " " * 1_100_000))[0] == 1009


async def test_an_unknown_subprotocol_is_refused(server: Server) -> None:
    async with connect(server.socket_address) as raw:
        assert (await Socket(raw).closed())[0] == 4406


async def test_whoever_says_nothing_is_let_go_after_five_seconds(server: Server) -> None:
    began = asyncio.get_running_loop().time()
    assert await closes(server) == (4408, "Connection initialisation timeout")
    assert asyncio.get_running_loop().time() - began >= 4.5


async def test_the_key_may_stand_in_the_header(server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.token}"}
    async with connect(server.socket_address, subprotocols=[PROTOCOL], additional_headers=headers) as raw:
        socket = Socket(raw)
        await socket.send(type="connection_init")
        assert await socket.receive() == {"type": "connection_ack"}


async def test_pages_of_other_sites_are_refused(server: Server) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        async with connect(server.socket_address, subprotocols=[PROTOCOL], origin="https://evil.example"):  # type: ignore[arg-type]
            pass
    own: Any = server.address
    async with connect(server.socket_address, subprotocols=[PROTOCOL], origin=own) as raw:
        await Socket(raw).send(type="connection_init", payload={"token": server.token})
        assert await Socket(raw).receive() == {"type": "connection_ack"}


@pytest.mark.parametrize("how", ["here", "elsewhere", "expired"])
async def test_a_key_that_ends_ends_its_sockets_within_five_seconds(server: Server, how: str) -> None:
    token, market = await server.key(Role.MANAGER), server.market
    async with opened(server, token) as socket, opened(server) as other:
        await socket.subscribe(NEW_CALLS)
        await socket.ready()
        if how == "here":
            await server.ask("mutation ($id: String!) { revokeToken(id: $id) { revoked } }", id=public_id(token))
        elif how == "elsewhere":
            await revoke_token(market.database, market.workspace_id, public_id(token))
        else:
            async with market.database.workspace(market.workspace_id) as db:
                await db.execute(
                    update(t.ApiToken)
                    .where(t.ApiToken.id == public_id(token))
                    .values(expires_at=datetime.now(UTC) - timedelta(seconds=1))
                )
        async with asyncio.timeout(5):
            assert await socket.closed() == (4403, "The key was revoked or has expired")
        await other.ready()


async def test_a_consumer_that_doesnt_read_is_dropped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket is full, events keep coming: after so many the server gives up on it, and serves the others."""
    monkeypatch.setattr("api.live.mailbox.MOST_WAITING", 200)
    for number in range(1000, 1400):
        await fresh_call(server, number, comment="x" * 20_000)
    async with opened(server, max_queue=1, max_size=None) as slow, opened(server) as quick:
        await slow.subscribe("subscription { newCalls { id comment a: comment b: comment } }")
        id = await quick.subscribe("subscription { newCalls { id } }")
        await quick.ready()
        for turn in range(40):
            start = 1000 + turn % 4 * 100
            await server.tell(ChangeType.CALL, ChangeKind.CREATED, *range(start, start + 100))
            assert len((await quick.next(id))["newCalls"]) == 100
        code, reason = await slow.closed()
        assert (code, reason) == (1013, "Events came faster than they were read; subscribe again")
        await quick.ready()


async def test_a_key_has_so_many_sockets(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.live.sessions.CONNECTIONS_PER_TOKEN", 2)
    monkeypatch.setattr("api.live.sessions.SUBSCRIPTIONS_PER_TOKEN", 1)
    async with opened(server) as socket, opened(server) as second:
        assert (await closes(server, INIT % server.token))[0] == 4429
        await socket.subscribe(NEW_CALLS)
        await socket.ready()
        refused = await second.subscribe(NEW_CALLS)
        message = await second.receive()
        assert message["id"] == refused
        errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
        assert errors[0]["extensions"]["code"] == "TOO_MANY_REQUESTS"
    async with opened(server) as again:
        await again.ready()


async def test_the_server_ends_with_sockets_open(server: Server) -> None:
    """Shutting down doesn't wait for subscriptions."""
    async with opened(server) as socket:
        await socket.subscribe(NEW_CALLS)
        await socket.ready()
