"""What is deleted here goes out only if a rule says so, a few at once, and comes back where the system lets it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from sandbox.server import Sandbox, start
from sandbox.world.happenings import Crm
from schema.enums import RecordKind, RunTrigger
from sync.connections import create_connection
from sync.entered import Register
from sync.errors import SettingsRefused
from sync.verify import verify_connection
from sync.verify.verifying import Wanted
from sync.writeback.dry_run import dry_run
from sync.writeback.outbox import NotPossible, replay
from sync.writeback.rulebook import check_rule, list_rules
from sync.writeback.undo import preview_undo, undo
from tests.sync.conftest import START, Bench
from tests.sync.writeback.conftest import BEGINNING, Writing

WAITING = "select write, count(*) from outbox where write like '%.delete' and state = 'pending' group by 1"


async def entered_too(bench: Bench, crm: UUID, count: int) -> dict[str, str]:
    """Clients of a CRM whose cards are entered here as well: the entered cards' ids, by those of the CRM."""
    rows = await bench.rows(
        "select external_id, phones[1], client_id from contact c where connection_id = :crm"
        " and cardinality(phones) = 1"
        " and deleted_at is null and client_id is not null and not exists (select from contact x"
        " where x.client_id = c.client_id and x.id <> c.id) order by external_id limit :count",
        crm=crm,
        count=count,
    )
    found = {}
    async with bench.office.database.loading(bench.workspace) as db:
        register = Register(bench.office, db, bench.workspace, "test")
        for card, phone, client in rows:
            made = await register.add_card(RecordKind.CONTACT, {"name": "Анна", "phones": (phone,)}, client)
            query = text("select external_id from contact where id = :id")
            found[card] = (await db.execute(query, {"id": made.id})).scalar_one()
    assert len(found) == count
    return found


async def deleted_here(bench: Bench, cards: list[str]) -> None:
    async with bench.office.database.loading(bench.workspace) as db:
        register = Register(bench.office, db, bench.workspace, "test")
        for card in cards:
            assert await register.remove(RecordKind.CONTACT, card)


async def test_a_card_deleted_here_is_removed_there_by_rule_only_and_never_many_at_once(writing: Writing) -> None:
    bench = writing.bench
    portal = await writing.connect("bitrix24")
    await bench.sync(portal)
    cards = await entered_too(bench, portal, 4)
    first, *others = cards
    await deleted_here(bench, [cards[first]])
    assert await writing.states() == Counter()  # there is no rule

    living = await bench.value("select count(*) from contact where connection_id = :id", id=portal)
    rule = await writing.rule(portal, "deleted_elsewhere", since=None, most_percent=200 / living)
    sentence = (await list_rules(bench.office, bench.workspace, "ru"))[0].sentence
    assert "удаляется и в «bitrix24», если клиента больше нигде нет" in sentence
    await deleted_here(bench, [cards[other] for other in others])
    assert await writing.states() == Counter(pending=2, failed=1)
    assert await bench.rows("select code from outbox where state = 'failed'") == [("BRAKE",)]
    shown = await dry_run(bench.office, bench.workspace, rule.id, since=BEGINNING)
    assert [one.verdict for one in shown.shown] == ["remove"]  # the one that was deleted before the rule
    # Somebody there works on one of them meanwhile.
    touched, gone, braked = others
    writing.ask_portal("crm.contact.update", id=touched, fields={"PHONE": [{"VALUE": "+79990001122"}]})
    phones = writing.ask_portal("crm.contact.get", id=touched)["PHONE"]
    writing.ask_portal("crm.contact.update", id=touched, fields={"PHONE": [{"ID": phones[0]["ID"], "DELETE": "Y"}]})

    writing.market.fault("bitrix24", "drop_answer", match="batch|crm.contact.delete", method="POST", times=1)
    await writing.deliver(portal, rounds=10)

    there = {str(id) for (id,) in writing.there("select ID from bitrix24_contact")}
    assert gone not in there
    assert {first, touched, braked} <= there
    (parked,) = (await bench.rows("select id from outbox where code = 'BRAKE'"))[0]
    await replay(bench.office.database, bench.workspace, parked)
    await writing.deliver(portal)
    assert braked not in {str(id) for (id,) in writing.there("select ID from bitrix24_contact")}
    (done,) = (await bench.rows("select id from outbox where external_id = :gone", gone=gone))[0]
    with pytest.raises(NotPossible, match="can't be taken back"):
        await preview_undo(bench.office, bench.workspace, done)


async def test_a_system_that_deletes_nothing_says_so(writing: Writing) -> None:
    account = await writing.connect("amocrm")
    with pytest.raises(SettingsRefused, match="lets no card be deleted over its API: that stays with people"):
        await check_rule(writing.bench.office, writing.bench.workspace, account, "deleted_elsewhere", {})


async def test_what_was_made_of_a_request_goes_with_it_where_the_rule_says_deals_too(
    bench: Bench, tmp_path: Path
) -> None:
    systems: tuple[Crm, ...] = ("bitrix24", "aspro_cloud")
    with start(
        tmp_path / "m", seed=5, calls=60, days=20, start=START, limits=0, crms=systems, only=systems
    ) as market:
        writing = Writing(bench, market)
        values = {**market.credentials["aspro_cloud"], "since": str(START)}
        target, _ = await create_connection(bench.office, bench.workspace, "aspro_cloud", "Aspro", values)
        await bench.sync(target)
        await writing.rule(target, "request_to_deal", if_known="skip")
        await writing.rule(target, "deleted_elsewhere", since=None, deals=True, most_percent=100)
        portal = await writing.connect("bitrix24")
        await bench.sync(portal)
        await writing.deliver(target, rounds=20)
        (first, gone), (second, worked_on), (_, kept) = await bench.rows(
            "select l.external_id, o.external_id from outbox o join lead l on l.id = o.cause_id"
            " where o.write like '%.create' and o.state = 'done' and o.cause_kind = 'lead' order by o.seq limit 3"
        )
        change(market, "update aspro_cloud_row set row = json_set(row, '$.name', 'x') where id = ?", worked_on)
        for lead in (first, second):
            change(market, "delete from bitrix24_lead where ID = ?", lead)
        await verify_connection(
            bench.office, bench.workspace, portal, Wanted(streams={"leads"}), trigger=RunTrigger.COMMAND
        )
        (card,) = cards = await entered_too(bench, target, 1)
        await deleted_here(bench, [cards[card]])
        assert dict(map(tuple, await bench.rows(WAITING))) == {"deal.delete": 2, "contact.delete": 1}

        market.fault("aspro_cloud", "drop_answer", match="/delete/", times=1)
        await writing.deliver(target, rounds=10)

        def standing(model: str) -> set[str]:
            return {str(id) for (id,) in writing.there(f"select id from aspro_cloud_row where model = '{model}'")}  # noqa: S608

        assert standing("crm/lead") & {gone, worked_on, kept} == {worked_on, kept}
        assert card not in standing("crm/account")
        ends = await bench.rows("select external_id, state from outbox where write like '%.delete'")
        assert dict(map(tuple, ends)) == {gone: "done", worked_on: "failed", card: "done"}


def change(market: Sandbox, statement: str, id: str) -> None:
    """What happens in a system without anybody hearing of it."""
    with closing(sqlite3.connect(market.home / "world.sqlite", timeout=10)) as db:
        assert db.execute(statement, [id]).rowcount
        db.commit()


async def test_a_mark_of_deletion_is_taken_back(bench: Bench, tmp_path: Path) -> None:
    systems: tuple[Crm, ...] = ("bitrix24", "onec")
    with start(
        tmp_path / "m", seed=5, calls=60, days=20, start=START, limits=0, crms=systems, only=("onec",)
    ) as market:
        writing = Writing(bench, market)
        values = {**market.credentials["onec"], "since": str(START)}
        base, _ = await create_connection(bench.office, bench.workspace, "onec", "1C", values)
        await bench.sync(base)
        (card,) = cards = await entered_too(bench, base, 1)
        await writing.rule(base, "deleted_elsewhere", since=None)
        await deleted_here(bench, [cards[card]])
        assert await writing.deliver(base) == Counter(done=1)

        def marked() -> bool:
            query = f"select max(json_extract(row, '$.DeletionMark')) from onec_row where ref = '{card}'"  # noqa: S608
            return bool(writing.there(query)[0][0])

        assert marked()
        ((change,),) = await bench.rows("select id from outbox")
        assert (await preview_undo(bench.office, bench.workspace, change)).obstacle is None
        await undo(bench.office, bench.workspace, change)
        assert await writing.deliver(base) == Counter(done=1)
        assert not marked()
