"""This API beside PostGraphile 5, plain Strawberry with dataloaders, and the driver alone, in one interleaved run.

    make bench-graphql                                   on 100,000 clients, 1,000,000 calls and 200,000 deals
    python -m bench.graphql --clients 5000 --calls 50000 --deals 10000 --seconds 1 --rounds 1

Seeds an embedded PostgreSQL once for each size (it is kept in .skvoz/bench), starts the three servers, and asks
them in turn, at 1 and at 16 connections. Every contender is one process, is bound by row-level security, and
must give the same answer. Prints a Markdown table: p50 and p99 in milliseconds, and requests a second.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from api.tokens import create_token
from bench.graphql.contenders import Contender, Open, driver_alone, over_http
from bench.graphql.queries import QUERIES, told
from bench.graphql.seed import WORKSPACE, prepare
from core.database import open_database
from core.secrets import create_master_key
from core.settings import Settings
from schema.enums import Role

CONNECTIONS = (1, 16)


@dataclass(slots=True)
class Times:
    """How long each answer took, in milliseconds, and how long all of them took together, in seconds."""

    each: list[float] = field(default_factory=list)
    altogether: float = 0.0

    def percentile(self, share: float) -> float:
        """The least time that so many of the answers did not exceed."""
        return sorted(self.each)[math.ceil(len(self.each) * share) - 1]

    @property
    def rate(self) -> float:
        return len(self.each) / self.altogether


async def measure(times: Times, open_one: Open, connections: int, seconds: float) -> None:
    asks = [await open_one() for _ in range(connections)]
    start = time.perf_counter()
    until = start + seconds

    async def one(number: int) -> None:
        while time.perf_counter() < until:
            began = time.perf_counter()
            await asks[number]()
            times.each.append((time.perf_counter() - began) * 1000)

    await asyncio.gather(*(one(number) for number in range(connections)))
    times.altogether += time.perf_counter() - start


async def compare(contenders: list[Contender], seconds: float, rounds: int) -> None:
    print(
        "| query | connections | | p50 ms | p99 ms | requests/s | p50 beside Skvoz |\n|---|---|---|---|---|---|---|"
    )
    for asked in QUERIES:
        opened = {each.name: await each.of(asked) for each in contenders}
        await _same_answers(asked.title, opened)
        for connections in CONNECTIONS:
            times: dict[str, Times] = defaultdict(Times)
            for open_one in opened.values():
                await measure(Times(), open_one, connections, min(seconds, 0.5))  # warms up
            for _ in range(rounds):
                for name, open_one in opened.items():
                    await measure(times[name], open_one, connections, seconds)
            ours = times["Skvoz"].percentile(0.5)
            for name, found in times.items():
                middle, slow = found.percentile(0.5), found.percentile(0.99)
                row = (asked.title, connections, name, f"{middle:.2f}", f"{slow:.2f}", f"{found.rate:.0f}")
                print(f"| {' | '.join(map(str, row))} | {middle / ours:.2f} |", flush=True)


async def _same_answers(title: str, opened: dict[str, Open]) -> None:
    answers = {name: told(orjson.loads(await (await open_one())())) for name, open_one in opened.items()}
    ours = answers["Skvoz"]
    if not ours:
        raise SystemExit(f"{title}: the answer says nothing.")
    for name, said in answers.items():
        if said != ours:
            differing = [pair for pair in zip(ours, said, strict=False) if pair[0] != pair[1]][:3]
            raise SystemExit(f"{title}: {name} answers otherwise, {len(said)} facts to {len(ours)}: {differing}")


async def run(given: argparse.Namespace) -> None:
    sizes = {"clients": given.clients, "calls": given.calls, "deals": given.deals}
    home = (given.home / f"graphql-{'-'.join(map(str, sizes.values()))}").absolute()
    home.mkdir(parents=True, exist_ok=True)
    settings = Settings(home=home, database_url=None)
    if not settings.keys_path.exists():
        create_master_key(settings)
    async with open_database(settings) as database:
        await prepare(database, home, **sizes)
        token = await create_token(database, WORKSPACE, Role.OWNER, "bench")
        async with over_http(database, home, token, given.port) as servers:
            await compare([*servers, driver_alone(database)], given.seconds, given.rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--deals", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn of each contender")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=8971)
    parser.add_argument("--home", type=Path, default=Path(".skvoz/bench"), help="where seeded databases are kept")
    given = parser.parse_args()
    import uvloop

    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(run(given))


if __name__ == "__main__":
    main()
