"""A vendor account's limits are kept by all workers together."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from connectors.contract import RateLimit
from connectors.errors import RateLimited
from sync.budget import Budget
from sync.office import Office
from tests.sync.conftest import Bench


@pytest.fixture(autouse=True)
def _with_limits(_no_limits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budget, "pace", 1.0)


def workers(bench: Bench, count: int, *limits: RateLimit) -> list[Budget]:
    """Budgets of several processes: they share nothing but the database."""
    return [Budget(bench.office.database, bench.workspace, "test:account", limits) for _ in range(count)]


async def moments(budgets: list[Budget], each: int) -> list[float]:
    """When requests may go, with each worker asking for ``each`` of them as fast as it may."""
    found: list[float] = []

    async def ask(budget: Budget) -> None:
        for _ in range(each):
            await budget.acquire()
            found.append(time.monotonic())

    await asyncio.gather(*map(ask, budgets))
    return sorted(found)


async def test_workers_share_one_limit(bench: Bench) -> None:
    limit = RateLimit(requests=20, seconds=1.0)
    times = await moments(workers(bench, 3, limit), 5)
    # 15 requests at 20 a second: no two nearer than the step, but for the jitter of waking up.
    assert times[-1] - times[0] >= 14 * 0.05 - 0.03
    assert all(later - sooner >= 0.02 for sooner, later in pairwise(times))


async def test_a_leaky_bucket_lets_a_burst_through_and_then_drips(bench: Bench) -> None:
    limit = RateLimit(requests=10, seconds=1.0, burst=5)
    times = await moments(workers(bench, 1, limit), 8)
    assert times[4] - times[0] < 0.25
    assert times[7] - times[0] >= 0.25


async def test_when_the_vendor_asks_to_wait_everybody_does(bench: Bench) -> None:
    first, second = workers(bench, 2, RateLimit(requests=1000, seconds=1.0))
    await first.hold(0.5)
    asked = time.monotonic()
    await second.acquire()
    assert time.monotonic() - asked >= 0.45


async def test_a_long_wait_is_not_slept_through(bench: Bench, office: Office) -> None:
    first, second = workers(bench, 2, RateLimit(requests=1000, seconds=1.0))
    await first.hold(3600)
    with pytest.raises(RateLimited) as refused:
        await second.acquire()
    assert refused.value.wait_seconds == pytest.approx(3600, abs=5)
    other = Budget(office.database, bench.workspace, "test:another", ())
    await other.acquire()  # another account is not held up


async def test_what_is_urgent_goes_before_reading_however_much_waits(bench: Bench) -> None:
    limit = RateLimit(requests=20, seconds=1.0)
    readers = workers(bench, 6, limit)
    urgent = Budget(bench.office.database, bench.workspace, "test:account", (limit,), urgent=True)
    reading = asyncio.ensure_future(moments(readers, 4))
    await asyncio.sleep(0.1)
    waits = []
    for _ in range(5):
        asked = time.monotonic()
        await urgent.acquire()
        waits.append(time.monotonic() - asked)
        await asyncio.sleep(0.05)
    times = await reading
    # A queue of six readers would be 0.3 s long; of them one may have booked, and one be under way.
    assert sorted(waits)[2] < 0.2
    # And together they keep the limit: 29 requests at 20 a second.
    assert times[-1] - times[0] >= 27 * 0.05 - 0.05
    assert await bench.value("select used from rate_budget") == 29


async def twice(budget: Budget) -> None:
    await budget.acquire()
    await budget.acquire()


async def test_reading_leaves_a_part_of_a_burst_alone(bench: Bench) -> None:
    limit = RateLimit(requests=1, seconds=1000.0, burst=8)
    (reader,) = workers(bench, 1, limit)
    for _ in range(6):
        await reader.acquire()
    with pytest.raises(RateLimited):  # 6 of 8, and one booked ahead
        await twice(reader)
    urgent = Budget(bench.office.database, bench.workspace, "test:account", (limit,), urgent=True)
    asked = time.monotonic()
    await urgent.acquire()
    assert time.monotonic() - asked < 1


async def test_reading_is_slowed_down_and_never_starved(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.budget.YIELDING_SECONDS", 0.3)
    limit = RateLimit(requests=20, seconds=1.0)
    (reader,) = workers(bench, 1, limit)
    database = bench.office.database
    urgent = [Budget(database, bench.workspace, "test:account", (limit,), urgent=True) for _ in range(4)]
    flood = asyncio.ensure_future(moments(urgent, 8))  # always four of them booked ahead
    await asyncio.sleep(0.1)
    await reader.acquire()
    assert not flood.done()
    await flood


async def test_a_slot_that_one_limit_refuses_is_taken_from_none(bench: Bench) -> None:
    wide, narrow = RateLimit(requests=1000, seconds=1.0), RateLimit(requests=1, seconds=0.3)
    (reader,) = workers(bench, 1, wide, narrow)
    for _ in range(3):
        await reader.acquire()
    assert sorted(await bench.rows("select limit_name, used from rate_budget")) == [("1/0.3s", 3), ("1000/1s", 3)]
