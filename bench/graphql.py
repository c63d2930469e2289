# ruff: noqa: E501 - statements read better unbroken
"""What the API adds to its own SQL: each query over HTTP against the very same statement through the driver alone.

    python -m bench.graphql --clients 100000 --calls 1000000 --deals 200000

Seeds an embedded PostgreSQL, starts the API in a process of its own, and asks both ways in turn, at 1 and at 16
connections. Prints p50 and p99 in milliseconds and requests a second.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from api.graphql import run as runner
from api.graphql.schema import build_schema
from api.graphql.values import Viewer
from api.serve import serve
from api.tokens import create_token
from core.database import Database, PsycopgConnection, open_database
from core.secrets import create_master_key
from core.settings import Settings
from schema.enums import Role
from schema.migrate import migrate
from sync.jobs import Jobs
from sync.office import Office

WORKSPACE = UUID(int=1)
SEED = """
insert into workspace (id, slug, title) values (:ws, 'bench', 'Bench');
insert into campaign (workspace_id, id, platform, external_id, name, loaded_at)
    select :ws, ('0000c000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'yandex_direct', i, 'Campaign ' || i, now()
    from generate_series(1, 500) i;
insert into client (workspace_id, id, kind, name, phone, founded_at, last_seen_at)
    select :ws, ('0000a000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'person', 'Client ' || i,
    '+7916' || lpad(i::text, 7, '0'), '2026-01-01', timestamptz '2026-01-01' + i * interval '1 second'
    from generate_series(1, {clients}) i;
insert into call (workspace_id, id, connection_id, external_id, stream, source_id, client_id, started_at, direction,
    answered, talk_seconds, tags, campaign_id, loaded_at)
    select :ws, ('0000b000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, :ws, i, 'calls', i,
    ('0000a000-0000-4000-8000-' || lpad((i %% {clients} + 1)::text, 12, '0'))::uuid,
    timestamptz '2026-01-01' + i * interval '7 seconds', 'inbound', i %% 5 > 0, i %% 300, array['tag'],
    ('0000c000-0000-4000-8000-' || lpad((i %% 500 + 1)::text, 12, '0'))::uuid, now() from generate_series(1, {calls}) i;
insert into deal (workspace_id, id, connection_id, external_id, stream, source_id, client_id, title, status, amount,
    currency, created_at, tags, campaign_id, loaded_at)
    select :ws, ('0000d000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, :ws, i, 'deals', i,
    ('0000a000-0000-4000-8000-' || lpad((i %% {clients} + 1)::text, 12, '0'))::uuid, 'Deal ' || i, 'won', i %% 9000, 'RUB',
    timestamptz '2026-01-01' + i * interval '30 seconds', array[]::text[],
    ('0000c000-0000-4000-8000-' || lpad((i %% 500 + 1)::text, 12, '0'))::uuid, now() from generate_series(1, {deals}) i
"""
_CARD = """id name phone
    calls(first: {calls}) {{ nodes {{ id startedAt answered talkSeconds campaign {{ name }} }} }}
    deals(first: {deals}) {{ nodes {{ id title amount createdAt campaign {{ name }} }} }}"""
QUERIES = {
    "one client, calls, deals, campaigns": '{ client(id: "Client:0000a000-0000-4000-8000-000000000777") { '
    + _CARD.format(calls=10, deals=5)
    + " } }",
    "100 clients x 10 calls x 5 deals": "{ clients(first: 100) { nodes { "
    + _CARD.format(calls=10, deals=5)
    + " } } }",
    "1,000 calls with their client": "{ calls(first: 1000) { nodes { id startedAt answered client { name } } } }",
    "filtered page with totalCount": "{ calls(first: 20, filter: {answered: {eq: true}, talkSeconds: {gte: 200}, "
    'startedAt: {gte: "2026-02-01T00:00:00Z", lt: "2026-02-08T00:00:00Z"}}) { totalCount nodes { id startedAt } } }',
}


async def seed(database: Database, *, clients: int, calls: int, deals: int) -> None:
    """Load the rows as a superuser would: the roles of Skvoz are bound by row-level security."""
    tables = ("workspace", "campaign", "client", "call", "deal")
    async with database.owner_engine.begin() as connection:
        for table in tables:
            await connection.execute(text(f'alter table "{table}" no force row level security'))
        for statement in SEED.format(clients=clients, calls=calls, deals=deals).replace("%%", "%").split(";\n"):
            await connection.execute(
                text(statement.replace("::", "\\:\\:")), {"ws": WORKSPACE} if ":ws" in statement else {}
            )
        for table in tables[1:]:
            await connection.execute(text(f'alter table "{table}" force row level security'))
    async with database.owner_engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("vacuum analyze"))


async def statement_of(database: Database, query: str) -> tuple[bytes, dict[str, Any]]:
    """The statement that the planner makes of a query, with its parameters."""
    found: list[tuple[bytes, dict[str, Any]]] = []
    send = runner._run

    async def noted(
        connection: PsycopgConnection, workspace_id: str, sql: bytes, parameters: Mapping[str, Any]
    ) -> bytes | None:
        found.append((sql, dict(parameters)))
        return await send(connection, workspace_id, sql, parameters)

    runner._run = noted
    try:
        office: Any = type("Only", (), {"database": database})()
        context = runner.RequestContext(Viewer(WORKSPACE, Role.OWNER, "bench"), office, office, lambda _: None)
        await build_schema().execute(query, context_value=context)
    finally:
        runner._run = send
    return found[0]


class Wire:
    """One kept-alive HTTP connection that sends the same request again and again: a client library would cost
    more than what is measured."""

    def __init__(self, port: int, token: str, query: str) -> None:
        body = orjson.dumps({"query": query})
        head = (
            f"POST /graphql HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._port, self._request = port, head.encode() + body

    async def open(self) -> Callable[[], Awaitable[int]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**24)

        async def ask() -> int:
            writer.write(self._request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            answer = await reader.readexactly(length)
            if b" 200 " not in head[:20] or b'"errors"' in answer:
                raise RuntimeError(answer[:500].decode())
            return length

        return ask


async def measure(
    open_one: Callable[[], Awaitable[Callable[[], Awaitable[int]]]], connections: int, seconds: float
) -> list[float]:
    """How long each answer took, in milliseconds."""
    times: list[float] = []
    until = time.perf_counter() + seconds

    async def one() -> None:
        ask = await open_one()
        while time.perf_counter() < until:
            began = time.perf_counter()
            await ask()
            times.append((time.perf_counter() - began) * 1000)

    await asyncio.gather(*(one() for _ in range(connections)))
    return times


def shown(times: list[float], seconds: float) -> str:
    times = sorted(times)
    return f"{statistics.median(times):8.2f} {times[int(len(times) * 0.99)]:8.2f} {len(times) / seconds:8.0f}"


def serve_in_process(home: str, port: int, ready: Any) -> None:
    async def main() -> None:
        settings = Settings(home=Path(home), database_url=None, port=port)
        async with open_database(settings) as database:
            office = Office(database, create_master_key(settings), settings)
            async with Jobs(office).opened() as jobs:
                await serve(office, jobs=jobs, ready=ready.set)

    import uvloop

    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main())


async def compare(settings: Settings, token: str, seconds: float, rounds: int) -> None:
    async with open_database(settings) as database:
        print(f"{'':38}{'':14}{'p50':>8} {'p99':>8} {'req/s':>8}")
        for name, query in QUERIES.items():
            sql, parameters = await statement_of(database, query)
            wire = Wire(settings.port, token, query)

            async def floor(sql: bytes = sql, parameters: dict[str, Any] = parameters) -> int:
                async with database.app_pool.connection() as connection:
                    return len(await runner._run(connection, str(WORKSPACE), sql, parameters) or b"")

            async def alone_one(floor: Callable[[], Awaitable[int]] = floor) -> Callable[[], Awaitable[int]]:
                return floor

            for connections in (1, 16):
                over_http: list[float] = []
                alone: list[float] = []
                for _ in range(rounds):
                    over_http += await measure(wire.open, connections, seconds)
                    alone += await measure(alone_one, connections, seconds)
                title = f"{name} @{connections}"
                print(f"{title:<44}{'API':<8}{shown(over_http, seconds * rounds)}")
                print(f"{'':<44}{'driver':<8}{shown(alone, seconds * rounds)}", flush=True)


async def prepare(settings: Settings, sizes: dict[str, int]) -> str:
    async with open_database(settings) as database:
        await migrate(database)
        began = time.perf_counter()
        await seed(database, **sizes)
        print(f"seeded in {time.perf_counter() - began:.0f} s")
        return await create_token(database, WORKSPACE, Role.OWNER, "bench")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--deals", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=8971)
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="skvoz-"))
    settings = Settings(home=home, database_url=None, port=given.port)
    create_master_key(settings)
    spawning = multiprocessing.get_context("spawn")
    ready = spawning.Event()
    server = spawning.Process(target=serve_in_process, args=(str(home), given.port, ready))
    try:
        sizes = {"clients": given.clients, "calls": given.calls, "deals": given.deals}
        token = asyncio.run(prepare(settings, sizes))
        server.start()
        ready.wait(30)
        asyncio.run(compare(settings, token, given.seconds, given.rounds))
    finally:
        server.terminate()
        server.join()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
