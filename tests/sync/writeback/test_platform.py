"""Clients and what they bought go out to a platform for mailings: once, with the consent that was given."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from sandbox.server import start
from sync.connections import create_connection
from sync.writeback.dry_run import dry_run
from sync.writeback.rulebook import list_rules
from tests.sync.conftest import START, Bench
from tests.sync.writeback.conftest import Writing

RULE: dict[str, Any] = {"everybody": True, "consent_field": "AGREED"}


async def test_clients_sales_and_consents_go_out_once(bench: Bench, tmp_path: Path) -> None:
    systems = ("altcraft", "bitrix24")
    with start(tmp_path / "m", seed=5, calls=60, days=40, start=START, limits=0, only=systems) as market:
        writing = Writing(bench, market)
        given = {"client_field": "SINCE", "endpoint": "website", "resource_id": 3}
        values = {**market.credentials["altcraft"], "since": str(START), **given}
        platform, _ = await create_connection(bench.office, bench.workspace, "altcraft", "Altcraft", values)
        portal = await writing.connect("bitrix24")
        await bench.sync(platform)
        await bench.sync(portal)
        async with bench.office.database.loading(bench.workspace) as db:
            agreed = text('update contact set custom = \'{"AGREED": "Y"}\' where connection_id = :portal')
            await db.execute(agreed, {"portal": portal})
        there = await bench.value("select count(*) from contact where connection_id = :id", id=platform)
        rule = await writing.rule(platform, "clients_to_platform", clients_from=portal, **RULE)
        sentence = (await list_rules(bench.office, bench.workspace))[0].sentence
        assert "the consent in the field AGREED" in sentence

        wanted = await bench.rows("select write, count(*) from outbox group by 1")
        assert {write for write, _ in wanted} == {"contact.create", "client.put", "sale.put", "consent.put"}
        buyers = await bench.value(
            "select count(distinct d.client_id) from deal d join client p on p.id = d.client_id"
            " where d.status = 'won' and (p.phone is not null or p.email is not null)"
        )
        assert dict(wanted)["client.put"] == buyers
        for path in ("profiles/import", "orders/import"):
            market.fault("altcraft", "drop_answer", match=path, times=2)

        await writing.deliver(platform, rounds=30)

        assert set(await writing.states()) <= {"done", "skipped"}, await bench.rows(
            "select write, state, reason from outbox where state not in ('done', 'skipped')"
        )
        assert (await dry_run(bench.office, bench.workspace, rule.id)).total == 0
        assert await writing.deliver(platform) == Counter()
        made = await bench.value("select count(*) from outbox where write = 'contact.create' and state = 'done'")
        told = market.credentials["altcraft"]
        headers = {"Authorization": f"Bearer {told['token']}"}
        ((profile, at),) = await bench.rows(
            "select external_id, payload ->> 'at' from outbox where write = 'client.put' order by seq limit 1"
        )
        async with httpx.AsyncClient(headers=headers) as client:
            body = {"db_id": told["db_id"], "matching": "profile_id", "profile_id": profile}
            shown = (await client.post(f"{told['base_url']}/api/v1.1/profiles/get", json=body)).json()["data"]
        assert shown["SINCE"] == at
        await bench.sync(platform)
        now = await bench.value("select count(*) from contact where connection_id = :id", id=platform)
        assert now <= there + made + buyers


async def test_a_refusal_that_stands_there_is_never_lifted(bench: Bench, tmp_path: Path) -> None:
    with start(
        tmp_path / "m", seed=5, calls=40, days=20, start=START, limits=0, only=("altcraft", "bitrix24")
    ) as market:
        writing = Writing(bench, market)
        values = {**market.credentials["altcraft"], "since": str(START), "resource_id": 3}
        platform, _ = await create_connection(bench.office, bench.workspace, "altcraft", "Altcraft", values)
        portal = await writing.connect("bitrix24")
        await bench.sync(platform)
        await bench.sync(portal)
        async with bench.office.database.loading(bench.workspace) as db:
            await db.execute(
                text('update contact set custom = \'{"AGREED": "Y"}\' where connection_id = :portal'),
                {"portal": portal},
            )
        refused = {
            id
            for (id,) in await bench.rows(
                "select external_id from contact where connection_id = :id"
                " and custom ->> 'consent_email_3' not in ('subscribed')",
                id=platform,
            )
        }
        await writing.rule(platform, "clients_to_platform", sales=False, consent_field="AGREED")
        await writing.deliver(platform)
        sent = {
            id
            for (id,) in await bench.rows(
                "select external_id from outbox where write = 'consent.put' and state = 'done' and attempts > 0"
            )
        }
        assert not sent & refused
