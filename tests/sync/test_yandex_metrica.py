"""Visits of the counter beside the call tracker's: one visitor, told of by two systems."""

from __future__ import annotations

import httpx
import pytest
from tenacity import wait_random_exponential

from sandbox.server import Sandbox
from schema.enums import RunState
from tests.sync.conftest import Bench
from tests.sync.test_faults import PASSING


async def test_every_visit_until_yesterday_is_read_once_and_a_second_run_asks_for_nothing(
    bench: Bench, market: Sandbox
) -> None:
    connection = await bench.connect(market, "yandex_metrica")
    first = await bench.sync(connection)
    assert (first.state, first.error) == (RunState.SUCCEEDED, None)
    assert first.counts.quarantined == 0
    with market.truth() as truth:
        visits = {record.vendor_id for record in truth.records("yandex_metrica", "visit")}
    told = await bench.rows("select split_part(external_id, '/', 3) from visit")
    assert sorted(id for (id,) in told) == sorted(visits)  # the market stands at the midnight after its last day
    again = await bench.sync(connection)
    assert (again.state, again.counts.fetched) == (RunState.SUCCEEDED, 0)
    assert await bench.unsettled() == []


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("GET", "the connection drops in the middle of a body"),
        ("GET", "a page of HTML in a 200"),
        ("GET", "an empty body in a 200"),
        ("GET", "503"),
        ("POST", "the answer is lost"),
        ("POST", "the connection drops before an answer"),
    ],
)
async def test_a_passing_fault_leaves_no_trace_and_no_export(
    bench: Bench, own_market: Sandbox, monkeypatch: pytest.MonkeyPatch, method: str, fault: str
) -> None:
    """Neither here nor in Metrica, whose room for exports all tools of the counter share."""
    monkeypatch.setattr("sync.vendor._backoff", wait_random_exponential(multiplier=0.01, max=0.05))
    monkeypatch.setattr("connectors.yandex_metrica.reads.REQUEST_DAYS", 15)
    connection = await bench.connect(own_market, "yandex_metrica")
    kind, params = PASSING[fault]
    own_market.fault("yandex_metrica", kind, match="logrequest", method=method, times=2, after=1, params=params)
    result = await bench.sync(connection)
    assert (result.state, result.error) == (RunState.SUCCEEDED, None)
    with own_market.truth() as truth:
        visits = {record.vendor_id for record in truth.records("yandex_metrica", "visit")}
    told = await bench.rows("select split_part(external_id, '/', 3) from visit")
    assert sorted(id for (id,) in told) == sorted(visits)
    own_market.clear_faults()
    given = own_market.credentials["yandex_metrica"]
    async with httpx.AsyncClient(headers={"Authorization": f"OAuth {given['token']}"}) as client:
        address = f"{given['base_url']}/management/v1/counter/{given['counter_id']}/logrequests"
        answer = await client.get(address)
    states = {export["status"] for export in answer.json()["requests"]}
    assert states <= {"cleaned_by_user", "canceled"}
    assert await bench.unsettled() == []


async def test_an_expired_token_stops_the_connection(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "yandex_metrica")
    own_market.fault("yandex_metrica", "expired_token", match="logrequest", times=None)
    result = await bench.sync(connection)
    assert result.state is RunState.FAILED
    assert "get a new one" in (result.error or "")
    assert await bench.value("select state from connection") == "needs_reauth"


async def test_a_counters_visitor_is_the_call_trackers(bench: Bench, market: Sandbox) -> None:
    """Both know the counter's cookie, so a visit that only the counter saw belongs to the client who called."""
    counter = await bench.connect(market, "yandex_metrica")
    tracker = await bench.connect(market, "calltouch")
    for connection in (counter, tracker):
        assert (await bench.sync(connection)).state is RunState.SUCCEEDED
    told_twice = await bench.rows(
        "select m.client_id, c.client_id, m.campaign_id, c.campaign_id from visit m join visit c"
        " on c.connection_id = :tracker and m.visitor_ids && c.visitor_ids and m.started_at = c.started_at"
        " where m.connection_id = :counter",
        tracker=tracker,
        counter=counter,
    )
    assert len(told_twice) > 50
    assert all(mine == theirs is not None for mine, theirs, _, _ in told_twice)
    assert sum(mine == theirs for _, _, mine, theirs in told_twice) > 0.9 * len(told_twice)
    assert await bench.unsettled() == []


async def test_a_used_up_day_parks_the_run(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "yandex_metrica")
    body = '{"errors":[{"error_type":"quota_requests_by_uid","message":"x"}],"code":420,"message":"x"}'
    told = {"status": 420, "body": body}
    own_market.fault("yandex_metrica", "status", match="logrequest", after=1, params=told)  # the check asks first
    assert (await bench.sync(connection)).state is RunState.WAITING
    hours = await bench.value("select extract(hour from resume_at at time zone 'UTC') from sync_run")
    assert hours == 0
    result = await bench.sync(connection)  # the same run goes on
    assert (result.state, await bench.value("select count(*) from sync_run")) == (RunState.SUCCEEDED, 1)
