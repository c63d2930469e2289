"""Taking records into the graph: what joins, what doesn't, and which ids stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg

from schema.enums import Direction, RecordKind
from schema.ids import record_id
from schema.records import CallRecord, CompanyRecord, ContactRecord, LeadRecord, Record, VisitRecord
from sync.identity import absorb, candidate_of
from sync.identity.absorb import Outcome

Conn = psycopg.AsyncConnection[tuple[Any, ...]]

BITRIX, AMO, TRACKER = UUID(int=1), UUID(int=2), UUID(int=3)
START = datetime(2026, 1, 1, tzinfo=UTC)
RUN = uuid4()
A, B, C = "+79161112201", "+79161112202", "+79161112203"
OFFICE = "+74951112200"


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def contact(id: str, name: str | None = None, *phones: str, at: int = 0, emails: tuple[str, ...] = ()) -> Record:
    return ContactRecord(external_id=id, name=name, phones=phones, emails=emails, created_at=day(at))


def lead(id: str, name: str | None = None, *phones: str, at: int = 0, emails: tuple[str, ...] = ()) -> Record:
    return LeadRecord(external_id=id, name=name, phones=phones, emails=emails, created_at=day(at))


def call(
    id: str, phone: str | None, *, at: int = 0, contact: str | None = None, visitors: tuple[str, ...] = ()
) -> Record:
    return CallRecord(
        external_id=id,
        started_at=day(at),
        direction=Direction.INBOUND,
        client_phone=phone,
        contact=contact,
        visitor_ids=visitors,
    )


def visit(id: str, visitor: str, *, at: int = 0) -> Record:
    return VisitRecord(external_id=id, started_at=day(at), visitor_ids=(visitor,))


class World:
    """One workspace of the database, and the clients of its records by connection and external id."""

    def __init__(self, conn: Conn) -> None:
        self.conn = conn
        self.workspace_id = uuid4()

    async def take(self, *records: Record, connection: UUID = BITRIX) -> Outcome:
        candidates = [candidate_of(record, connection, "RU") for record in records]
        return await absorb(self.conn, self.workspace_id, [c for c in candidates if c], RUN)

    async def remove(self, kind: RecordKind, external_id: str, connection: UUID = BITRIX) -> Outcome:
        removed = [record_id(connection, kind, external_id)]
        return await absorb(self.conn, self.workspace_id, [], RUN, removed=removed)

    async def client(self, kind: RecordKind, external_id: str, connection: UUID = BITRIX) -> UUID | None:
        cursor = await self.conn.execute(
            "select client_id from identity_record where workspace_id = %s and record_id = %s",
            (self.workspace_id, record_id(connection, kind, external_id)),
        )
        row = await cursor.fetchone()
        assert row is not None
        client: UUID | None = row[0]
        return client

    async def contact(self, external_id: str, connection: UUID = BITRIX) -> UUID | None:
        return await self.client(RecordKind.CONTACT, external_id, connection)

    async def call(self, external_id: str, connection: UUID = TRACKER) -> UUID | None:
        return await self.client(RecordKind.CALL, external_id, connection)

    async def rows(self, query: LiteralString) -> list[tuple[Any, ...]]:
        cursor = await self.conn.execute(query, {"w": self.workspace_id})
        return await cursor.fetchall()

    async def shared(self) -> set[object]:
        return {value for (value,) in await self.rows("select value from shared_key where workspace_id = %(w)s")}


async def test_a_client_found_in_two_crms_and_the_call_tracker_is_one(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван Петров", "8 (916) 111-22-01"))
    await world.take(call("c", A, at=1), connection=TRACKER)
    await world.take(contact("9", "Петров Иван", A, B, at=2), connection=AMO)
    first = record_id(BITRIX, RecordKind.CONTACT, "1")
    assert await world.contact("1") == first
    assert await world.call("c") == first
    assert await world.contact("9", AMO) == first


async def test_the_older_client_survives_a_merge_and_the_log_says_why(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("old", "Иван", A, at=0), contact("new", "Иван Петров", B, at=5))
    old, new = await world.contact("old"), await world.contact("new")
    assert old != new
    outcome = await world.take(lead("l", "Иван", A, B, at=9))
    assert (outcome.merged, outcome.parted, outcome.founded) == (1, 0, 0)
    assert outcome.touched == {old, new}
    assert await world.contact("new") == old
    rows = await world.rows("select id, merged_into from client where workspace_id = %(w)s order by founded_at")
    assert rows == [(old, None), (new, old)]
    [(kind, client, other, records, evidence)] = await world.rows(
        "select kind, client_id, other_id, records, evidence from merge_log where workspace_id = %(w)s"
    )
    assert (kind, client, other, records) == ("merge", old, new, [new])
    assert isinstance(evidence, dict)
    assert {key["value"] for key in evidence["keys"]} == {A, B}


async def test_when_parts_separate_each_gets_its_id_back(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("old", "Иван", A, at=0), contact("new", "Иван Петров", B, at=5))
    old, new = await world.contact("old"), await world.contact("new")
    await world.take(lead("l", "Иван", A, B, at=9))
    outcome = await world.take(lead("l", "Иван", A, at=9))
    assert (outcome.merged, outcome.parted) == (0, 1)
    assert (await world.contact("old"), await world.contact("new")) == (old, new)
    assert await world.client(RecordKind.LEAD, "l") == old
    pointing = await world.rows("select id from client where workspace_id = %(w)s and merged_into is not null")
    assert pointing == []


async def test_merged_ids_point_straight_at_the_survivor(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", None, A, at=1), contact("2", None, B, at=2), contact("3", None, C, at=3))
    one, two, three = [await world.contact(id) for id in "123"]
    await world.take(call("x", None, at=4, contact="2"))
    await world.take(lead("23", None, B, C, at=5))
    await world.take(lead("12", None, A, B, at=6))
    rows = await world.rows("select id, merged_into from client where workspace_id = %(w)s order by founded_at")
    assert rows == [(one, None), (two, one), (three, one)]


async def test_visits_alone_are_nobody_until_a_call_tells(conn: Conn) -> None:
    world = World(conn)
    outcome = await world.take(visit("v1", "ym:5"), visit("v2", "ym:5", at=1), connection=TRACKER)
    assert set(outcome.clients.values()) == {None}
    await world.take(call("c", A, at=2, visitors=("ym:5",)), connection=TRACKER)
    client = record_id(TRACKER, RecordKind.CALL, "c")
    assert await world.client(RecordKind.VISIT, "v1", TRACKER) == client
    assert await world.client(RecordKind.VISIT, "v2", TRACKER) == client


async def test_a_phone_of_two_people_joins_nobody_whoever_comes_first(conn: Conn) -> None:
    people = [contact("1", "Иван Петров", OFFICE, A), contact("2", "Мария Орлова", OFFICE, B)]
    calls = [call("c", OFFICE, at=1), call("d", A, at=2)]
    for records in ([*people, *calls], [*calls, *people], [people[0], *calls, people[1]]):
        world = World(conn)
        for record in records:
            await world.take(record)
        assert await world.shared() == {OFFICE}
        assert await world.contact("1") != await world.contact("2")
        assert await world.call("c", BITRIX) is None
        assert await world.call("d", BITRIX) == await world.contact("1")


async def test_a_shared_phone_joins_again_when_the_second_person_leaves_it(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван Петров", A), contact("2", "Мария Орлова", A, B), call("c", A, at=1))
    assert await world.call("c", BITRIX) is None
    await world.take(contact("2", "Мария Орлова", B))
    assert await world.shared() == set()
    assert await world.call("c", BITRIX) == await world.contact("1")


async def test_a_firm_that_leaves_its_phone_leaves_it_to_the_one_who_is_left(conn: Conn) -> None:
    world = World(conn)
    await world.take(
        contact("1", "Иван Петров", OFFICE), contact("2", "Мария Орлова", OFFICE, B), lead("l", None, OFFICE)
    )
    await world.take(CompanyRecord(external_id="f", name="Вектор", phones=(OFFICE,), created_at=day(0)))
    await world.take(contact("2", "Мария Орлова", B))
    assert await world.client(RecordKind.LEAD, "l") is None
    await world.remove(RecordKind.COMPANY, "f")
    assert await world.client(RecordKind.LEAD, "l") == await world.contact("1")


async def test_a_borrowed_phone_joins_no_other_visitor(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван Петров", A, at=1), call("own", A, at=1, visitors=("ym:1",)))
    await world.take(call("lent", A, at=5, visitors=("ym:2",)), call("later", A, at=40, visitors=("ym:3",)))
    owner = await world.contact("1")
    assert await world.call("own", BITRIX) == owner == await world.call("later", BITRIX)
    assert await world.call("lent", BITRIX) not in {owner, None}


async def test_a_call_that_two_systems_log_is_one(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван Петров", OFFICE), contact("2", "Мария Орлова", OFFICE))
    await world.take(lead("l", "Глеб Быков", C, emails=("gleb@mail.ru",)))
    await world.take(call("c", OFFICE, at=1, visitors=("ym:1",)), call("d", OFFICE, at=2), connection=TRACKER)
    await world.take(call("c", OFFICE, at=1), call("d", OFFICE, at=3), connection=BITRIX)
    assert await world.call("c", BITRIX) == await world.call("c") is not None
    assert {await world.call("d", BITRIX), await world.call("d")} == {None}


async def test_a_full_name_tells_who_speaks_from_an_office(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван Петров", OFFICE), contact("2", "Мария Орлова", OFFICE))
    await world.take(lead("l", "петров иван", OFFICE), lead("m", "Мария", OFFICE, at=30), connection=AMO)
    assert await world.client(RecordKind.LEAD, "l", AMO) == await world.contact("1")
    assert await world.client(RecordKind.LEAD, "m", AMO) is None


async def test_why_a_key_joins_nobody_hangs_on_the_data_and_not_on_its_order(conn: Conn) -> None:
    world = World(conn)
    firm = CompanyRecord(external_id="f", name="Вектор", phones=(OFFICE,), created_at=day(0))
    reasons = "select reason from shared_key where workspace_id = %(w)s and client_kind = 'person'"
    await world.take(contact("1", "Иван Петров", OFFICE), contact("2", "Мария Орлова", OFFICE))
    assert await world.rows(reasons) == [("cap",)]
    await world.take(firm)
    assert await world.rows(reasons) == [("office",)]
    await world.remove(RecordKind.COMPANY, "f")
    assert await world.rows(reasons) == [("cap",)]


async def test_typos_order_and_alphabet_are_not_another_person(conn: Conn) -> None:
    world = World(conn)
    names = ("Алёна Киселёва", "киселева алена", "Kiseleva Alena", "Кисилёва Алена Игоревна", "Алена")
    await world.take(*(contact(str(number), name, A, at=number) for number, name in enumerate(names)))
    assert len({await world.contact(str(number)) for number in range(len(names))}) == 1


async def test_people_and_firms_are_never_one_client(conn: Conn) -> None:
    world = World(conn)
    firm = CompanyRecord(external_id="1", name="ООО «Вектор»", phones=(OFFICE,), created_at=day(0))
    twin = CompanyRecord(external_id="7", name="Вектор", phones=(OFFICE,), created_at=day(1))
    await world.take(firm, contact("1", "Иван Петров", OFFICE), contact("2", "Мария Орлова", OFFICE))
    await world.take(twin, connection=AMO)
    company = await world.client(RecordKind.COMPANY, "1")
    assert company == await world.client(RecordKind.COMPANY, "7", AMO)
    assert len({company, await world.contact("1"), await world.contact("2")}) == 3


async def test_a_borrowed_phone_stays_with_the_card_that_names_it(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван Петров", A), contact("2", "Мария Орлова", B))
    await world.take(call("c", A, contact="2", at=1), call("d", A, at=2))
    assert await world.call("c", BITRIX) == await world.contact("2")
    assert await world.call("d", BITRIX) == await world.contact("1")
    assert await world.contact("1") != await world.contact("2")


async def test_a_removed_founder_leaves_the_id_to_the_others(conn: Conn) -> None:
    world = World(conn)
    await world.take(contact("1", "Иван", A), call("c", A, at=1))
    client = await world.contact("1")
    await world.remove(RecordKind.CONTACT, "1")
    assert await world.call("c", BITRIX) == client
    await world.take(contact("1", "Иван", B))
    assert await world.contact("1") not in {client, None}
    assert await world.call("c", BITRIX) == client


async def test_taking_the_same_again_changes_nothing(conn: Conn) -> None:
    world = World(conn)
    records = [contact("1", "Иван", A), call("c", A, at=1), visit("v", "ym:1")]
    first = await world.take(*records)
    again = await world.take(*records)
    assert again.clients == first.clients
    assert again.touched == set()


async def test_workspaces_know_nothing_of_each_other(conn: Conn) -> None:
    one, other = World(conn), World(conn)
    await one.take(contact("1", "Иван", A))
    outcome = await other.take(call("c", A, at=1))
    assert set(outcome.clients.values()) == {record_id(BITRIX, RecordKind.CALL, "c")}
