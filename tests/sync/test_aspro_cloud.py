"""An Aspro.Cloud portal beside the other branches: read, changed there, changed from here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from connectors.contract import Command
from sandbox.server import Sandbox, start
from schema.enums import RunState
from sync.connections import open_connection, session
from sync.jobs import Jobs
from tests.sync.conftest import START, Bench
from tests.sync.inbox.conftest import street


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Sandbox]:
    with start(
        tmp_path / "portal",
        seed=5,
        calls=120,
        days=30,
        start=START,
        limits=0,
        crms=("bitrix24", "aspro_cloud"),
        only=("aspro_cloud",),
    ) as sandbox:
        yield sandbox


async def test_a_portal_is_read_once_and_lives_on(bench: Bench, portal: Sandbox) -> None:
    connection = await bench.connect(portal, "aspro_cloud")
    first = await bench.sync(connection)
    assert (first.state, first.error, first.counts.quarantined) == (RunState.SUCCEEDED, None, 0)
    assert first.counts.fetched == first.counts.created + first.counts.skipped
    with portal.truth() as truth:
        deals = {deal.deal: deal for deal in truth.deals() if deal.crm == "aspro_cloud"}
        told = {record.vendor_id: deals[record.origin] for record in truth.records("aspro_cloud", "lead")}
    rows = await bench.rows("select external_id, status, amount, client_id is not null from deal")
    assert {id: (status, amount) for id, status, amount, _ in rows} == {
        id: (deal.outcome or "open", deal.amount) for id, deal in told.items()
    }
    assert all(owned for *_, owned in rows)
    won = sum(deal.amount for deal in told.values() if deal.outcome == "won")
    assert await bench.value("select sum(amount) from payment") == won
    again = await bench.sync(connection)
    assert again.counts.created + again.counts.updated + again.counts.deleted == 0

    given = portal.credentials["aspro_cloud"]
    address = f"{given['base_url']}/api/v1/module/crm/lead/update/1"
    async with httpx.AsyncClient() as http:
        await http.post(address, params={"api_key": given["api_key"]}, data={"budget": "77"})
    assert (await bench.sync(connection)).counts.updated == 1
    assert await bench.value("select amount from deal where external_id = '1'") == 77
    assert await bench.unsettled() == []


async def test_a_deal_is_made_once_and_taken_back(bench: Bench, portal: Sandbox) -> None:
    connection = await bench.connect(portal, "aspro_cloud")
    opened = await open_connection(bench.office, bench.workspace, connection)
    make, remove = opened.connector.write("lead.create"), opened.connector.write("deal.delete")
    command = Command("key-1", {"title": "Звонок", "first_name": "Иван", "phones": ["+79991234567"]})
    async with session(bench.office, opened) as client:
        settings = client.settings
        assert make.by_marker is not None
        look = make.by_marker.request(settings, command)
        assert look is not None
        assert make.by_marker.found(settings, command, await client.send(look)) is None
        made = make.result(settings, command, await client.send(make.request(settings, command)))
        standing = make.by_marker.found(settings, command, await client.send(look))
        assert standing is not None
        assert (standing.external_id, standing.title, standing.values["name"]) == (made, "Звонок", "Иван")
        gone = Command("key-2", {}, made)
        assert remove.result(settings, gone, await client.send(remove.request(settings, gone))) == made
        assert make.by_marker.found(settings, command, await client.send(look)) is None


async def test_a_hook_brings_the_record_that_it_names(bench: Bench, portal: Sandbox) -> None:
    async with Jobs(bench.office).opened() as jobs:
        door = await street(bench, jobs, portal, "aspro_cloud")
        assert (await bench.sync(door.connection)).state is RunState.SUCCEEDED
        given = portal.credentials["aspro_cloud"]
        address, key = f"{given['base_url']}/api/v1/module/crm/lead", {"api_key": given["api_key"]}
        async with httpx.AsyncClient(params=key) as http:
            await http.post(f"{address}/update/1", data={"budget": "77"})
            await http.get(f"{address}/delete/2")
        for id, action in ((1, "update"), (2, "delete")):
            meta = {"module": "crm", "model": "lead", "action": action}
            told = {"meta": meta, "current": {"id": id, "budget": 5}, "previous": {"id": id}}
            assert (await door.knock(json.dumps(told).encode())).is_success
        await door.process()
        await door.http.aclose()
    deals = await bench.rows(
        "select external_id, amount, deleted_at is null from deal where external_id in ('1', '2')"
    )
    assert {id: (amount if there else None) for id, amount, there in deals} == {"1": 77, "2": None}
