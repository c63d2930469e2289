"""Versions are compared, so that every change arrives whatever its date, and nothing is read twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from connectors.contract import Page, Position, Start, VendorRequest, VendorResponse
from connectors.errors import BadSettings, NotPermitted, Transient, VendorChanged
from connectors.onec import CONNECTOR, streams
from connectors.onec.settings import OneCSettings
from tests.connectors.onec.conftest import GIVEN, SAMPLES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PARTNERS, ORDERS, CHANGES = (CONNECTOR.stream(name) for name in ("partners", "orders", "changes"))


def ref(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012d}"


def answer(body: Any, status: int = 200) -> VendorResponse:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return VendorResponse(status, httpx.Headers(), content)


class Base:
    """One set with versions. ``bears`` is how many rows of a page the server bears; ``between`` follows each."""

    def __init__(
        self, versions: Mapping[int, int], *, bears: int = 10**6, date: str = "2026-01-15T00:00:00"
    ) -> None:
        self.versions = dict(versions)
        self.bears = bears
        self.date = date
        self.asked: list[dict[str, Any]] = []
        self.between: Callable[[], None] = lambda: None

    def answer(self, request: VendorRequest) -> VendorResponse:
        query = dict(request.query)
        self.asked.append(query)
        where = str(query.get("$filter", ""))
        rows = [{"Ref_Key": ref(id), "DataVersion": str(v), "Date": self.date} for id, v in self.versions.items()]
        if "Ref_Key eq" in where:
            rows = [row for row in rows if row["Ref_Key"] in where]
        elif where:
            low = where.partition("Date ge datetime'")[2][:19]
            high = where.partition("Date lt datetime'")[2][:19] or "9"
            rows = [row for row in rows if low <= row["Date"] < high]
        skip, top = int(str(query.get("$skip", 0))), query.get("$top")
        rows = rows[skip : skip + int(str(top))] if top is not None else rows
        if top is not None and len(rows) > self.bears:
            return answer({"odata.error": {"code": "-1", "message": {"value": "Недостаточно памяти"}}}, 500)
        told = answer(b"\xef\xbb\xbf" + json.dumps({"value": rows}).encode())
        self.between()
        return told


def start(cursor: Any = None, now: datetime = NOW) -> Start:
    return Start(cursor, now, NOW - timedelta(days=365), UUID(int=1))


def drive(
    settings: OneCSettings, base: Base, cursor: Any = None, stream: Any = PARTNERS
) -> tuple[list[str], list[str], list[Page]]:
    """Ids told, ids that are present, pages; each position goes through JSON."""
    told: list[str] = []
    present: list[str] = []
    pages: list[Page] = []
    position: Position | None = stream.start(settings, start(cursor))
    while position is not None:
        assert len(pages) < 300, "reading doesn't end"
        position = json.loads(json.dumps(position))
        page = stream.read(settings, position, base.answer(stream.request(settings, position)))
        told += [record.external_id for record in page.records]
        present += page.present
        pages.append(page)
        position = page.next
    assert [page.cursor for page in pages[:-1]] == [None] * (len(pages) - 1)
    return told, present, pages


@pytest.mark.parametrize("count", [0, 1, 250, 251, 3000])
def test_the_first_run_reads_everything_and_the_next_nothing(settings: OneCSettings, count: int) -> None:
    base = Base(dict.fromkeys(range(count), 1))
    told, present, pages = drive(settings, base)
    assert told == present == [ref(number) for number in range(count)]
    again, present, _ = drive(settings, base, pages[-1].cursor)
    assert (again, len(present)) == ([], count)
    assert not any("$inlinecount" in query for query in base.asked)


def test_what_changed_is_fetched_by_its_key_and_what_is_gone_is_missing(settings: OneCSettings) -> None:
    base = Base(dict.fromkeys(range(300), 1))
    _, _, pages = drive(settings, base)
    base.versions |= {7: 2, 500: 1}
    del base.versions[9]
    told, present, pages = drive(settings, base, pages[-1].cursor)
    assert sorted(told) == [ref(7), ref(500)]
    assert ref(9) not in present
    assert ref(8) in present
    assert drive(settings, base, pages[-1].cursor)[0] == []


def test_a_record_that_moved_while_pages_were_read_is_found_at_the_end(settings: OneCSettings) -> None:
    base = Base(dict.fromkeys(range(600), 1))

    def insert_in_front() -> None:
        base.versions = {10_000 + len(base.versions): 1} | base.versions
        base.versions.pop(0, None)  # and one that was read vanishes, so that the rest moves forward

    base.between = insert_in_front
    _, _, pages = drive(settings, base)
    base.between = lambda: None
    told, present, _ = drive(settings, base, pages[-1].cursor)
    assert len(told) <= 4  # nothing but what came after the list of versions
    assert set(present) == {ref(number) for number in base.versions}


def test_a_page_that_is_too_heavy_is_halved_until_it_can_be_borne(settings: OneCSettings) -> None:
    told, _, _ = drive(settings, Base(dict.fromkeys(range(400), 1), bears=60))
    assert len(set(told)) == 400
    with pytest.raises(Transient):
        drive(settings, Base({1: 1, 2: 1}, bears=0))


def test_after_a_great_change_everything_is_read_anew(settings: OneCSettings) -> None:
    base = Base(dict.fromkeys(range(1500), 1))
    _, _, pages = drive(settings, base)
    base.versions = dict.fromkeys(base.versions, 2)
    base.asked.clear()
    told, _, _ = drive(settings, base, pages[-1].cursor)
    assert len(told) == 1500
    assert len(base.asked) < 10


def test_documents_are_read_by_windows_and_the_last_one_is_open(settings: OneCSettings) -> None:
    old, ahead = Base({1: 1}, date="2025-04-02T00:00:00"), Base({1: 1}, date="2027-01-01T00:00:00")
    for base in (old, ahead):
        told, present, _ = drive(settings, base, stream=ORDERS)
        assert (told, present) == ([ref(1)], [ref(1)])
        pages = [query for query in base.asked if "$top" in query]
        assert len(pages) == 365 // streams.PAGES_DAYS + 1
        assert "Date lt" not in pages[-1]["$filter"]
    before = Base({1: 1}, date="2024-01-01T00:00:00")
    assert drive(settings, before, stream=ORDERS)[0] == []


def test_a_late_edit_of_an_old_document_arrives(settings: OneCSettings) -> None:
    base = Base({1: 1, 2: 1}, date="2025-05-02T00:00:00")
    _, _, pages = drive(settings, base, stream=ORDERS)
    base.versions[2] = 2
    assert drive(settings, base, pages[-1].cursor, stream=ORDERS)[0] == [ref(2)]


def test_a_list_that_the_profile_lacks_is_not_read(settings: OneCSettings, crm: OneCSettings) -> None:
    assert CONNECTOR.stream("leads").start(settings, start()) is None
    assert CONNECTOR.stream("orders").start(crm, start()) is None
    left_out = OneCSettings(**GIVEN, overrides="orders.set=-")
    assert ORDERS.start(left_out, start()) is None
    assert CHANGES.start(settings, start()) is None


def test_only_named_properties_are_asked_for(settings: OneCSettings) -> None:
    position = ORDERS.start(settings, start())
    assert position is not None
    query = ORDERS.request(settings, position).query
    assert query["$format"] == "application/json;odata=nometadata"
    assert str(query["$select"]).startswith("Ref_Key,DataVersion,DeletionMark,Number,Date,Posted,")
    assert "Валюта____Presentation" in str(query["$select"])


def test_one_record(settings: OneCSettings) -> None:
    one = PARTNERS.one
    assert one is not None
    assert one.request(settings, ref(1)).query["$filter"] == f"Ref_Key eq guid'{ref(1)}'"
    found = one.read(settings, ref(1), answer({"value": [{"Ref_Key": ref(1)}]}))
    assert found is not None
    assert one.read(settings, ref(1), answer({"value": []})) is None
    errors = [json.loads(line) for line in (SAMPLES / "errors_real.jsonl").read_text().splitlines()]
    assert one.read(settings, ref(1), answer(errors[1]["body"], 404)) is None
    with pytest.raises(NotPermitted):
        one.read(settings, ref(1), answer(errors[0]["body"], 404))


def test_another_envelope_is_not_guessed(settings: OneCSettings) -> None:
    position = PARTNERS.start(settings, start())
    assert position is not None
    with pytest.raises(VendorChanged):
        PARTNERS.read(settings, position, answer([{"Ref_Key": ref(1)}]))


# --- an exchange plan

PLANNED = {"exchange_plan": "ДляСквозь", "exchange_node": "SK"}
NODES = {
    "value": [
        {"Ref_Key": ref(1), "Code": "00 ", "ReceivedNo": "0", "ThisNode": True},
        {"Ref_Key": ref(2), "Code": "SK ", "ReceivedNo": "4", "ThisNode": False},
    ]
}


def packet(*entries: str) -> VendorResponse:
    feed = '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:at="http://purl.org/atompub/tombstones/1.0">'
    return answer(f"{feed}<id>feed</id>{''.join(entries)}</feed>".encode())


def entry(name: str, number: int) -> str:
    return f"<entry><id>https://srv/odata/standard.odata/{name}(guid'{ref(number)}')</id></entry>"


def test_a_plan_tells_what_changed_and_is_confirmed_last() -> None:
    planned = OneCSettings(**GIVEN, **PLANNED)
    position = CHANGES.start(planned, start())
    assert position is not None
    assert CHANGES.request(planned, position).path == "/ExchangePlan_ДляСквозь"
    selecting = CHANGES.read(planned, position, answer(NODES)).next
    assert selecting is not None
    request = CHANGES.request(planned, selecting)
    assert (request.method, request.path) == ("POST", "/SelectChanges")
    assert request.query == {
        "DataExchangePoint": f"'https://srv/ut/odata/standard.odata/ExchangePlan_ДляСквозь(guid'{ref(2)}')'",
        "MessageNo": 5,
    }
    gone = f"<at:deleted-entry ref=\"https://srv/odata/standard.odata/Document_ЗаказКлиента(guid'{ref(9)}')\"/>"
    entries = [entry("Catalog_Партнеры", number) for number in range(streams.BATCH + 1)]
    page = CHANGES.read(planned, selecting, packet(*entries, entry("Catalog_Номенклатура", 3), gone))
    assert [(each.stream, each.external_id, each.deleted) for each in page.touched] == [("orders", ref(9), True)]
    told: list[str] = []
    while page.next is not None and page.next["step"] == "bodies":
        assert not page.commit_first
        asked = CHANGES.request(planned, page.next)
        assert asked.path == "/Catalog_Партнеры"
        wanted = [ref(number) for number in range(streams.BATCH + 1) if ref(number) in str(asked.query["$filter"])]
        page = CHANGES.read(planned, page.next, answer({"value": [{"Ref_Key": each} for each in wanted]}))
        told += [each.external_id for each in page.touched if each.stream == "partners" and each.body]
    assert len(told) == streams.BATCH + 1
    assert page.commit_first  # 1C forgets what is confirmed: all before it must be committed
    assert page.next is not None
    confirm = CHANGES.request(planned, page.next)
    assert (confirm.path, confirm.query["MessageNo"]) == ("/NotifyChangesReceived", 5)
    assert CHANGES.read(planned, page.next, answer(b"")).next is None


def test_an_empty_packet_is_not_confirmed() -> None:
    planned = OneCSettings(**GIVEN, **PLANNED)
    page = CHANGES.read(planned, {"step": "select", "node": ref(2), "no": 5}, packet())
    assert (page.next, page.touched) == (None, ())
    with pytest.raises(VendorChanged):
        CHANGES.read(planned, {"step": "select", "node": ref(2), "no": 5}, answer(b"<html>"))


@pytest.mark.parametrize(("code", "words"), [("00", "the base itself"), ("XX", "There are: SK")])
def test_a_wrong_node_is_told(code: str, words: str) -> None:
    planned = OneCSettings(**GIVEN, **PLANNED | {"exchange_node": code})
    with pytest.raises(BadSettings, match=words):
        CHANGES.read(planned, {"step": "node"}, answer(NODES))


def test_with_a_plan_versions_are_compared_once_a_day() -> None:
    planned = OneCSettings(**GIVEN, **PLANNED)
    _, _, pages = drive(planned, Base({1: 1}))
    cursor = pages[-1].cursor
    assert PARTNERS.start(planned, start(cursor, NOW + timedelta(hours=1))) is None
    assert PARTNERS.start(planned, start(cursor, NOW + timedelta(hours=21))) is not None
