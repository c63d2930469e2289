"""Skvoz and a real Tryton, in both directions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from connectors.tryton import reads
from sandbox.server import Sandbox
from schema.enums import RunState
from sync.errors import SettingsRefused
from tests.live.conftest import Live
from tests.live.proxy import Proxy, proxy_to
from tests.live.running import Databases
from tests.live.tryton import Tryton, tryton

FIRM, PERSON, PHONE = "ООО Ромашка", "Иван Петров", "+7 916 123-45-67"


@pytest.fixture(scope="module")
def server(databases: Databases, live_folder: Path) -> Iterator[Tryton]:
    with tryton(databases, live_folder) as found:
        campaign = found.make("marketing.campaign", name="Brand_Msk")
        source, medium = found.make("marketing.source", name="yandex"), found.make("marketing.medium", name="cpc")
        number = found.make("party.party", name=FIRM, contact_mechanisms=_reached(phone="+7 495 111-22-33"))
        found.make("party.party", name=PERSON, contact_mechanisms=_reached(phone=PHONE, email="ivan@example.test"))
        for title, amount in (("Контекст", "120000.00"), ("SEO", "45000.50"), ("Сайт", "80000.00")):
            found.make(
                "sale.opportunity",
                party=number,
                employee=1,
                company=1,
                description=title,
                amount={"__class__": "Decimal", "decimal": amount},
                marketing_campaign=campaign,
                marketing_source=source,
                marketing_medium=medium,
            )
        found.ask("POST", "sale.opportunity/1/opportunity", {})
        found.ask("POST", "sale.opportunity/1/lost", {})
        for each in range(250):  # more than a page
            found.make(
                "party.party", name=f"Клиент {each}", contact_mechanisms=_reached(email=f"c{each}@example.test")
            )
        yield found


@pytest.fixture
def proxy(server: Tryton) -> Iterator[Proxy]:
    with proxy_to(server.url) as found:
        yield found


@pytest.fixture(autouse=True)
def _everything_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deletions are looked for in each run, not after hours."""
    monkeypatch.setattr(reads, "EVERYTHING_EVERY", timedelta(0))


def _reached(**values: str) -> list[Any]:
    return [["create", [{"type": type_, "value": value} for type_, value in values.items()]]]


def _settings(server: Tryton, url: str | None = None, **further: Any) -> dict[str, Any]:
    return {
        "base_url": url or server.url,
        "database": server.database,
        "api_key": server.key,
        "employee": 1,
    } | further


async def _state_of(live: Live, table: str, id: int) -> Any:
    (row,) = await live.bench.rows(
        f"select deleted_at is null, updated_at from {table} where external_id = :id",  # noqa: S608
        id=str(id),
    )
    return row


async def test_what_is_read_adds_up_and_reading_again_changes_nothing(live: Live, server: Tryton) -> None:
    connection = await live.connect("tryton", **_settings(server))
    first = await live.bench.sync(connection)
    assert (first.state, first.error, first.counts.quarantined) == (RunState.SUCCEEDED, None, 0)
    parties = server.all("party.party", "name")
    told = await live.bench.value("select (select count(*) from contact) + (select count(*) from company)")
    assert told == len(parties) > reads.LIMIT
    deals = await live.bench.rows("select external_id, title, status, amount, currency, utm_campaign from deal")
    there = server.all("sale.opportunity", "description", "amount")
    assert {(id, title, amount) for id, title, _, amount, *_ in deals} == {
        (str(row["id"]), row["description"], Decimal(row["amount"]["decimal"])) for row in there if row["amount"]
    }
    lost = next(deal for deal in deals if deal[0] == "1")
    assert lost[2:] == ("lost", Decimal(120000), "RUB", "brand_msk")  # Tryton lower-cases names of campaigns
    assert await live.bench.value("select count(*) from stage_change") == 2
    assert await live.bench.value("select name from user_account where external_id = '1'") == "Мария Орлова"
    again = await live.bench.sync(connection)
    assert again.counts.created + again.counts.updated + again.counts.deleted == 0
    assert await live.bench.unsettled() == []


async def test_what_people_do_there_arrives(live: Live, server: Tryton, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = await live.connect("tryton", **_settings(server))
    await live.bench.sync(connection)
    new = server.make("party.party", name="Новый клиент")
    deal = server.make("sale.opportunity", party=new, company=1, employee=1, description="Новая")
    seen = await live.bench.sync(connection)
    assert seen.counts.created == 2
    server.ask("PUT", f"sale.opportunity/{deal}", {"description": "Новая, дороже"})
    server.make("party.contact_mechanism", party=new, type="email", value="new@example.test")
    monkeypatch.setattr(reads, "EVERYTHING_EVERY", timedelta(hours=6))  # changes alone are enough for these
    assert (await live.bench.sync(connection)).counts.updated == 2
    assert await live.bench.value("select title from deal where external_id = :id", id=str(deal)) == "Новая, дороже"
    assert await live.bench.value("select emails from contact where external_id = :id", id=str(new)) == [
        "new@example.test"
    ]
    monkeypatch.setattr(reads, "EVERYTHING_EVERY", timedelta(0))
    server.ask("POST", f"sale.opportunity/{deal}/cancel", {})
    server.ask("DELETE", f"sale.opportunity/{deal}")
    server.ask("PUT", f"party.party/{new}", {"active": False})
    await live.bench.sync(connection)
    assert [(await _state_of(live, "deal", deal))[0], (await _state_of(live, "contact", new))[0]] == [False, False]


async def test_only_what_changed_is_asked_for(
    live: Live, server: Tryton, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "EVERYTHING_EVERY", timedelta(hours=6))
    monkeypatch.setattr(reads, "OVERLAP", timedelta(0))
    connection = await live.connect("tryton", **_settings(server, proxy.url))
    first = await live.bench.sync(connection)
    second = await live.bench.sync(connection)
    # What was made in the same second as the run began may come again; no more.
    assert second.counts.fetched < first.counts.fetched / 10
    server.ask("PUT", "party.party/4", {"name": FIRM + " плюс"})
    third = await live.bench.sync(connection)
    assert third.counts.updated == 1


async def test_a_call_becomes_one_opportunity_though_answers_are_lost(
    live: Live, server: Tryton, proxy: Proxy, calls: Sandbox
) -> None:
    target, source = await _rule_of_calls(live, server, proxy, calls)
    wanted = await live.outbox(target)
    assert wanted["pending"] > 5
    proxy.lose_to("/sale.opportunity", lost=3, broken=2)
    ended = await live.deliver(target)
    assert set(await live.outbox(target)) == {"done"}, ended
    there = [row for row in server.all("sale.opportunity", "reference", "comment") if row["reference"]]
    marks = [row["reference"] for row in there]
    assert len(marks) == len(set(marks)) == wanted["pending"]
    assert proxy.posts("/sale.opportunity") == wanted["pending"]
    phones = {row["comment"].split("Phone: ")[1].splitlines()[0] for row in there}
    assert phones == {phone for (phone,) in await live.bench.rows("select payload -> 'phones' ->> 0 from outbox")}
    # What comes back is known as ours: it makes no new change, and the caller is the opportunity's client.
    await live.bench.sync(target)
    await live.bench.sync(source)
    assert await live.outbox(target) == {"done": wanted["pending"]}
    assert await live.bench.value(
        "select count(*) from deal d join call c on c.client_id = d.client_id where d.connection_id = :id",
        id=target,
    )


async def _rule_of_calls(live: Live, server: Tryton, proxy: Proxy, calls: Sandbox) -> tuple[UUID, UUID]:
    target = await live.connect("tryton", **_settings(server, proxy.url))
    await live.bench.sync(target)
    await live.rule(target, "call_to_lead")
    source = await live.bench.connect(calls, "calltouch")
    await live.bench.sync(source)
    return target, source


async def test_cards_flow_both_ways_and_an_echo_is_no_news(live: Live, server: Tryton, calls: Sandbox) -> None:
    phone = "+7 999 111-22-33"
    custom = [{"field_code": "PHONE", "values": [{"value": phone, "enum_code": "WORK"}]}]
    person = {"first_name": "Анна", "last_name": "Орлова", "custom_fields_values": custom}
    card = _amocrm(calls, "POST", "contacts", [person])["_embedded"]["contacts"][0]["id"]
    party = server.make("party.party", name="Анна Орлова", contact_mechanisms=_reached(phone=phone))
    target, other = await live.connect("tryton", **_settings(server)), await live.bench.connect(calls, "amocrm")

    async def read() -> None:
        calls.advance(minutes=1)
        await live.bench.sync(other)
        await live.bench.sync(target)

    await read()
    fields = {"name": "ours", "emails": "ours"}  # the market's clock is behind: the most recent would be Tryton's
    await live.rule(target, "client_fields", cards_from=str(other), fields=fields)
    await live.rule(other, "client_fields", cards_from=str(target), fields=fields)

    _amocrm(calls, "PATCH", f"contacts/{card}", {"last_name": "Иванова"})
    await read()
    assert await live.deliver(target) == {"done": 1}
    assert server.ask("GET", f"party.party/{party}", f=["name"])["name"] == "Анна Иванова"
    for _ in range(2):  # the echo of what was written
        await read()
    assert (await live.outbox(target), await live.outbox(other)) == ({"done": 1}, {})

    server.make("party.contact_mechanism", party=party, type="email", value="anna@example.test")
    await read()
    assert await live.deliver(other) == {"done": 1}
    for _ in range(2):
        await read()
    assert (await live.outbox(target), await live.outbox(other)) == ({"done": 1}, {"done": 1})


def _amocrm(calls: Sandbox, method: str, path: str, body: Any) -> Any:
    told = calls.credentials["amocrm"]
    answer = httpx.request(
        method,
        f"{told['base_url']}/api/v4/{path}",
        json=body,
        headers={"Authorization": f"Bearer {told['access_token']}"},
        timeout=30,
    )
    return answer.raise_for_status().json()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"api_key": "nonsense"}, "doesn't accept the key"),
        ({"database": "nowhere"}, "no Tryton database of that name"),
        ({"company": 7}, "There is no company number 7. The user of the key sees: 1 (Live agency)."),
    ],
)
async def test_what_is_wrong_with_settings_is_said(
    live: Live, server: Tryton, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsRefused) as refused:
        await live.connect("tryton", **_settings(server) | wrong)
    assert words in refused.value.problems[0].sentence
