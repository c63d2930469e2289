from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from api.app import create_app
from api.serve import serve
from api.tokens import create_token
from core.database import Database, open_database
from core.secrets import load_keyring
from core.settings import Settings
from schema.enums import Role
from sync.jobs import Jobs
from sync.office import Office
from tests.api.market import Market, busy_market, uuid
from tests.api.nodejs import Node, installed_node
from tests.conftest import Postgres


@dataclass
class Api:
    """The application over ASGI, asked with the token of one role."""

    http: httpx.AsyncClient
    market: Market
    token: str

    async def post(self, body: Any, **headers: str) -> httpx.Response:
        content: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self.http.post("/graphql", headers=headers, **content)

    async def ask(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The whole answer."""
        response = await self.post({"query": query, "variables": variables})
        answer: dict[str, Any] = response.json()
        return answer

    async def data(self, query: str, variables: dict[str, Any] | None = None) -> Any:
        """The data; fails on any error."""
        answer = await self.ask(query, variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def code(self, query: str, variables: dict[str, Any] | None = None) -> str:
        """The code of the only error."""
        answer = await self.ask(query, variables)
        (error,) = answer["errors"]
        code: str = error["extensions"]["code"]
        return code

    async def as_role(self, role: Role) -> Api:
        token = await create_token(self.market.database, self.market.workspace_id, role, "test")
        http = httpx.AsyncClient(transport=self.http._transport, base_url="http://skvoz", headers=bearer(token))
        return Api(http, self.market, token)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="session")
async def market_template(postgres: Postgres, migrated_template: str) -> str:
    """The name of a database with the busy market in it and nobody connected."""
    name = postgres.create(template=migrated_template)
    async with open_database(postgres.settings_for(name)) as opened:
        await busy_market(opened)
    return name


@pytest.fixture
def settings(postgres: Postgres, market_template: str) -> Iterator[Settings]:
    """Settings that lead to a copy of the busy market of this test's own."""
    name = postgres.create(template=market_template)
    yield postgres.settings_for(name)
    postgres.drop(name)


@pytest.fixture
def market(database: Database) -> Market:
    return Market(database, uuid("workspace", 1), uuid("kconnection", 1))


@asynccontextmanager
async def application(settings: Settings, market: Market) -> AsyncIterator[Starlette]:
    office = Office(market.database, load_keyring(settings), settings)
    async with Jobs(office).opened() as jobs:
        yield create_app(office, jobs)


@asynccontextmanager
async def asking(app: Starlette, market: Market) -> AsyncIterator[Api]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    token = await create_token(market.database, market.workspace_id, Role.OWNER, "test")
    async with httpx.AsyncClient(transport=transport, base_url="http://skvoz", headers=bearer(token)) as http:
        yield Api(http, market, token)


@pytest.fixture
async def app(settings: Settings, market: Market) -> AsyncIterator[Starlette]:
    async with application(settings, market) as made:
        yield made


@pytest.fixture
async def api(app: Starlette, market: Market) -> AsyncIterator[Api]:
    """The application over a database of this test's own, asked by an owner."""
    async with asking(app, market) as made:
        yield made


@pytest.fixture(scope="session")
async def shared_api(postgres: Postgres, market_template: str) -> AsyncIterator[Api]:
    """The same over one database for the whole run, for tests that only read."""
    settings = postgres.settings_for(postgres.create(template=market_template))
    async with open_database(settings) as database:
        market = Market(database, uuid("workspace", 1), uuid("kconnection", 1))
        async with application(settings, market) as app, asking(app, market) as made:
            yield made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def serving(settings: Settings, market: Market) -> AsyncIterator[str]:
    """The server as it runs, over TCP; gives its address."""
    settings = settings.model_copy(update={"port": free_port()})
    office = Office(market.database, load_keyring(settings), settings)
    up = asyncio.Event()
    running = asyncio.create_task(serve(office, ready=up.set))
    started = asyncio.create_task(up.wait())
    await asyncio.wait([running, started], return_when=asyncio.FIRST_COMPLETED, timeout=60)
    if running.done():
        started.cancel()
        running.result()
    try:
        yield f"http://127.0.0.1:{settings.port}"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def node() -> Node:
    """Node with the packages of tests/api/node; skips where they aren't installed."""
    return installed_node()
