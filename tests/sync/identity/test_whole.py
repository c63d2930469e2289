"""Everything at once finds what is stored otherwise than the records say, and mends it with a log."""

from __future__ import annotations

from schema.enums import RecordKind
from sync.identity import whole
from sync.identity.reading import CAP
from tests.sync.identity.test_absorb import A, B, Conn, World, call, contact, lead


async def test_a_check_finds_what_a_repair_mends(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Anna Orlova", A), call("1", A, at=1), contact("2", "Boris Zimin", B))
    await world.take(lead("3", "Oleg Kotov", B, at=2))
    assert (await whole.check(conn, world.workspace_id)).agrees
    anna, boris = await world.contact("1"), await world.contact("2")
    workspace = (world.workspace_id,)
    await conn.execute(
        "update identity_record set client_id = %s where record_kind = %s and workspace_id = %s",
        (boris, RecordKind.CALL.value, *workspace),
    )
    await conn.execute("delete from shared_key where workspace_id = %s", workspace)
    found = await whole.check(conn, world.workspace_id)
    assert [set(each.clients) for each in found.differences if len(each.clients) > 1] == [{anna, boris}]
    assert found.elsewhere >= 2
    assert [key.value for key in found.unguarded] == [B]
    done = await whole.regroup(conn, world.workspace_id, "test")
    assert done.parted == 1
    assert (await whole.check(conn, world.workspace_id)).agrees
    assert await world.client(RecordKind.CALL, "1") == anna
    cursor = await conn.execute("select reason, value from shared_key where workspace_id = %s", workspace)
    assert await cursor.fetchall() == [(CAP, B)]
    cursor = await conn.execute(
        "select client_id, other_id from merge_log where actor = 'test' and workspace_id = %s", workspace
    )
    assert await cursor.fetchall() == [(boris, anna)]


async def test_a_key_that_is_shared_for_no_reason_joins_again(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Anna Orlova", A))
    await conn.execute(
        "insert into shared_key (workspace_id, client_kind, kind, value, reason, carriers, at)"
        " values (%s, 'person', 'phone', %s, 'cap', 2, now())",
        (world.workspace_id, A),
    )
    assert [key.value for key in (await whole.check(conn, world.workspace_id)).overguarded] == [A]
    await whole.regroup(conn, world.workspace_id, "test")
    assert (await whole.check(conn, world.workspace_id)).agrees
