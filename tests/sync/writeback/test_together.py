"""Several changes in one request: each has an outcome of its own, and none is done twice whatever happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
import pytest

from connectors.contract import VendorRequest, VendorResponse
from connectors.errors import VendorChanged
from connectors.registry import all_connectors
from sync.writeback.outbox import edit, put_new, skip
from sync.writeback.sending import Sending
from tests.sync.test_kill import KILLED, ended, reading
from tests.sync.writeback.conftest import Writing

BAD_STAGE = {"bitrix24": "C9:NOWHERE", "amocrm": "1"}
TITLES = {"bitrix24": "select ID, TITLE from bitrix24_deal", "amocrm": "select id, name from amocrm_leads"}


async def renamed(writing: Writing, vendor: str, count: int = 5) -> tuple[UUID, dict[str, str]]:
    """Deals of a CRM, each of which a person here wants to be called otherwise, of the first twice: the connection,
    and their titles in the end by id."""
    crm = await writing.connect(vendor)
    await writing.bench.sync(crm)
    rows = await writing.bench.rows(
        "select external_id from deal where connection_id = :crm order by external_id limit :count",
        crm=crm,
        count=count,
    )
    deals = [deal for (deal,) in rows]
    for deal in deals:
        await intended(writing, crm, deal, {"title": f"Сделка & {deal}"})
    await intended(writing, crm, deals[0], {"title": "В конце"})
    return crm, {deal: f"Сделка & {deal}" for deal in deals} | {deals[0]: "В конце"}


async def intended(writing: Writing, crm: UUID, deal: str, values: Mapping[str, Any]) -> UUID:
    workspace = writing.bench.workspace
    async with writing.bench.office.database.workspace(workspace) as db:
        return await put_new(
            db,
            workspace,
            crm,
            write="deal.update",
            key=f"{deal} {values}",
            order_key=f"deal:{deal}",
            cause=("deal", workspace),
            payload=values,
            base=None,
            external_id=deal,
        )


def titles(writing: Writing, vendor: str, of: Mapping[str, str]) -> dict[str, str]:
    return {str(id): title for id, title in writing.there(TITLES[vendor]) if str(id) in of}


@pytest.mark.parametrize("vendor", ["bitrix24", "amocrm"])
async def test_one_that_is_refused_is_parked_with_its_reason_and_the_others_are_done(
    writing: Writing, vendor: str
) -> None:
    crm, wanted = await renamed(writing, vendor)
    wrong = next(iter(reversed(wanted)))
    ((change,),) = await writing.bench.rows("select id from outbox where external_id = :deal", deal=wrong)
    await edit(writing.bench.office.database, writing.bench.workspace, change, {"stage": BAD_STAGE[vendor]})
    before = titles(writing, vendor, wanted)

    assert await writing.deliver(crm) >= Counter(done=5, failed=1)

    assert await writing.states() == Counter(done=5, failed=1)
    reason = await writing.bench.value("select reason from outbox where state = 'failed'")
    assert {"bitrix24": "There is no stage 'C9:NOWHERE'", "amocrm": "not a valid choice"}[vendor] in reason
    assert titles(writing, vendor, wanted) == wanted | {wrong: before[wrong]}
    told = await writing.bench.rows(
        "select outcome from outbox_attempt where step = 'send' and outcome like '%more in one request%'"
    )
    assert len(told) == 4  # the second name of the first deal went after the first one


async def test_after_a_lost_answer_each_is_looked_for_before_it_is_sent_again(writing: Writing) -> None:
    crm, wanted = await renamed(writing, "amocrm")
    writing.market.fault("amocrm", "drop_answer", match="leads$", method="PATCH", times=1)
    await writing.deliver(crm, rounds=1)
    assert await writing.states() >= Counter(done=1)
    await writing.deliver(crm, rounds=20)
    assert await writing.states() == Counter(done=6)
    assert titles(writing, "amocrm", wanted) == wanted
    sends = await writing.bench.rows("select attempts, count(*) from outbox group by 1")
    assert dict(map(tuple, sends)) == {1: 6}  # what stood there already wasn't sent again


async def test_a_crash_with_several_under_way_leaves_none_undone(writing: Writing) -> None:
    crm, wanted = await renamed(writing, "bitrix24")
    process = reading(writing.bench, crm, crash_at="outbox.after_send:1", module="tests.sync.writeback.courier")
    code, words = ended(process)
    assert code == KILLED, words
    assert await writing.states() == Counter(sending=5, pending=1)
    await writing.deliver(crm, rounds=20)
    assert await writing.states() == Counter(done=6)
    assert titles(writing, "bitrix24", wanted) == wanted


async def test_what_somebody_skips_while_it_is_looked_at_is_not_sent(
    writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm, wanted = await renamed(writing, "amocrm")
    before = titles(writing, "amocrm", wanted)
    left_out = next(iter(reversed(wanted)))
    ((change,),) = await writing.bench.rows("select id from outbox where external_id = :deal", deal=left_out)
    send = Sending.send

    async def late(self: Sending, group: Any) -> list[str]:
        if any(one.item.id == change for one in group):
            await skip(writing.bench.office.database, writing.bench.workspace, change, "Anna")
        return await send(self, group)

    monkeypatch.setattr(Sending, "send", late)
    await writing.deliver(crm)
    assert await writing.states() == Counter(done=5, skipped=1)
    assert titles(writing, "amocrm", wanted) == wanted | {left_out: before[left_out]}


def answer(body: bytes, status: int = 200) -> VendorResponse:
    return VendorResponse(status, httpx.Headers(), body)


@pytest.mark.parametrize("vendor", ["bitrix24", "amocrm"])
def test_an_answer_that_leaves_one_out_says_nothing_of_it(vendor: str) -> None:
    connector = all_connectors()[vendor]
    assert connector.together is not None
    requests = [
        VendorRequest("crm.lead.delete", "POST", json={"id": id})
        if vendor == "bitrix24"
        else VendorRequest(f"/api/v4/leads/{id}", "PATCH", json={"name": "x"})
        for id in (1, 2)
    ]
    body = {
        "bitrix24": b'{"result": {"result": {"w1": true}, "result_error": []}}',
        "amocrm": b'{"_embedded": {"leads": [{"id": 2, "request_id": "1"}]}}',
    }[vendor]
    first, second = connector.together.split(None, requests, answer(body))
    assert isinstance(first, VendorChanged)
    assert isinstance(second, VendorResponse)
    with pytest.raises(VendorChanged):
        connector.together.split(None, requests, answer(b"[]" if vendor == "bitrix24" else b"{}", 400))
