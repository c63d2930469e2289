"""Calls and forms become deals with their cards: one for each client, whatever happens; none for who has one."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from sandbox.server import start
from sandbox.world.happenings import Crm
from sync.connections import create_connection, resync
from sync.errors import SettingsRefused
from sync.writeback.dry_run import dry_run_of
from sync.writeback.outbox import put_new
from sync.writeback.recipes import draft, recipe, switch_off, switch_on, switched_on
from tests.conftest import MASTER_KEY
from tests.sync.conftest import START, Bench
from tests.sync.test_kill import KILLED, ROOT, ended, reading
from tests.sync.writeback.conftest import BEGINNING, Writing

PIPELINE = {"bitrix24": "1", "amocrm": "6100002"}
STAGE = {"bitrix24": "C1:PREPARATION", "amocrm": "6100002:52000102"}
NEXT_STAGE = {"bitrix24": "C1:EXECUTING", "amocrm": "6100002:52000104"}
MADE = {
    "bitrix24": "select d.ID, m.VALUE, d.CATEGORY_ID, d.STAGE_ID, d.UTM_SOURCE, d.ASSIGNED_BY_ID"
    " from bitrix24_deal d left join bitrix24_link k on k.FROM_TYPE = 'DEAL' and k.FROM_ID = d.ID"
    " left join bitrix24_multifield m on m.OWNER = 'CONTACT' and m.OWNER_ID = k.TO_ID and m.TYPE_ID = 'PHONE'"
    " where d.ORIGINATOR_ID = 'skvoz'",
    "amocrm": "select d.id, p.tail, d.pipeline_id, d.pipeline_id || ':' || d.status_id,"
    " json_extract(d.custom_fields, '$.\"' || (select id from amocrm_custom_field where entity = 'leads' and"
    " code = 'UTM_SOURCE') || '\"[0].value'), d.responsible_user_id from amocrm_leads d"
    " left join amocrm_link k on k.from_type = 'leads' and k.from_id = d.id and k.to_type = 'contacts'"
    " left join amocrm_phone p on p.entity = 'contacts' and p.entity_id = k.to_id"
    " where d.custom_fields like '%' || (select id from amocrm_custom_field where code = 'SKVOZ_KEY') || '%'",
}
STRANGER = "+79161230077"


async def calls_waiting(writing: Writing, vendor: str, **values: Any) -> tuple[UUID, set[str]]:
    """Calls read, a deal for each new number in the outbox: the CRM's connection, and the ends of the numbers."""
    crm = await writing.connect(vendor)
    await writing.bench.sync(crm)
    settings = {"pipeline": PIPELINE[vendor], "stage": STAGE[vendor], "fields": {"UTM_SOURCE": "source"}} | values
    await writing.rule(crm, "call_to_deal", **settings)
    await writing.bench.sync(await writing.connect("calltouch"))
    rows = await writing.bench.rows("select payload -> 'phones' ->> 0 from outbox")
    assert len(rows) > 6
    return crm, {phone[-10:] for (phone,) in rows}


def made(writing: Writing, vendor: str) -> dict[int, tuple[set[str], tuple[Any, ...]]]:
    """Deals of ours there: the phones on their card, and pipeline, stage, source and user."""
    found: dict[int, tuple[set[str], tuple[Any, ...]]] = {}
    for id, phone, *rest in writing.there(MADE[vendor]):
        found.setdefault(id, (set(), tuple(rest)))[0].add(re.sub(r"\D", "", str(phone))[-10:])
    return found


def phones_of(writing: Writing, vendor: str) -> Counter[str]:
    """In how many deals of ours each phone stands."""
    return Counter(phone for phones, _ in made(writing, vendor).values() for phone in phones)


async def changed_by_hand(writing: Writing, crm: UUID, deal: str, values: dict[str, str]) -> None:
    """A person edits a deal here; the answer is lost."""
    workspace = writing.bench.workspace
    for path in ("crm.deal.update", f"leads/{deal}"):
        writing.market.fault("bitrix24" if "crm" in path else "amocrm", "drop_answer", match=path, method="POST")
        writing.market.fault("amocrm", "drop_answer", match=path, method="PATCH")
    async with writing.bench.office.database.workspace(workspace) as db:
        id = await put_new(
            db,
            workspace,
            crm,
            write="deal.update",
            key="by hand",
            order_key=f"deal:{deal}",
            cause=("deal", workspace),
            payload=values,
            base=None,
            external_id=deal,
        )
    await writing.deliver(crm, rounds=20)
    rows = await writing.bench.rows("select state, stored from outbox where id = :id", id=id)
    assert rows == [("done", values)]


@pytest.mark.parametrize("vendor", ["bitrix24", "amocrm"])
async def test_each_number_gets_one_deal_with_its_card_though_answers_are_lost(
    writing: Writing, vendor: str
) -> None:
    users = {"bitrix24": 1, "amocrm": 7000001}[vendor]
    crm, numbers = await calls_waiting(writing, vendor, otherwise_responsible=str(users))
    writing.market.fault("bitrix24", "drop_answer", match="batch", times=2, after=1)
    writing.market.fault("amocrm", "drop_answer", match="leads/complex", times=2, after=1)

    await writing.deliver(crm, rounds=20)

    assert await writing.states() == Counter(done=len(numbers))
    deals = made(writing, vendor)
    assert len(deals) == len(numbers)
    found = phones_of(writing, vendor)
    assert {number: found[number] for number in numbers} == dict.fromkeys(numbers, 1)
    places = {(str(pipeline), stage, user) for _, (pipeline, stage, _, user) in deals.values()}
    assert places == {(PIPELINE[vendor], STAGE[vendor], users)}
    assert "yandex" in {source for _, (_, _, source, _) in deals.values()}
    await changed_by_hand(writing, crm, str(min(deals)), {"title": "Новое", "stage": NEXT_STAGE[vendor]})
    writing.market.advance(minutes=1)
    await resync(writing.bench.office, writing.bench.workspace, crm)
    await writing.bench.sync(crm)
    assert await writing.deliver(crm) == Counter()
    assert await writing.bench.value("select count(*) from outbox where echoed_at is null") == 0


async def test_a_crash_after_sending_makes_neither_two_nor_none(writing: Writing) -> None:
    crm, numbers = await calls_waiting(writing, "amocrm")
    module = "tests.sync.writeback.courier"
    code, words = ended(reading(writing.bench, crm, crash_at="outbox.after_send:1", module=module))
    assert code == KILLED, words
    await writing.deliver(crm, rounds=20)
    assert await writing.states() == Counter(done=len(numbers))
    assert len(made(writing, "amocrm")) == len(numbers)
    assert set(phones_of(writing, "amocrm").values()) == {1}


async def known_there(writing: Writing, vendor: str, phone: str) -> tuple[int, int]:
    """The CRM's own integration has made a card and an open deal since we last read: their ids."""
    spelt = f"8 ({phone[:3]}) {phone[3:6]}-{phone[6:]}"
    if vendor == "bitrix24":
        card = writing.ask_portal("crm.contact.add", fields={"NAME": "Анна", "PHONE": [{"VALUE": spelt}]})
        return card, writing.ask_portal("crm.deal.add", fields={"TITLE": "Входящий", "CONTACT_ID": card})
    custom = [{"field_code": "PHONE", "values": [{"value": spelt, "enum_code": "WORK"}]}]
    body = [{"first_name": "Анна", "custom_fields_values": custom}]
    card = writing.ask_account("POST", "contacts", body)["_embedded"]["contacts"][0]["id"]
    lead = [{"name": "Входящий", "_embedded": {"contacts": [{"id": card}]}}]
    return card, writing.ask_account("POST", "leads", lead)["_embedded"]["leads"][0]["id"]


@pytest.mark.parametrize(("vendor", "instead"), [("bitrix24", "task"), ("amocrm", "comment")])
async def test_who_has_an_open_deal_gets_a_comment_or_task_once(
    writing: Writing, vendor: str, instead: str
) -> None:
    crm, numbers = await calls_waiting(writing, vendor, if_known=instead)
    number = sorted(numbers)[0]
    _, deal = await known_there(writing, vendor, number)
    for path in ("timeline.comment.add", "activity.todo.add", "/notes", "/tasks"):
        writing.market.fault(vendor, "drop_answer", match=path, method="POST", times=1)

    await writing.deliver(crm, rounds=20)

    assert await writing.states() == Counter(done=len(numbers), skipped=1)
    assert number not in phones_of(writing, vendor)
    told = {
        "bitrix24": "select OWNER_ID, SUBJECT from bitrix24_todo where OWNER_TYPE_ID = 2",
        "amocrm": "select entity_id, params ->> '$.text' from amocrm_note where note_type = 'common'",
    }[vendor]
    ((owner, words),) = writing.there(told)
    assert owner == deal
    assert number in words


async def test_new_clients_are_shared_by_load(writing: Writing) -> None:
    portal = await writing.connect("bitrix24")
    await writing.bench.sync(portal)
    rows = await writing.bench.rows(
        "select u.external_id, count(d.id) from user_account u left join deal d on d.responsible_id = u.id"
        " and d.status = 'open' group by u.external_id order by 2, 1 limit 2"
    )
    loads = dict(rows)
    await writing.rule(portal, "call_to_deal", share_among=list(loads))
    await writing.bench.sync(await writing.connect("calltouch"))
    for (user,) in await writing.bench.rows("select payload ->> 'responsible' from outbox order by seq"):
        assert loads[user] == min(loads.values())
        loads[user] += 1
    assert sum(loads.values()) > sum(load for _, load in rows) + 6


async def test_who_took_the_call_keeps_the_client(writing: Writing) -> None:
    portal, account = await writing.connect("bitrix24"), await writing.connect("amocrm")
    await writing.bench.sync(portal)
    users = [user for (user,) in await writing.bench.rows("select external_id from user_account")]
    ours = dict.fromkeys(users, "7000001")
    await writing.rule(account, "call_to_deal", calls_from=portal, same_person=ours, only_new_numbers=False)
    wanted = await writing.bench.rows(
        "select o.payload ->> 'responsible', c.responsible_id is not null from outbox o"
        " join call c on c.id = o.cause_id"
    )
    assert wanted
    assert {user for user, taken in wanted if taken} == {"7000001"}


async def test_a_place_or_person_that_is_not_there_is_refused_at_once(writing: Writing) -> None:
    portal = await writing.connect("bitrix24")
    await writing.bench.sync(portal)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"pipeline": "77"}, "There is no pipeline 77"),
        ({"pipeline": "1", "stage": "PREPARATION"}, "There is no stage PREPARATION in pipeline 1"),
        ({"share_among": ["99999"]}, "There is no user 99999"),
        ({"fields": {"UF_CRM_NO": "source"}}, "has no field UF_CRM_NO"),
    ]
    for values, words in wrong:
        with pytest.raises(SettingsRefused, match=words):
            await writing.rule(portal, "call_to_deal", **values)


async def test_forms_of_one_crm_go_to_the_other_and_no_further(writing: Writing) -> None:
    """Rules in both directions: what Skvoz made of a form is no form that somebody sent."""
    portal, account = await writing.connect("bitrix24"), await writing.connect("amocrm")
    for target in (portal, account):
        await writing.rule(target, "request_to_deal", if_known="skip")
    await writing.bench.sync(account)
    await writing.bench.sync(portal)
    wanted = await writing.bench.value("select count(*) from outbox")
    assert wanted
    for _ in range(2):
        for target in (account, portal):
            await writing.deliver(target)
            await resync(writing.bench.office, writing.bench.workspace, target)
            await writing.bench.sync(target)
    assert await writing.bench.value("select count(*) from outbox") == wanted
    assert len(made(writing, "amocrm")) == await writing.bench.value(
        "select count(*) from outbox where state = 'done'"
    )
    assert made(writing, "bitrix24") == {}


async def test_a_recipe_is_shown_first_and_switched_on_and_off_in_one_step(writing: Writing) -> None:
    office, workspace = writing.bench.office, writing.bench.workspace
    portal = await writing.connect("bitrix24")
    await writing.bench.sync(portal)
    await writing.bench.sync(await writing.connect("calltouch"))
    missed = recipe("missed-call-to-bitrix24")
    rule = await draft(office, workspace, missed, portal, {"pipeline": "1"}, since=BEGINNING)
    run = await dry_run_of(office, rule, show=1000)
    assert run.total > 0
    assert await switched_on(office, workspace) == {}

    for _ in range(2):  # switched on twice it is one
        shown = await switch_on(office, workspace, missed, portal, {"pipeline": "1"}, actor="test", since=BEGINNING)
    assert shown.sentence.startswith("Every missed call becomes a deal in «bitrix24», in pipeline 1, with its UTM")
    assert [key for key, _ in await switched_on(office, workspace, "ru")] == ["missed-call-to-bitrix24"]
    assert await writing.bench.value("select count(*) from outbox") == run.total
    await writing.deliver(portal)
    would_make = [one for one in run.shown if one.verdict == "make"]
    phones = {line.then[0][-10:] for one in would_make for line in one.lines if line.field == "phones"}
    assert phones
    assert phones <= set(phones_of(writing, "bitrix24"))
    assert len(made(writing, "bitrix24")) == len(would_make)
    assert await switch_off(office, workspace, missed) == 1
    assert await writing.bench.value("select count(*) from write_rule") == 0


async def test_the_command_line_shows_a_recipe_and_switches_it_on(writing: Writing) -> None:
    portal = await writing.connect("bitrix24")
    await writing.bench.sync(portal)
    await writing.bench.sync(await writing.connect("calltouch"))
    on = ("recipes", "on", "call-to-bitrix24", "--pipeline", "1", "--from", "calltouch", "--since", "2026-03-02")

    shown = await skvoz(writing, *on, "--language", "ru")
    assert (
        "Каждый отвеченный звонок с нового номера в «calltouch» становится сделкой в «bitrix24», в воронке 1"
        in shown
    )
    assert "Call from" in shown
    assert await writing.states() == Counter()

    assert (await skvoz(writing, *on, "--yes")).startswith(
        "On: Every answered call from a new number in «calltouch»"
    )
    assert set(await writing.states()) == {"pending"}
    assert "Off." in await skvoz(writing, "recipes", "off", "call-to-bitrix24")


async def skvoz(writing: Writing, *words: str) -> str:
    """What the command says."""
    url = writing.bench.office.settings.database_url
    assert url is not None
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": url.get_secret_value(),
        "SKVOZ_MASTER_KEY": MASTER_KEY,
        "SKVOZ_ALLOW_PRIVATE_HOSTS": "127.0.0.1",
        "COLUMNS": "200",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from api.command import main; main()", *words),
        env=environment,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    return told.decode()


async def test_orders_of_a_shop_become_deals_with_their_amount(bench: Bench, tmp_path: Path) -> None:
    systems: tuple[Crm, ...] = ("advantshop", "bitrix24")
    with start(
        tmp_path / "m", seed=5, calls=40, days=20, start=START, crms=systems, limits=0, only=systems
    ) as market:
        writing = Writing(bench, market)
        values = {**market.credentials["advantshop"], "since": str(START)}
        shop, _ = await create_connection(bench.office, bench.workspace, "advantshop", "Shop", values)
        portal = await writing.connect("bitrix24")
        await writing.rule(portal, "order_to_deal", orders_from=shop)
        await bench.sync(shop)
        wanted = await bench.value("select count(*) from outbox")
        assert wanted == await bench.value(
            "select count(*) from sales_order where state <> 'cancelled'"
            " and cardinality(phones) + cardinality(emails) > 0"
        )
        market.fault("bitrix24", "drop_answer", match="batch", times=2, after=1)
        await writing.deliver(portal, rounds=20)
        told = writing.there("select TITLE, OPPORTUNITY from bitrix24_deal where ORIGINATOR_ID = 'skvoz'")
        amounts = await bench.rows(
            "select 'Order ' || number, (amount * 100)::bigint from sales_order o where exists ("
            "select from outbox x where x.cause_id = o.id and x.write = 'deal.create' and x.state = 'done')"
        )
        assert sorted(told) == sorted(amounts)
        assert len(told) > 2
        skipped = await bench.value("select count(*) from outbox where state = 'skipped'")
        comments = writing.there("select COMMENT from bitrix24_comment")
        assert len(comments) == skipped
        assert await writing.states() == Counter(done=wanted) + Counter(skipped=skipped)


async def test_chats_and_letters_become_deals_once_a_day_for_each_writer(writing: Writing) -> None:
    tracker, portal = await writing.connect("calltouch"), await writing.connect("bitrix24")
    await writing.bench.sync(tracker)
    bench = writing.bench
    async with bench.office.database.loading(bench.workspace) as db:
        for number, hour, channel in ((1, 9, "email"), (2, 11, "email"), (3, 12, "chat"), (4, 13, "sms")):
            await db.execute(
                text(
                    "insert into message (workspace_id, id, connection_id, stream, source_id, external_id, channel,"
                    " direction, sent_at, subject, phones, emails, loaded_at) values (:ws, gen_random_uuid(),"
                    " :tracker, 'messages', :id, :id, :channel, 'inbound', :at, 'Вопрос', :phones, :emails, now())"
                ),
                {
                    "ws": bench.workspace,
                    "tracker": tracker,
                    "id": str(number),
                    "channel": channel,
                    "at": BEGINNING + timedelta(hours=hour),
                    "phones": [STRANGER] if channel == "chat" else [],
                    "emails": [] if channel == "chat" else ["anna@example.ru"],
                },
            )
    await writing.rule(portal, "request_to_deal", requests=["chat", "letter"])
    await writing.deliver(portal)
    made_of = await bench.rows(
        "select m.external_id, o.state from outbox o join message m on m.id = o.cause_id order by 1"
    )
    assert made_of == [("1", "done"), ("3", "done")]
    forms = await bench.value("select count(*) from outbox where cause_kind = 'lead'")
    assert forms == await bench.value("select count(*) from lead where stream = 'chats'")
