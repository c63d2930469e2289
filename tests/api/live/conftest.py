"""A real server on a port, and a client of its sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from api.tokens import create_token
from core.database import driver
from core.settings import Settings
from schema.enums import ChangeKind, ChangeType, Role
from sync.feed import Changes, append
from tests.api.conftest import bearer
from tests.api.market import Market, uuid
from tests.api.test_serve import serving

PROTOCOL = Subprotocol("graphql-transport-ws")


@dataclass
class Server:
    """The API over TCP, and what happens in its workspace."""

    address: str
    settings: Settings
    market: Market
    token: str

    @property
    def socket_address(self) -> str:
        return self.address.replace("http", "ws", 1) + "/graphql"

    @asynccontextmanager
    async def http(self, token: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(base_url=self.address, headers=bearer(token or self.token)) as http:
            yield http

    async def ask(self, query: str, **variables: Any) -> Any:
        async with self.http() as http:
            answer = (await http.post("/graphql", json={"query": query, "variables": variables})).json()
            assert "errors" not in answer, answer
            return answer["data"]

    async def key(self, role: Role) -> str:
        return await create_token(self.market.database, self.market.workspace_id, role, "test")

    async def tell(self, what: ChangeType, kind: ChangeKind, *numbers: int) -> None:
        """What a load does at the end of a page."""
        changes = Changes()
        changes.add(what, kind, [uuid(what.value, number) for number in numbers])
        async with self.market.database.loading(self.market.workspace_id) as db:
            await append(driver(db), self.market.workspace_id, changes)


@dataclass
class Socket:
    """A socket that speaks the protocol."""

    raw: ClientConnection
    _numbers: int = field(default=0)

    async def send(self, **message: Any) -> None:
        await self.raw.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            text = await self.raw.recv()
        assert isinstance(text, str), "the protocol asks for text frames"
        found: dict[str, Any] = json.loads(text)
        return found

    async def subscribe(self, query: str, **variables: Any) -> str:
        self._numbers += 1
        id = str(self._numbers)
        await self.send(id=id, type="subscribe", payload={"query": query, "variables": variables})
        return id

    async def next(self, id: str) -> Any:
        """The data of the next event."""
        message = await self.receive()
        assert (message["type"], message["id"]) == ("next", id), message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def ready(self) -> None:
        """Subscriptions asked for before have had the time to begin: a query asked after them was answered."""
        id = await self.subscribe("{ __typename }")
        assert (await self.receive())["payload"] == {"data": {"__typename": "Query"}}
        assert (await self.receive()) == {"id": id, "type": "complete"}
        await asyncio.sleep(0.3)

    async def closed(self) -> tuple[int, str]:
        """The code and the reason with which the server closes."""
        async with asyncio.timeout(15):
            with suppress(ConnectionClosed):
                async for _ in self.raw:
                    pass
        await self.raw.wait_closed()
        return self.raw.close_code or 0, self.raw.close_reason or ""


@asynccontextmanager
async def opened(server: Server, token: str | None = None, **options: Any) -> AsyncIterator[Socket]:
    """A socket that is let in."""
    async with connect(server.socket_address, subprotocols=[PROTOCOL], **options) as raw:
        socket = Socket(raw)
        await socket.send(type="connection_init", payload={"Authorization": f"Bearer {token or server.token}"})
        assert await socket.receive() == {"type": "connection_ack"}
        yield socket


@pytest.fixture
async def server(settings: Settings, market: Market) -> AsyncIterator[Server]:
    token = await create_token(market.database, market.workspace_id, Role.OWNER, "test")
    async with serving(settings, market) as address:
        yield Server(address, settings, market, token)
