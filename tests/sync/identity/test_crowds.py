"""Names that many bear, and half hours in which many came, say nothing: placeholders, firms' names, imports."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schema.records import ContactRecord, Record
from sync.identity.crowds import LARGEST_BLOCK, MOST_NAMESAKES, count_holders
from sync.identity.traits import Traits
from tests.sync.identity.test_absorb import Conn, World, day


def card(number: int, name: str, *, minutes: int = 0, **more: object) -> Record:
    return ContactRecord(
        external_id=str(number),
        name=name,
        created_at=day(0) + timedelta(minutes=minutes),
        **{"phones": (f"+7916111{number:04}",), **more},  # type: ignore[arg-type]  # one field a keyword
    )


async def clients(world: World) -> int:
    [(count,)] = await world.rows(
        "select count(distinct client_id) from identity_record where workspace_id = %(w)s and client_id is not null"
    )
    return int(count)


@pytest.mark.parametrize(
    "name", ["Розница Центр", "Клиент", "Без имени", "Новый контакт", "ООО Вектор Плюс", "Имярек"]
)
async def test_a_name_on_every_card_joins_nobody(conn: Conn, name: str) -> None:
    world = World(conn)
    await world.take(*(card(number, name, responsible="7") for number in range(12)))
    assert await clients(world) == 12
    assert await world.rows("select id from match_proposal where workspace_id = %(w)s") == []


async def test_what_a_common_name_joined_while_it_was_rare_parts_again(conn: Conn) -> None:
    world, backwards = World(conn), World(conn)
    people = [card(number * 7, "Розница Центр", minutes=number) for number in range(MOST_NAMESAKES + 1)]
    await world.take(*people[:2])
    assert await clients(world) == 1
    for person in people[2:]:
        await world.take(person)
    assert await clients(world) == len(people)
    await backwards.take(*reversed(people))
    assert await clients(backwards) == len(people)
    await world.take(*(card(number * 7, "Глеб Быков", minutes=9000 * number) for number in range(2, 6)))
    assert await world.contact("0") == await world.contact("7")


async def test_the_many_cards_of_one_person_make_no_crowd(conn: Conn) -> None:
    """People are counted, not cards: whoever has a phone in common is one."""
    world = World(conn)
    same = [card(number, "Тимур Шарапов", phones=("+79161112201",), minutes=number) for number in range(9)]
    await world.take(*same, card(20, "Тимур Шарапов", minutes=12))
    assert await clients(world) == 1


async def test_an_import_says_nothing_about_who_came_together(conn: Conn) -> None:
    letters = "бвгджзклмнпрстфхцчшщ"
    others = [
        card(100 + number, f"Глеб {a}о{b}ев")
        for number, (a, b) in enumerate([(a, b) for a in letters for b in letters][:LARGEST_BLOCK])
    ]
    world = World(conn)
    await world.take(card(1, "Тимур Шарапов", phones=("+79031234567",)), card(2, "Тимур Шарапов"))
    assert await clients(world) == 1
    await world.take(*others)
    assert await world.contact("1") != await world.contact("2")


async def test_a_rare_name_alone_joins_no_other_phones(conn: Conn) -> None:
    world = World(conn)
    await world.take(
        card(1, "Тимур Иосифович Шарапов", phones=("+79031234567",)),
        card(2, "Тимур Иосифович Шарапов", minutes=90_000),
    )
    assert await clients(world) == 2


def test_people_are_counted_by_what_they_have_in_common() -> None:
    told = [
        Traits("person", "contact", 0, ("a",), phones=phones)
        for phones in (("1",), ("2",), ("1", "3"), ("3",), ("2", "9"), (), ("5",))
    ]
    assert count_holders(told) == 4
