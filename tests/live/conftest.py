"""Real systems that nobody here wrote. They run only where ``make test-live`` says so."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from sandbox.server import Sandbox, start
from sync.connections import create_connection
from sync.writeback.deliver import deliver
from sync.writeback.rulebook import add_rule, switch_rule
from tests.live.running import Databases
from tests.sync.conftest import START, Bench, _no_limits, bench, office
from tests.sync.writeback.conftest import _impatient

__all__ = ["_impatient", "_no_limits", "bench", "office"]

LIVE = frozenset(filter(None, os.environ.get("LIVE_CRMS", "").split(",")))
collect_ignore = [f"test_{name}.py" for name in ("tryton", "bottlecrm") if name not in LIVE]
BEGINNING = datetime(START.year, START.month, START.day, tzinfo=UTC)


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The server of the live systems' databases."""
    found = Databases()
    yield found
    found.close()


@pytest.fixture(scope="session")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A call tracker whose calls become leads there, and a CRM whose cards flow there."""
    folder = tmp_path_factory.mktemp("market")
    systems = ("calltouch", "amocrm")
    with start(folder, seed=5, calls=40, days=20, start=START, limits=0, only=systems) as market:
        yield market


@dataclass
class Live:
    """A workspace that is connected to a live system."""

    bench: Bench

    async def connect(self, connector: str, **values: Any) -> UUID:
        bench = self.bench
        id, health = await create_connection(bench.office, bench.workspace, connector, connector, values)
        assert health.ok, health.sentence
        return id

    async def rule(self, target: UUID, kind: str, **values: Any) -> None:
        bench = self.bench
        shown = await add_rule(bench.office, bench.workspace, target, kind, values, since=BEGINNING, actor="test")
        await switch_rule(bench.office, bench.workspace, shown.rule.id, enabled=True)

    async def deliver(self, target: UUID, *, rounds: int = 6) -> Counter[str]:
        """Deliver until nothing moves any more."""
        ended: Counter[str] = Counter()
        for _ in range(rounds):
            once = await deliver(self.bench.office, self.bench.workspace, target)
            ended += once
            if not once:
                break
        return ended

    async def outbox(self, connection: UUID) -> Counter[str]:
        rows = await self.bench.rows("select state from outbox where connection_id = :id", id=connection)
        return Counter(state for (state,) in rows)


@pytest.fixture
def live(bench: Bench) -> Live:
    return Live(bench)


@pytest.fixture(scope="session")
def live_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs and settings of the servers."""
    return tmp_path_factory.mktemp("live")
