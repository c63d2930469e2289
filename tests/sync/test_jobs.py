"""Jobs: what is requested or due gets run, once, and outlives the worker that began it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from core import clock
from sandbox.server import Sandbox
from schema.enums import RunTrigger
from sync.errors import NotFound
from sync.jobs import Jobs
from tests.conftest import MASTER_KEY
from tests.sync.conftest import Bench

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def working(jobs: Jobs, **options: Any) -> AsyncIterator[None]:
    task = asyncio.ensure_future(jobs.work(**options))
    try:
        yield
    finally:
        jobs.stop_runs()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(bench: Bench, query: str, wanted: Any, seconds: float = 30, **params: Any) -> None:
    for _ in range(int(seconds / 0.1)):
        found = await bench.rows(query, **params)
        if found == wanted:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{query} still gives {await bench.rows(query, **params)}, not {wanted}")


async def test_a_requested_sync_is_run_by_a_worker(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "calltouch")
    async with Jobs(bench.office).opened() as jobs:
        run = await jobs.request_sync(bench.workspace, connection, RunTrigger.BUTTON)
        same = await jobs.request_sync(bench.workspace, connection, RunTrigger.BUTTON)
        assert same == run  # a second press joins the run that waits
        async with working(jobs):
            await until(bench, "select id, state, trigger from sync_run", [(run, "succeeded", "button")])
    assert await bench.value("select count(*) from call") > 0


async def test_nothing_is_requested_for_a_connection_that_is_not_there(bench: Bench) -> None:
    async with Jobs(bench.office).opened() as jobs:
        with pytest.raises(NotFound):
            await jobs.request_sync(bench.workspace, UUID(int=1), RunTrigger.BUTTON)


async def test_what_is_due_is_taken_once_and_moves_on_by_its_interval(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "calltouch")
    async with bench.office.database.app_engine.begin() as db:
        taken = (await db.execute(text("select * from take_due_connections(10)"))).all()
        again = (await db.execute(text("select * from take_due_connections(10)"))).all()
    assert [tuple(row) for row in taken] == [(bench.workspace, connection)]
    assert again == []
    # Half an interval away at least, and one and a half at most: at the next moment of its own phase.
    due_in = await bench.value("select next_run_at from connection") - clock.now()
    assert timedelta(seconds=440) < due_in <= timedelta(seconds=1350)


async def test_a_due_connection_is_synced_by_the_schedule(bench: Bench, market: Sandbox) -> None:
    await bench.connect(market, "calltouch")
    async with Jobs(bench.office).opened() as jobs:
        await jobs._enqueue_due(0)
        async with working(jobs):
            await until(bench, "select state, trigger from sync_run", [("succeeded", "schedule")])


async def test_a_request_joins_the_job_of_the_schedule(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "calltouch")
    async with Jobs(bench.office).opened() as jobs:
        await jobs._enqueue_due(0)
        run = await jobs.request_sync(bench.workspace, connection, RunTrigger.BUTTON)
        assert await bench.rows("select id, state from sync_run") == [(run, "queued")]
        async with working(jobs):
            await until(bench, "select id, state from sync_run", [(run, "succeeded")])


async def test_a_delivery_does_not_wait_for_long_syncs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, released = asyncio.Event(), asyncio.Event()

    async def long(*_: Any, **__: Any) -> Any:
        await released.wait()
        raise NotFound("It is gone.")

    async def heard(*_: Any, **__: Any) -> Any:
        asked.set()
        raise NotFound("It is gone.")

    monkeypatch.setattr("sync.jobs.run_connection", long)
    monkeypatch.setattr("sync.jobs.process_inbox", heard)
    async with Jobs(bench.office).opened() as jobs:
        for number in range(5):  # more than there are hands
            await jobs._defer(bench.workspace, UUID(int=number), RunTrigger.SCHEDULE, None)
        async with working(jobs):
            await asyncio.sleep(0.5)
            await jobs.tell_inbox(bench.workspace, UUID(int=7))
            await asyncio.wait_for(asked.wait(), 10)
            released.set()


async def test_a_killed_workers_job_is_given_back(bench: Bench, market: Sandbox) -> None:
    """The job of a dead worker stays 'doing' and holds its connection's lock until it is rescued."""
    connection = await bench.connect(market, "bitrix24")
    async with Jobs(bench.office).opened() as jobs:
        await jobs.request_sync(bench.workspace, connection, RunTrigger.BUTTON)
        worker = _worker(bench, crash_at="sync.page.after_commit:3")
        assert worker.wait(timeout=60) == 137
        await until(bench, "select state from sync_run", [("running",)])
        # The dead one's heartbeat is made old, as waiting half a minute would.
        async with bench.office.database.owner_engine.begin() as db:
            await db.exec_driver_sql(
                "update jobs.procrastinate_workers set last_heartbeat = now() - interval '1 minute'"
            )
        await jobs._rescue_stalled(0)
        async with working(jobs):
            await until(bench, "select state from sync_run", [("succeeded",)])
    assert await bench.unsettled() == []


async def test_a_worker_stops_cleanly_on_sigterm(bench: Bench, market: Sandbox) -> None:
    worker = _worker(bench)
    for _ in range(300):
        async with bench.office.database.owner_engine.connect() as db:
            hands = (await db.exec_driver_sql("select count(*) from jobs.procrastinate_workers")).scalar_one()
        if hands == 2:
            break
        await asyncio.sleep(0.1)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=30) == 0


def _worker(bench: Bench, crash_at: str | None = None) -> subprocess.Popen[bytes]:
    url = bench.office.settings.database_url
    assert url is not None
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": url.get_secret_value(),
        "SKVOZ_MASTER_KEY": MASTER_KEY,
        "SKVOZ_ALLOW_PRIVATE_HOSTS": "127.0.0.1",
    }
    if crash_at is not None:
        environment["SKVOZ_CRASH_AT"] = crash_at
    return subprocess.Popen(
        [sys.executable, "-c", "from api.command import main; main()", "worker"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
