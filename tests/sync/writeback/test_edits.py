"""A card that a CRM keeps is edited there, once, through the outbox."""

from __future__ import annotations

import pytest

from schema.enums import RecordKind
from sync.edits import kept_where, queue_edit
from sync.errors import Refused
from tests.sync.writeback.conftest import Writing


async def test_an_edit_is_made_in_the_crm_and_comes_back(writing: Writing) -> None:
    bench = writing.bench
    portal = await writing.connect("bitrix24")
    await bench.sync(portal)
    [(id, external_id)] = await bench.rows("select id, external_id from contact order by external_id limit 1")
    async with bench.office.database.workspace(bench.workspace) as db:
        record = await kept_where(db, bench.workspace, RecordKind.CONTACT, id)
        assert not record.here
        await queue_edit(db, bench.workspace, record, {"first_name": "Аполлинария"}, {})
    assert await writing.deliver(portal) == {"done": 1}
    assert writing.there(f"select NAME from bitrix24_contact where ID = {int(external_id)}") == [("Аполлинария",)]  # noqa: S608
    assert await writing.deliver(portal) == {}
    await bench.sync(portal)
    assert await bench.rows("select first_name from contact where id = :id", id=id) == [("Аполлинария",)]


async def test_an_organisations_card_is_edited_in_either_crm(writing: Writing) -> None:
    bench = writing.bench
    writing.ask_portal("crm.company.add", fields={"TITLE": "Старое", "PHONE": [{"VALUE": "+74951112233"}]})
    phone = {"field_code": "PHONE", "values": [{"value": "+74951112244", "enum_code": "WORK"}]}
    body = [{"name": "Старое", "custom_fields_values": [phone]}]
    writing.ask_account("POST", "companies", body)
    for vendor, of_vendor in (("bitrix24", "+74951112233"), ("amocrm", "+74951112244")):
        system = await writing.connect(vendor)
        await bench.sync(system)
        query = "select id from company where connection_id = :c and name = 'Старое'"
        [(id,)] = await bench.rows(query, c=system)
        [(user, number)] = await bench.rows(
            "select id, external_id from user_account where connection_id = :c order by external_id desc limit 1",
            c=system,
        )
        async with bench.office.database.workspace(bench.workspace) as db:
            record = await kept_where(db, bench.workspace, RecordKind.COMPANY, id)
            values = {"name": "Новое", "responsible": str(user), "phones": ["+74950000000"]}
            await queue_edit(db, bench.workspace, record, values, {})
            with pytest.raises(Refused):
                await queue_edit(db, bench.workspace, record, {"tax_id": "7707083893"}, {})
        assert await writing.deliver(system) == {"done": 1}
        writing.market.advance(minutes=1)
        await bench.sync(system)
        [(name, phones, responsible)] = await bench.rows(
            "select f.name, f.phones, u.external_id from company f join user_account u on u.id = f.responsible_id"
            " where f.id = :id",
            id=id,
        )
        assert (name, set(phones), responsible) == ("Новое", {of_vendor, "+74950000000"}, number)
