from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from api.app import create_app
from api.tokens import create_token
from core.database import Database
from core.secrets import load_keyring
from core.settings import Settings
from schema.enums import Role
from sync.jobs import Jobs
from sync.office import Office
from tests.api.market import Market, busy_market


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


@pytest.fixture
async def market(database: Database) -> Market:
    return await busy_market(database)


@pytest.fixture
async def app(settings: Settings, market: Market) -> AsyncIterator[Starlette]:
    office = Office(market.database, load_keyring(settings), settings)
    async with Jobs(office).opened() as jobs:
        yield create_app(office, jobs)


@pytest.fixture
async def api(app: Starlette, market: Market) -> AsyncIterator[Api]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    token = await create_token(market.database, market.workspace_id, Role.OWNER, "test")
    async with httpx.AsyncClient(transport=transport, base_url="http://skvoz", headers=bearer(token)) as http:
        yield Api(http, market, token)
