"""A loader beside the reports: ``python -m bench.reports.loader HOME SIZE`` settles late data until it is ended.

What it settles is taken back, so that the kept market stays as it is.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

from bench.reports.market import BEGIN, CONNECTION, WORKSPACE, Draw, Size
from core.database import Database, PsycopgConnection, driver, open_database
from core.settings import Settings
from reports.settle import mark, settle, settle_visits

_COMMON = "workspace_id, id, connection_id, external_id, stream, source_id, loaded_at, client_id, started_at"
_COLUMNS = {
    "visit": f"copy visit ({_COMMON}, visitor_ids, channel, campaign_id) from stdin",
    "call": f"copy call ({_COMMON}, direction, client_phone, answered, tags) from stdin",
}
"""What comes late."""


class Cpu:
    """CPU time of this process and of the server process that answers it, since the beginning."""

    def __init__(self, conn: PsycopgConnection) -> None:
        self._pid = conn.info.backend_pid
        self._here, self._there = time.process_time(), self._server()

    def _server(self) -> float:
        try:
            fields = Path(f"/proc/{self._pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:  # a server elsewhere, or no Linux
            return float("nan")
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def spent(self) -> tuple[float, float]:
        """Seconds here and there."""
        return time.process_time() - self._here, self._server() - self._there


async def settle_late(database: Database, draw: Draw, late: str | None, number: int) -> tuple[float, float, float]:
    """Settle so many clients, each with a late visit or call or nothing new, and take it back: seconds, and those
    of CPU here and in PostgreSQL."""
    clients = draw.clients(number)
    async with database.loading(WORKSPACE) as connection:
        conn = driver(connection)
        async with taken_back(conn):
            # What is kept may have been made by rules of another day, and would be written anew.
            await mark(conn, WORKSPACE, clients, "visit")
            await settle(conn, WORKSPACE, None, batch=number)
            if late is not None:
                await _add(conn, draw, late, clients)
            await mark(conn, WORKSPACE, clients, late or "visit")
            began, cpu = time.perf_counter(), Cpu(conn)
            await settle(conn, WORKSPACE, None, batch=number)
            return time.perf_counter() - began, *cpu.spent()


@asynccontextmanager
async def taken_back(conn: PsycopgConnection) -> AsyncIterator[None]:
    """What is done inside is undone."""
    await conn.execute("savepoint before")
    yield
    await conn.execute("rollback to savepoint before")


async def _add(conn: PsycopgConnection, draw: Draw, late: str, clients: list[UUID]) -> None:
    ids = [uuid4() for _ in clients]
    async with conn.cursor() as cursor, cursor.copy(_COLUMNS[late].encode()) as copy:
        for id, client in zip(ids, clients, strict=True):
            row = (WORKSPACE, id, CONNECTION, str(id), "late", str(id), BEGIN, client, draw.moment())
            if late == "visit":
                await copy.write_row((*row, [], "paid_search", draw.campaign()))
            else:
                await copy.write_row((*row, "inbound", f"+7{client.int}", True, []))
    if late == "visit":
        await settle_visits(conn, WORKSPACE, ids)


async def main(home: Path, size: Size) -> None:
    async with open_database(Settings(home=home, database_url=None)) as database:
        draw = Draw(size, seed=2)
        for late in itertools.cycle(("visit", "call")):
            await settle_late(database, draw, late, min(500, size.clients))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Size(*map(int, sys.argv[2].split("-")))))
