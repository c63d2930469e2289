"""A market that goes on, workers killed and paused, a database that crashes, vendors that fail, webhooks that come
late, again, out of order, forged or not at all; then quiet.

    make soak                                         ten minutes
    make soak SOAK_ARGS="--minutes 120 --seed 7"      another two hours

When the noise is over and every connection had one more sync, the tables must be those of a fresh installation that
reads the same market undisturbed; every run's counts add up; no job and no lease is held by the dead; the figures
equal the full recomputation. Prints what was done to it; the exit status is 1 where something differs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import httpx
import orjson
from sqlalchemy import text

import sync.connections
from core import embedded
from core.settings import Settings
from schema.enums import RunState
from sync.budget import Budget
from sync.connections import create_connection
from sync.inbox.process import process_inbox
from sync.office import create_workspace, open_office
from tests.soak.post import PostOffice, post_office
from tests.sync.conftest import NAMESPACE, Bench

ROOT = Path(__file__).parents[2]
VENDORS = ("amocrm", "bitrix24", "calltouch", "yandex_direct")
DAYS = 60
SPEED = 240.0
"""The market lives four minutes in a second."""

FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("drop", {}),
    ("drop_answer", {}),
    ("cut", {"bytes": 400}),
    ("status", {"status": 429, "retry_after": 1}),
    ("status", {"status": 429}),
    ("status", {"status": 500}),
    ("status", {"status": 503}),
    ("html", {}),
    ("empty", {}),
    ("slow", {"seconds": 2}),
    ("trickle", {"bytes": 2000, "seconds": 0.2}),
    ("twice", {}),
    ("expired_token", {}),
)


@dataclass
class Soak:
    """One run of it."""

    chance: random.Random
    bench: Bench
    home: Path
    control: httpx.AsyncClient
    connections: dict[str, UUID]
    workers: list[asyncio.subprocess.Process] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    async def start_worker(self) -> None:
        environment = os.environ | {"SKVOZ_HOME": str(self.home), "SKVOZ_ALLOW_PRIVATE_HOSTS": "127.0.0.1"}
        environment.pop("DATABASE_URL", None)
        self.workers.append(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", "from api.command import main; main()", "worker", "--concurrency", "2"),
                env=environment,
                cwd=ROOT,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        )

    async def kill_a_worker(self) -> None:
        await self._replace_a_worker(signal.SIGKILL)

    async def end_a_worker(self) -> None:
        await self._replace_a_worker(signal.SIGTERM)

    async def _replace_a_worker(self, how: signal.Signals) -> None:
        worker = self.workers.pop(self.chance.randrange(len(self.workers)))
        if worker.returncode is None:
            worker.send_signal(how)
            await worker.wait()
        else:  # it didn't outlive the database: whoever supervises workers starts another
            self.done["workers that ended by themselves"] += 1
        await self.start_worker()

    async def pause_a_worker(self) -> None:
        worker = self.chance.choice(self.workers)
        worker.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self.chance.uniform(1, 40))
        if worker.returncode is None:
            worker.send_signal(signal.SIGCONT)

    async def crash_the_database(self) -> None:
        log = str(self.home / "postgres" / "server.log")
        restart = ("restart", "-m", "immediate", "-w", "-s", "-l", log)
        await asyncio.to_thread(embedded._run, self.home / "postgres", "pg_ctl", *restart)

    async def cut_sessions(self) -> None:
        async with self.bench.office.database.owner_engine.connect() as db:
            await db.execute(
                text(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where pid <> pg_backend_pid() and usename = current_user"
                )
            )

    async def plan_a_fault(self) -> None:
        kind, params = self.chance.choice(FAULTS)
        fault = {
            "vendor": self.chance.choice(VENDORS),
            "kind": kind,
            "times": self.chance.randint(1, 3),
            "after": self.chance.randint(0, 5),
            "params": params,
        }
        answer = await self.control.post("/faults", json=fault)
        answer.raise_for_status()
        self.done[f"fault: {kind}"] += 1

    async def ask_for_syncs(self) -> None:
        async with self.bench.office.database.owner_engine.begin() as db:
            await db.execute(text("update connection set next_run_at = now() where state = 'active'"))

    async def disturb(self, minutes: float) -> None:
        """Do things at random for so long."""
        actions: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (30, self.plan_a_fault),
            (30, self.ask_for_syncs),
            (8, self.kill_a_worker),
            (4, self.end_a_worker),
            (3, self.pause_a_worker),
            (3, self.cut_sessions),
            (1, self.crash_the_database),
        ]
        weights = [weight for weight, _ in actions]
        until = time.monotonic() + minutes * 60
        while time.monotonic() < until:
            (_, act) = self.chance.choices(actions, weights)[0]
            try:
                await act()
            except Exception as error:  # noqa: BLE001 - the database may just be away
                self.done[f"in vain: {act.__name__} ({type(error).__name__})"] += 1
            else:
                self.done[act.__name__] += 1
            await asyncio.sleep(self.chance.expovariate(1 / 0.8))

    async def quiet(self, post: PostOffice) -> None:
        """Lift all faults, stop time and workers, and let every connection have one more sync, or a few."""
        await self.control.delete("/faults")
        await self.control.post("/clock", json={"speed": 0})
        await post.close()
        for worker in self.workers:
            if worker.returncode is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
                await worker.wait()
        await self.bench.rows("update connection set state = 'active', state_reason = null returning 1")
        await self.bench.rows("update received_webhook set next_try_at = now() where state = 'waiting' returning 1")
        for vendor in post.doors:
            await process_inbox(self.bench.office, self.bench.workspace, self.connections[vendor])
        for connection in self.connections.values():
            for _ in range(5):
                if (await self.bench.sync(connection)).state is RunState.SUCCEEDED:
                    break
                await asyncio.sleep(2)
        for connection in self.connections.values():
            await self.bench.sync(connection)


async def wrongs(soak: Soak, fresh: Bench) -> list[str]:
    """What isn't as it must be, in a sentence each."""
    found = []
    unequal = await soak.bench.rows(
        "select id from sync_run where fetched <> created + updated + unchanged + skipped + quarantined"
    )
    found += [f"The counts of run {id} don't add up." for (id,) in unequal]
    held = await soak.bench.value("select count(*) from sync_run where state = 'running'")
    if held:
        found.append(f"{held} runs are still called running.")
    if await soak.bench.unsettled():
        found.append("The figures differ from the full recomputation.")
    mine, theirs = await soak.bench.state(), await fresh.state()
    for name, rows in theirs.items():
        if mine[name] != rows:
            missing = [row for row in rows if row not in mine[name]]
            extra = [row for row in mine[name] if row not in rows]
            found.append(
                f"{name}: {len(missing)} rows are missing and {len(extra)} too many,"
                f" such as {missing[:1]!r} and {extra[:1]!r}."
            )
    return found


@asynccontextmanager
async def market(home: Path, calls: int, seed: int) -> AsyncIterator[dict[str, Any]]:
    """The pretend market in a process of its own, alive and quick."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", "--home", str(home), "--port", "0", "--attended", "--live"),
        *("--speed", str(SPEED), "--limits", "0", "--calls", str(calls), "--days", str(DAYS), "--seed", str(seed)),
        *("--only", *VENDORS),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        told: dict[str, Any] = orjson.loads(await process.stdout.readline())
        yield told
    finally:
        process.terminate()
        await process.wait()


async def connected(bench: Bench, credentials: dict[str, dict[str, str]], since: date) -> dict[str, UUID]:
    """A connection to each vendor, under the same id in every installation."""
    made = {}
    for vendor in VENDORS:
        sync.connections.uuid4 = lambda name=vendor: uuid5(NAMESPACE, name)  # type: ignore[attr-defined,misc]
        values = {name: value for name, value in credentials[vendor].items() if name != "login"}
        made[vendor], _ = await create_connection(
            bench.office, bench.workspace, vendor, vendor, values | {"since": str(since)}
        )
    return made


@asynccontextmanager
async def installation(home: Path) -> AsyncIterator[Bench]:
    settings = Settings(home=home, allow_private_hosts=("127.0.0.1",), database_url=None)
    async with open_office(settings, make_key=True) as office:
        yield Bench(office, await create_workspace(office, "soak", "Soak"))


async def run(given: argparse.Namespace, folder: Path) -> int:
    Budget.pace = 0.0
    since = date.today() - timedelta(days=DAYS)  # noqa: DTZ011 - about so long ago
    async with (
        market(folder / "market", given.calls, given.seed) as told,
        installation(folder / "soak") as bench,
        httpx.AsyncClient(base_url=f"{told['address']}/_control", timeout=30) as control,
    ):
        connections = await connected(bench, told["credentials"], since)
        dice = random.Random(given.seed)  # noqa: S311
        soak = Soak(dice, bench, folder / "soak", control, connections)
        for _ in range(given.workers):
            await soak.start_worker()
        print(f"{given.minutes:g} minutes of trouble, seed {given.seed} ...", flush=True)
        async with post_office(bench, control, connections, random.Random(given.seed)) as post:  # noqa: S311
            await soak.disturb(given.minutes)
            for state, number in await bench.rows("select state, count(*) from sync_run group by 1"):
                soak.done[f"runs that {state}"] = number
            print("Now quiet.", flush=True)
            await soak.quiet(post)
        soak.done += post.seen
        async with installation(folder / "fresh") as fresh:
            now = (await control.get("/credentials")).json()
            for connection in (await connected(fresh, now, since)).values():
                await fresh.sync(connection)
            wrong = [*post.wrong, *await wrongs(soak, fresh)]
    for what, times in sorted(soak.done.items()):
        print(f"{times:6} {what}")
    print("\n".join(wrong) or "Everything is as in an undisturbed installation.")
    return int(bool(wrong))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", type=int, default=1500, help="size of the market at the beginning")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="skvoz-soak-") as folder:
        sys.exit(asyncio.run(run(given, Path(folder))))


if __name__ == "__main__":
    main()
