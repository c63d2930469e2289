from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.tokens import create_token
from core.database import Database
from core.settings import Settings
from schema.enums import Role
from tests.api.market import Market, busy_market


@dataclass
class Api:
    """The application over ASGI, asked with the token of one role."""

    http: httpx.AsyncClient
    market: Market
    token: str

    async def post(self, body: Any, **headers: str) -> httpx.Response:
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self.http.post("/graphql", headers=headers, **content)  # type: ignore[arg-type]

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
        made = await create_token(self.market.database, self.market.workspace_id, role, "test")
        http = httpx.AsyncClient(
            transport=self.http._transport,
            base_url="http://skvoz",
            headers={"Authorization": f"Bearer {made.token}"},
        )
        return Api(http, self.market, made.token)


@pytest.fixture
async def market(database: Database) -> Market:
    return await busy_market(database)


@pytest.fixture
async def api(settings: Settings, market: Market) -> AsyncIterator[Api]:
    app = create_app(settings, market.database)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    made = await create_token(market.database, market.workspace_id, Role.OWNER, "test")
    headers = {"Authorization": f"Bearer {made.token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://skvoz", headers=headers) as http:
        yield Api(http, market, made.token)
