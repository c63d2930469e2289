"""A market with a CRM that is written to, rules, and what the CRM itself says was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from sandbox.running import open_to_read
from sandbox.server import Sandbox, start
from sync.writeback.deliver import deliver
from sync.writeback.rulebook import add_rule, switch_rule
from sync.writeback.rules import Rule
from tests.sync.conftest import START, Bench

BEGINNING = datetime(START.year, START.month, START.day, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look and try again at once, not after seconds."""
    from dataclasses import replace

    from tenacity import wait_random_exponential

    from connectors.registry import all_connectors

    monkeypatch.setattr("sync.vendor._backoff", wait_random_exponential(multiplier=0.01, max=0.05))
    monkeypatch.setattr("sync.writeback.sending.FIRST_PAUSE", 0.0)
    for each in all_connectors().values():
        quick = tuple(replace(write, lag_seconds=0.0) for write in each.writes)
        monkeypatch.setitem(all_connectors(), each.key, replace(each, writes=quick))


@dataclass
class Writing:
    """A workspace with a rule's two ends connected and read once."""

    bench: Bench
    market: Sandbox
    calltouch: UUID | None = None

    async def calls_waiting(self, **values: Any) -> tuple[UUID, set[str]]:
        """Calls read, each new number's in the outbox of the portal: the portal's connection, and the numbers."""
        self.calltouch, portal = await self.connect("calltouch"), await self.connect("bitrix24")
        await self.bench.sync(portal)
        await self.rule(portal, "call_to_lead", **({"fields": {"UTM_SOURCE": "source"}} | values))
        await self.bench.sync(self.calltouch)
        rows = await self.bench.rows("select payload -> 'phones' ->> 0 from outbox")
        assert len(rows) > 6
        return portal, {phone for (phone,) in rows}

    def ask_portal(self, method: str, **params: Any) -> Any:
        """What a person does in the portal."""
        address = self.market.credentials["bitrix24"]["webhook_url"]
        answer = httpx.post(f"{address.rstrip('/')}/{method}", json=params, timeout=30)
        answer.raise_for_status()
        return answer.json()["result"]

    def ask_account(self, method: str, path: str, body: Any = None) -> Any:
        """What a person does in the amoCRM account."""
        told = self.market.credentials["amocrm"]
        headers = {"Authorization": f"Bearer {told['access_token']}"}
        answer = httpx.request(method, f"{told['base_url']}/api/v4/{path}", json=body, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json()

    async def connect(self, vendor: str) -> UUID:
        return await self.bench.connect(self.market, vendor)

    async def rule(self, target: UUID, kind: str, *, since: datetime | None = BEGINNING, **values: Any) -> Rule:
        bench = self.bench
        shown = await add_rule(bench.office, bench.workspace, target, kind, values, since=since, actor="test")
        return await switch_rule(bench.office, bench.workspace, shown.rule.id, enabled=True)

    async def deliver(self, target: UUID, *, rounds: int = 6) -> Counter[str]:
        """Deliver until nothing moves any more."""
        ended: Counter[str] = Counter()
        for _ in range(rounds):
            once = await deliver(self.bench.office, self.bench.workspace, target)
            ended += once
            if not once:
                break
        return ended

    async def states(self) -> Counter[str]:
        return Counter(state for (state,) in await self.bench.rows("select state from outbox"))

    def there(self, query: str) -> list[tuple[Any, ...]]:
        """What a system's own database says: its truth."""
        with closing(open_to_read(self.market.home)) as db:
            found: list[tuple[Any, ...]] = db.execute(query).fetchall()
        return found

    def leads_made(self) -> dict[str, int]:
        """How many leads of ours stand in the portal, by the phone that they are of."""
        return dict(
            self.there(
                "select m.VALUE, count(distinct l.ID) from bitrix24_lead l join bitrix24_multifield m"
                " on m.OWNER = 'LEAD' and m.OWNER_ID = l.ID and m.TYPE_ID = 'PHONE'"
                " where l.ORIGINATOR_ID = 'skvoz' group by m.VALUE"
            )
        )


@pytest.fixture
def writing(bench: Bench, tmp_path: Path) -> Iterator[Writing]:
    systems = ("calltouch", "bitrix24", "amocrm")
    with start(tmp_path / "market", seed=5, calls=60, days=20, start=START, limits=0, only=systems) as market:
        yield Writing(bench, market)
