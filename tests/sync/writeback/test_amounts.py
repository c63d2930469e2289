"""A won deal's amount reaches the call tracker, against the call that the client came by."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from sync.connections import resync
from sync.writeback.outbox import NotPossible
from sync.writeback.undo import preview_undo, undo
from tests.sync.writeback.conftest import Writing

CREATE = "client-order/create"


async def deals_waiting(writing: Writing) -> tuple[UUID, UUID, dict[str, Decimal]]:
    """Won deals with a call of their client: the tracker, the portal, and the amounts by the deal's number."""
    tracker, portal = await writing.connect("calltouch"), await writing.connect("bitrix24")
    await writing.rule(tracker, "won_deal_to_call")
    writing.market.advance(days=40)
    await writing.bench.sync(portal)
    assert await writing.states() == Counter()  # no call is known yet
    await writing.bench.sync(tracker)
    rows = await writing.bench.rows("select payload ->> 'number', payload ->> 'amount' from outbox")
    assert rows
    return tracker, portal, {number: Decimal(amount) for number, amount in rows}


def orders(writing: Writing) -> dict[str, Decimal]:
    rows = writing.there("select number, revenue from calltouch_order")
    assert len(rows) == len({number for number, _ in rows})
    return {number: Decimal(revenue) for number, revenue in rows}


async def test_the_amount_of_a_won_deal_goes_to_its_call(writing: Writing) -> None:
    tracker, _, amounts = await deals_waiting(writing)
    assert await writing.deliver(tracker) == Counter(done=len(amounts))
    assert orders(writing) == amounts
    matched = writing.there("select kind, lead from calltouch_order")
    assert all(kind == "call" and lead for kind, lead in matched)
    for number, amount in amounts.items():
        deal = writing.ask_portal("crm.deal.get", id=number.removeprefix("bitrix24-"))
        assert (deal["STAGE_SEMANTIC_ID"], Decimal(deal["OPPORTUNITY"])) == ("S", amount)


async def test_a_changed_amount_is_told_again_and_nothing_else_is(writing: Writing) -> None:
    tracker, portal, amounts = await deals_waiting(writing)
    await writing.deliver(tracker)
    number = sorted(amounts)[0]
    deal = number.removeprefix("bitrix24-")
    writing.ask_portal("crm.deal.update", id=deal, fields={"OPPORTUNITY": "123456.50"})
    for connection in (portal, tracker):
        await resync(writing.bench.office, writing.bench.workspace, connection)
        await writing.bench.sync(connection)
    assert await writing.deliver(tracker) == Counter(done=1)
    assert orders(writing) == amounts | {number: Decimal("123456.50")}


FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "the answer is lost": ("drop_answer", {}),
    "the request comes twice": ("twice", {}),
    "500": ("status", {"status": 500}),
    "a page of HTML": ("html", {}),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_while_writing_makes_neither_two_nor_none(writing: Writing, fault: str) -> None:
    kind, params = FAULTS[fault]
    tracker, _, amounts = await deals_waiting(writing)
    writing.market.fault("calltouch", kind, match=CREATE, times=3, params=params)
    await writing.deliver(tracker, rounds=20)
    assert await writing.states() == Counter(done=len(amounts))
    assert orders(writing) == amounts


async def test_a_deal_whose_call_is_gone_there_is_parked_with_the_reason(writing: Writing) -> None:
    tracker, _, amounts = await deals_waiting(writing)
    async with writing.bench.office.database.loading(writing.bench.workspace) as db:
        await db.exec_driver_sql('update outbox set payload = payload || \'{"call": "1"}\'')
    assert await writing.deliver(tracker) == Counter(failed=len(amounts))
    assert all("не найден" in reason for (reason,) in await writing.bench.rows("select reason from outbox"))
    assert orders(writing) == {}


async def test_a_deal_put_there_is_taken_back(writing: Writing) -> None:
    tracker, _, amounts = await deals_waiting(writing)
    await writing.deliver(tracker)
    office, workspace = writing.bench.office, writing.bench.workspace
    id, number = (await writing.bench.rows("select id, payload ->> 'number' from outbox order by seq"))[0]
    preview = await preview_undo(office, workspace, id)
    assert (preview.operation, preview.obstacle) == ("delete", None)
    assert await undo(office, workspace, id) == await undo(office, workspace, id)
    assert await writing.deliver(tracker) == Counter(done=1)
    assert orders(writing) == {key: amount for key, amount in amounts.items() if key != number}
    waiting = await writing.bench.value("select id from outbox where undoes is not null")
    with pytest.raises(NotPossible):
        await preview_undo(office, workspace, waiting)
