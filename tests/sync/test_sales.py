"""Orders, documents, money, messages and tasks: whose they are, in whatever order they come."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

import msgspec

from connectors.contract import ConnectorSettings, Page, RawRecord, Stream, VendorRequest
from core.database import driver
from schema import records as r
from schema.enums import DealStatus, MessageChannel, OrderState, PaymentKind, RecordKind
from schema.ids import record_id
from schema.traffic import Traffic
from sync.identity.following import FOLLOWS
from sync.load import Counts, load_page, retire
from sync.mapped import Loading
from sync.removal import remove_data
from tests.sync.conftest import Bench

SHOP = UUID("22222222-0000-4000-8000-000000000000")
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
BOOTS = r.OrderItem(sku="B-1", name="Boots", quantity=Decimal(2), price=Decimal(500), amount=Decimal(1000))
LACES = r.OrderItem(sku="L-7", name="Laces", amount=Decimal("99.90"), cost=Decimal(20))
AD = Traffic(source="yandex", medium="cpc", platform="yandex_direct", campaign="77")


def at(hours: float) -> datetime:
    return AT + timedelta(hours=hours)


def order(id: str, **more: Any) -> r.OrderRecord:
    told: dict[str, Any] = {"created_at": at(1), "state": OrderState.OPEN, "amount": Decimal("1099.90")}
    return r.OrderRecord(external_id=id, **(told | more))


def deal(id: str, **more: Any) -> r.DealRecord:
    told: dict[str, Any] = {"title": "Sale", "created_at": at(2), "status": DealStatus.WON, "currency": "RUB"}
    return r.DealRecord(external_id=id, closed_at=at(48), amount=Decimal(1000), **(told | more))


def payment(id: str, **more: Any) -> r.PaymentRecord:
    return r.PaymentRecord(external_id=id, paid_at=at(3), amount=Decimal(500), **more)


def message(id: str, **more: Any) -> r.MessageRecord:
    return r.MessageRecord(external_id=id, sent_at=at(4), channel=MessageChannel.EMAIL, **more)


def task(id: str, **more: Any) -> r.TaskRecord:
    return r.TaskRecord(external_id=id, title="Call back", created_at=at(5), **more)


def invoice(id: str, **more: Any) -> r.InvoiceRecord:
    return r.InvoiceRecord(external_id=id, issued_at=at(2), **more)


def contact(id: str, phone: str) -> r.ContactRecord:
    return r.ContactRecord(external_id=id, name="Анна Орлова", phones=(phone,), created_at=at(0))


KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (
    r.ContactRecord, r.CompanyRecord, r.VisitRecord, r.LeadRecord, r.DealRecord, r.OrderRecord, r.InvoiceRecord,
    r.PaymentRecord, r.MessageRecord, r.TaskRecord, r.CallRecord,
)}  # fmt: skip


def _map(_settings: ConnectorSettings, body: bytes) -> Any:
    """Records one after another, each a line of its kind and itself."""
    lines = (line.partition(b" ") for line in body.splitlines())
    return [msgspec.json.decode(told, type=KINDS[name.decode()]) for name, _, told in lines]


LOADING = Stream[ConnectorSettings](
    name="all",
    title="All",
    makes=tuple(RecordKind),
    start=lambda settings, start: {},
    request=lambda settings, position: VendorRequest("/"),
    read=lambda settings, position, response: Page([], None),
    map=_map,
    takes_back=True,
)


def raw(record: Any) -> RawRecord:
    """A source record: one thing, or several (a tuple) by the id of the first."""
    told = record if isinstance(record, tuple) else (record,)
    lines = (type(each).__name__.encode() + b" " + msgspec.json.encode(each) for each in told)
    return RawRecord(f"{type(told[0]).__name__} {told[0].external_id}", b"\n".join(lines))


async def load(bench: Bench, *pages: Sequence[Any]) -> Counts:
    total = Counts()
    loading = Loading(bench.workspace, SHOP, None, "RU", LOADING, ConnectorSettings())
    for page in pages:
        async with bench.office.database.loading(bench.workspace) as db:
            total += await load_page(driver(db), loading, [raw(record) for record in page])
    return total


async def owner(bench: Bench, kind: RecordKind, id: str) -> Any:
    return await bench.value(
        f"select client_id from {kind.table} where id = :id",  # noqa: S608 - a name of ours
        id=record_id(SHOP, kind, id),
    )


async def test_an_order_without_a_card_founds_a_client_and_keeps_its_lines(bench: Bench) -> None:
    told = order("1", name="Пётр Сом", phones=("8 916 111-22-33",), emails=("P@Som.ru",), items=(BOOTS, LACES))
    assert await load(bench, [told]) == Counts(fetched=1, created=1)
    assert await bench.rows("select name, phone, email from client") == [("Пётр Сом", "+79161112233", "P@Som.ru")]
    lines = "select place, sku, quantity, price, amount, cost from order_item order by place"
    assert await bench.rows(lines) == [
        (1, "B-1", Decimal(2), Decimal(500), Decimal(1000), None),
        (2, "L-7", Decimal(1), None, Decimal("99.90"), Decimal(20)),
    ]
    await load(bench, [msgspec.structs.replace(told, items=(LACES,))])
    assert [row[:2] for row in await bench.rows(lines)] == [(1, "L-7")]


async def test_money_and_documents_follow_what_they_name_step_by_step(bench: Bench) -> None:
    pages: list[list[Any]] = [
        [payment("p", invoice="i", kind=PaymentKind.REFUND)],
        [invoice("i", order="o"), task("t", order="o")],
        [order("o", deal="d")],
        [message("m", deal="d"), deal("d", contact="c")],
    ]
    await load(bench, *pages)
    assert await owner(bench, RecordKind.PAYMENT, "p") is None
    await load(bench, [contact("c", "+79161112233")])
    client = await owner(bench, RecordKind.CONTACT, "c")
    assert client is not None
    for kind, id in zip((*FOLLOWS,), "doipmt", strict=True):
        assert await owner(bench, kind, id) == client, kind
    # The card turns out to be another person's: all of it goes with the card.
    await load(bench, [contact("c", "+79169998877"), contact("c2", "+79161112233")])
    assert await owner(bench, RecordKind.PAYMENT, "p") == await owner(bench, RecordKind.CONTACT, "c")


async def test_a_sale_without_a_card_is_its_buyers(bench: Bench) -> None:
    """A guest's order in a shop: the deal names a card that never comes, the order itself tells who it is."""
    await load(bench, [deal("d", contact="nobody's card")], [order("o", deal="d", phones=("+79161112233",))])
    client = await owner(bench, RecordKind.ORDER, "o")
    assert client is not None
    assert await owner(bench, RecordKind.DEAL, "d") == client
    await bench.settle()
    assert await bench.rows("select client_id from path where known_until is null and kind = 'new_client'") == [
        (client,)
    ]
    assert await bench.unsettled() == []


async def test_a_firms_order_is_the_firms_whoever_signed_it(bench: Bench) -> None:
    signed = order("o", phones=("+79161112233",), contact="c")
    await load(bench, [contact("c", "+79161112233"), signed, payment("p", order="o")])
    person = await owner(bench, RecordKind.CONTACT, "c")
    assert await owner(bench, RecordKind.ORDER, "o") == person
    firm = r.CompanyRecord(external_id="f", name="ООО Ромашка", created_at=at(0))
    await load(bench, [msgspec.structs.replace(signed, company="f")], [firm])
    company = await owner(bench, RecordKind.COMPANY, "f")
    assert company not in (None, person)
    assert await owner(bench, RecordKind.ORDER, "o") == company
    assert await owner(bench, RecordKind.PAYMENT, "p") == company
    assert await bench.value("select count(*) from identity_record where record_kind = 'order'") == 0


async def test_a_letter_is_its_writers_and_a_bare_one_the_companys(bench: Bench) -> None:
    firm = r.CompanyRecord(external_id="f", name="ООО Ромашка", created_at=at(0))
    await load(bench, [firm, message("1", emails=("anna@orlova.ru",), company="f"), message("2", company="f")])
    anna, company = await owner(bench, RecordKind.MESSAGE, "1"), await owner(bench, RecordKind.COMPANY, "f")
    assert anna not in (None, company)
    assert await bench.value("select email from client where id = :id", id=anna) == "anna@orlova.ru"
    assert await owner(bench, RecordKind.MESSAGE, "2") == company


async def test_an_order_with_an_origin_brings_the_deal(bench: Bench) -> None:
    await load(
        bench, [order("o", deal="d", phones=("+79161112233",), traffic=AD), deal("d"), payment("p", order="o")]
    )
    await bench.settle()
    assert await bench.rows(
        "select kind, touch_kinds, reason from path where known_until is null and kind = 'won_deal'"
    ) == [("won_deal", ["order"], "")]
    (revenue,) = (await bench.rows("select revenue from rollup_day where won_deals = 1"))[0]
    assert revenue == 1000  # the deal's, once
    assert await bench.unsettled() == []


async def test_what_is_deleted_there_stays_here_as_deleted_and_is_told(bench: Bench) -> None:
    await load(bench, [order("o", phones=("+79161112233",), items=(BOOTS,)), task("t", order="o")])
    loading = Loading(bench.workspace, SHOP, None, "RU", LOADING, ConnectorSettings())
    async with bench.office.database.loading(bench.workspace) as db:
        assert await retire(driver(db), loading, ["OrderRecord o", "TaskRecord t"]) == 2
    assert await bench.rows("select deleted_at is not null from sales_order") == [(True,)]
    assert await bench.rows("select deleted_at is not null from task") == [(True,)]
    told = await bench.rows("select type, kind from change where type in ('order', 'task') order by position")
    assert told == [("order", "created"), ("task", "created"), ("order", "deleted"), ("task", "deleted")]


async def test_what_a_record_tells_no_more_is_taken_back(bench: Bench) -> None:
    made, paid = order("o", phones=("+79161112233",)), payment("p", order="o")
    await load(bench, [(made, paid)])
    await load(bench, [(msgspec.structs.replace(made, comment="not paid after all"),)])
    assert await bench.rows("select deleted_at is not null from payment") == [(True,)]
    assert await bench.rows("select deleted_at is not null from sales_order") == [(False,)]
    await load(bench, [(made, paid)])
    assert await bench.rows("select deleted_at is not null from payment") == [(False,)]


async def test_a_connections_data_goes_whole_and_our_own_tasks_stay(bench: Bench) -> None:
    await load(bench, [order("o", phones=("+79161112233",), items=(BOOTS,)), payment("p", order="o"), task("t")])
    client = await owner(bench, RecordKind.ORDER, "o")
    async with bench.office.database.loading(bench.workspace) as db:
        await driver(db).execute(
            "insert into task (workspace_id, id, client_id, title, author) values (%s, %s, %s, 'Ours', 'key')",
            (bench.workspace, UUID(int=1), client),
        )
        await remove_data(driver(db), bench.workspace, SHOP)
    for table in ("sales_order", "order_item", "payment"):
        assert await bench.value(f"select count(*) from {table}") == 0  # noqa: S608
    assert await bench.rows("select title, client_id from task") == [("Ours", client)]


EVERYTHING = [
    contact("c", "+79161112233"),
    r.CompanyRecord(external_id="f", name="ООО Ромашка", created_at=at(0)),
    deal("d1", contact="c"),
    deal("d2", contact="gone"),
    deal("d3", company="f"),
    deal("d4"),
    order("o5", deal="d4", company="f"),
    order("o6", deal="d4"),
    payment("p4", order="o6"),
    order("o1", deal="d1", contact="c", items=(BOOTS, LACES), traffic=AD),
    order("o2", deal="d2", phones=("+79165550011",), name="Олег Сом"),
    order("o3", deal="d3", company="f", phones=("+79161112233",)),
    order("o4", emails=("anna@orlova.ru",), contact="c"),
    invoice("i1", order="o3"),
    invoice("i2", deal="d2"),
    payment("p1", invoice="i1"),
    payment("p2", order="o2", kind=PaymentKind.REFUND),
    payment("p3", deal="d1"),
    message("m1", emails=("anna@orlova.ru",)),
    message("m2", deal="d3"),
    message("m3", company="f", phones=("+79165550011",)),
    task("t1", order="o2"),
    task("t2", lead="l"),
    r.LeadRecord(external_id="l", created_at=at(1), phones=("+79165550011",), name="Олег Сом"),
]


async def test_any_order_and_batching_gives_the_same_owners(bench: Bench) -> None:
    states = []
    for seed in range(4):
        chance = random.Random(seed)  # noqa: S311 - an order to come in, no secret
        records = EVERYTHING * 2 if seed else EVERYTHING
        records = records if seed == 0 else chance.sample(records, len(records))
        cuts = sorted({0, len(records), *chance.sample(range(len(records)), seed * 2)})
        await load(bench, *(records[first:last] for first, last in pairwise(cuts)))
        await bench.settle()
        owners = [
            f"select '{kind}', r.external_id, array(select i.record_id from identity_record i where i.client_id ="  # noqa: S608
            f" r.client_id order by 1)::text from {kind.table} r"
            for kind in FOLLOWS
        ]
        states.append((await bench.state(), sorted(await bench.rows(" union all ".join(owners)))))
        assert await bench.unsettled() == []
        await bench.forget()
    assert all(owner != "{}" for _, _, owner in states[0][1])
    for state in states[1:]:
        assert state == states[0]
