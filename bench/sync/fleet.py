"""Many connections: what a run costs that finds nothing new, and how throughput grows with workers.

``python -m bench.sync.fleet idle HOME SITE ADDRESS COUNT`` syncs so many connections twice and tells the CPU of the
second time; ``… scale HOME SITE ADDRESS ADDRESS`` syncs four connections at two addresses, each an account with a
limit of its own, by 1, 2 and 4 workers; ``… work HOME`` is one of those workers. The last line is one of JSON.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson

from bench.sync.journal import DAYS, FIRST_DAY
from core.database import driver
from core.settings import Settings
from schema.enums import RunState, RunTrigger
from sync.budget import Budget
from sync.connections import create_connection
from sync.jobs import Jobs
from sync.office import Office, create_workspace, open_office
from sync.run import run_connection

WORKERS = (1, 2, 4)
CONNECTIONS = 4
IDLE_DAYS, SCALE_DAYS = 5, 60
"""How far back connections read: what is idle needs little history, and workers some thirty requests each."""


def server_cpu(home: Path) -> float:
    """CPU seconds that the embedded server's processes have used so far; of Linux alone, elsewhere nothing."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended, or it is another user's
            told = stat.read_text().rsplit(")", 1)
            if told[0].endswith("(postgres") and (stat.parent / "cwd").resolve().is_relative_to(home.resolve()):
                user, system = told[1].split()[11:13]
                ticks += int(user) + int(system)
    return ticks / os.sysconf("SC_CLK_TCK")


async def idle(home: Path, site: str, address: str, count: int) -> dict[str, Any]:
    """CPU seconds of running so many connections once more, one after another, with nothing new at the vendor."""
    Budget.pace = 0.0
    async with _office(home) as office:
        workspace = await create_workspace(office, uuid4().hex, "Bench")
        connections = [await _connect(office, workspace, address, site, IDLE_DAYS) for _ in range(count)]
        for connection in connections:
            await _run(office, workspace, connection)
        began, ours, servers = time.perf_counter(), time.process_time(), server_cpu(home)
        for connection in connections:
            await _run(office, workspace, connection)
        ours = time.process_time() - ours
        servers = server_cpu(home) - servers
        return {"count": count, "cpu": ours, "server": servers, "seconds": time.perf_counter() - began}


async def _run(office: Office, workspace: UUID, connection: UUID) -> None:
    result = await run_connection(office, workspace, connection, trigger=RunTrigger.SCHEDULE)
    if result.state is not RunState.SUCCEEDED:
        raise SystemExit(f"The run ended as {result.state}: {result.error}")


async def scale(home: Path, site: str, addresses: list[str]) -> dict[str, Any]:
    """Requests a second that 1, 2 and 4 workers get done for the same connections, each anew."""
    told: dict[str, float] = {}
    async with _office(home) as office, Jobs(office).opened() as jobs:
        for workers in WORKERS:
            workspace = await create_workspace(office, uuid4().hex, "Bench")
            connections = [
                await _connect(office, workspace, addresses[number % len(addresses)], site, SCALE_DAYS)
                for number in range(CONNECTIONS)
            ]
            async with AsyncExitStack() as stack:
                for _ in range(workers):
                    await stack.enter_async_context(_worker(home))
                for connection in connections:
                    await jobs.request_sync(workspace, connection, RunTrigger.COMMAND)
                told[str(workers)] = await _pace(office, workspace)
    return told


async def _pace(office: Office, workspace: UUID) -> float:
    """Requests a second of all runs together, once they are done."""
    while True:
        await asyncio.sleep(0.25)
        async with office.database.workspace(workspace) as db:
            found = await driver(db).execute(
                "select count(*) filter (where finished_at is null), sum(requests)::float8,"
                " extract(epoch from max(finished_at) - min(started_at))::float8,"
                " count(*) filter (where state = 'failed') from sync_run where workspace_id = %s",
                (workspace,),
            )
            row = await found.fetchone()
        if row is None or row[3]:
            raise SystemExit("A run failed.")
        if row[0] == 0:
            return float(row[1] / row[2])


@asynccontextmanager
async def _worker(home: Path) -> AsyncIterator[None]:
    """A worker in a process of its own, at work when the block begins."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.sync.fleet", "work", str(home)), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        if not await process.stdout.readline():
            raise SystemExit("A worker didn't start.")
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def work(home: Path) -> None:
    """Work on one sync at a time, until terminated."""
    async with _office(home) as office, Jobs(office).opened() as jobs:
        print("at work", flush=True)
        await jobs.work(concurrency=1)


@asynccontextmanager
async def _office(home: Path) -> AsyncIterator[Office]:
    settings = Settings(home=home, allow_private_hosts=("127.0.0.1",), database_url=None)
    async with open_office(settings, make_key=True) as office:
        yield office


async def _connect(office: Office, workspace: UUID, address: str, site: str, days: int) -> UUID:
    since = FIRST_DAY + timedelta(days=DAYS - days)
    values = {"base_url": address, "site_id": site, "token": uuid4().hex, "since": str(since)}
    connection, _ = await create_connection(office, workspace, "calltouch", None, values)
    return connection


def main(what: str, home: str, *more: str) -> None:
    logging.disable(logging.CRITICAL)
    if what == "work":
        asyncio.run(work(Path(home)))
        return
    site, *addresses = more
    if what == "idle":
        told = asyncio.run(idle(Path(home), site, addresses[0], int(addresses[1])))
    else:
        told = asyncio.run(scale(Path(home), site, addresses))
    print(orjson.dumps(told).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
