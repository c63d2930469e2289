"""What is written to the call tracker beside won deals: requests, tags, comments and costs, each exactly once, and
none of it taken for news when it comes back."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from sqlalchemy import text

from sync.connections import resync, update_connection
from sync.writeback.outbox import NotPossible
from sync.writeback.undo import preview_undo, undo
from tests.sync.writeback.conftest import Writing

DAY = "2026-03-10"
COST = {"day": DAY, "source": "vk", "medium": "cpc", "campaign": "весна"}


async def want(writing: Writing, tracker: UUID, write: str, payload: dict[str, Any], order: str) -> UUID:
    """A change as a rule of a kind that isn't there yet would want it."""
    async with writing.bench.office.database.loading(writing.bench.workspace) as db:
        found: UUID = (
            await db.execute(
                text(
                    "insert into outbox (workspace_id, id, connection_id, write, key, order_key, cause_kind,"
                    " cause_id, cause_at, payload) values (:ws, gen_random_uuid(), :connection, :write,"
                    " md5(:write || :payload), :order, 'lead', gen_random_uuid(), now(), cast(:payload as jsonb))"
                    " returning id"
                ),
                {
                    "ws": writing.bench.workspace,
                    "connection": tracker,
                    "write": write,
                    "payload": orjson.dumps(payload).decode(),
                    "order": order,
                },
            )
        ).scalar_one()
    return found


async def everything(writing: Writing) -> tuple[UUID, str, dict[str, UUID]]:
    """One change of each kind in the outbox, about a call that is read: the tracker, the call, the changes."""
    tracker = await writing.connect("calltouch")
    await writing.bench.sync(tracker)
    rows = await writing.bench.rows(
        "select c.external_id, c.started_at, v.external_id as session from call c"
        " join visit v on v.workspace_id = c.workspace_id and v.id = c.visit_id order by c.external_id limit 1"
    )
    call, at, session = rows[0]
    request = {"title": "Заявка из CRM", "name": "Анна", "phones": ["+79161230000"], "at": f"{DAY}T09:00:00+00:00"}
    wanted = {
        "ad_spend.open": COST,
        "ad_spend.put": COST | {"cost": "1234.50"},
        "request.create": request | {"session": session},
        "call.tag": {"lead": call, "tags": ["VIP"]},
        "call.comment": {"lead": call, "at": at.isoformat(), "text": "перезвонить"},
    }
    ids = {
        write: await want(writing, tracker, write, payload, write.split(".")[0] if "ad_spend" in write else write)
        for write, payload in wanted.items()
    }
    return tracker, call, ids


def there(writing: Writing) -> dict[str, list[tuple[Any, ...]]]:
    """What the tracker itself holds of them."""
    return {
        "costs": writing.there("select day, source, campaign, price from calltouch_cost"),
        "requests": writing.there("select fio, phone from calltouch_request where number like 'skvoz-%'"),
        "tags": writing.there("select kind, tag from calltouch_tag"),
        "comments": writing.there("select kind, text from calltouch_comment"),
    }


ONCE = {
    "costs": [(DAY, "vk", "весна", "1234.5")],
    "requests": [("Анна", "79161230000")],
    "tags": [("call", "VIP")],
    "comments": [("call", "перезвонить")],
}


@pytest.mark.parametrize("fault", [None, "drop_answer", "twice"])
async def test_each_stands_there_once_whatever_happens(writing: Writing, fault: str | None) -> None:
    tracker, _, ids = await everything(writing)
    if fault is not None:
        for path in ("costs-import", "request/create", "tag/lead", "comment/lead"):
            # A comment or request that the network itself doubles can't be told from two: only sums and sets can.
            if fault == "drop_answer" or path in ("costs-import", "tag/lead"):
                writing.market.fault("calltouch", fault, match=path, times=2)
    await writing.deliver(tracker, rounds=20)
    assert await writing.states() == Counter(done=len(ids))
    assert there(writing) == ONCE


async def test_nothing_of_it_comes_back_as_news(writing: Writing) -> None:
    tracker, call, _ = await everything(writing)
    before = await writing.bench.value("select count(*) from lead")
    clients = await writing.bench.value("select count(*) from client")
    await writing.deliver(tracker)
    await resync(writing.bench.office, writing.bench.workspace, tracker)
    await writing.bench.sync(tracker)
    assert await writing.bench.value("select count(*) from lead") == before  # the request is a copy of a lead
    assert await writing.bench.value("select count(*) from client") == clients
    told = await writing.bench.rows("select tags, comment from call where external_id = :call", call=call)
    assert "VIP" in told[0][0]
    assert told[0][1] == "перезвонить"
    assert await writing.bench.unsettled() == []


async def test_a_cost_is_taken_back_and_a_tag_can_not_be(writing: Writing) -> None:
    tracker, _, ids = await everything(writing)
    await writing.deliver(tracker)
    office, workspace = writing.bench.office, writing.bench.workspace
    with pytest.raises(NotPossible, match="can't be taken back"):
        await preview_undo(office, workspace, ids["call.tag"])
    await undo(office, workspace, ids["ad_spend.put"])
    assert await writing.deliver(tracker) == Counter(done=1)
    assert [price for *_, price in there(writing)["costs"]] == ["0"]


async def test_a_spent_day_leaves_the_changes_waiting(writing: Writing) -> None:
    tracker, _, ids = await everything(writing)
    told = '{"errorCode": 429, "message": "Исчерпан суточный лимит баллов"}'
    refusal = {"status": 429, "body": told, "content_type": "application/json"}
    writing.market.fault("calltouch", "status", match="service/", times=None, params=refusal)
    await writing.deliver(tracker, rounds=1)
    assert (await writing.states())["pending"] == len(ids)
    assert await writing.bench.rows("select distinct code from outbox where code is not null") == [
        ("QUOTA_EXHAUSTED",)
    ]
    assert await writing.bench.value("select max(attempts) from outbox") == 0


async def test_deals_that_skvoz_wrote_are_evidence_of_nothing_and_those_of_others_are_not_sales(
    writing: Writing,
) -> None:
    tracker, portal = await writing.connect("calltouch"), await writing.connect("bitrix24")
    await writing.rule(tracker, "won_deal_to_call")
    writing.market.advance(days=40)
    await writing.bench.sync(portal)
    await writing.bench.sync(tracker)
    written = await writing.deliver(tracker)
    call = await writing.bench.value(
        "select external_id from call where client_id is not null and connection_id = :id limit 1", id=tracker
    )
    _put_by_another(writing, call)
    revenue = await _revenue(writing)
    for use, expected in (("evidence", 0), ("deals", 1)):
        await update_connection(writing.bench.office, writing.bench.workspace, tracker, values={"orders": use})
        result = await writing.bench.sync(tracker)
        assert (
            await writing.bench.value(
                "select count(*) from deal where connection_id = :id and deleted_at is null", id=tracker
            )
            == expected
        )
        assert result.state == "succeeded"
        if use == "evidence":
            assert await _revenue(writing) == revenue
            skipped = await writing.bench.value("select max(skipped) from stream_run where stream = 'orders'")
            assert skipped == written["done"] > 0
            assert await writing.bench.value("select count(*) from sales_order") == 1
    assert await writing.bench.unsettled() == []


def _put_by_another(writing: Writing, call: str) -> None:
    """A deal that the CRM's own integration puts into the cabinet."""

    told = writing.market.credentials["calltouch"]
    body = {
        "crm": "Bitrix24",
        "orders": [
            {
                "matching": [{"type": "call", "callParams": {"callId": int(call)}}],
                "orderNumber": "A-1",
                "orderDate": "20-03-2026 12:00:00",
                "revenue": 5000,
            }
        ],
    }
    headers = {"Access-Token": told["token"], "SiteId": told["site_id"]}
    url = f"{told['base_url']}/lead-service/v1/api/client-order/create"
    httpx.post(url, json=body, headers=headers, timeout=30).raise_for_status()


async def _revenue(writing: Writing) -> Decimal:
    found = await writing.bench.value(
        "select coalesce(sum(amount), 0) from deal where status = 'won' and deleted_at is null"
    )
    return Decimal(found)


async def test_deals_go_against_calls_and_requests_with_their_stages_and_money_when_won(writing: Writing) -> None:
    tracker, portal = await writing.connect("calltouch"), await writing.connect("bitrix24")
    rule = await writing.rule(tracker, "won_deal_to_call", requests=True, stages=True)
    assert rule.settings.sentence("T", str) == (
        "The amount of every deal won goes to «T», against the client's last call, request or chat before it."
        " Open and lost deals go there too, with their stage and no money."
    )
    writing.market.advance(days=20)
    await writing.bench.sync(tracker)
    await writing.bench.sync(portal)
    await writing.deliver(tracker)
    assert set(await writing.states()) == {"done"}
    kinds = Counter(kind for (kind,) in writing.there("select kind from calltouch_order"))
    assert kinds["call"] > 0
    assert kinds["request"] > 0
    await _stages_and_money_agree(writing)

    won = (await writing.bench.rows("select external_id from deal where status = 'won' and amount is not null"))[0][
        0
    ]
    number = f"bitrix24-{won}"
    assert writing.there(f"select revenue from calltouch_order where number = '{number}'") != [("0",)]  # noqa: S608
    writing.ask_portal("crm.deal.update", id=won, fields={"STAGE_ID": "LOSE"})
    writing.market.advance(days=3)
    await writing.bench.sync(portal)
    await writing.deliver(tracker)
    assert writing.there(f"select revenue from calltouch_order where number = '{number}'") == [("0",)]  # noqa: S608
    await _stages_and_money_agree(writing)
    await writing.bench.sync(portal)
    assert await writing.deliver(tracker) == Counter()


async def _stages_and_money_agree(writing: Writing) -> None:
    """What stands there is what the CRM says of every deal that was sent: the stage, and money only when won."""
    here = {
        f"bitrix24-{id}": (stage, amount if status == "won" else None)
        for id, stage, status, amount in await writing.bench.rows(
            "select d.external_id, s.name, d.status, d.amount from deal d join stage s on s.id = d.stage_id"
        )
    }
    told = writing.there("select number, status, revenue from calltouch_order")
    assert len({stage for _, stage, _ in told}) > 2
    for number, stage, revenue in told:
        assert stage == here[number][0]
        assert Decimal(revenue or 0) == (here[number][1] or 0)
