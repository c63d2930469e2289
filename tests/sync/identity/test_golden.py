"""The golden record: which word holds, where it comes from, and what the others say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from schema.enums import RecordKind
from schema.ids import record_id
from sync.identity import refresh_golden
from tests.sync.identity.test_absorb import BITRIX, OFFICE, START, A, B, Conn, World, call, contact, lead

MANAGER = UUID(int=77)


async def store(world: World, table: str, id: UUID, client: UUID | None, **values: Any) -> None:
    """Write a row of an entity, as the loader does after `absorb`."""
    needed: dict[str, dict[str, Any]] = {
        "contact": {"phones": [], "emails": []},
        "lead": {"created_at": START, "phones": [], "emails": [], "tags": []},
        "call": {"started_at": START, "direction": "inbound", "answered": True, "tags": []},
        "deal": {"created_at": START, "title": "Сделка", "status": "open", "tags": []},
    }
    row: dict[str, Any] = {
        "workspace_id": world.workspace_id,
        "id": id,
        "connection_id": BITRIX,
        "external_id": "1",
        "stream": table,
        "source_id": "1",
        "loaded_at": START,
        "client_id": client,
        **needed[table],
        **values,
    }
    columns, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    await world.conn.execute(f"insert into {table} ({columns}) values ({places})", row)  # noqa: S608


async def client_row(world: World) -> tuple[Any, ...]:
    [row] = await world.rows(
        "select name, phone, email, responsible_id, last_seen_at - founded_at from client"
        " where workspace_id = %(w)s"
    )
    return row


async def test_cards_come_before_leads_and_leads_before_calls(conn: Conn) -> None:
    world = World(conn)
    await world.take(call("k", B, at=0), lead("l", "Ваня", B, A, at=3), contact("1", "Иван Петров", A, at=2))
    client = await world.contact("1")
    assert client is not None
    ids = {kind: record_id(BITRIX, kind, external_id) for kind, external_id in
           ((RecordKind.CALL, "k"), (RecordKind.LEAD, "l"), (RecordKind.CONTACT, "1"))}  # fmt: skip
    await store(world, "call", ids[RecordKind.CALL], client, client_phone=B)
    await refresh_golden(conn, world.workspace_id, [client])
    assert await client_row(world) == (None, B, None, None, timedelta(days=3))
    await store(world, "lead", ids[RecordKind.LEAD], client, name="Ваня", phones=[B, A], emails=["v@x.ru"])
    await refresh_golden(conn, world.workspace_id, [client])
    assert (await client_row(world))[:3] == ("Ваня", B, "v@x.ru")
    await store(
        world, "contact", ids[RecordKind.CONTACT], client, name="Иван Петров", phones=[A], responsible_id=MANAGER
    )
    assert await refresh_golden(conn, world.workspace_id, [client]) == 1
    assert (await client_row(world))[:4] == ("Иван Петров", A, "v@x.ru", MANAGER)
    fields = await world.rows(
        "select field, value, rule, record_kind, record_id, others from client_field"
        " where workspace_id = %(w)s and field in ('name', 'email') order by field"
    )
    assert fields == [
        ("email", "v@x.ru", "most_recent", "lead", ids[RecordKind.LEAD], None),
        ("name", "Иван Петров", "most_recent", "contact", client_id_of("1"), {"Ваня": [str(ids[RecordKind.LEAD])]}),
    ]
    assert await refresh_golden(conn, world.workspace_id, [client]) == 0


def client_id_of(contact_id: str) -> UUID:
    return record_id(BITRIX, RecordKind.CONTACT, contact_id)


async def test_a_phone_of_ones_own_comes_before_a_shared_one(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван Петров", OFFICE, A), contact("2", "Глеб Быков", OFFICE, at=1))
    await store(world, "contact", client_id_of("1"), client_id_of("1"), name="Иван Петров", phones=[OFFICE, A])
    await refresh_golden(conn, world.workspace_id, [client_id_of("1")])
    rows = await world.rows("select phone from client where workspace_id = %(w)s and name = 'Иван Петров'")
    assert rows == [(A,)]


async def test_rows_and_deals_follow_a_merge_and_a_split(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван", A), contact("2", "Иван Петров", B, at=1))
    one, two, deal = client_id_of("1"), client_id_of("2"), UUID(int=500)
    await store(world, "contact", two, two, name="Иван Петров", phones=[B])
    await store(world, "deal", deal, two, contact_id=two)

    async def owners() -> list[tuple[Any, ...]]:
        return await world.rows(
            "select client_id from contact where workspace_id = %(w)s"
            " union all select client_id from deal where workspace_id = %(w)s"
        )

    outcome = await world.take(lead("l", "Иван", A, B, at=2))
    assert outcome.touched == {one, two}
    assert await owners() == [(one,), (one,)]
    await world.take(lead("l", "Иван", A, at=2))
    assert await owners() == [(two,), (two,)]


async def test_a_deal_that_came_before_its_contact_gets_its_client(conn: Conn) -> None:
    world = World(conn)
    await store(world, "deal", UUID(int=501), None, contact_id=client_id_of("1"))
    await world.take(contact("1", "Иван", A))
    assert await world.rows("select client_id from deal where workspace_id = %(w)s") == [(client_id_of("1"),)]
