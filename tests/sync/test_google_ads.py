"""Google Ads: costs to the kopeck, wrong settings in words, and a second run that changes nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from sandbox.server import Sandbox
from schema.enums import RunState
from sync.connections import create_connection
from sync.errors import SettingsRefused
from tests.sync.conftest import START, Bench


async def test_costs_are_the_markets_and_a_second_run_changes_nothing(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "google_ads")
    first = await bench.sync(connection)
    assert (first.state, first.error) == (RunState.SUCCEEDED, None)
    assert first.counts.fetched == first.counts.created
    with market.truth() as truth:
        told = {row.name: row for row in truth.campaign_totals(START, START + timedelta(days=60))}
    ((name, cost, clicks, currency, with_vat),) = await bench.rows(
        "select k.name, sum(s.cost), sum(s.clicks), min(s.currency), bool_or(s.vat_included) from ad_spend s"
        " join campaign k on k.workspace_id = s.workspace_id and k.id = s.campaign_id"
        " where s.known_until is null and s.impressions > 0 group by 1"
    )
    assert (name, currency, with_vat) == ("Google | Поиск", "RUB", False)
    assert (cost, clicks) == (told[name].spend, told[name].clicks)
    assert cost > Decimal(0)
    assert await bench.value("select count(*) from keyword") > 0
    again = await bench.sync(connection)
    assert again.state is RunState.SUCCEEDED
    assert again.counts.fetched == again.counts.unchanged
    assert await bench.unsettled() == []


async def test_restated_days_tokens_of_an_hour_and_pages_that_run_out(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "google_ads")
    await bench.sync(connection)
    own_market.advance(hours=13)  # the world restates its last days, and the access token ends
    async with httpx.AsyncClient() as client:
        await client.put(f"{own_market.credentials['google_ads']['base_url']}/_switches", json={"page_rows": 5})
    body = '{"error": {"details": [{"errors": [{"errorCode": {"requestError": "EXPIRED_PAGE_TOKEN"}}]}]}}'
    own_market.fault("google_ads", "status", match="search", after=6, times=1, params={"status": 400, "body": body})
    result = await bench.sync(connection)
    assert (result.state, result.error) == (RunState.SUCCEEDED, None)
    assert await bench.value("select count(*) from ad_spend where revision > 1") > 0
    with own_market.truth() as truth:
        spent = {row.name: row.spend for row in truth.campaign_totals(START, START + timedelta(days=60))}
    assert await bench.value("select sum(cost) from ad_spend where known_until is null") == spent["Google | Поиск"]
    assert await bench.unsettled() == []


async def test_wrong_settings_are_told_in_words(bench: Bench, market: Sandbox) -> None:
    for wrong, words in (
        ({"customer_id": "111-111-1111"}, "no account with that customer ID"),
        ({"login_customer_id": ""}, "manager's customer ID"),
        ({"client_secret": "x"}, "doesn't know this OAuth client"),
        ({"refresh_token": "x"}, "consent was withdrawn"),
        ({"api_version": "23"}, "version of the API has ended"),
    ):
        values = {key: value for key, value in (market.credentials["google_ads"] | wrong).items() if value}
        with pytest.raises(SettingsRefused, match=words):
            await create_connection(bench.office, bench.workspace, "google_ads", "Google", values)
