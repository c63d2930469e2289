"""A 1C base beside the branches that sell: its books, its deals, its exchange plan, and changes from here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from connectors.contract import Command
from sandbox.server import Sandbox, start
from schema.enums import RunState
from sync.connections import create_connection, open_connection, session
from tests.sync.conftest import START, Bench


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Sandbox]:
    with start(
        tmp_path / "market",
        seed=5,
        calls=120,
        days=30,
        start=START,
        limits=0,
        crms=("bitrix24", "onec"),
        only=("onec",),
    ) as sandbox:
        yield sandbox


async def connect(bench: Bench, market: Sandbox, **changes: str) -> UUID:
    values = {**market.credentials["onec"], "since": str(START), **changes}
    id, health = await create_connection(bench.office, bench.workspace, "onec", "1C", values)
    assert health.ok, health.sentence
    return id


async def patch(market: Sandbox, entity_set: str, ref: str, **values: Any) -> None:
    """Somebody changes a record in 1C."""
    given = market.credentials["onec"]
    address = f"{given['base_url']}/odata/standard.odata/{quote(entity_set)}(guid'{ref}')"
    async with httpx.AsyncClient(auth=httpx.BasicAuth(given["login"].encode(), given["password"])) as http:
        method = "PATCH" if values else "DELETE"
        answer = await http.request(method, address, json=values or None)
    assert answer.status_code in (200, 204)


async def test_a_base_is_read_once_and_lives_on(bench: Bench, market: Sandbox) -> None:
    connection = await connect(bench, market)
    first = await bench.sync(connection)
    assert (first.state, first.error, first.counts.quarantined) == (RunState.SUCCEEDED, None, 0)
    assert first.counts.fetched == first.counts.created + first.counts.skipped
    with market.truth() as truth:
        deals = {deal.deal: deal for deal in truth.deals()}
        told = {record.vendor_id: deals[record.origin] for record in truth.records("onec", "deal")}
    rows = await bench.rows("select external_id, status, amount, client_id is not null from deal")
    assert {id: (status, amount) for id, status, amount, _ in rows} == {
        id: (deal.outcome or "open", deal.amount) for id, deal in told.items()
    }
    assert all(owned for *_, owned in rows)
    won = sum(deal.amount for deal in deals.values() if deal.outcome == "won")
    assert await bench.value("select sum(amount) from payment") == won
    assert await bench.value("select count(*) from payment where client_id is null") == 0
    assert await bench.value("select count(*) from sales_order where client_id is null") == 0
    told_twice = "select count(*), count(distinct client_id) from company group by name"
    assert set(await bench.rows(told_twice)) == {(2, 1)}  # a partner and its counterparty are one client
    again = await bench.sync(connection)
    assert (again.counts.fetched, again.counts.deleted) == (0, 0)

    ref, gone = (id for (id,) in await bench.rows("select external_id from deal order by external_id limit 2"))
    await patch(market, "Catalog_СделкиСКлиентами", ref, ПотенциальнаяСуммаПродажи=77)
    await patch(market, "Catalog_СделкиСКлиентами", gone)
    third = await bench.sync(connection)
    assert (third.counts.updated, third.counts.deleted) == (1, 1)
    assert await bench.value("select amount from deal where external_id = :ref", ref=ref) == 77
    assert await bench.unsettled() == []


async def test_crm_is_read_by_the_other_profile(bench: Bench, market: Sandbox) -> None:
    base = market.credentials["onec"]["base_url"].replace("ut11", "crm3")
    connection = await connect(bench, market, base_url=base, profile="crm3")
    result = await bench.sync(connection)
    assert (result.state, result.error, result.counts.quarantined) == (RunState.SUCCEEDED, None, 0)
    for table in ("deal", "lead", "stage", "invoice", "payment", "message", "call"):
        assert await bench.value(f"select count(*) from {table}") > 0, table  # noqa: S608 - names of ours
    assert await bench.value("select count(*) from lead where client_id is null") == 0
    assert (await bench.sync(connection)).counts.fetched == 0


async def test_an_exchange_plan_tells_of_changes_and_of_what_is_gone(bench: Bench, market: Sandbox) -> None:
    connection = await connect(bench, market, exchange_plan="ДляСквозь", exchange_node="SK")
    assert (await bench.sync(connection)).state is RunState.SUCCEEDED
    known = await bench.value("select count(*) from source_record")
    market.clear_log()
    quiet = await bench.sync(connection)
    assert (quiet.state, quiet.counts.fetched) == (RunState.SUCCEEDED, 0)
    assert await bench.value("select count(*) from source_record") == known
    ref, gone = (id for (id,) in await bench.rows("select external_id from deal order by external_id limit 2"))
    await patch(market, "Catalog_СделкиСКлиентами", ref, ПотенциальнаяСуммаПродажи=77)
    await patch(market, "Catalog_СделкиСКлиентами", gone)
    told = await bench.sync(connection)
    assert (told.state, told.counts.updated, told.counts.deleted) == (RunState.SUCCEEDED, 1, 1)
    assert await bench.value("select amount from deal where external_id = :ref", ref=ref) == 77
    paths = [entry["path"] for entry in market.log("onec")]
    assert sum("NotifyChangesReceived" in path for path in paths) == 1  # an empty packet isn't confirmed
    assert not any("DataVersion" in entry["query"] and "Партнеры" in entry["path"] for entry in market.log("onec"))
    assert await bench.unsettled() == []


async def test_a_partner_is_made_once_and_seen_again(bench: Bench, market: Sandbox) -> None:
    connection = await connect(bench, market)
    opened = await open_connection(bench.office, bench.workspace, connection)
    kinds = [warning.split()[6] for warning in (await _warnings(bench, market))]
    make, change = opened.connector.write("partner.create"), opened.connector.write("partner.update")
    command = Command("key-1", {"name": "Иван Петров", "phones": ["+79991234567"]})
    async with session(bench.office, opened) as client:
        settings = client.settings.model_copy(update={"phone_kind": kinds[0], "email_kind": kinds[1]})
        assert make.by_marker is not None
        assert make.by_match is not None
        assert change.read is not None
        for lookup in (make.by_marker, make.by_match):
            look = lookup.request(settings, command)
            assert look is not None
            assert lookup.found(settings, command, await client.send(look)) is None
        made = make.result(settings, command, await client.send(make.request(settings, command)))
        for lookup in (make.by_marker, make.by_match):
            look = lookup.request(settings, command)
            assert look is not None
            standing = lookup.found(settings, command, await client.send(look))
            assert standing is not None
            assert (standing.external_id, standing.values["phones"]) == (made, ["+79991234567"])
        renamed = Command("key-2", {"name": "Иван Белов"}, made)
        assert change.result(settings, renamed, await client.send(change.request(settings, renamed))) == made
        look = change.read.request(settings, renamed)
        assert look is not None
        standing = change.read.found(settings, renamed, await client.send(look))
        assert standing is not None
        assert (standing.title, standing.values["phones"]) == ("Иван Белов", ["+79991234567"])


async def _warnings(bench: Bench, market: Sandbox) -> list[str]:
    values = {**market.credentials["onec"], "since": str(START)}
    _, health = await create_connection(bench.office, bench.workspace, "onec", "again", values)
    return list(health.warnings)
