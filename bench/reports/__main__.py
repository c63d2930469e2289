"""What keeping figures and reading reports costs, on a seeded market in an embedded PostgreSQL.

    make bench-reports BENCH_ARGS="--clients 50000 --days 365"
    python -m bench.reports --clients 50000 --days 365          without DuckDB, if PEERS doesn't name its Python

Prints milliseconds of settling per 1,000 changed clients (with nothing new, with late data) and what of it is CPU
here and in PostgreSQL; the p50 and p95 of the campaign report over random ranges; the seconds of all models, Markov
and Shapley included, over the whole range out of stored paths, and beside them the same models as SQL in PostgreSQL
and in DuckDB; and checks that the figures equal the full recomputation.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.reports.models_in_sql import MODELS, SIX_MODELS, TOUCHES
from core.database import Database, PsycopgConnection, driver, open_database
from core.settings import Settings
from reports.by_model import models_report
from reports.campaigns import Grain, campaign_report
from reports.changes import what_changed
from reports.details import detailed_report
from reports.rebuild import difference_from_rebuild, rebuild
from reports.receipt import Whose, receipt_statement
from reports.settle import mark, settle, settle_spend, settle_visits
from schema.migrate import migrate

WORKSPACE = UUID(int=1)
CONNECTION = UUID(int=2)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NO_TOUCH = {"no_touches", "no_client", "window_passed"}
CHANNELS = ("paid_search", "paid_social", "organic", "direct")
COLUMNS = {
    "visit": ("client_id", "started_at", "visitor_ids", "channel", "campaign_id"),
    "call": (
        "client_id", "started_at", "direction", "client_phone", "answered", "tags", "channel", "campaign_id"
    ),
    "deal": ("client_id", "title", "status", "amount", "currency", "created_at", "closed_at", "tags"),
}  # fmt: skip
COMMON = ("workspace_id", "id", "connection_id", "external_id", "stream", "source_id", "loaded_at")


class Market:
    """Clients with a heavy tail of visits; half of them call, a fifth buy."""

    def __init__(self, clients: int, days: int, campaigns: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._span = days * 86_400
        self.campaigns = [UUID(int=10_000 + number) for number in range(campaigns)]
        self.clients = [UUID(int=1_000_000 + number) for number in range(clients)]
        self._ids = iter(range(10**9, 10**12))

    def moment(self) -> datetime:
        return BEGIN + timedelta(seconds=self._random.randrange(self._span))

    def origin(self) -> tuple[str, UUID | None]:
        channel = self._random.choice(CHANNELS)
        return channel, self._random.choice(self.campaigns) if channel.startswith("paid") else None

    def common(self) -> tuple[Any, ...]:
        number = next(self._ids)
        return WORKSPACE, UUID(int=number), CONNECTION, str(number), "bench", str(number), BEGIN

    def rows(self, table: str) -> Iterator[tuple[Any, ...]]:
        for client in self.clients:
            yield from (self.common() + values for values in self._of_client(table, client))

    def _of_client(self, table: str, client: UUID) -> Iterator[tuple[Any, ...]]:
        if table == "visit":
            for _ in range(min(300, int(self._random.paretovariate(1.1) * 2))):
                yield client, self.moment(), [], *self.origin()
        elif table == "call":
            for _ in range(self._random.choice((0, 1, 1, 2, 4))):
                yield client, self.moment(), "inbound", f"+7{client.int}", True, [], None, None
        elif self._random.random() < 0.2:
            at = self.moment()
            amount = Decimal(self._random.randrange(10**7)) / 100
            yield client, "Deal", "won", amount, "RUB", at - timedelta(days=9), at, []

    def some(self, number: int) -> list[UUID]:
        return self._random.sample(self.clients, number)

    def dates(self) -> tuple[date, date]:
        first, last = sorted((self.moment(), self.moment()))
        return first.date(), last.date()


async def fill(conn: PsycopgConnection, market: Market, days: int) -> None:
    for table, columns in COLUMNS.items():
        await copy_rows(conn, table, columns, market.rows(table))
    async with conn.cursor() as cursor:
        async with cursor.copy(
            "copy campaign (workspace_id, id, platform, external_id, name, loaded_at) from stdin"
        ) as copy:
            for number, campaign in enumerate(market.campaigns):
                await copy.write_row(
                    (WORKSPACE, campaign, "yandex_direct", str(number), f"Campaign {number}", BEGIN)
                )
        async with cursor.copy(
            "copy ad_spend (workspace_id, connection_id, campaign_id, day, revision, stream, source_id, cost,"
            " currency, vat_included, impressions, clicks, known_from) from stdin"
        ) as copy:
            for campaign in market.campaigns:
                for number in range(days):
                    on = BEGIN.date() + timedelta(days=number)
                    key = (WORKSPACE, CONNECTION, campaign, on, 1, "report", str(on))
                    await copy.write_row((*key, Decimal("123.45"), "RUB", True, 1000, 10, BEGIN))


async def copy_rows(
    conn: PsycopgConnection, table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]
) -> None:
    statement = f"copy {table} ({', '.join(COMMON + columns)}) from stdin"
    async with conn.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for row in rows:
            await copy.write_row(row)


class Cpu:
    """CPU time of this process and of a server process, since the beginning."""

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


async def settle_batches(database: Database, market: Market, change: str, batches: int) -> list[float]:
    """Milliseconds for each batch of 1,000 clients, of whom each had this change; prints the CPU of it."""
    took, here, there = [], 0.0, 0.0
    for _ in range(batches):
        clients = market.some(1000)
        async with database.loading(WORKSPACE) as connection:
            conn = driver(connection)
            if change != "nothing":
                await add(conn, market, change, clients)
            await mark(conn, WORKSPACE, clients, change)
            cpu, begin = Cpu(conn), time.perf_counter()
            await settle(conn, WORKSPACE, None, batch=1000)
            took.append((time.perf_counter() - begin) * 1000)
            spent = cpu.spent()
            here, there = here + spent[0], there + spent[1]
    print(f"CPU of a changed client: {here / batches:.3f} ms here, {there / batches:.3f} ms in PostgreSQL")
    return took


async def add(conn: PsycopgConnection, market: Market, table: str, clients: list[UUID]) -> None:
    rows = []
    for client in clients:
        what: tuple[Any, ...] = (
            (market.moment(), [], *market.origin())
            if table == "visit"
            else (market.moment(), "inbound", f"+7{client.int}", True, [], None, None)
        )
        rows.append((*market.common(), client, *what))
    await copy_rows(conn, table, COLUMNS[table], rows)
    if table == "visit":
        await settle_visits(conn, WORKSPACE, [row[1] for row in rows])


async def time_reports(conn: PsycopgConnection, market: Market, grain: Grain, number: int) -> list[float]:
    took = []
    for _ in range(number):
        start, end = market.dates()
        begin = time.perf_counter()
        await campaign_report(conn, WORKSPACE, start, end, by=grain)
        took.append((time.perf_counter() - begin) * 1000)
    return took


async def time_receipts(conn: PsycopgConnection, market: Market, number: int) -> list[float]:
    took = []
    for campaign in random.Random(1).choices(market.campaigns, k=number):
        on = market.moment().date()
        statement = receipt_statement(WORKSPACE, "calls", Whose(campaign), on, on)
        begin = time.perf_counter()
        await (await conn.execute(statement.sql.encode(), statement.params)).fetchall()
        took.append((time.perf_counter() - begin) * 1000)
    return took


async def time_models(conn: PsycopgConnection, days: int) -> None:
    """The whole range by all models, by those that need one path only, by cohort, and beside them what changed."""
    whole = (BEGIN.date(), BEGIN.date() + timedelta(days=days))
    for what, models, dated in (
        ("six models", MODELS, "event"),
        ("all models, Markov and Shapley included", ["all"], "event"),
        ("linear by cohorts", ["linear"], "first_touch"),
    ):
        begin, cpu = time.perf_counter(), Cpu(conn)
        await models_report(conn, WORKSPACE, *whole, models, dated_by=dated)
        took, (here, there) = time.perf_counter() - begin, cpu.spent()
        print(f"{what:<58} {took:8.2f} s, CPU {here:.2f} s here, {there:.2f} s in PostgreSQL")
    begin = time.perf_counter()
    changed = await what_changed(conn, WORKSPACE, *whole, BEGIN, datetime(2100, 1, 1, tzinfo=UTC))
    print(f"{'what changed since the beginning, by cause':<58} {time.perf_counter() - begin:8.2f} s", end="")
    print(f" ({len(changed.cells):,} cells)")
    begin = time.perf_counter()
    await detailed_report(conn, WORKSPACE, *whole)
    print(f"{'details of calls and deals over the whole range':<58} {time.perf_counter() - begin:8.2f} s")
    print(f"largest memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


async def beside_sql(conn: PsycopgConnection, days: int, folder: Path) -> None:
    """Six models over the whole range: ours, the same as SQL in PostgreSQL, and in DuckDB with the touches already
    in its memory, if PEERS names a Python that has it. All must come to the same sums."""
    whole = (BEGIN.date(), BEGIN.date() + timedelta(days=days))
    ours = await models_report(conn, WORKSPACE, *whole, MODELS)
    counted = ("calls", "leads", "new_clients", "won_deals")
    touched = [[row for row in ours[key].rows if row.reason not in NO_TOUCH] for key in MODELS]
    sums = [float(sum(row.sums[name] for row in rows for name in counted)) for rows in touched]
    sums += [float(sum(row.sums["revenue"] for row in rows)) for rows in touched]
    await conn.execute(f"create temporary table touch as {TOUCHES.format(workspace=WORKSPACE)}".encode())
    await conn.execute("analyze touch")
    begin = time.perf_counter()
    rows = await (await conn.execute(SIX_MODELS)).fetchall()
    print(f"{'six models as SQL in PostgreSQL, touches laid out before':<58} {time.perf_counter() - begin:8.2f} s")
    found = {"PostgreSQL": [float(sum(row[column] for row in rows)) for column in range(2, 14)]}
    if peers := os.environ.get("PEERS"):
        with (folder / "touches.csv").open("wb") as file:
            async with conn.cursor() as cursor, cursor.copy("copy touch to stdout (format csv, header)") as copy:
                async for part in copy:
                    file.write(part)
        told = await _duckdb(peers, folder)
        found["DuckDB"] = told["sums"]
        print(
            f"{'the same in DuckDB, out of its memory':<58} {told['seconds']:8.2f} s, CPU {told['cpu']:.2f} s,"
            f" {told['memory']:.0f} MB"
        )
    else:
        print("DuckDB isn't measured: PEERS names no Python that has it (make bench-reports sets it).")
    for name, theirs in found.items():
        if any(abs(a - b) > 1e-6 * max(abs(a), 1) for a, b in zip(sums, theirs, strict=True)):
            sys.exit(f"{name} comes to other sums: {theirs} beside {sums}.")


async def _duckdb(peers: str, folder: Path) -> dict[str, Any]:
    script = str(Path(__file__).parent / "models_in_sql.py")
    process = await asyncio.create_subprocess_exec(peers, script, str(folder), stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        sys.exit("DuckDB failed; its words stand above.")
    told: dict[str, Any] = json.loads(out)
    return told


def tell(what: str, took: list[float]) -> None:
    ordered = sorted(took)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    print(f"{what:<58} p50 {statistics.median(took):8.1f} ms   p95 {p95:8.1f} ms")


async def analyse(database: Database) -> None:
    """What autovacuum does by itself a little later."""
    async with database.owner_engine.connect() as connection:
        raw = driver(connection)
        await raw.set_autocommit(True)
        await raw.execute("analyze")


async def bench(arguments: argparse.Namespace, database: Database, folder: Path) -> None:
    market = Market(arguments.clients, arguments.days, arguments.campaigns, arguments.seed)
    async with database.owner_engine.begin() as connection:
        await driver(connection).execute(
            "insert into workspace (id, slug, title) values (%s, 'bench', 'Bench')", (WORKSPACE,)
        )
    async with database.loading(WORKSPACE) as connection:
        await fill(driver(connection), market, arguments.days)
    await analyse(database)
    async with database.loading(WORKSPACE) as connection:
        conn = driver(connection)
        begin, cpu = time.perf_counter(), Cpu(conn)
        paths = await rebuild(conn, WORKSPACE)
        took, (here, there) = time.perf_counter() - begin, cpu.spent()
        counts = await (await conn.execute("select count(*) from visit")).fetchone()
        visits = counts[0] if counts else 0
        print(f"{arguments.clients:,} clients, {visits:,} visits, {paths:,} paths: rebuilt in {took:.1f} s")
        print(f"CPU of it: {here:.1f} s here, {there:.1f} s in PostgreSQL")
    for change, meaning in (
        ("nothing", "nothing new"),
        ("visit", "a late visit each"),
        ("call", "a late call each"),
    ):
        tell(f"settle 1,000 clients, {meaning}", await settle_batches(database, market, change, 10))
    async with database.loading(WORKSPACE) as connection:
        days = [(market.campaigns[0], BEGIN.date() + timedelta(days=number)) for number in range(arguments.days)]
        await settle_spend(driver(connection), WORKSPACE, days)
    async with database.workspace(WORKSPACE) as connection:
        conn = driver(connection)
        for grain in (Grain.CAMPAIGN, Grain.CAMPAIGN_MONTH, Grain.CHANNEL):
            tell(f"report by {grain}", await time_reports(conn, market, grain, 60))
        tell("receipt of a campaign's calls of one day", await time_receipts(conn, market, 60))
        await time_models(conn, arguments.days)
        await beside_sql(conn, arguments.days, folder)
        begin = time.perf_counter()
        wrong = await difference_from_rebuild(conn, WORKSPACE)
        print(f"full recomputation beside it: {time.perf_counter() - begin:.1f} s, {len(wrong)} differences")
    if wrong:
        sys.exit(f"Figures differ from the full recomputation, first in {wrong[0]}.")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--campaigns", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="skvoz-bench-"))
    try:
        async with open_database(Settings(home=home, database_url=None)) as database:
            await migrate(database)
            await bench(arguments, database, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main())
