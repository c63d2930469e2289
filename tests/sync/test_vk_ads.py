"""VK Ads: costs to the kopeck, leads of its forms, and a second run that changes nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from sandbox.server import Sandbox
from schema.enums import RunState
from tests.sync.conftest import START, Bench

VAT = Decimal("1.22")


async def test_costs_are_the_markets_and_a_second_run_changes_nothing(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "vk_ads")
    first = await bench.sync(connection)
    assert (first.state, first.error) == (RunState.SUCCEEDED, None)
    assert first.counts.fetched == first.counts.created + first.counts.skipped
    assert first.counts.quarantined == 0
    with market.truth() as truth:
        told = {row.name: row for row in truth.campaign_totals(START, START + timedelta(days=60))}
        leads = {record.vendor_id for record in truth.records("vk_ads", "lead")}
    rows = await bench.rows(
        "select k.name, sum(s.cost), sum(s.clicks), bool_and(s.vat_included) from ad_spend s"
        " join campaign k on k.workspace_id = s.workspace_id and k.id = s.campaign_id"
        " where s.known_until is null group by 1 having sum(s.impressions) > 0"
    )
    assert {name for name, *_ in rows} == {name for name in told if name.startswith("VK | ")}
    for name, cost, clicks, with_vat in rows:
        assert with_vat
        assert clicks == told[name].clicks
        assert abs(cost - told[name].spend * VAT) < Decimal("0.5")
    found = await bench.rows(
        "select external_id, campaign_id is not null, phone_count from ("
        " select external_id, campaign_id, cardinality(phones) as phone_count from lead) l"
    )
    assert {external_id for external_id, *_ in found} == leads
    assert all(attributed for _, attributed, _ in found)
    again = await bench.sync(connection)
    assert again.state is RunState.SUCCEEDED
    assert (again.counts.created, again.counts.updated, again.counts.deleted) == (0, 0, 0)
    assert again.counts.fetched == again.counts.unchanged + again.counts.skipped
    assert await bench.unsettled() == []


async def test_an_expired_token_takes_no_other_place_and_a_used_up_day_parks_the_run(
    bench: Bench, own_market: Sandbox
) -> None:
    connection = await bench.connect(own_market, "vk_ads")
    for _ in range(6):
        own_market.advance(hours=25)
        result = await bench.sync(connection)
        assert (result.state, result.error) == (RunState.SUCCEEDED, None)
    told = {"status": 429, "body": "{}", "headers": {"X-RateLimit-Daily-Remaining": "0"}}
    own_market.fault("vk_ads", "status", match="statistics", times=1, params=told)
    assert (await bench.sync(connection)).state is RunState.WAITING
