"""A contact that a CRM keeps is edited there, once, through the outbox."""

from __future__ import annotations

from schema.enums import RecordKind
from sync.edits import kept_where, queue_edit
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
