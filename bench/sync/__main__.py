"""Loading a call tracker's journal over HTTP into PostgreSQL: Skvoz, dlt and plain COPY in one run.

    make bench-sync                                  1,000,000 calls
    make bench-sync BENCH_ARGS="--calls 20000"       a quick look
    python -m bench.sync --calls 20000               without dlt, if PEERS doesn't name its Python

Three loads of the whole journal: *first* (all new), *again* (nothing changed), *1 %* (one call in a hundred has a
tag more). Every reader is a process of its own and asks the same replayed answers, with no limit of requests.
The floor is COPY of the very rows that Skvoz wrote, from memory, into like tables with the same indexes.

Then many connections: the CPU of one more run of each where the vendor has nothing new, and the requests a second
of 1, 2 and 4 workers at two accounts that refuse whatever goes beyond the vendor's limit.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from psycopg.conninfo import conninfo_to_dict

from bench.sync.journal import record, replayed
from connectors.registry import connector
from core.embedded import acquire

HERE = Path(__file__).parent
FLEETS_CALLS = 500
IDLE = 100
LIMIT = connector("calltouch").limits[0]
DLT = {"dlt, as it comes": "plain", "dlt, flat, upsert, CSV": "csv", "dlt, fed with Arrow": "arrow"}


async def _told(*command: str) -> dict[str, Any] | None:
    """What a reader's last line says; None, and its own words on the screen, when it fails."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=HERE.parents[1])
    out, _ = await process.communicate()
    if process.returncode:
        return None
    told: dict[str, Any] = orjson.loads(out.splitlines()[-1])
    return told


async def measure(calls: int, kept: Path) -> int:
    """Runs all readers and prints the table. 1 if one of them failed."""
    folder = kept / f"journal-{calls}"
    facts = record(folder, calls)
    peers = os.environ.get("PEERS")
    results: dict[str, dict[str, Any] | None] = {}
    async with replayed(folder) as address:
        for title, more in (("Skvoz, everything", ()), ("Skvoz, rows only", ("--rows-only",))):
            with tempfile.TemporaryDirectory(prefix="skvoz-") as home:
                ours = (sys.executable, "-m", "bench.sync.with_skvoz", home, address, facts["site"], *more)
                results[title] = await _told(*ours)
        if peers is None:
            print("dlt isn't measured: PEERS names no Python that has it (make bench-sync sets it).")
        else:
            with tempfile.TemporaryDirectory(prefix="skvoz-") as home:
                for title, how in DLT.items():
                    results[title] = await _dlt(Path(home), peers, address, folder, how)
    _show(facts, results)
    idle, scaled = await _fleet(kept / f"journal-{FLEETS_CALLS}")
    _show_fleet(idle, scaled)
    return int(None in (*results.values(), idle, scaled))


async def _fleet(folder: Path) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    facts = record(folder, FLEETS_CALLS)
    command = (sys.executable, "-m", "bench.sync.fleet")
    with tempfile.TemporaryDirectory(prefix="skvoz-") as home:
        async with replayed(folder) as address:
            idle = await _told(*command, "idle", home, facts["site"], address, str(IDLE))
    with tempfile.TemporaryDirectory(prefix="skvoz-") as home:
        async with replayed(folder, LIMIT.requests) as one, replayed(folder, LIMIT.requests) as other:
            scaled = await _told(*command, "scale", home, facts["site"], one, other)
    return idle, scaled


def _show_fleet(idle: dict[str, Any] | None, scaled: dict[str, Any] | None) -> None:
    print("\n| connections, nothing new | client CPU, s | server CPU, s | s |\n|---|---|---|---|")
    if idle is None:
        print("| failed | | | |")
    else:
        print(f"| {idle['count']} | {idle['cpu']:.2f} | {idle['server']:.2f} | {idle['seconds']:.1f} |")
    print(f"\n| workers | requests/s at two accounts of {LIMIT.requests} |\n|---|---|")
    for workers, pace in (scaled or {"1, 2, 4": None}).items():
        print(f"| {workers} | {'failed' if pace is None else format(pace, '.1f')} |")


async def _dlt(home: Path, peers: str, address: str, folder: Path, how: str) -> dict[str, Any] | None:
    """dlt into an embedded server of the same make and settings as ours."""
    server = acquire(home)
    try:
        parts = conninfo_to_dict(server.conninfo(user="postgres", dbname="postgres"))
        socket = quote(str(parts["host"]), safe="")  # dlt wants a host and a password; the later host holds
        url = f"postgresql://{parts['user']}:none@localhost/{parts['dbname']}?host={socket}"
        return await _told(peers, str(HERE / "with_dlt.py"), url, address, str(folder / "facts.json"), how)
    finally:
        server.release()


def _show(facts: dict[str, Any], results: dict[str, dict[str, Any] | None]) -> None:
    count = facts["calls"]
    print(f"\n{count:,} calls of {facts['bytes'] / count:,.0f} bytes, over HTTP.\n")
    print("| | first, rows/s | again | 1 % changed | client CPU, µs a row and load | client memory, MB |")
    print("|---|---|---|---|---|---|")
    floor = (results["Skvoz, rows only"] or {}).get("floor")
    if floor:
        print(f"| plain COPY of the same rows | {count / floor:,.0f} | - | - | - | - |")
    for title, told in results.items():
        if told is None:
            print(f"| {title} | failed | | | | |")
            continue
        speeds = " | ".join(f"{count / told[load]:,.0f}" for load in ("first", "again", "few"))
        print(f"| {title} | {speeds} | {told['cpu'] / count / 3 * 1e6:,.0f} | {told['memory']:,.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path, default=Path(".skvoz/bench"), help="where recorded journals are kept")
    given = parser.parse_args()
    sys.exit(asyncio.run(measure(given.calls, given.home.absolute())))


if __name__ == "__main__":
    main()
