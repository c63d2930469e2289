"""The log of merges, replayed to any day."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from schema.enums import MergeKind
from sync.identity.decisions import merge, split
from sync.identity.explain import NoSuchClient, why
from sync.identity.replay import as_of
from tests.sync.identity.test_absorb import A, B, C, Conn, World, call, contact, lead
from tests.sync.identity.test_decisions import card


async def now(conn: Conn) -> datetime:
    [(at,)] = await (await conn.execute("select clock_timestamp()")).fetchall()
    assert isinstance(at, datetime)
    return at


async def partition_of(world: World) -> dict[UUID, set[UUID]]:
    found: dict[UUID, set[UUID]] = {}
    for record, client in await world.rows(
        "select record_id, client_id from identity_record where workspace_id = %(w)s and client_id is not null"
    ):
        found.setdefault(client, set()).add(record)
    return found


async def test_any_day_can_be_asked_for_and_gives_what_held_then(conn: Conn) -> None:
    world = World(conn)
    records = [contact("1", "Иван Петров", A), contact("2", "Иван", B, at=1), contact("3", "Глеб Быков", C, at=2)]
    await world.take(*records, call("c", B, at=3), call("d", C, at=3))
    days: list[tuple[datetime, dict[UUID, set[UUID]]]] = []

    async def look() -> None:
        days.append((await now(conn), await partition_of(world)))

    await look()
    await world.take(contact("1", "Иван Петров", A, B))
    await look()
    await merge(conn, world.workspace_id, card("3"), card("1"), "token")
    await look()
    await split(conn, world.workspace_id, card("1"), [card("2")], "token")
    await look()
    await world.take(contact("1", "Иван Петров", A))
    await look()
    assert len({len(each) for _, each in days}) > 1
    for at, held in days:
        for client, known in held.items():
            past = await as_of(conn, world.workspace_id, client, at)
            assert (past.client, {was.id for was in past.records}) == (client, known)


async def test_it_tells_what_joined_and_parted_them_since(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван Петров", A), contact("2", "Иван", B, at=1))
    then = await now(conn)
    await world.take(lead("l", "Иван Петров", A, B, at=2))
    joined = await now(conn)
    await split(conn, world.workspace_id, card("1"), [card("2")], "somebody")
    past = await as_of(conn, world.workspace_id, card("2"), then)
    assert [(change.kind, change.origin, change.to) for change in past.changes] == [
        (MergeKind.MERGE, card("2"), card("1")),
        (MergeKind.SPLIT, card("1"), card("2")),
    ]
    assert {key["value"] for key in past.changes[0].evidence["keys"]} == {A, B}
    assert past.changes[1].actor == "somebody"
    for id in (card("1"), card("2")):  # both led to the survivor between the two
        assert (await as_of(conn, world.workspace_id, id, joined)).client == card("1")
        assert (await why(conn, world.workspace_id, id)).records > 0
        assert (await as_of(conn, world.workspace_id, id, await now(conn))).client == id


async def test_a_client_that_nobody_knew_then_is_said_so(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван Петров", A))
    with pytest.raises(NoSuchClient, match="No record was known"):
        await as_of(conn, world.workspace_id, UUID(int=9), await now(conn) - timedelta(days=1))
