"""What becomes of calls, requests of elsewhere and costs of advertising reach the call tracker by rules, once."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text

from schema.ids import campaign_id
from tests.sync.test_kill import KILLED, ended, reading
from tests.sync.writeback.conftest import Writing

DAY = date(2026, 3, 10)


async def spent(writing: Writing, cost: str, revision: int = 1) -> None:
    """The cabinet tells what a campaign cost on a day."""
    bench = writing.bench
    campaign = campaign_id("yandex_direct", "101")
    portal = await bench.value("select id from connection where connector = 'bitrix24'")
    known = {"ws": bench.workspace, "campaign": campaign, "connection": portal, "cost": Decimal(cost), "day": DAY}
    async with bench.office.database.loading(bench.workspace) as db:
        await db.execute(
            text(
                "insert into campaign (workspace_id, id, platform, external_id, name, loaded_at)"
                " values (:ws, :campaign, 'yandex_direct', '101', 'Весна', now()) on conflict do nothing"
            ),
            known,
        )
        await db.execute(text("update ad_spend set known_until = now()"))
        await db.execute(
            text(
                "insert into ad_spend (workspace_id, connection_id, campaign_id, day, revision, stream, source_id,"
                " cost, currency, vat_included, impressions, clicks, known_from) values (:ws, :connection,"
                " :campaign, :day, :revision, 'costs', '1', :cost, 'RUB', true, 0, 0, now())"
            ),
            known | {"revision": revision},
        )


def costs(writing: Writing) -> list[tuple[object, ...]]:
    return writing.there("select day, source, campaign, price from calltouch_cost")


@pytest.mark.parametrize("crash", [None, "outbox.after_send:2"])
async def test_a_days_cost_stands_there_once_and_follows_what_is_restated(
    writing: Writing, crash: str | None
) -> None:
    tracker = await writing.connect("calltouch")
    await writing.connect("bitrix24")
    await spent(writing, "1234.50")
    await writing.rule(tracker, "costs_to_tracker")
    if crash is not None:
        code, words = ended(reading(writing.bench, tracker, crash_at=crash, module="tests.sync.writeback.courier"))
        assert code == KILLED, words
    else:
        writing.market.fault("calltouch", "drop_answer", match="costs-import", times=2)
    await writing.deliver(tracker, rounds=20)
    assert costs(writing) == [("2026-03-10", "yandex", "101", "1234.5")]
    await spent(writing, "1300", revision=2)
    for _ in range(2):  # told twice it is one change
        await writing.rule(tracker, "costs_to_tracker")
    await writing.deliver(tracker)
    assert costs(writing) == [("2026-03-10", "yandex", "101", "1300")]
    assert await writing.states() == Counter(done=3)


async def test_calls_are_marked_with_what_became_of_their_deals(writing: Writing) -> None:
    tracker, portal = await writing.connect("calltouch"), await writing.connect("bitrix24")
    await writing.rule(
        tracker, "deal_marks_call", tags={"won": "Оплачено"}, comment="{title}: {status} {amount}", call="first"
    )
    writing.market.advance(days=40)
    await writing.bench.sync(portal)
    await writing.bench.sync(tracker)
    for path in ("tag/lead", "comment/lead"):
        writing.market.fault("calltouch", "drop_answer", match=path, times=2)
    await writing.deliver(tracker, rounds=30)
    states = await writing.states()
    assert set(states) == {"done"}
    won = await writing.bench.rows(
        "select distinct payload ->> 'lead' from outbox where write in ('call.tag', 'request.tag')"
    )
    tags = writing.there("select kind || lead, tag from calltouch_tag where tag = 'Оплачено'")
    assert len(tags) == len({lead for lead, _ in tags}) == len(won) > 0
    comments = writing.there("select kind, lead, text from calltouch_comment where text like '%: %'")
    wanted = await writing.bench.value("select count(*) from outbox where write like '%.comment'")
    assert len(comments) == len(set(comments)) == wanted > 0


async def test_leads_of_the_crm_become_requests_and_do_not_come_back(writing: Writing) -> None:
    tracker, portal = await writing.connect("calltouch"), await writing.connect("bitrix24")
    await writing.rule(tracker, "lead_to_request", tags=["CRM"])
    await writing.rule(portal, "call_to_lead")
    await writing.bench.sync(tracker)
    await writing.deliver(portal)
    await writing.bench.sync(portal)
    forms = await writing.bench.value(
        "select count(*) from lead l join connection c on c.id = l.connection_id where c.connector = 'bitrix24'"
        " and not exists (select from outbox o where o.external_id = l.external_id and o.write = 'lead.create'"
        " and o.state = 'done') and cardinality(l.phones) + cardinality(l.emails) > 0"
    )
    assert forms > 0
    writing.market.fault("calltouch", "drop_answer", match="request/create", times=2)
    await writing.deliver(tracker, rounds=20)
    numbers = writing.there("select number from calltouch_request where number like 'skvoz-%'")
    assert len(numbers) == len(set(numbers)) == forms
    before: UUID = await writing.bench.value("select count(*) from lead")
    await writing.bench.sync(tracker)
    assert await writing.bench.value("select count(*) from lead") == before
