"""Altcraft: every profile is read once, belongs to its client, and changes are told there once."""

from __future__ import annotations

from typing import Any

import httpx

from connectors.altcraft import CONNECTOR
from connectors.contract import Command
from sandbox.server import Sandbox
from schema.enums import RunState
from sync.connections import open_connection, session
from tests.sync.conftest import Bench


async def test_profiles_are_the_markets_and_a_second_run_changes_nothing(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "altcraft")
    tracker = await bench.connect(market, "calltouch")
    await bench.sync(tracker)
    first = await bench.sync(connection)
    assert (first.state, first.error) == (RunState.SUCCEEDED, None)
    assert first.counts.fetched == first.counts.created + first.counts.skipped
    with market.truth() as truth:
        known = {record.vendor_id for record in truth.records("altcraft", "profile")}
    told = await bench.rows(
        "select external_id, custom ?| array['consent_email_3'], client_id is not null from contact"
        " where connection_id = :id",
        id=connection,
    )
    assert {external_id for external_id, *_ in told} == known
    assert any(consent for _, consent, _ in told)
    assert all(client for *_, client in told)
    again = await bench.sync(connection)
    assert again.state is RunState.SUCCEEDED
    assert (again.counts.created, again.counts.updated, again.counts.deleted) == (0, 0, 0)
    assert await bench.unsettled() == []

    # A run in which the list isn't due says nothing of who is gone, not even where they are few.
    assert {tuple(told) for (told,) in await bench.rows("select warnings from sync_run")} == {()}
    await bench.rows(
        "delete from source_record where stream = 'profiles' and external_id in (select external_id"
        " from source_record where stream = 'profiles' order by external_id offset 5) returning 1"
    )
    assert (await bench.sync(connection)).counts.deleted == 0


async def test_what_is_sent_twice_is_there_once(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "altcraft")
    opened = await open_connection(bench.office, bench.workspace, connection)
    settings: Any = opened.settings.model_copy(update={"client_field": "SINCE", "endpoint": "website"})
    person = {"first_name": "Нина", "emails": ["nina@example.com"], "phones": ["+79160001122"]}
    when = {"at": "2026-03-09T10:00:00+03:00", "amount": "500.00", "currency": "RUB"}
    found = set()
    async with session(bench.office, opened) as client:
        for name, values in (
            ("contact.create", person),
            ("contact.create", person),
            ("client.put", person | when),
            ("sale.put", person | when),
            ("sale.put", person | when),
        ):
            write, command = CONNECTOR.write(name), Command("key-1", values)
            found.add(write.result(settings, command, await client.send(write.request(settings, command))))
    assert len(found) == 2  # one profile, one order
    given = own_market.credentials["altcraft"]
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {given['token']}"}) as client:
        body = {"db_id": 5, "matching": "phone", "phone": "+79160001122"}
        answer = await client.post(f"{given['base_url']}/api/v1.1/profiles/get", json=body)
    assert answer.json()["data"]["SINCE"] == when["at"]
    assert answer.json()["data"]["subscriptions"] == []
