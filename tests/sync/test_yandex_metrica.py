"""Visits of the counter beside the call tracker's: one visitor, told of by two systems."""

from __future__ import annotations

from sandbox.server import Sandbox
from schema.enums import RunState
from tests.sync.conftest import Bench


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
