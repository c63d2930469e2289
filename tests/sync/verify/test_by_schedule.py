"""Verification by itself: when it is due, by a worker, once; and as somebody asked."""

from __future__ import annotations

import pytest

from sandbox.server import Sandbox
from sync.errors import Refused
from sync.jobs import Jobs
from sync.verify import verify_every
from sync.verify.verifying import Wanted
from tests.sync.conftest import Bench
from tests.sync.test_jobs import until, working


async def waiting(jobs: Jobs) -> int:
    return len([*await jobs.app.job_manager.list_jobs_async(task="verify_connection", status="todo")])


async def test_a_connection_is_verified_when_it_is_due_and_not_before(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "calltouch")
    await bench.sync(connection)
    jobs = Jobs(bench.office)
    async with jobs.opened():
        await jobs.verification._enqueue_due(0)
        assert await waiting(jobs) == 0
        await bench.rows("update connection set created_at = created_at - interval '8 days' returning 1")
        await jobs.verification._enqueue_due(0)
        await jobs.verification._enqueue_due(0)
        assert await waiting(jobs) == 1
        async with working(jobs):
            await until(bench, "select trigger, state, wrong from verification", [("schedule", "succeeded", 0)])
    assert await bench.value("select next_verify_at > now() + interval '6 days' from connection")


async def test_what_is_asked_for_waits_once_and_senseless_wishes_are_refused(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "calltouch")
    jobs = Jobs(bench.office)
    async with jobs.opened():
        wanted = Wanted(streams={"calls"}, fix=False)
        first = await jobs.verification.request(bench.workspace, connection, wanted)
        assert first is not None
        assert await jobs.verification.request(bench.workspace, connection, wanted) is None
        with pytest.raises(Refused, match="no stream 'deal'"):
            await jobs.verification.request(bench.workspace, connection, Wanted(streams={"deal"}))
        async with working(jobs):
            await until(bench, "select id, trigger from verification", [(first, "button")])
    with pytest.raises(Refused, match="once an hour"):
        await verify_every(bench.office, bench.workspace, connection, 60)
    await verify_every(bench.office, bench.workspace, connection, 0)
    assert await bench.rows("select verify_every_seconds, next_verify_at from connection") == [(0, None)]
