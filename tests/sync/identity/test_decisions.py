"""What people decide is kept and obeyed: by every sync, in any order, and it can be previewed and taken back."""

from __future__ import annotations

from uuid import UUID

import pytest

from schema.enums import IdentifierKind, RecordKind
from schema.ids import record_id
from sync.identity.decisions import (
    DecisionRefused,
    list_key,
    merge,
    preview_merge,
    preview_split,
    split,
    unlist_key,
)
from tests.sync.identity.test_absorb import BITRIX, A, B, Conn, World, call, contact, lead


def card(external_id: str) -> UUID:
    return record_id(BITRIX, RecordKind.CONTACT, external_id)


async def test_a_split_survives_the_next_sync_and_new_records(conn: Conn) -> None:
    world = World(conn)
    records = [contact("1", "Иван Петров", A, at=0), contact("2", "Иван Петров", A, at=1), call("c", A, at=2)]
    await world.take(*records)
    client = await world.contact("1")
    assert client is not None
    outcome = await split(conn, world.workspace_id, client, [card("2")], "token")
    assert outcome.touched == {client, card("2")}
    await world.take(contact("2", "Иван Петров", A, B, at=1), lead("l", "Иван Петров", A, at=3))
    await world.take(*records)
    assert await world.contact("1") == client
    assert await world.contact("2") == card("2")
    assert await world.call("c", BITRIX) == client
    assert await world.client(RecordKind.LEAD, "l") == client


async def test_a_preview_says_what_would_move_and_changes_nothing(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван", A, at=0), contact("2", "Иван", A, B, at=1), call("c", B, at=2))
    client = await world.contact("1")
    assert client is not None
    preview = await preview_split(conn, world.workspace_id, client, [card("2")])
    [move] = preview.moves
    assert (move.origin, move.to) == (client, card("2"))
    assert set(move.records) == {card("2"), record_id(BITRIX, RecordKind.CALL, "c")}
    assert await world.contact("2") == client
    assert await world.rows("select * from identity_decision where workspace_id = %(w)s") == []


async def test_records_taken_out_together_stay_together(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", None, A), call("c", A, at=1), call("d", A, at=2), call("e", A, at=3))
    calls = [record_id(BITRIX, RecordKind.CALL, id) for id in "cd"]
    await split(conn, world.workspace_id, card("1"), calls, "token")
    assert await world.call("c", BITRIX) == await world.call("d", BITRIX) == calls[0]
    assert await world.call("e", BITRIX) == card("1")


async def test_a_merge_by_hand_joins_what_no_key_joins_and_a_split_parts_it_again(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван Петров", A, at=0), contact("2", "Иван Сидоров", B, at=1))
    preview = await preview_merge(conn, world.workspace_id, card("2"), card("1"))
    assert [(move.origin, move.to) for move in preview.moves] == [(card("2"), card("1"))]
    await merge(conn, world.workspace_id, card("2"), card("1"), "token")
    assert await world.contact("2") == card("1")
    await world.take(contact("2", "Иван Сидоров", B, at=1), contact("1", "Иван Петров", A, at=0))
    assert await world.contact("2") == card("1")
    await split(conn, world.workspace_id, card("1"), [card("2")], "token")
    assert await world.contact("2") == card("2")
    await merge(conn, world.workspace_id, card("1"), card("2"), "token")
    assert await world.contact("2") == card("1")
    log = await world.rows("select kind, actor from merge_log where workspace_id = %(w)s order by id")
    assert log == [("merge", "token"), ("split", "token"), ("merge", "token")]


async def test_a_merge_holds_when_the_record_is_removed_and_comes_back(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван Петров", A), contact("2", "Иван Сидоров", B, at=1))
    await merge(conn, world.workspace_id, card("1"), card("2"), "token")
    await world.remove(RecordKind.CONTACT, "2")
    await world.take(contact("2", "Иван Сидоров", B, at=1))
    assert await world.contact("2") == card("1")


async def test_a_listed_key_joins_nobody_until_it_is_taken_off(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван", A), contact("2", "Иван", A, at=1), call("c", A, at=2))
    await list_key(conn, world.workspace_id, IdentifierKind.PHONE, A)
    assert await world.contact("2") == card("2")
    assert await world.call("c", BITRIX) is None
    await world.take(call("d", A, at=3))
    assert await world.call("d", BITRIX) is None
    await unlist_key(conn, world.workspace_id, IdentifierKind.PHONE, A)
    assert await world.contact("2") == await world.call("c", BITRIX) == await world.call("d", BITRIX) == card("1")
    assert await world.shared() == set()


async def test_what_makes_no_sense_is_refused(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван", A), contact("2", "Иван", A, at=1))
    with pytest.raises(DecisionRefused, match="not all of them"):
        await split(conn, world.workspace_id, card("1"), [card("1"), card("2")], "token")
    with pytest.raises(DecisionRefused, match="no client"):
        await merge(conn, world.workspace_id, card("1"), UUID(int=5), "token")
    with pytest.raises(DecisionRefused, match="one client already"):
        await merge(conn, world.workspace_id, card("1"), card("1"), "token")
