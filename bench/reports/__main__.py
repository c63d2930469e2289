"""What keeping figures and reading reports costs, on a seeded market in an embedded PostgreSQL.

    make bench-reports BENCH_ARGS="--clients 50000 --calls 90000 --deals 18000 --campaigns 200"
    python -m bench.reports           without DuckDB, if PEERS doesn't name its Python

The market is seeded and its figures are made once for each size; it is kept in .skvoz/bench. Prints the p50 and
p95 of the campaign report, of declared dimensions beside the campaign tree and of a drill-down over random ranges,
quiet and while a loader settles late data; the seconds of all models, Markov and Shapley included, over the whole
range out of stored paths, and beside them the same models as SQL in PostgreSQL and in DuckDB; and milliseconds of
CPU for a changed client. With --check the figures are held against the full recomputation.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.reports.loader import Cpu, settle_late
from bench.reports.market import BEGIN, WORKSPACE, Draw, Size, seed, vacuum
from bench.reports.models_in_sql import MODELS, SIX_MODELS, TOUCHES
from core.database import Database, PsycopgConnection, driver, open_database
from core.settings import Settings
from reports.by_model import models_report
from reports.campaigns import Grain, campaign_report
from reports.changes import what_changed
from reports.details import detailed_report
from reports.dimensions import Dimension
from reports.grouped import grouped_statement
from reports.rebuild import difference_from_rebuild, rebuild
from reports.receipt import Whose, receipt_statement
from reports.terms import read_terms
from schema.migrate import migrate

NO_TOUCH = {"no_touches", "no_client", "window_passed"}
FIGURES = ("visits", "calls", "won_deals", "revenue")


async def prepare(database: Database, home: Path, size: Size) -> None:
    """Seed and compute what isn't kept yet."""
    await migrate(database)
    seeded, rebuilt = home / "seeded", home / "rebuilt"
    if not seeded.exists():
        await seed(database, size)
        seeded.touch()
    if not rebuilt.exists():
        async with database.loading(WORKSPACE) as connection:
            conn = driver(connection)
            began, cpu = time.perf_counter(), Cpu(conn)
            paths = await rebuild(conn, WORKSPACE)
            took, (here, there) = time.perf_counter() - began, cpu.spent()
        print(f"{paths:,} paths from nothing: {took:.0f} s, CPU {here:.0f} s here, {there:.0f} s in PostgreSQL")
        await vacuum(database)
        rebuilt.touch()


async def measure_settling(database: Database, size: Size, batches: int) -> None:
    draw, number = Draw(size), min(1000, size.clients)
    for late in (None, "visit", "call"):
        spent = [await settle_late(database, draw, late, number) for _ in range(batches)]
        here, there = (statistics.median(column) * 1000 / number for column in list(zip(*spent, strict=True))[1:])
        what = "nothing new" if late is None else f"a late {late} each"
        print(
            f"{f'settle {number:,} clients, {what}':<58} CPU of a client {here + there:.3f} ms:"
            f" {here:.3f} here, {there:.3f} in PostgreSQL",
            flush=True,
        )


Ask = Callable[[PsycopgConnection, Draw], Awaitable[None]]


def _campaigns(grain: Grain) -> Ask:
    async def ask(conn: PsycopgConnection, draw: Draw) -> None:
        await campaign_report(conn, WORKSPACE, *draw.days(), by=grain)

    return ask


def _dimensions(*by: Dimension) -> Ask:
    async def ask(conn: PsycopgConnection, draw: Draw) -> None:
        terms = await read_terms(conn, WORKSPACE)
        statement, _ = grouped_statement(terms, *draw.days(), by, FIGURES)
        await (await conn.execute(statement.sql.encode(), statement.params)).fetchall()

    return ask


async def _receipt(conn: PsycopgConnection, draw: Draw) -> None:
    on = draw.moment().date()
    statement = receipt_statement(WORKSPACE, "calls", Whose(draw.campaign()), on, on)
    await (await conn.execute(statement.sql.encode(), statement.params)).fetchall()


ASKED: dict[str, tuple[Ask, int]] = {
    "campaign": (_campaigns(Grain.CAMPAIGN), 60),
    "campaign by month": (_campaigns(Grain.CAMPAIGN_MONTH), 60),
    "channel by month": (_campaigns(Grain.CHANNEL_MONTH), 60),
    "day": (_campaigns(Grain.DAY), 60),
    "receipt of a campaign's calls of one day": (_receipt, 60),
    "device and channel": (_dimensions(Dimension.DEVICE, Dimension.CHANNEL), 2),
    "city and campaign": (_dimensions(Dimension.CITY, Dimension.CAMPAIGN), 2),
}
"""What is asked over random ranges of days, and how often."""


async def measure_reports(database: Database, size: Size, when: str) -> None:
    async with database.workspace(WORKSPACE) as connection:
        conn = driver(connection)
        for what, (ask, times) in ASKED.items():
            draw, took, spent = Draw(size), [], []
            for _ in range(times):
                began, cpu = time.perf_counter(), Cpu(conn)
                await ask(conn, draw)
                took.append((time.perf_counter() - began) * 1000)
                spent.append(sum(cpu.spent()) * 1000)
            ordered = sorted(took)
            p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
            print(
                f"{f'{what}, {when}':<58} p50 {statistics.median(took):7.1f} ms   p95 {p95:7.1f} ms"
                f"   CPU {statistics.mean(spent):7.1f} ms",
                flush=True,
            )


@asynccontextmanager
async def a_loader(home: Path, size: Size) -> AsyncIterator[None]:
    """Late data is settled by another process."""
    arguments = ("-m", "bench.reports.loader", str(home), str(size))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stderr=asyncio.subprocess.DEVNULL)
    await asyncio.sleep(3)
    if process.returncode is not None:
        sys.exit("The loader ended by itself.")
    yield
    process.terminate()
    await process.wait()


async def measure_models(conn: PsycopgConnection, size: Size) -> None:
    """The whole range by all models, by those that need one path only, by cohort, and beside them what changed."""
    for what, models, dated in (
        ("six models", MODELS, "event"),
        ("all models, Markov and Shapley included", ["all"], "event"),
        ("linear by cohorts", ["linear"], "first_touch"),
    ):
        began, cpu = time.perf_counter(), Cpu(conn)
        await models_report(conn, WORKSPACE, *size.whole, models, dated_by=dated)
        took, (here, there) = time.perf_counter() - began, cpu.spent()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{what:<58} {took:6.2f} s, CPU {here:.2f} s here, {there:.2f} s in PostgreSQL;"
            f" {memory:.0f} MB at most",
            flush=True,
        )
    began = time.perf_counter()
    changed = await what_changed(conn, WORKSPACE, *size.whole, BEGIN, datetime(2100, 1, 1, tzinfo=UTC))
    print(f"{'what changed since the beginning, by cause':<58} {time.perf_counter() - began:6.2f} s", end="")
    print(f" ({len(changed.cells):,} cells)")
    began = time.perf_counter()
    await detailed_report(conn, WORKSPACE, *size.whole)
    print(
        f"{'details of calls and deals over the whole range':<58} {time.perf_counter() - began:6.2f} s", flush=True
    )


async def beside_sql(conn: PsycopgConnection, size: Size) -> None:
    """Six models over the whole range: ours, the same as SQL in PostgreSQL, and in DuckDB with the touches already
    in its memory, if PEERS names a Python that has it. All must come to the same sums."""
    ours = await models_report(conn, WORKSPACE, *size.whole, MODELS)
    counted = ("calls", "leads", "new_clients", "won_deals")
    touched = [[row for row in ours[key].rows if row.reason not in NO_TOUCH] for key in MODELS]
    sums = [float(sum(row.sums[name] for row in rows for name in counted)) for rows in touched]
    sums += [float(sum(row.sums["revenue"] for row in rows)) for rows in touched]
    await conn.execute(f"create temporary table touch as {TOUCHES.format(workspace=WORKSPACE)}".encode())
    await conn.execute("analyze touch")
    await conn.execute("set local max_parallel_workers_per_gather = 0")  # else their CPU would go uncounted
    began, cpu = time.perf_counter(), Cpu(conn)
    rows = await (await conn.execute(SIX_MODELS)).fetchall()
    print(
        f"{'six models as SQL in PostgreSQL, touches laid out before':<58} {time.perf_counter() - began:6.2f} s,"
        f" CPU {cpu.spent()[1]:.2f} s"
    )
    found = {"PostgreSQL": [float(sum(row[column] for row in rows)) for column in range(2, 14)]}
    if peers := os.environ.get("PEERS"):
        with tempfile.TemporaryDirectory(prefix="skvoz-bench-") as folder:
            with (Path(folder) / "touches.csv").open("wb") as file:
                async with (
                    conn.cursor() as cursor,
                    cursor.copy("copy touch to stdout (format csv, header)") as copy,
                ):
                    async for part in copy:
                        file.write(part)
            told = await _duckdb(peers, Path(folder))
        found["DuckDB"] = told["sums"]
        print(
            f"{'the same in DuckDB, out of its memory':<58} {told['seconds']:6.2f} s, CPU {told['cpu']:.2f} s;"
            f" {told['memory']:.0f} MB at most"
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


async def check(database: Database) -> None:
    async with database.loading(WORKSPACE) as connection:
        began = time.perf_counter()
        wrong = await difference_from_rebuild(driver(connection), WORKSPACE)
    print(f"full recomputation beside it: {time.perf_counter() - began:.1f} s, {len(wrong)} differences")
    if wrong:
        sys.exit(f"Figures differ from the full recomputation, first in {wrong[0]}.")


async def run(size: Size, home: Path, *, checked: bool) -> None:
    async with open_database(Settings(home=home, database_url=None)) as database:
        await prepare(database, home, size)
        async with database.workspace(WORKSPACE) as connection:
            await measure_models(driver(connection), size)
            await beside_sql(driver(connection), size)
        await measure_settling(database, size, 5)
        await measure_reports(database, size, "quiet")
        async with a_loader(home, size):
            await measure_reports(database, size, "with a loader")
        await vacuum(database)
        if checked:
            await check(database)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=564_000, help="with nine visits each on average")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--deals", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--campaigns", type=int, default=500)
    parser.add_argument("--check", action="store_true", help="hold the figures against the full recomputation")
    parser.add_argument("--home", type=Path, default=Path(".skvoz/bench"), help="where seeded databases are kept")
    given = parser.parse_args()
    size = Size(given.clients, given.calls, given.deals, given.days, given.campaigns)
    home: Path = (given.home / f"reports-{size}").absolute()
    home.mkdir(parents=True, exist_ok=True)
    asyncio.run(run(size, home, checked=given.check))


if __name__ == "__main__":
    main()
