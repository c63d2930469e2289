"""Skvoz and a real BottleCRM, in both directions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.bottlecrm import reads
from sandbox.server import Sandbox
from schema.enums import RunState
from sync.errors import SettingsRefused
from tests.live.bottlecrm import BottleCrm, bottlecrm
from tests.live.conftest import Live
from tests.live.proxy import Proxy, proxy_to
from tests.live.running import Databases


@pytest.fixture(scope="module")
def server(databases: Databases, live_folder: Path) -> Iterator[BottleCrm]:
    with bottlecrm(databases, live_folder) as found:
        for each in range(120):  # more than a page
            person = {"first_name": "Клиент", "last_name": f"№ {each}", "email": f"c{each}@example.test"}
            found.ask("POST", "contacts/", person)
        yield found


@pytest.fixture
def proxy(server: BottleCrm) -> Iterator[Proxy]:
    with proxy_to(server.url) as found:
        yield found


@pytest.fixture(autouse=True)
def _calls_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "CALLS_EVERY", timedelta(0))


def _settings(server: BottleCrm, url: str | None = None, **further: Any) -> dict[str, Any]:
    return {"base_url": url or server.url, "access_token": server.token} | further


async def test_what_is_read_adds_up_and_reading_again_changes_nothing(live: Live, server: BottleCrm) -> None:
    contact = server.ask("GET", "contacts/", limit=1)["results"][0]["id"]
    call = {"kind": "call", "direction": "inbound", "outcome": "connected", "duration_seconds": 65}
    server.ask("POST", "interactions/", {"contact": contact, **call})
    connection = await live.connect("bottlecrm", **_settings(server))
    first = await live.bench.sync(connection)
    assert (first.state, first.error, first.counts.quarantined) == (RunState.SUCCEEDED, None, 0)
    there = {
        "contact": server.ask("GET", "contacts/", limit=1)["count"],
        "company": server.ask("GET", "accounts/", limit=1)["active_accounts"]["open_accounts_count"],
        "deal": server.ask("GET", "opportunities/", limit=1)["opportunities_count"],
        "invoice": server.ask("GET", "invoices/", limit=1)["count"],
        "lead": sum(
            server.ask("GET", "leads/", limit=1)[f"{half}_leads"]["leads_count"] for half in ("open", "close")
        ),
    }
    for table, count in there.items():
        assert await live.bench.value(f"select count(*) from {table}") == count, table  # noqa: S608
    assert there["contact"] > reads.LIMIT
    (told,) = await live.bench.rows(
        "select c.direction, c.answered, c.talk_seconds, p.external_id"
        " from call c join contact p on p.id = c.contact_id"
    )
    assert told == ("inbound", True, 65, contact)
    total = Decimal(server.ask("GET", "opportunities/", limit=1)["totals"]["amount_sum"])
    assert await live.bench.value("select sum(amount) from deal") == total
    again = await live.bench.sync(connection)
    assert again.counts.created + again.counts.updated + again.counts.deleted == 0
    assert await live.bench.unsettled() == []


async def test_what_people_do_there_arrives(live: Live, server: BottleCrm) -> None:
    connection = await live.connect("bottlecrm", **_settings(server))
    await live.bench.sync(connection)
    person = {"first_name": "Ольга", "last_name": "Новая", "phone": "+79161230001"}
    contact = server.ask("POST", "contacts/", person)["id"]
    lead = server.ask("POST", "leads/", {"title": "Заявка", **person})["id"]
    deal = server.ask("POST", "opportunities/", {"name": "Сделка", "amount": "500.00", "currency": "USD"})["id"]
    assert (await live.bench.sync(connection)).counts.created == 3
    server.ask("PATCH", f"contacts/{contact}/", {"email": "olga@example.test"})
    closing = {"stage": "CLOSED_WON", "closed_on": "2026-01-15"}
    server.ask("PATCH", f"opportunities/{deal}/", closing)
    assert (await live.bench.sync(connection)).counts.updated == 2
    status = await live.bench.value("select status from deal where external_id = :id", id=deal)
    emails = await live.bench.value("select emails from contact where external_id = :id", id=contact)
    assert (status, emails) == ("won", ["olga@example.test"])
    for path, id in (("contacts", contact), ("leads", lead), ("opportunities", deal)):
        server.ask("DELETE", f"{path}/{id}/")
    assert (await live.bench.sync(connection)).counts.deleted == 3
    for table, id in (("contact", contact), ("lead", lead), ("deal", deal)):
        query = f"select deleted_at is not null from {table} where external_id = :id"  # noqa: S608
        assert await live.bench.value(query, id=id), table


async def test_a_call_becomes_one_lead_though_answers_are_lost_or_wrong(
    live: Live, server: BottleCrm, proxy: Proxy, calls: Sandbox
) -> None:
    target = await live.connect("bottlecrm", **_settings(server, proxy.url, calls=False))
    await live.bench.sync(target)
    await live.rule(target, "call_to_lead")
    source = await live.bench.connect(calls, "calltouch")
    await live.bench.sync(source)
    wanted = await live.outbox(target)
    assert wanted["pending"] > 5
    before = proxy.posts("/leads/")
    proxy.lose_to("/leads/", lost=3, broken=2)
    ended = await live.deliver(target)
    assert await live.outbox(target) == {"done": wanted["pending"]}, ended
    assert proxy.posts("/leads/") - before == wanted["pending"]
    rows = server.ask("GET", "leads/", limit=1000)["open_leads"]["open_leads"]
    made = [row for row in rows if row["source_ref"].startswith("skvoz:")]
    assert len({row["source_ref"] for row in made}) == len(made) == wanted["pending"]
    assert {row["phone"] for row in made} == {
        phone for (phone,) in await live.bench.rows("select payload -> 'phones' ->> 0 from outbox")
    }
    # What comes back is known as ours, and the caller is the lead's client.
    await live.bench.sync(target)
    await live.bench.sync(source)
    assert await live.outbox(target) == {"done": wanted["pending"]}
    assert await live.bench.value(
        "select count(*) from lead d join call c on c.client_id = d.client_id where d.connection_id = :id",
        id=target,
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"access_token": "bcrm_pat_nonsense"}, "doesn't accept the token"),
        ({"base_url": "http://127.0.0.1:9"}, "Check that the address is right"),
    ],
)
async def test_what_is_wrong_with_settings_is_said(
    live: Live, server: BottleCrm, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsRefused) as refused:
        await live.connect("bottlecrm", **_settings(server) | wrong)
    assert words in refused.value.problems[0].sentence
