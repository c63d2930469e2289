"""What telling who is who costs: all records at once beside scipy, a page added to them, a split, and the memory.

    python -m bench.identity [--records 2000000] [--pages 20] [--splink 50000] [--seed 1]

Works on a seeded graph (`bench.identity.seed`) that an embedded server keeps in .skvoz/bench. Pages and splits are
rolled back, so every run meets the same graph. Times are medians; *here* is CPU of this process, *server* that of
its backend. scipy and Splink run in the environment that ``make peers`` makes, if PEERS names its Python.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any

import numpy as np
import psycopg

from bench.identity.seed import PEOPLE_PER_RECORD, WORKSPACE, Conn, candidates, seeded
from core.roles import Role
from sync.identity import Candidate, absorb, components, reading, whole
from sync.identity.decisions import split

PAGE = 1_000
HERE = Path(__file__).parent
ACTOR = "bench"


@dataclass(slots=True)
class Cost:
    """Milliseconds of one piece of work."""

    wall: float
    here: float
    server: float


def backend_cpu(pid: int) -> float:
    """Milliseconds of CPU that a backend of the embedded server has had."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e6


def backend_peak(pid: int) -> int:
    """Megabytes of a backend at their most, the shared buffers that it touched among them."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) // 1024


async def cost_of(conn: Conn, work: Callable[[], Awaitable[Any]]) -> Cost:
    pid, began, here = conn.info.backend_pid, perf_counter(), process_time()
    server = backend_cpu(pid)
    await work()
    return Cost((perf_counter() - began) * 1000, (process_time() - here) * 1000, backend_cpu(pid) - server)


def told(what: str, costs: list[Cost]) -> None:
    """Print medians and the 95th percentile of pieces of work."""
    walls = [cost.wall for cost in costs]
    high = quantiles(walls, n=20)[-1] if len(walls) > 1 else walls[0]
    here, server = (median(getattr(cost, side) for cost in costs) for side in ("here", "server"))
    print(
        f"{what:>34}: {median(walls):8.1f} ms, p95 {high:8.1f}; CPU {here:7.1f} here, {server:7.1f} server",
        flush=True,
    )


async def at_once(conn: Conn, peers: str | None) -> None:
    """Who is who from nothing but records and keys, beside scipy's components over the same pairs."""
    graph, guards, found = None, None, np.zeros(0, dtype=np.intp)

    async def read() -> None:
        nonlocal graph
        graph = await whole.read(conn, WORKSPACE)

    async def judge() -> None:
        nonlocal guards
        assert graph is not None
        guards = await whole.guards_of(conn, WORKSPACE, graph)

    async def group() -> None:
        nonlocal found
        assert graph is not None
        assert guards is not None
        found = await whole.grouped(conn, WORKSPACE, graph, guards)

    steps = {"read, numbered": read, "shared keys found": judge, "grouped": group}
    costs = {name: await cost_of(conn, step) for name, step in steps.items()}
    for name, cost in costs.items():
        told(name, [cost])
    assert graph is not None
    assert guards is not None
    here = sum(cost.here for cost in costs.values()) / 1000
    print(
        f"{len(graph):,} records, {len(graph.key):,} pairs of record and key, {len(np.unique(found)):,} groups;"
        f" {len(guards.reasons):,} shared keys;"
        f" {int(components.differing(graph, found, guards.shared).sum()):,} records"
        " elsewhere than stored"
    )
    if peers is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        pairs = Path(folder) / "pairs.npy"
        np.save(pairs, np.stack([components.folded(graph.ids)[graph.carrier], graph.hashes[graph.key]]))
        ran = await asyncio.to_thread(
            subprocess.run,
            [peers, str(HERE / "scipy_peer.py"), str(pairs)],
            check=True,
            capture_output=True,
            text=True,
        )
    peer = json.loads(ran.stdout)
    print(
        f"scipy's connected components, with numbering: {peer['seconds']:.1f} s of CPU, {peer['megabytes']} MB;"
        f" all of the above here: {here:.1f} s, {here / peer['seconds']:.1f} times scipy"
    )


async def pages(conn: Conn, count: int, size: int, rng: Random) -> None:
    people = int(size * PEOPLE_PER_RECORD)
    for weighed, what in ((False, "1,000 added, keys only"), (True, "1,000 added, probable matches too")):
        costs = []
        for number in range(count + 5):
            page = candidates(PAGE, people, rng, weighed=weighed)
            cost = await cost_of(conn, partial(_absorb, conn, page))
            if number >= 5:  # by then the statements are prepared
                costs.append(cost)
            await conn.rollback()
        told(what, costs)


async def _absorb(conn: Conn, page: list[Candidate]) -> None:
    await absorb(conn, WORKSPACE, page, None)


async def splits(conn: Conn, count: int, rng: Random) -> None:
    """One record of clients of four to eight is taken out of them."""
    cursor = await conn.execute(
        """select client_id, array_agg(record_id order by record_id) from identity_record
        where workspace_id = %s and client_id > %s group by client_id having count(*) between 4 and 8 limit %s""",
        (WORKSPACE, rng.randbytes(16).hex(), count + 10),
    )
    costs = []
    for number, (client, ids) in enumerate(await cursor.fetchall()):
        cost = await cost_of(conn, partial(split, conn, WORKSPACE, client, [rng.choice(ids)], ACTOR))
        if number >= 10:
            costs.append(cost)
        await conn.rollback()
    told("a client split", costs)


async def splink(conn: Conn, peers: str, count: int) -> None:
    """Print what Splink needs for so many of the records, with the same keys and names."""
    cursor = await conn.execute(
        "select record_id from identity_record where workspace_id = %s and client_id is not null"
        " order by client_id limit %s",
        (WORKSPACE, count),
    )
    members = await reading.members(conn, WORKSPACE, [id for (id,) in await cursor.fetchall()])
    rows = []
    for member in members.values():
        words = (member.name or "").split()
        rows.append(
            {
                "id": member.record_id.hex,
                "first_name": words[0] if words else None,
                "last_name": words[-1] if len(words) > 1 else None,
                **{
                    field: sorted(key.value for key in member.keys if key.kind == kind)
                    for field, kind in (("phones", "phone"), ("emails", "email"), ("visitors", "visitor"))
                },
            }
        )
    with tempfile.TemporaryDirectory() as folder:
        asked, answer = Path(folder) / "records.json", Path(folder) / "clusters.json"
        asked.write_text(json.dumps(rows), encoding="utf-8")
        peer = str(HERE.parent / "splink_peer.py")
        ran = await asyncio.to_thread(
            subprocess.run, [peers, peer, str(asked), str(answer)], check=False, capture_output=True, text=True
        )
    print(ran.stderr.strip().splitlines()[-1])


async def measure(options: argparse.Namespace) -> None:
    rng, peers = Random(f"pages {options.seed}"), os.environ.get("PEERS")
    gc.freeze()  # as a worker does
    gc.set_threshold(50_000, 20, 50)
    async with seeded(options.home, options.records, options.seed) as database:
        conninfo = database.conninfo(Role.LOADER)
        async with await psycopg.AsyncConnection.connect(conninfo) as conn:
            await pages(conn, options.pages, options.records, rng)
            await splits(conn, options.splits, rng)
        print(f"memory of this process so far at most {_peak()} MB")
        async with await psycopg.AsyncConnection.connect(conninfo) as conn:
            await at_once(conn, peers)
            print(f"memory at most {_peak()} MB here, {backend_peak(conn.info.backend_pid)} MB its backend")
            if peers is not None and options.splink:
                await splink(conn, peers, min(options.splink, options.records))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument(
        "--splink", type=int, default=50_000, help="how many of the records Splink gets, 0 for none"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", type=Path, default=Path(".skvoz/bench"), help="where seeded databases are kept")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
