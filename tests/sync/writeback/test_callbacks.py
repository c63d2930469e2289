"""Who left a phone in a form is called back by the tracker's widget: once, soon, and only where a rule says so."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import httpx
import pytest
from sqlalchemy import text

from core.clock import Clock, replaced
from sync.connections import create_connection
from sync.writeback.dry_run import dry_run
from sync.writeback.kinds.callbacks import RequestToCallback
from tests.sync.conftest import START
from tests.sync.writeback.conftest import Writing

ASKED = "select phone from calltouch_request where number like 'widget-%'"


async def test_a_form_is_called_back_once_though_the_answer_was_lost(writing: Writing) -> None:
    bench, market = writing.bench, writing.market
    told = market.credentials["calltouch"]
    values = {**told, "since": str(START), "callback_route": "route-1"}
    tracker, _ = await create_connection(bench.office, bench.workspace, "calltouch", "Calltouch", values)
    portal = await writing.connect("bitrix24")
    await bench.sync(portal)
    now = market.now()
    async with bench.office.database.loading(bench.workspace) as db:
        youngest = "select id from lead where cardinality(phones) > 0 order by created_at desc limit 2"
        await db.execute(text(f"update lead set created_at = :at where id in ({youngest})"), {"at": now})  # noqa: S608
    market.fault("calltouch", "drop_answer", match="user-form/create", times=1)
    with replaced(Clock(now + timedelta(minutes=5))):
        rule = await writing.rule(tracker, "request_to_callback", tags=["site"])
        wanted = await bench.value("select count(*) from outbox")
        assert 1 <= wanted <= 2, "older requests are nobody's to ring up now"
        await writing.deliver(tracker, rounds=10)
        assert await writing.states() == {"done": wanted}
        assert (await dry_run(bench.office, bench.workspace, rule.id)).total == 0
    assert len(writing.there(ASKED)) == wanted
    await bench.sync(tracker)
    forms = len(writing.there("select 1 from calltouch_request where number not like 'widget-%'"))
    assert await bench.value("select count(*) from lead where connection_id = :id", id=tracker) == forms, "no echo"


async def test_what_is_too_late_or_has_no_route_waits_for_a_person(writing: Writing) -> None:
    bench, market = writing.bench, writing.market
    tracker, portal = await writing.connect("calltouch"), await writing.connect("bitrix24")
    await bench.sync(portal)
    now = market.now()
    async with bench.office.database.loading(bench.workspace) as db:
        youngest = "select id from lead where cardinality(phones) > 0 order by created_at desc limit 1"
        await db.execute(text(f"update lead set created_at = :at where id in ({youngest})"), {"at": now})  # noqa: S608
    with replaced(Clock(now)):
        await writing.rule(tracker, "request_to_callback")
        await writing.deliver(tracker)
    ((state, reason),) = await bench.rows("select state, reason from outbox")
    assert state == "failed"
    assert "key of the callback's route" in reason
    assert writing.there(ASKED) == []


def test_the_emulated_widget_refuses_an_unknown_route_and_half_a_phone(writing: Writing) -> None:
    told = writing.market.credentials["calltouch"]
    headers = {"Access-Token": told["token"], "SiteId": told["site_id"]}
    address = f"{told['base_url']}/widget-service/v1/api/widget-request/user-form/create"
    for body in ({"routeKey": "other", "phone": "79161234567"}, {"routeKey": "route-1", "phone": "12"}):
        assert httpx.post(address, json=body, headers=headers, timeout=30).status_code == 400
    assert httpx.post(address, json={"routeKey": "route-1", "phone": "79161234567"}, timeout=30).status_code == 401


@pytest.mark.parametrize(
    ("hours", "at", "taken"),
    [
        ("any", datetime(2026, 3, 7, 23, tzinfo=UTC), True),
        ("outside", datetime(2026, 3, 6, 12, tzinfo=UTC), False),
        ("outside", datetime(2026, 3, 6, 18, tzinfo=UTC), True),
        ("outside", datetime(2026, 3, 7, 12, tzinfo=UTC), True),  # a Saturday
        ("within", datetime(2026, 3, 6, 12, tzinfo=UTC), True),
        ("within", datetime(2026, 3, 7, 12, tzinfo=UTC), False),
    ],
)
def test_hours_are_kept(hours: str, at: datetime, taken: bool) -> None:
    rule = RequestToCallback.model_validate({"hours": hours, "opens": "09:00", "closes": time(18)})
    assert rule.takes(at) is taken
    shown = rule.sentence("Calltouch", str, "ru") + rule.sentence("Calltouch", str)
    assert ("вне рабочего времени" in shown) == (hours == "outside")
