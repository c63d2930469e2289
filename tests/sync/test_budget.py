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
