"""Reads the replayed journal as Skvoz does: ``python -m bench.sync.with_skvoz HOME ADDRESS SITE [--rows-only]``.

Prints one line of JSON: the seconds of each load, and the process's CPU seconds and greatest memory.
``--rows-only`` leaves out what makes records more than rows (identity, golden records, figures, the change feed,
rules), to compare the way of a page with COPY and with tools that only move rows.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
from psycopg import sql

import sync.load
import sync.run
import sync.writing
from bench.sync.journal import FIRST_DAY
from core.database import driver
from core.settings import Settings
from schema.enums import RunState, RunTrigger
from sync.budget import Budget
from sync.connections import create_connection
from sync.identity.absorb import Outcome
from sync.office import Office, create_workspace, open_office
from sync.run import run_connection
from sync.run_life import RunResult

PAGE = 1000


async def read(office: Office, workspace: UUID, connection: UUID) -> tuple[float, RunResult]:
    """Seconds of one whole run from the beginning of the journal, and what it counted."""
    async with office.database.loading(workspace) as db:
        await driver(db).execute("delete from stream_state")
    began = time.perf_counter()
    result = await run_connection(office, workspace, connection, trigger=RunTrigger.COMMAND)
    if result.state is not RunState.SUCCEEDED:
        raise SystemExit(f"The run ended as {result.state}: {result.error}")
    return time.perf_counter() - began, result


async def copied(office: Office, workspace: UUID) -> float:
    """Seconds for COPY of the rows that were loaded, from memory, into like tables, a commit a page."""
    seconds = 0.0
    async with office.database.owner_engine.connect() as connection:
        conn = driver(connection)
        await conn.set_autocommit(True)
        for table in ("call", "visit", "source_record"):
            name, like = sql.Identifier(table), sql.Identifier(f"floor_{table}")
            await conn.execute(sql.SQL("create table {} (like {} including all)").format(like, name))
            async with office.database.loading(workspace) as db:
                cursor = driver(db).cursor("rows")
                await cursor.execute(sql.SQL("select * from {}").format(name))
                while rows := await cursor.fetchmany(PAGE):
                    began = time.perf_counter()
                    async with conn.cursor() as to, to.copy(sql.SQL("copy {} from stdin").format(like)) as copy:
                        for row in rows:
                            await copy.write_row([_plain(value) for value in row])
                    seconds += time.perf_counter() - began
    return seconds


async def _switch(address: str, journal: str) -> None:
    async with httpx.AsyncClient() as client:
        (await client.post(f"{address}/_journal/{journal}")).raise_for_status()


def _plain(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, dict) else value


def leave_rows_alone() -> None:
    """Switch off, in this process, everything that is done with a page beside its rows and its cursor."""

    async def nobody(*_: Any, **__: Any) -> Outcome:
        return Outcome()

    async def nothing(*_: Any, **__: Any) -> None:
        return None

    idle: Callable[..., Awaitable[Any]] = nothing
    for name in ("refresh_golden", "mark", "settle_unowned", "intend"):
        setattr(sync.writing, name, idle)
    setattr(sync.writing, "absorb", nobody)  # noqa: B010 - as the others
    setattr(sync.writing, "candidate_of", lambda *_: None)  # noqa: B010
    setattr(sync.load, "append", idle)  # noqa: B010


async def measure(home: Path, address: str, site: str, rows_only: bool) -> dict[str, Any]:
    if rows_only:
        leave_rows_alone()
    Budget.pace = 0.0
    settings = Settings(home=home, allow_private_hosts=("127.0.0.1",), database_url=None)
    async with open_office(settings, make_key=True) as office:
        workspace = await create_workspace(office, uuid4().hex, "Bench")
        values = {"base_url": address, "site_id": site, "token": "bench", "since": str(FIRST_DAY)}
        connection, _ = await create_connection(office, workspace, "calltouch", None, values)
        first, counted = await read(office, workspace, connection)
        again, _ = await read(office, workspace, connection)
        await _switch(address, "changed")
        few, changed = await read(office, workspace, connection)
        await _switch(address, "first")
        used = resource.getrusage(resource.RUSAGE_SELF)
        floor = await copied(office, workspace) if rows_only else None
        return {
            "first": first,
            "again": again,
            "few": few,
            "created": counted.counts.created,
            "updated": changed.counts.updated,
            "floor": floor,
            "cpu": used.ru_utime + used.ru_stime,
            "memory": used.ru_maxrss / 1024,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("address")
    parser.add_argument("site")
    parser.add_argument("--rows-only", action="store_true")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    print(orjson.dumps(asyncio.run(measure(given.home, given.address, given.site, given.rows_only))).decode())


if __name__ == "__main__":
    main()
