"""A vendor that is out of reach for long is left in peace, and found again by itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from sandbox.server import Sandbox
from schema.enums import RunState, RunTrigger
from sync import breaker
from sync.breaker import Breaker
from sync.connections import check_connection
from sync.errors import CircuitOpen
from sync.run import run_connection
from sync.run_life import RunResult
from sync.writeback.deliver import deliver
from tests.sync.conftest import Bench
from tests.sync.test_schedule import after


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back off for hundredths of a second, and take any trouble for lasting."""
    from tenacity import wait_random_exponential

    monkeypatch.setattr("sync.vendor._backoff", wait_random_exponential(multiplier=0.01, max=0.02))
    monkeypatch.setattr(breaker, "LASTING_SECONDS", 0.0)


async def scheduled(bench: Bench, connection: UUID) -> RunResult:
    return await run_connection(bench.office, bench.workspace, connection, trigger=RunTrigger.SCHEDULE)


async def due(bench: Bench, function: str) -> list[UUID]:
    async with bench.office.database.app_engine.begin() as db:
        return list((await db.execute(text(f"select connection_id from {function}(10)"))).scalars())  # noqa: S608


async def later(bench: Bench) -> None:
    """The next try's time has come, for what waits for it too."""
    await bench.rows("update breaker set next_try_at = clock_timestamp() returning 1")
    await bench.rows(
        "update connection c set next_run_at = clock_timestamp() from sync_run r"
        " where r.connection_id = c.id and r.state = 'waiting' returning 1"
    )


async def test_a_long_outage_pauses_the_connection_and_heals_by_itself(bench: Bench, small_market: Sandbox) -> None:
    connection = await bench.connect(small_market, "calltouch")
    other = await bench.connect(small_market, "bitrix24")
    small_market.fault("calltouch", "status", times=None, params={"status": 503})

    result = await scheduled(bench, connection)

    assert result.state is RunState.WAITING
    assert "not available" in (result.error or "")
    assert "tried again at" in (result.error or "")
    (row,) = await bench.rows(
        "select r.error_code, r.resume_at = b.next_try_at, b.failures >= 3,"
        " b.next_try_at - b.opened_at between interval '40 s' and interval '80 s'"
        " from sync_run r, breaker b where b.opened_at is not null"
    )
    assert row == ("CIRCUIT_OPEN", True, True, True)

    # While it is open, no request is sent, and the schedule leaves the connection alone; not the other one.
    small_market.clear_log()
    assert (await scheduled(bench, connection)).state is RunState.WAITING
    assert small_market.log("calltouch") == []
    await bench.rows("update connection set next_run_at = now() returning 1")
    assert await due(bench, "take_due_connections") == [other]
    assert (await scheduled(bench, other)).state is RunState.SUCCEEDED

    # One probe, in vain: the next pause is longer.
    await later(bench)
    assert (await scheduled(bench, connection)).state is RunState.WAITING
    assert len(small_market.log("calltouch")) == 1
    assert await bench.value("select next_try_at > now() + interval '90 s' and trips = 2 from breaker")

    # It is back: the very same run ends well, and nothing is left of the trouble.
    small_market.clear_faults()
    await later(bench)
    assert await due(bench, "take_due_connections") == [connection]
    healed = await scheduled(bench, connection)
    assert (healed.state, healed.run_id) == (RunState.SUCCEEDED, result.run_id)
    assert await bench.rows("select * from breaker") == []
    assert await bench.value("select count(*) from call") > 0


async def test_one_worker_probes_and_all_obey(bench: Bench) -> None:
    first, second = (Breaker(bench.office.database, bench.workspace, "test:account") for _ in range(2))
    assert await second.admit() is False
    for _ in range(3):
        await first.failed(await first.admit(), "Out of reach.")
    with pytest.raises(CircuitOpen, match=r"Out of reach\. It is tried again at"):
        await first.admit()
    await later(bench)
    assert await first.admit() is True
    third = Breaker(bench.office.database, bench.workspace, "test:account")
    with pytest.raises(CircuitOpen):  # while the probe is on its way
        await third.admit()
    await first.answered(True)
    assert await third.admit() is False


async def test_pauses_grow_to_a_cap(bench: Bench) -> None:
    one = Breaker(bench.office.database, bench.workspace, "test:account")
    for _ in range(3):
        await one.failed(False, "Out of reach.")
    pauses = []
    for _ in range(8):
        pauses.append(await bench.value("select extract(epoch from next_try_at - now())::float8 from breaker"))
        await later(bench)
        await one.failed(await one.admit(), "Out of reach.")
    assert 45 < pauses[0] < 75
    assert all(0.8 * 2**n * 59 < pause < 1.2 * 2**n * 61 for n, pause in enumerate(pauses[:5]))
    assert all(0.8 * 1799 < pause <= 1.2 * 1800 for pause in pauses[5:])


async def test_an_answer_between_faults_keeps_it_closed(bench: Bench) -> None:
    one = Breaker(bench.office.database, bench.workspace, "test:account")
    for _ in range(5):
        await one.failed(await one.admit(), "Out of reach.")
        await one.failed(await one.admit(), "Out of reach.")
        await one.answered(await one.admit())
    assert await bench.rows("select * from breaker") == []


async def test_a_short_outage_opens_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "LASTING_SECONDS", 30.0)
    one = Breaker(bench.office.database, bench.workspace, "test:account")
    for _ in range(10):
        await one.failed(await one.admit(), "Out of reach.")
    assert await one.admit() is False
    await bench.rows("update breaker set failing_since = now() - interval '31 s' returning 1")
    await one.failed(False, "Out of reach.")
    with pytest.raises(CircuitOpen):
        await one.admit()


async def test_whoever_asks_by_hand_is_let_through(bench: Bench, small_market: Sandbox) -> None:
    connection = await bench.connect(small_market, "calltouch")
    small_market.fault("calltouch", "status", times=None, params={"status": 503})
    await scheduled(bench, connection)
    assert not (await check_connection(bench.office, bench.workspace, connection)).ok
    small_market.clear_faults()
    assert (await check_connection(bench.office, bench.workspace, connection)).ok
    assert await bench.rows("select * from breaker") == []


async def test_the_outbox_waits_in_order_while_nothing_can_be_written(bench: Bench, small_market: Sandbox) -> None:
    connection = await bench.connect(small_market, "bitrix24")
    await bench.rows(
        "insert into outbox (workspace_id, id, connection_id, write, key, order_key, cause_kind, cause_id,"
        " cause_at, payload) select :ws, gen_random_uuid(), :connection, 'lead.create', 'k' || n, 'o',"
        " 'call', gen_random_uuid(), now(), jsonb_build_object('title', 'T' || n)"
        " from generate_series(1, 3) n returning 1",
        ws=bench.workspace,
        connection=connection,
    )
    states = "select state, attempts, code from outbox order by seq"

    # Out of reach: nothing is sent, nothing counts as an attempt.
    small_market.fault("bitrix24", "status", times=None, params={"status": 503})
    for _ in range(3):
        await bench.rows("update outbox set next_try_at = now() returning 1")
        await deliver(bench.office, bench.workspace, connection)
    assert await bench.value("select count(*) from breaker where opened_at is not null") == 1
    assert [row[:2] for row in await bench.rows(states)] == [("pending", 0)] * 3
    await bench.rows("update outbox set next_try_at = now() returning 1")
    assert await due(bench, "due_deliveries") == []

    # Back, but the access has ended: the connection stops and keeps its outbox.
    small_market.clear_faults()
    small_market.fault("bitrix24", "status", times=None, params={"status": 401})
    await later(bench)
    await deliver(bench.office, bench.workspace, connection)
    assert await bench.value("select state from connection") == "needs_reauth"
    assert [row[:2] for row in await bench.rows(states)] == [("pending", 0)] * 3
    await bench.rows("update outbox set next_try_at = now() returning 1")
    assert await due(bench, "due_deliveries") == []
    assert not await deliver(bench.office, bench.workspace, connection)

    # Connected again: everything goes out, in the order in which it was wanted.
    small_market.clear_faults()
    from sync.connections import update_connection

    values: dict[str, Any] = {"webhook_url": small_market.credentials["bitrix24"]["webhook_url"]}
    await update_connection(bench.office, bench.workspace, connection, values=values)
    assert await due(bench, "due_deliveries") == [connection]
    # A hand that others wait for is given up after the change in it.
    ended = await deliver(bench.office, bench.workspace, connection, turn_over=after(2))
    assert ended["done"] == 1, await bench.rows("select state, code, reason from outbox")
    ended = await deliver(bench.office, bench.workspace, connection)
    assert ended["done"] == 2, await bench.rows("select state, code, reason from outbox")
    sent = await bench.rows("select payload ->> 'title' from outbox order by done_at")
    assert sent == [("T1",), ("T2",), ("T3",)]
