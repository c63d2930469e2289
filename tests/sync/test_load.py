"""Loading pages: any order, batching and repetition of what a vendor says gives the same tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from connectors.contract import ConnectorSettings, Page, RawRecord, Skip, Stream, VendorRequest
from connectors.errors import BadRecord
from core.database import driver
from schema.enums import DealStatus, RecordKind
from schema.records import AdSpendRecord, CallRecord, ContactRecord, DealRecord, VisitRecord
from schema.traffic import Traffic
from sync.load import Counts, load_page
from sync.mapped import Loading
from tests.sync.conftest import Bench

BEGAN = datetime(2026, 3, 2, 9, tzinfo=UTC)
CONNECTION = UUID("11111111-0000-4000-8000-000000000000")


def mapped(_: ConnectorSettings, body: bytes) -> Any:
    """A little language of records: what a vendor of these tests says."""
    told = json.loads(body)
    at = BEGAN + timedelta(hours=told.get("hour", 0))
    match told["kind"]:
        case "call":
            visit = told.get("visit")
            call = CallRecord(external_id=told["id"], started_at=at, client_phone=told["phone"], visit=visit)
            campaign = {"platform": "yandex_direct", "campaign": told["ad"]} if told.get("ad") else {}
            traffic = Traffic(source="yandex", medium="cpc", **campaign)
            seen = VisitRecord(external_id=visit or "", started_at=at, traffic=traffic, city=told.get("city"))
            return [call, seen] if visit else [call]
        case "contact":
            return [
                ContactRecord(external_id=told["id"], name=told["name"], phones=(told["phone"],), created_at=at)
            ]
        case "deal":
            won = DealStatus.WON if told["won"] else DealStatus.OPEN
            return [
                DealRecord(
                    external_id=told["id"],
                    title="A deal",
                    created_at=at,
                    status=won,
                    closed_at=at if told["won"] else None,
                    amount=Decimal(told["amount"]),
                    currency="RUB",
                    contact=told["contact"],
                )
            ]
        case "skip":
            return Skip("Left out.")
    raise BadRecord("Not understood.")


def stream(name: str) -> Stream[ConnectorSettings]:
    return Stream(
        name=name,
        title=name,
        makes=(RecordKind.CALL, RecordKind.VISIT, RecordKind.CONTACT, RecordKind.DEAL),
        start=lambda settings, start: {},
        request=lambda settings, position: VendorRequest("/"),
        read=lambda settings, position, response: Page([], None),
        map=mapped,
    )


async def load(bench: Bench, *pages: Sequence[dict[str, Any]], name: str = "all") -> Counts:
    loading = Loading(bench.workspace, CONNECTION, UUID(int=7), "RU", stream(name), ConnectorSettings())
    total = Counts()
    for page in pages:
        raws = [RawRecord(f"{told['kind']}{told['id']}", json.dumps(told).encode()) for told in page]
        async with bench.office.database.loading(bench.workspace) as db:
            total += await load_page(driver(db), loading, raws)
    return total


CALL: dict[str, Any] = {"kind": "call", "id": "1", "phone": "8 916 111-22-33", "visit": "v1", "hour": 1}
CONTACT = {"kind": "contact", "id": "1", "phone": "+7 (916) 111-22-33", "name": "Анна Орлова", "hour": 2}
DEAL = {"kind": "deal", "id": "1", "contact": "1", "won": True, "amount": "1000.10", "hour": 3}


async def test_counts_add_up_whatever_a_page_holds(bench: Bench) -> None:
    page = [CALL, CONTACT, DEAL, {"kind": "skip", "id": "1"}, {"kind": "nonsense", "id": "1"}, CALL]
    assert await load(bench, page) == Counts(fetched=6, created=3, updated=0, unchanged=1, skipped=1, quarantined=1)
    # Again: what was left out is known and unchanged; what is in quarantine is tried again.
    assert await load(bench, page) == Counts(fetched=6, unchanged=5, quarantined=1)
    assert await bench.value("select attempts from quarantine") == 2


async def test_the_same_person_in_a_call_and_a_card_is_one_client_with_the_deal(bench: Bench) -> None:
    await load(bench, [DEAL], [CALL], [CONTACT])
    await bench.settle()
    (client,) = await bench.rows("select id, name, phone from client where merged_into is null")
    assert client[1:] == ("Анна Орлова", "+79161112233")
    for table in ("call", "contact", "deal", "visit"):
        assert await bench.value(f"select client_id from {table}") == client[0]  # noqa: S608


async def test_a_record_that_is_left_out_from_now_on_is_deleted(bench: Bench) -> None:
    await load(bench, [{**CONTACT, "id": "9"}])
    loading_again = {"kind": "skip", "id": "9"}
    raw = [RawRecord("contact9", json.dumps(loading_again).encode())]
    async with bench.office.database.loading(bench.workspace) as db:
        loading = Loading(bench.workspace, CONNECTION, None, "RU", stream("all"), ConnectorSettings())
        counts = await load_page(driver(db), loading, raw)
    assert (counts.skipped, counts.updated) == (1, 0)
    assert await bench.value("select deleted_at is not null from contact")


async def test_a_visit_told_by_several_records_keeps_what_each_of_them_knows(bench: Bench) -> None:
    knows_ad = {**CALL, "id": "1", "ad": "101234567"}
    knows_city = {**CALL, "id": "2", "city": "Омск"}
    for name, pages in {
        "one page": [[knows_ad, knows_city]],
        "the other way": [[knows_city, knows_ad]],
        "two pages": [[knows_ad], [knows_city]],
        "two pages, the other way": [[knows_city], [knows_ad]],
    }.items():
        await bench.forget()
        await load(bench, *pages)
        row = (await bench.rows("select city, source, campaign_id is not null from visit"))[0]
        assert row == ("Омск", "yandex", True), name


async def test_a_visit_told_again_without_a_change_is_left_as_it_stands(bench: Bench) -> None:
    row = "select ctid::text, xmin::text, city from visit"
    told = {**CALL, "city": "Tver", "ad": "7"}
    await load(bench, [told])
    stood = await bench.rows(row)

    await load(bench, [{**told, "id": "2"}])
    assert await bench.rows(row) == stood

    await load(bench, [{**told, "id": "3", "city": "Omsk"}])
    assert [city for _, _, city in await bench.rows(row)] == ["Omsk"]


async def test_spend_told_again_with_other_numbers_is_a_new_revision(bench: Bench) -> None:
    def told(cost: str) -> Stream[ConnectorSettings]:
        made = stream("spend")
        record = AdSpendRecord(
            external_id="2026-03-02|7",
            platform="yandex_direct",
            campaign="7",
            campaign_name="Brand",
            day=BEGAN.date(),
            cost=Decimal(cost),
            currency="RUB",
            vat_included=True,
            clicks=3,
        )
        object.__setattr__(made, "map", lambda settings, body: [record])
        return made

    for number, cost in enumerate(("10.00", "12.50", "12.50", "11.00")):
        loading = Loading(bench.workspace, CONNECTION, None, "RU", told(cost), ConnectorSettings())
        async with bench.office.database.loading(bench.workspace) as db:
            await load_page(driver(db), loading, [RawRecord("2026-03-02|7", str(number).encode())])
    rows = await bench.rows("select revision, cost, known_until is null from ad_spend order by revision")
    assert rows == [
        (1, Decimal("10.00"), False),
        (2, Decimal("12.50"), False),
        (3, Decimal("11.00"), True),
    ]
    assert await bench.value("select sum(cost) from rollup_day") == Decimal("11.00")
    assert await bench.unsettled() == []


PHONES = st.sampled_from(["89161112233", "+7 916 444-55-66", "8 (916) 777 88 99"])
RECORDS = st.one_of(
    st.fixed_dictionaries(
        {
            "kind": st.just("call"),
            "id": st.sampled_from("123"),
            "phone": PHONES,
            "visit": st.sampled_from([None, "v1", "v2"]),
            "hour": st.integers(0, 50),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("contact"),
            "id": st.sampled_from("12"),
            "phone": PHONES,
            "name": st.sampled_from(["Анна Орлова", "Пётр Ильин"]),
            "hour": st.integers(0, 50),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("deal"),
            "id": st.sampled_from("12"),
            "contact": st.sampled_from(["1", "2", "3"]),
            "won": st.booleans(),
            "amount": st.sampled_from(["10.50", "99.99"]),
            "hour": st.integers(0, 50),
        }
    ),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(RECORDS, min_size=1, max_size=8), seed=st.randoms(use_true_random=False))
async def test_any_order_batching_and_repetition_gives_the_same_tables(
    bench: Bench, told: list[dict[str, Any]], seed: Any
) -> None:
    last = list({(each["kind"], each["id"]): each for each in told}.values())  # a record has one present state
    for each in last:
        if each["kind"] == "call" and each["visit"]:
            each["hour"] = int(each["visit"][1])  # who tells of a visit tells the same of it
    await bench.forget()
    await load(bench, last)
    await bench.settle()
    straight = await bench.state()
    assert await bench.unsettled() == []

    await bench.forget()
    shuffled = last * 2
    seed.shuffle(shuffled)
    cut = seed.randrange(len(shuffled) + 1)
    await load(bench, shuffled[:cut], shuffled[cut:], last)
    await bench.settle()

    assert await bench.unsettled() == []
    disturbed = await bench.state()
    for name in straight:
        assert disturbed[name] == straight[name], name


@pytest.mark.parametrize("volatile", [frozenset[str](), frozenset({"served_at"})])
async def test_volatile_fields_make_no_change_where_the_stream_says_so(
    bench: Bench, volatile: frozenset[str]
) -> None:
    made = stream("all")
    object.__setattr__(made, "volatile", volatile)
    loading = Loading(bench.workspace, CONNECTION, None, "RU", made, ConnectorSettings())
    counts = []
    for served in ("1", "2"):
        raw = RawRecord("call1", json.dumps({**CALL, "served_at": served}).encode())
        async with bench.office.database.loading(bench.workspace) as db:
            counts.append(await load_page(driver(db), loading, [raw]))
    assert counts[1].updated == (0 if volatile else 1)


async def test_texts_of_any_length_are_loaded(bench: Bench) -> None:
    """Names and titles come from vendors: an index over them must neither refuse them nor take minutes."""
    long = "".join(chr(0x430 + n * 7919 % 32) for n in range(20_000))
    people = [{**CONTACT, "id": str(n), "phone": f"+7916111{n:04}", "name": f"{long}{n}"} for n in range(50)]
    assert (await load(bench, people)).created == 50
    assert await bench.value("select count(*) from contact where length(name) > 19000") == 50
    assert await bench.value("select count(*) from client where length(name) = 500") == 50
    assert (await load(bench, [{**CALL, "phone": long, "visit": long[:1000]}])).created == 1
    async with bench.office.database.loading(bench.workspace) as db:
        words = text("select length(search_words(:ws, :title)::text)")
        assert (await db.execute(words, {"ws": bench.workspace, "title": long})).scalar_one() < 500


async def test_a_sign_that_postgresql_cannot_keep_is_left_out_and_spoils_no_page(bench: Bench) -> None:
    odd = [{**CONTACT, "name": "Ан\x00на\\u0000"}, {**CONTACT, "id": "2", "phone": "+79160000002"}]
    assert (await load(bench, odd)).created == 2
    assert await bench.value("select name from contact where external_id = '1'") == "Анна\\u0000"
    assert (await load(bench, odd)).unchanged == 2


@pytest.mark.parametrize("order", [("requests", "calls"), ("calls", "requests")])
async def test_a_visit_names_one_of_those_who_told_it_whichever_came_first(
    bench: Bench, order: tuple[str, ...]
) -> None:
    told = {"requests": {**CALL, "id": "1"}, "calls": {**CALL, "id": "2", "city": "Тула"}}
    for name in order:
        await load(bench, [told[name]], name=name)
    assert await bench.rows("select stream, source_id, city from visit") == [("requests", "call1", "Тула")]
