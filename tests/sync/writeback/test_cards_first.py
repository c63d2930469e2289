"""Entry into CRMs that make no deal together with its card: the card first, then the deal, each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from sandbox.server import start
from sync.connections import create_connection
from sync.writeback.recipes import recipe, recipes, switch_on
from sync.writeback.rulebook import list_rules
from tests.sync.conftest import START, Bench
from tests.sync.writeback.conftest import BEGINNING, Writing


@pytest.fixture(params=["aspro_cloud", "onec"])
def entering(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> Iterator[tuple[Writing, str]]:
    crm = request.param
    with start(
        tmp_path / "market",
        seed=5,
        calls=40,
        days=20,
        start=START,
        limits=0,
        crms=("bitrix24", crm),
        only=("calltouch", crm),
    ) as market:
        yield Writing(bench, market), crm


async def connected(writing: Writing, crm: str) -> UUID:
    bench = writing.bench
    kinds = {
        "phone_kind": "c693a6b6-5bf0-11ee-9f6b-3cecef2a1c01",
        "email_kind": "c693a6b6-5bf0-11ee-9f6b-3cecef2a1c02",
    }
    values = {**writing.market.credentials[crm], "since": str(START), **(kinds if crm == "onec" else {})}
    id, _ = await create_connection(bench.office, bench.workspace, crm, crm, values)
    return id


async def test_a_call_becomes_a_card_and_its_deal_and_who_has_one_gets_none(
    entering: tuple[Writing, str],
) -> None:
    writing, crm = entering
    bench = writing.bench
    target = await connected(writing, crm)
    key = f"call-to-{crm.replace('_', '-')}"
    assert "call_to_deal" in recipes()[key].kinds
    await bench.sync(target)
    tracker = await writing.connect("calltouch")
    await switch_on(
        bench.office,
        bench.workspace,
        recipe(key),
        target,
        {"only_new_numbers": False},
        actor="test",
        since=BEGINNING,
    )
    assert len(await list_rules(bench.office, bench.workspace)) == 1
    await bench.sync(tracker)
    causes = await bench.value("select count(*) from outbox")
    for path in ("create", "Catalog", "Document"):
        writing.market.fault(crm, "drop_answer", match=path, method="POST", times=1)

    await writing.deliver(target, rounds=30)

    states = dict(map(tuple, await bench.rows("select write || ' ' || state, count(*) from outbox group by 1")))
    assert sum(count for name, count in states.items() if name.startswith("deal.create")) == causes
    wrong = await bench.rows("select write, state, reason from outbox where state not in ('done', 'skipped')")
    assert wrong == []
    assert states["deal.create done"] > 3
    await bench.sync(target)
    orphans = await bench.rows(
        "select o.external_id from outbox o left join deal d on d.connection_id = o.connection_id"
        " and d.external_id = o.external_id and d.client_id is not null"
        " where o.write = 'deal.create' and o.state = 'done' and d.id is null"
    )
    assert orphans == []
    again: Any = await bench.rows(
        "select i.value, count(distinct c.id) from contact c join identifier i on i.record_id = c.id and"
        " i.kind = 'phone' where c.connection_id = :id and i.value in (select payload -> 'phones' ->> 0 from outbox"
        " where write like '%.create' and payload ? 'phones') group by 1 having count(distinct c.id) > 1",
        id=target,
    )
    assert again == []
    assert await writing.deliver(target) == Counter()
