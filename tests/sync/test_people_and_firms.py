"""People and firms: several cards, several firms, one phone: whose each deal is; nobody becomes another."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from schema import records as r
from schema.enums import Direction, RecordKind
from tests.sync.conftest import Bench
from tests.sync.test_sales import at, deal, load, owner

MOBILE, OTHER, OFFICE = "+79161112201", "+79161112202", "+74951112200"


def person(id: str, name: str, *phones: str, **more: Any) -> r.ContactRecord:
    return r.ContactRecord(external_id=id, name=name, phones=phones, created_at=at(0), **more)


def firm(id: str, name: str, *phones: str, **more: Any) -> r.CompanyRecord:
    return r.CompanyRecord(external_id=id, name=name, phones=phones, created_at=at(0), **more)


async def client_of_person(bench: Bench, id: str) -> UUID:
    found: UUID = await owner(bench, RecordKind.CONTACT, id)
    return found


async def client_of_firm(bench: Bench, id: str) -> UUID:
    found: UUID = await owner(bench, RecordKind.COMPANY, id)
    return found


async def client_of_deal(bench: Bench, id: str) -> UUID:
    found: UUID = await owner(bench, RecordKind.DEAL, id)
    return found


async def test_the_deals_of_one_contact_of_several_firms_are_each_firms(bench: Bench) -> None:
    """A CRM may keep a card of the person in each firm, or one card for all: the deal names the firm it is for."""
    await load(
        bench,
        [
            person("1", "Анна Орлова", MOBILE, company="a"),
            person("2", "Орлова Анна", MOBILE, company="b"),
            firm("a", "ООО Вектор", OFFICE),
            firm("b", "ООО Ромашка", MOBILE),
            deal("for a", company="a", contact="1"),
            deal("for b", company="b", contact="1"),
            deal("for herself", contact="2"),
        ],
    )
    anna = await client_of_person(bench, "1")
    assert await client_of_person(bench, "2") == anna
    firms = {await client_of_firm(bench, "a"), await client_of_firm(bench, "b")}
    assert len(firms | {anna}) == 3
    assert await client_of_deal(bench, "for a") == await client_of_firm(bench, "a")
    assert await client_of_deal(bench, "for b") == await client_of_firm(bench, "b")
    assert await client_of_deal(bench, "for herself") == anna
    links = await bench.rows("select external_id, company_id is not null from contact order by external_id")
    assert links == [("1", True), ("2", True)]


async def test_the_people_of_a_firm_stay_themselves_and_its_deals_are_its_own(bench: Bench) -> None:
    names = ("Анна Орлова", "Глеб Быков", "Тимур Шарапов", "Вера Сом")
    mail = "info@vektor.ru"
    people = [
        person(str(n), name, OFFICE, f"+7903555440{n}", emails=(mail,), company="a") for n, name in enumerate(names)
    ]
    await load(
        bench,
        [*people, firm("a", "ООО Вектор", OFFICE, emails=(mail,))],
        [deal(f"d{n}", company="a", contact=str(n)) for n in range(4)],
        [deal("own", contact="2"), r.LeadRecord(external_id="l", created_at=at(3), phones=(OFFICE,))],
    )
    clients = [await client_of_person(bench, str(n)) for n in range(4)]
    vector = await client_of_firm(bench, "a")
    assert len({*clients, vector}) == 5
    assert {await client_of_deal(bench, f"d{n}") for n in range(4)} == {vector}
    assert await client_of_deal(bench, "own") == clients[2]
    assert await owner(bench, RecordKind.LEAD, "l") is None  # who calls from the office, nobody knows


async def test_a_family_on_one_phone_is_several_clients_and_each_deal_is_who_it_names(bench: Bench) -> None:
    """One surname and one phone make no person of two."""
    await load(
        bench,
        [
            person("1", "Анна Орлова", MOBILE),
            person("2", "Иван Орлов", MOBILE),
            person("3", "Петя Орлов", MOBILE, OTHER),
            deal("hers", contact="1"),
            deal("his", contact="2"),
            r.LeadRecord(external_id="named", created_at=at(2), name="Анна", phones=(MOBILE,)),
            r.LeadRecord(external_id="linked", created_at=at(2), phones=(MOBILE,), contact="2"),
            deal("by lead", lead="linked"),
            deal("by phone alone", lead="named"),
        ],
    )
    anna, ivan, petja = [await client_of_person(bench, id) for id in "123"]
    assert len({anna, ivan, petja}) == 3
    assert await client_of_deal(bench, "hers") == anna
    assert await client_of_deal(bench, "his") == ivan
    assert await client_of_deal(bench, "by lead") == ivan
    assert await owner(bench, RecordKind.LEAD, "named") is None
    assert await client_of_deal(bench, "by phone alone") is None
    assert await bench.rows("select value, reason, carriers from shared_key") == [(MOBILE, "cap", 3)]


async def test_who_is_a_client_under_his_own_name_and_his_firms_is_two(bench: Bench) -> None:
    own = {"emails": ("petrov@mail.ru",)}
    await load(
        bench,
        [
            person("1", "Иван Петров", MOBILE, company="ip", **own),
            firm("ip", "ИП Петров Иван Сергеевич", MOBILE, tax_id="500100732259", **own),
            deal("of the firm", company="ip", contact="1"),
            deal("his own", contact="1"),
            r.CallRecord(external_id="c", started_at=at(5), direction=Direction.INBOUND, client_phone=MOBILE),
        ],
    )
    ivan, business = await client_of_person(bench, "1"), await client_of_firm(bench, "ip")
    assert ivan != business
    assert await client_of_deal(bench, "of the firm") == business
    assert await client_of_deal(bench, "his own") == ivan
    assert await owner(bench, RecordKind.CALL, "c") == ivan  # a human being calls
    assert await bench.rows("select count(*) from merge_log") == [(0,)]


async def test_the_firms_of_a_person_are_kept_with_their_dates(bench: Bench) -> None:
    """A second firm makes the person nobody else; what a card names no more ends then, and a deleted card all."""
    ties = """select p.external_id, f.external_id, a.role, a.main, a.valid_from, a.valid_until
        from affiliation a join contact p on p.workspace_id = a.workspace_id and p.id = a.contact_id
        join company f on f.workspace_id = a.workspace_id and f.id = a.company_id order by a.valid_from, 2"""
    firms = [firm("a", "ООО Вектор"), firm("b", "ООО Ромашка"), firm("c", "ООО Сом")]
    anna = person("1", "Анна Орлова", MOBILE, company="a", companies=("b", "a"), position="Директор")
    await load(bench, [*firms, anna, deal("for b", company="b", contact="1"), deal("her own", contact="1")])
    begun = [("1", "a", "Директор", True, at(0), None), ("1", "b", None, False, at(0), None)]
    assert await bench.rows(ties) == begun
    client, ours = await client_of_person(bench, "1"), await client_of_firm(bench, "b")

    moved = person(
        "1", "Анна Орлова", MOBILE, company="b", companies=("c",), position="Бухгалтер", updated_at=at(9)
    )
    await load(bench, [moved])
    ended = [(*tie[:5], at(9)) for tie in begun]
    assert await bench.rows(ties) == [
        *ended,
        ("1", "b", "Бухгалтер", True, at(9), None),
        ("1", "c", None, False, at(9), None),
    ]
    await load(bench, [firm("c", "ООО Сом", updated_at=at(12), deleted=True)])
    await load(bench, [person("1", "Анна Орлова", MOBILE, company="b", updated_at=at(15), deleted=True)])
    rows = await bench.rows(ties)
    assert {(firm, until) for _, firm, _, _, _, until in rows} == {
        *((tie[1], at(9)) for tie in ended),
        ("b", at(15)),
        ("c", at(12)),
    }
    await load(bench, [anna])
    assert await client_of_person(bench, "1") == client
    assert len({client, ours, await client_of_firm(bench, "a")}) == 3
    assert await client_of_deal(bench, "for b") == ours
    assert await client_of_deal(bench, "her own") == client
