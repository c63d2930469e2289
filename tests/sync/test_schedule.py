"""Many connections, few hands: the schedule spreads, and a long sync makes room for those who wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from sandbox.server import Sandbox
from schema.enums import RunState, RunTrigger
from sync.jobs import Jobs
from sync.run import run_connection
from tests.sync.conftest import Bench
from tests.sync.test_jobs import until, working

MANY, BATCH = 10_000, 500


async def connections(bench: Bench, count: int) -> None:
    await bench.rows(
        "insert into connection (workspace_id, id, connector, title, account, settings, secrets, data_key,"
        " next_run_at) select :ws, gen_random_uuid(), 'calltouch', 'C' || n, 'calltouch:' || n, '{}', '{}', '',"
        " now() - interval '1 hour' from generate_series(1, :count) n returning 1",
        ws=bench.workspace,
        count=count,
    )
    async with bench.office.database.owner_engine.begin() as db:
        await db.execute(text("analyze connection"))


async def test_ten_thousand_connections_due_at_once_spread_over_their_interval(bench: Bench) -> None:
    await connections(bench, MANY)
    # Some accounts are out of reach: theirs are left alone.
    await bench.rows(
        "insert into breaker (workspace_id, account, failures, failing_since, reason, opened_at, next_try_at)"
        " select :ws, 'calltouch:' || n, 3, now(), 'Away.', now(), now() + interval '1 hour'"
        " from generate_series(1, 100) n returning 1",
        ws=bench.workspace,
    )
    taken: list[UUID] = []
    async with bench.office.database.app_engine.begin() as db:
        while batch := (
            await db.execute(text("select connection_id from take_due_connections(:most)"), {"most": BATCH})
        ).all():
            assert len(batch) <= BATCH
            taken += [id for (id,) in batch]
    assert len(taken) == len(set(taken)) == MANY - 100

    # However many come at once, each minute of the interval of a quarter of an hour gets its fifteenth part.
    minutes: Counter[Any] = Counter()
    for minute, count in await bench.rows(
        "select floor(extract(epoch from next_run_at) / 60), count(*) from connection"
        " where next_run_at > now() group by 1"
    ):
        minutes[int(minute) % 15] += count
    assert len(minutes) == 15
    assert max(minutes.values()) < 1.25 * (MANY - 100) / 15
    # And from then on each is due exactly once in every interval.
    apart = "select count(*) from (select next_due(id, 900) - next_run_at as gap, next_run_at from connection) d"
    assert await bench.value(f"{apart} where next_run_at > now() and gap not in ('0 s', '900 s', '-900 s')") == 0


async def test_finding_what_is_due_reads_an_index_and_no_table(bench: Bench) -> None:
    await connections(bench, MANY)
    await bench.rows(
        "update connection set next_run_at = now() + interval '1 hour' where title <> 'C1' returning 1"
    )
    async with bench.office.database.owner_engine.begin() as db:
        await db.execute(text("analyze connection"))
        plan = await db.execute(
            text(
                "explain select workspace_id, id from connection d where d.state = 'active'"
                " and d.next_run_at <= clock_timestamp() and not is_shut_out(d.workspace_id, d.account)"
                " order by d.next_run_at limit 500 for update skip locked"
            )
        )
        lines = "\n".join(plan.scalars())
    assert "ix_connection_due" in lines
    assert "Seq Scan on connection" not in lines
    async with Jobs(bench.office).opened() as jobs:  # and one job is made, for the one
        await jobs._enqueue_due(0)
        async with bench.office.database.owner_engine.connect() as db:
            queued = text("select count(*) from jobs.procrastinate_jobs where queue_name = 'sync'")
            assert (await db.execute(queued)).scalar_one() == 1


def after(calls: int) -> Callable[[], Awaitable[bool]]:
    """Others' turn comes at that question."""
    asked = 0

    async def is_over() -> bool:
        nonlocal asked
        asked += 1
        return asked >= calls

    return is_over


async def test_a_long_sync_gives_way_and_goes_on_where_it_was(bench: Bench, small_market: Sandbox) -> None:
    whole = await bench.connect(small_market, "bitrix24")
    await bench.sync(whole)
    expected = await bench.state()
    await bench.forget()

    connection = await bench.connect(small_market, "bitrix24")
    runs = []
    for _ in range(200):
        result = await run_connection(
            bench.office, bench.workspace, connection, trigger=RunTrigger.SCHEDULE, turn_over=after(3)
        )
        runs.append(result)
        if result.state is not RunState.WAITING:
            break
        assert await bench.value("select next_run_at <= clock_timestamp() from connection")
    assert len(runs) > 2
    assert runs[-1].state is RunState.SUCCEEDED
    assert len({each.run_id for each in runs}) == 1
    state = await bench.state()
    for table in ("call", "lead", "deal", "contact", "stage_change", "path"):
        assert len(state.get(table, state["paths"])) == len(expected.get(table, expected["paths"])), table
    assert await bench.unsettled() == []


async def test_a_hand_is_given_up_only_for_others(
    bench: Bench, small_market: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.turns.TURN_SECONDS", 0.0)
    monkeypatch.setattr("sync.turns._LOOK_SECONDS", 0.0)
    first, second = await bench.connect(small_market, "calltouch"), await bench.connect(small_market, "bitrix24")
    async with Jobs(bench.office).opened() as jobs:
        await jobs.request_sync(bench.workspace, first, RunTrigger.BUTTON)
        await jobs.request_sync(bench.workspace, second, RunTrigger.BUTTON)
        async with working(jobs, concurrency=1):
            await until(bench, "select count(*) from sync_run where state = 'succeeded'", [(1,)])
            assert await bench.value("select count(*) from sync_run where error_code = 'GAVE_WAY'") == 1
            await bench.rows("update connection set next_run_at = now() returning 1")
            await jobs._enqueue_due(0)
            await until(bench, "select count(*) from sync_run where state = 'succeeded'", [(2,)])
