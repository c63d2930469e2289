"""A process that is killed anywhere goes on from its last committed page, and the end is the same."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from core.crash import registered
from sandbox.server import Sandbox
from tests.conftest import MASTER_KEY
from tests.sync.conftest import Bench

ROOT = Path(__file__).parents[2]
KILLED = 137
POINTS = [point for point in registered() if point.startswith(("sync.page", "sync.settle"))]


def reading(
    bench: Bench, *connections: UUID, crash_at: str | None = None, module: str = "tests.sync.reader"
) -> subprocess.Popen[str]:
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
        [sys.executable, "-m", module, str(bench.workspace), *map(str, connections)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


def test_there_are_points_to_crash_at() -> None:
    assert set(POINTS) == {"sync.page.before_commit", "sync.page.after_commit", "sync.settle.before_commit"}


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_at_every_named_point_changes_nothing_in_the_end(
    bench: Bench, market: Sandbox, connection_ids: Callable[[str], None], point: str
) -> None:
    connection_ids("calltouch")
    connection = await bench.connect(market, "calltouch")
    code, words = ended(reading(bench, connection, crash_at=f"{point}:1" if "settle" in point else f"{point}:3"))
    assert code == KILLED, words
    run = await bench.value("select id from sync_run where state = 'running'")

    code, words = ended(reading(bench, connection))

    assert code == 0, words
    assert "succeeded" in words
    # The run that was cut off is the one that ended, and its counts still add up.
    assert await bench.rows("select id, state from sync_run") == [(run, "succeeded")]
    assert await bench.value("select fetched = created + updated + unchanged + skipped + quarantined from sync_run")
    assert await bench.unsettled() == []
    await _same_as_undisturbed(bench, market, connection_ids)


async def test_kills_at_random_moments_change_nothing_in_the_end(
    bench: Bench, market: Sandbox, connection_ids: Callable[[str], None]
) -> None:
    connection_ids("calltouch")
    connection = await bench.connect(market, "calltouch")
    chance = random.Random(4)  # noqa: S311 - a test's own dice
    for _ in range(5):
        process = reading(bench, connection)
        await asyncio.sleep(chance.uniform(0.9, 2.2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    code, words = ended(reading(bench, connection))
    assert code == 0, words
    assert await bench.unsettled() == []
    await _same_as_undisturbed(bench, market, connection_ids)


async def _same_as_undisturbed(bench: Bench, market: Sandbox, connection_ids: Callable[[str], None]) -> None:
    disturbed = await bench.state()
    await bench.forget()
    connection_ids("calltouch")
    await bench.sync(await bench.connect(market, "calltouch"))
    undisturbed = await bench.state()
    for name in undisturbed:
        assert disturbed[name] == undisturbed[name], name
