"""Golden records by choice: each rule, doubts about a source, and pins that go where their record goes."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from psycopg.types.json import Jsonb

from schema.enums import FieldRule
from sync.golden import pin, unpin
from sync.identity import refresh_golden
from sync.identity.choosing import Choice, Rules
from sync.identity.golden import choose_anew
from tests.sync.identity.test_absorb import START, A, B, Conn, World, contact, lead
from tests.sync.identity.test_golden import client_id_of, store

AMO = UUID(int=9001)


async def names_by(world: World, rules: Rules, client: UUID) -> tuple[str, str]:
    """The name that holds by these rules, and what is told of how it was chosen."""
    await world.conn.execute(
        "insert into golden_rules (workspace_id, version, rules, author)"
        " select %(w)s, count(*) + 1, %(rules)s, 'test' from golden_rules where workspace_id = %(w)s",
        {"w": world.workspace_id, "rules": Jsonb(rules.as_json())},
    )
    await choose_anew(world.conn, world.workspace_id, [client])
    [(value, rule)] = await world.rows(
        "select value, rule from client_field where workspace_id = %(w)s and field = 'name'"
    )
    return value, rule


async def test_each_rule_chooses_as_it_says(conn: Conn) -> None:
    world = World(conn)
    told: tuple[tuple[str, str, dict[str, UUID], int], ...] = (
        ("1", "Анна Белова", {}, 0),
        ("2", "Анна", {"connection_id": AMO}, 1),
        ("3", "Аня", {}, 2),
    )
    await world.take(*(contact(number, name, A, at=at) for number, name, _, at in told))
    client = client_id_of("1")
    for number, name, values, at in told:
        moment = START + timedelta(days=at)
        await store(world, "contact", client_id_of(number), client, name=name, updated_at=moment, **values)
    await refresh_golden(conn, world.workspace_id, [client])

    def by(rule: FieldRule, *sources: UUID) -> Rules:
        return Rules({"name": Choice(rule, sources)})

    assert await names_by(world, Rules(), client) == ("Аня", "most_recent")
    assert await names_by(world, by(FieldRule.OLDEST), client) == ("Анна Белова", "oldest")
    assert await names_by(world, by(FieldRule.PREFERRED_SOURCE, AMO), client) == ("Анна", "preferred_source")
    assert await names_by(world, by(FieldRule.MOST_COMPLETE), client) == ("Анна Белова", "most_complete")
    doubted = Rules({"name": Choice(FieldRule.PREFERRED_SOURCE, (AMO,))}, {AMO: 0.2})
    assert await names_by(world, doubted, client) == ("Аня", "preferred_source")


async def test_a_pin_goes_with_its_record_through_merge_and_split(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван", A), contact("2", "Иван Петров", B, at=1))
    one, two = client_id_of("1"), client_id_of("2")
    await store(world, "contact", one, one, name="Иван", phones=[A])
    await store(world, "contact", two, two, name="Иван Петров", phones=[B])
    await pin(conn, world.workspace_id, two, {"name": "Ваня", "kind": "company"}, "test")

    async def known() -> dict[UUID, tuple[str | None, str]]:
        await refresh_golden(conn, world.workspace_id, [one, two])
        found = await world.rows(
            "select id, name, kind from client where workspace_id = %(w)s and merged_into is null"
        )
        return {id: (name, kind) for id, name, kind in found}

    assert await known() == {one: ("Иван", "person"), two: ("Ваня", "company")}
    await world.take(lead("l", "Иван", A, B, at=2))
    assert await known() == {one: ("Ваня", "company")}
    await world.take(lead("l", "Иван", A, at=2))
    assert await known() == {one: ("Иван", "person"), two: ("Ваня", "company")}
    assert await unpin(conn, world.workspace_id, two, ["name", "kind"])
    assert await known() == {one: ("Иван", "person"), two: ("Иван Петров", "person")}
