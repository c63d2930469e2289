"""The API as one writes it with plain Strawberry: typed resolvers, dataloaders, SQLAlchemy's async engine.

Written well: one statement for each level, the rows of all parents found by lateral joins, no ORM objects, one
transaction a request, bound to its workspace by row-level security as every other contender is.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import strawberry
import uvicorn
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.types import Info

CALL = "id, client_id, campaign_id, started_at, answered, talk_seconds"
DEAL = "id, campaign_id, title, amount, created_at"


class Shared:
    """What one request shares: its transaction, and its loaders."""

    def __init__(self, connection: AsyncConnection, workspace: str) -> None:
        self._connection, self._workspace = connection, workspace
        self._one_at_a_time = asyncio.Lock()
        self._calls: dict[int, DataLoader[UUID, list[Call]]] = {}
        self._deals: dict[int, DataLoader[UUID, list[Deal]]] = {}
        self.campaigns = DataLoader(load_fn=self._load_campaigns)
        self.clients = DataLoader(load_fn=self._load_clients)

    async def rows(self, statement: str, **parameters: Any) -> Sequence[Any]:
        async with self._one_at_a_time:
            found = await self._connection.execute(text(statement), {"ws": self._workspace, **parameters})
            return found.all()

    def calls_of(self, first: int) -> DataLoader[UUID, list[Call]]:
        return self._calls.setdefault(first, DataLoader(load_fn=partial(self._load_calls, first)))

    def deals_of(self, first: int) -> DataLoader[UUID, list[Deal]]:
        return self._deals.setdefault(first, DataLoader(load_fn=partial(self._load_deals, first)))

    async def _load_calls(self, first: int, clients: list[UUID]) -> list[list[Call]]:
        return await self._of_parents("call", CALL, "started_at", first, clients, Call.of)

    async def _load_deals(self, first: int, clients: list[UUID]) -> list[list[Deal]]:
        return await self._of_parents("deal", DEAL, "created_at", first, clients, Deal.of)

    async def _of_parents(
        self, table: str, columns: str, order: str, first: int, parents: list[UUID], made: Callable[[Any], Any]
    ) -> list[list[Any]]:
        rows = await self.rows(
            f"select parent, child.* from unnest(cast(:parents as uuid[])) parent cross join lateral ("
            f"select {columns} from {table} where workspace_id = :ws and client_id = parent and deleted_at is null "
            f"order by {order} desc, id desc limit :first) child",
            parents=parents,
            first=first,
        )
        found: dict[UUID, list[Any]] = {parent: [] for parent in parents}
        for row in rows:
            found[row[0]].append(made(row))
        return [found[parent] for parent in parents]

    async def _load_campaigns(self, ids: list[UUID]) -> list[Campaign | None]:
        rows = await self.rows("select id, name from campaign where workspace_id = :ws and id = any(:ids)", ids=ids)
        found = {row.id: Campaign(name=row.name) for row in rows}
        return [found.get(each) for each in ids]

    async def _load_clients(self, ids: list[UUID]) -> list[Client | None]:
        rows = await self.rows(
            "select id, name, phone from client where workspace_id = :ws and id = any(:ids)", ids=ids
        )
        found = {row.id: Client.of(row) for row in rows}
        return [found.get(each) for each in ids]


@strawberry.type
class Campaign:
    name: str


@strawberry.type
class Call:
    id: UUID
    client_id: strawberry.Private[UUID | None]
    campaign_id: strawberry.Private[UUID | None]
    started_at: datetime
    answered: bool
    talk_seconds: int | None

    @classmethod
    def of(cls, row: Any) -> Call:
        return cls(
            id=row.id,
            client_id=row.client_id,
            campaign_id=row.campaign_id,
            started_at=row.started_at,
            answered=row.answered,
            talk_seconds=row.talk_seconds,
        )

    @strawberry.field
    async def campaign(self, info: Info[Shared, None]) -> Campaign | None:
        return None if self.campaign_id is None else await info.context.campaigns.load(self.campaign_id)

    @strawberry.field
    async def client(self, info: Info[Shared, None]) -> Client | None:
        return None if self.client_id is None else await info.context.clients.load(self.client_id)


@strawberry.type
class Deal:
    id: UUID
    campaign_id: strawberry.Private[UUID | None]
    title: str | None
    amount: Decimal | None
    created_at: datetime

    @classmethod
    def of(cls, row: Any) -> Deal:
        return cls(
            id=row.id,
            campaign_id=row.campaign_id,
            title=row.title,
            amount=row.amount,
            created_at=row.created_at,
        )

    @strawberry.field
    async def campaign(self, info: Info[Shared, None]) -> Campaign | None:
        return None if self.campaign_id is None else await info.context.campaigns.load(self.campaign_id)


@strawberry.type
class Client:
    id: UUID
    name: str | None
    phone: str | None

    @classmethod
    def of(cls, row: Any) -> Client:
        return cls(id=row.id, name=row.name, phone=row.phone)

    @strawberry.field
    async def calls(self, info: Info[Shared, None], first: int = 20) -> list[Call]:
        return await info.context.calls_of(first).load(self.id)

    @strawberry.field
    async def deals(self, info: Info[Shared, None], first: int = 20) -> list[Deal]:
        return await info.context.deals_of(first).load(self.id)


@strawberry.type
class CallPage:
    total_count: int
    nodes: list[Call]


@strawberry.type
class Figures:
    name: str
    cost: Decimal
    impressions: int
    clicks: int
    visits: int
    calls: int
    leads: int
    new_clients: int
    won_deals: int
    revenue: Decimal


@strawberry.type
class Query:
    @strawberry.field
    async def client(self, info: Info[Shared, None], id: UUID) -> Client | None:
        return await info.context.clients.load(id)

    @strawberry.field
    async def clients(self, info: Info[Shared, None], first: int) -> list[Client]:
        rows = await info.context.rows(
            "select id, name, phone from client where workspace_id = :ws and merged_into is null "
            "order by last_seen_at desc, id desc limit :first",
            first=first,
        )
        return [Client.of(row) for row in rows]

    @strawberry.field
    async def calls(self, info: Info[Shared, None], first: int) -> list[Call]:
        rows = await info.context.rows(
            f"select {CALL} from call where workspace_id = :ws and deleted_at is null "
            "order by started_at desc, id desc limit :first",
            first=first,
        )
        return [Call.of(row) for row in rows]

    @strawberry.field
    async def answered_calls(
        self, info: Info[Shared, None], first: int, talked_for: int, since: datetime, until: datetime
    ) -> CallPage:
        where = (
            "from call where workspace_id = :ws and deleted_at is null and answered and talk_seconds >= :talked "
            "and started_at >= :since and started_at < :until"
        )
        values = {"talked": talked_for, "since": since, "until": until}
        rows = await info.context.rows(
            f"select {CALL} {where} order by started_at desc, id desc limit :first", first=first, **values
        )
        ((total,),) = await info.context.rows(f"select count(*) {where}", **values)
        return CallPage(total_count=total, nodes=[Call.of(row) for row in rows])

    @strawberry.field
    async def campaign_report(self, info: Info[Shared, None], first: date, last: date) -> list[Figures]:
        rows = await info.context.rows("select * from campaign_figures(:first, :last)", first=first, last=last)
        return [
            Figures(**{**row._mapping, "impressions": int(row.impressions), "clicks": int(row.clicks)})
            for row in rows
        ]


class View(GraphQL[Shared, None]):
    """Opens the transaction of each request."""

    def __init__(self, conninfo: str, workspace: str) -> None:
        super().__init__(strawberry.Schema(Query), graphql_ide=None)
        connect = partial(psycopg.AsyncConnection.connect, conninfo)
        self._engine = create_async_engine(
            "postgresql+psycopg://", async_creator=connect, pool_size=8, max_overflow=0
        )
        self._workspace = workspace

    async def run(self, request: Any, context: Any = None, root_value: Any = None) -> Any:
        async with self._bound() as connection:
            request.state.shared = Shared(connection, self._workspace)
            return await super().run(request)

    async def get_context(self, request: Any, response: Any) -> Shared:
        shared: Shared = request.state.shared
        return shared

    @asynccontextmanager
    async def _bound(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.begin() as connection:
            await connection.execute(
                text("select set_config('skvoz.workspace_id', :ws, true), set_config('jit', 'off', true)"),
                {"ws": self._workspace},
            )
            yield connection


def main() -> None:
    """Serve on PORT."""
    app = Starlette(routes=[Route("/graphql", View(os.environ["CONNINFO"], os.environ["WORKSPACE"]))])
    uvicorn.run(app, port=int(os.environ["PORT"]), access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
