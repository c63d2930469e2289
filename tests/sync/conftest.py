"""A small pretend market over real HTTP, and an installation of Skvoz beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
from sqlalchemy import text

from core.database import Database, driver
from core.secrets import load_keyring
from core.settings import Settings
from reports.rebuild import difference_from_rebuild
from sandbox.server import Sandbox, start
from schema.enums import RunTrigger
from schema.tables import Base
from sync.budget import Budget
from sync.connections import create_connection
from sync.office import Office, create_workspace
from sync.run import run_connection
from sync.run_life import RunResult
from sync.settling import settle_marked

VENDORS = ("calltouch", "bitrix24", "amocrm", "yandex_direct")
NAMESPACE = UUID("5f0e9a52-0000-4000-8000-000000000000")
START = date(2026, 3, 2)

# What may differ between two histories that lead to the same state.
VOLATILE = {
    "loaded_at", "changed_at", "first_seen_at", "known_from", "known_until", "run_id", "at", "created_at", "raw",
    "dictionary_id", "learnt_at", "superseded_at", "founded_at", "workspace_id",
    "carriers",
}  # fmt: skip
COMPARED = (
    "user_account", "contact", "company", "visit", "call", "lead", "deal", "pipeline", "stage", "stage_change",
    "sales_order", "order_item", "invoice", "payment", "message", "task",
    "campaign", "identifier", "shared_key", "source_record",
)  # fmt: skip


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A market that nobody may change: 150 calls in 40 days, no limits."""
    with start(tmp_path_factory.mktemp("market"), seed=5, calls=150, days=40, start=START, limits=0) as sandbox:
        yield sandbox


@pytest.fixture
def own_market(tmp_path: Path) -> Iterator[Sandbox]:
    """A market of a test's own, to plan faults in and to move on."""
    with start(tmp_path / "market", seed=5, calls=150, days=40, start=START, limits=0) as sandbox:
        yield sandbox


@pytest.fixture
def small_market(tmp_path: Path) -> Iterator[Sandbox]:
    """A market of a test's own with two systems and little in them."""
    systems = ("calltouch", "bitrix24")
    with start(tmp_path / "market", seed=5, calls=20, days=10, start=START, limits=0, only=systems) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """These markets have no limits, so ours would only cost time; ``test_budget`` tries them."""
    monkeypatch.setattr(Budget, "pace", 0.0)


@dataclass
class Bench:
    """One workspace with connections to a market; what tests do to it and ask of it."""

    office: Office
    workspace: UUID
    sandbox: Sandbox | None = None

    async def connect(self, sandbox: Sandbox, vendor: str) -> UUID:
        values = {k: v for k, v in sandbox.credentials[vendor].items() if k != "login"}
        values["since"] = str(START)
        id, health = await create_connection(self.office, self.workspace, vendor, vendor, values)
        assert health.ok
        return id

    async def sync(self, connection: UUID, **options: Any) -> RunResult:
        return await run_connection(self.office, self.workspace, connection, trigger=RunTrigger.COMMAND, **options)

    async def rows(self, query: str, **params: Any) -> list[tuple[Any, ...]]:
        async with self.office.database.loading(self.workspace) as db:
            return [tuple(row) for row in await db.execute(text(query), params)]

    async def value(self, query: str, **params: Any) -> Any:
        return (await self.rows(query, **params))[0][0]

    async def settle(self) -> None:
        await settle_marked(self.office.database, self.workspace, None)

    async def forget(self) -> None:
        """Empty all tables but the workspace's own. (TRUNCATE would make new files for 150 relations.)"""
        kept = {"workspace", "installation"}
        names = [table.name for table in reversed(Base.metadata.sorted_tables) if table.name not in kept]
        async with self.office.database.loading(self.workspace) as db:
            for name in names:
                await db.execute(text(f'delete from "{name}"'))  # noqa: S608

    async def unsettled(self) -> list[Any]:
        """Where the figures differ from a full recomputation: nowhere, ever."""
        async with self.office.database.loading(self.workspace) as db:
            return await difference_from_rebuild(driver(db), self.workspace)

    async def state(self) -> dict[str, list[tuple[Any, ...]]]:
        """The tables as they stand, without what depends on when and in which order they were filled."""
        found = {}
        for name in COMPARED:
            table = Base.metadata.tables[name]
            kept = [c.name for c in table.columns if c.name not in VOLATILE and c.name != "client_id"]
            if name == "shared_key":  # that a key joins nobody is a fact; why it was last judged so is history
                kept.remove("reason")
            rows = await self.rows(f'select {", ".join(kept)} from "{name}"')  # noqa: S608
            found[name] = sorted(rows, key=repr)
        found["partition"] = await self._partition()
        found["paths"] = sorted(
            await self.rows(
                "select conversion_id, kind, record_id, occurred_at, value, touch_records, touch_campaigns, reason"
                " from path where known_until is null"
            ),
            key=repr,
        )
        for rollup in ("rollup_day", "rollup_month"):
            cells = await self.rows(f"select * from {rollup}")  # noqa: S608
            told = [cell[1:] for cell in cells if any(isinstance(n, int | Decimal) and n for n in cell)]
            found[rollup] = sorted(told, key=repr)
        return found

    async def _partition(self) -> list[tuple[Any, ...]]:
        """Which records are one client, whatever its id."""
        rows = await self.rows(
            "select array_agg(record_id order by record_id) from identity_record where client_id is not null"
            " group by client_id"
        )
        return sorted((tuple(map(str, members)),) for (members,) in rows)


@pytest.fixture
async def office(database: Database, settings: Settings) -> Office:
    open_to_loopback = settings.model_copy(update={"allow_private_hosts": ("127.0.0.1",)})
    return Office(database, load_keyring(open_to_loopback), open_to_loopback)


@pytest.fixture
async def bench(office: Office, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A workspace whose connections have the same ids in every test, so that states can be compared."""
    numbers = iter(range(1000))
    monkeypatch.setattr("sync.connections.uuid4", lambda: uuid5(NAMESPACE, str(next(numbers))))
    return Bench(office, await create_workspace(office, "test", "Test"))


@pytest.fixture
def connection_ids(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the next connection have the id that belongs to a name, whatever the order of connecting."""

    def use(name: str) -> None:
        monkeypatch.setattr("sync.connections.uuid4", lambda: uuid5(NAMESPACE, name))

    return use
