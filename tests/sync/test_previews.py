"""What a preview of a merge or a split says is what the decision then does, to the kopeck."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from uuid import UUID

from core.database import driver
from reports import rollups
from sandbox.server import Sandbox
from sync.decisions import merge_clients, split_client
from sync.previews import Consequences, preview_merge, preview_split
from tests.sync.conftest import Bench

Sums = dict[tuple[UUID, str, str], dict[str, Decimal]]
NIL = UUID(int=0)


async def sums(bench: Bench) -> Sums:
    """What each campaign (or reason) is credited with, over all days."""
    async with bench.office.database.loading(bench.workspace) as db:
        cells = await rollups.stored(driver(db), bench.workspace, "day")
    found: Sums = defaultdict(lambda: defaultdict(Decimal))
    for cell, figures in cells.items():
        for figure, amount in figures.items():
            found[cell.campaign_id, cell.reason, cell.channel][figure] += amount
    return found


def foretold(found: Consequences) -> dict[tuple[UUID, str, str], dict[str, Decimal]]:
    return {(each.campaign_id or NIL, each.reason, each.channel): dict(each.figures) for each in found.credits}


def difference(before: Sums, after: Sums) -> dict[tuple[UUID, str, str], dict[str, Decimal]]:
    changed = {}
    for unit in before.keys() | after.keys():
        old, new = before.get(unit, {}), after.get(unit, {})
        figures = {each: new.get(each, Decimal(0)) - old.get(each, Decimal(0)) for each in old.keys() | new.keys()}
        if any(figures.values()):
            changed[unit] = {figure: amount for figure, amount in figures.items() if amount}
    return changed


async def test_credits_and_money_change_as_foretold(bench: Bench, market: Sandbox) -> None:
    for vendor in ("calltouch", "bitrix24"):
        await bench.sync(await bench.connect(market, vendor))
    buyers = await bench.rows(
        "select c.id from client c join path p on p.client_id = c.id and p.known_until is null"
        " where c.kind = 'person' and c.merged_into is null and p.kind = 'won_deal'"
        " group by c.id order by count(distinct p.campaign_id) desc, min(p.occurred_at), c.id limit 4"
    )
    (one,), (two,), (three,), (four,) = buyers
    database, workspace = bench.office.database, bench.workspace
    moved_money = False
    for client, other in ((one, two), (three, four)):
        found = await bench.rows("select record_id from identity_record where client_id = :id", id=client)
        former = {record for (record,) in found}
        before = await sums(bench)
        merged = await preview_merge(database, workspace, client, other)
        assert await sums(bench) == before  # asking changes nothing
        assert await bench.unsettled() == []
        await merge_clients(database, workspace, client, other, "test")
        after = await sums(bench)
        assert foretold(merged) == difference(before, after)
        assert foretold(merged)  # two who bought became one: there is a new client less at least
        moved_money = moved_money or any("revenue" in each.figures for each in merged.credits)
        survivor = await bench.value("select coalesce(merged_into, id) from client where id = :id", id=client)
        found = await bench.rows("select record_id from identity_record where client_id = :id", id=survivor)
        records = [record for (record,) in found if record not in former]
        parted = await preview_split(database, workspace, survivor, records)
        assert await sums(bench) == after
        await split_client(database, workspace, survivor, records, "test")
        assert foretold(parted) == difference(after, await sums(bench))
        assert await bench.unsettled() == []
    assert moved_money
