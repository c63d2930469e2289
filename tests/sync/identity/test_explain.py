"""Why records are one client, and why two are not."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from schema.enums import RecordKind
from sync.identity.decisions import split
from sync.identity.explain import NoSuchClient, why, why_not
from tests.sync.identity.test_absorb import BITRIX, OFFICE, A, B, C, World, call, contact, lead

Conn = psycopg.AsyncConnection[tuple[Any, ...]]


def known(client: UUID | None) -> UUID:
    assert client is not None
    return client


async def test_it_names_the_keys_that_join_and_the_one_that_would_part(conn: Conn) -> None:
    world = World(conn)
    await world.take(
        contact("1", "Иван", A, OFFICE), contact("x", "Мария Орлова", OFFICE), contact("y", "Глеб", OFFICE)
    )
    await world.take(lead("l", "Иван", "8 916 111-22-01", B, at=1), call("c", B, at=2), call("d", B, at=3))
    explained = await why(conn, world.workspace_id, known(await world.contact("1")))
    assert explained.records == 4
    assert {(key.value, key.parts, len(key.records)) for key in explained.joined_by} == {(A, True, 2), (B, True, 3)}
    [phone] = [key for key in explained.joined_by if key.value == A]
    assert {raw for _, _, raw in phone.records} == {A, "8 916 111-22-01"}
    assert explained.shared == (("phone", OFFICE, "cap"),)


async def test_a_key_beside_another_parts_nobody(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван", A, B), lead("l", "Иван", A, B, at=1))
    explained = await why(conn, world.workspace_id, known(await world.contact("1")))
    assert [key.parts for key in explained.joined_by] == [False, False]


async def test_why_not_names_what_stands_between(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван Петров", A), contact("2", "Мария Орлова", A), contact("3", "Глеб Быков", C))
    one, two, three = [known(await world.contact(id)) for id in "123"]
    [shared] = await why_not(conn, world.workspace_id, one, two)
    assert (
        shared == f"Both have the phone {A}, but people with clearly different names carry it, so it joins nobody."
    )
    [nothing] = await why_not(conn, world.workspace_id, one, three)
    assert nothing.startswith("No record of the one has a key in common")
    assert await why_not(conn, world.workspace_id, one, one) == ("They are one client.",)


async def test_why_not_knows_decisions_and_visitors(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", None, A), call("c", A, at=1, visitors=("ym:1",)), lead("l", None, A, at=1))
    await world.take(call("lent", A, at=5, visitors=("ym:2",)))
    client, lent = known(await world.contact("1")), known(await world.call("lent", BITRIX))
    [visitors] = await why_not(conn, world.workspace_id, client, lent)
    assert visitors.endswith("(the site knows them as different visitors).")
    taken = await world.rows(
        "select record_id from identity_record where workspace_id = %(w)s and record_kind = 'lead'"
    )
    await split(conn, world.workspace_id, client, [id for (id,) in taken], "tester")
    other = known(await world.client(RecordKind.LEAD, "l"))
    assert (await why_not(conn, world.workspace_id, client, other))[0] == "Somebody decided that they are apart."


async def test_a_client_that_is_not_there_is_named(conn: Conn) -> None:
    with pytest.raises(NoSuchClient, match="There is no client"):
        await why(conn, uuid4(), uuid4())
