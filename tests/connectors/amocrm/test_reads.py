"""amoCRM's lists are read whole, in spite of edits while reading and of filters that are ignored.

The account here keeps the rows of one list and answers as the vendor's documentation says; ``filters=False`` is
an account without API filtering.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from connectors.amocrm import CONNECTOR
from connectors.amocrm.reads import LIMIT
from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import Cursor, Page, Position, Start, Stream, VendorRequest, VendorResponse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SINCE = datetime(2025, 3, 1, tzinfo=UTC)
T = int(SINCE.timestamp())
BEGIN = Start(None, NOW, SINCE, UUID(int=1))
DEALS = CONNECTOR.stream("deals")
CONTACTS = CONNECTOR.stream("contacts")

Row = dict[str, Any]


class Account:
    """Rows of one list. ``between`` is called after each page: the account lives while it is read."""

    def __init__(
        self,
        rows: list[Row],
        *,
        key: str = "leads",
        filters: bool = True,
        ordered: bool = True,
        inclusive: bool = True,
        between: Callable[[list[Row]], None] | None = None,
    ) -> None:
        self.rows = rows
        self.key = key
        self.filters = filters
        self.ordered = ordered
        self.inclusive = inclusive
        self.between = between
        self.requests: list[VendorRequest] = []

    def answer(self, request: VendorRequest) -> VendorResponse:
        self.requests.append(request)
        query = request.query
        if "only_deleted" in str(query.get("with")):
            return VendorResponse(204, httpx.Headers(), b"")
        low = int(str(query.get("filter[updated_at][from]", 0))) if self.filters else 0
        high = int(str(query.get("filter[updated_at][to]", 2**40))) if self.filters else 2**40
        low += 0 if self.inclusive else 1
        found = [row for row in self.rows if low <= row["updated_at"] <= high]
        if self.ordered:
            backwards = query["order[updated_at]"] == "desc"
            found.sort(key=lambda row: (row["updated_at"], row["id"]), reverse=backwards)
        first = (int(str(query["page"])) - 1) * int(str(query["limit"]))
        page = found[first : first + int(str(query["limit"]))]
        links = {"next": {"href": "https://firm.amocrm.ru/?page=2"}} if len(found) > first + len(page) else {}
        body = {"_links": links, "_embedded": {self.key: page}}
        answer = VendorResponse(200, httpx.Headers(), json.dumps(body).encode()) if page else NOTHING
        if self.between is not None:
            self.between(self.rows)
        return answer


NOTHING = VendorResponse(204, httpx.Headers(), b"")


def rows(count: int, step: int = 60, first: int = T + 100) -> list[Row]:
    return [{"id": number + 1, "updated_at": first + number * step} for number in range(count)]


def drive(
    stream: Stream[AmoCrmSettings], settings: AmoCrmSettings, position: Position | None, account: Account
) -> tuple[list[str], list[Position], list[Page]]:
    """Ids in the order of reading, the positions passed, the pages; each position goes through JSON."""
    ids: list[str] = []
    positions: list[Position] = []
    pages: list[Page] = []
    while position is not None:
        assert len(pages) < 500, "reading doesn't end"
        positions.append(position)
        position = json.loads(json.dumps(position))
        page = stream.read(settings, position, account.answer(stream.request(settings, position)))
        ids += [record.external_id for record in page.records]
        pages.append(page)
        position = page.next
    return ids, positions, pages


def after(cursor: Cursor | None, now: datetime = NOW + timedelta(days=1)) -> Start:
    return Start(cursor, now, SINCE, UUID(int=2))


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("step", [0, 1, 60])
@pytest.mark.parametrize("count", [0, 1, 249, 250, 251, 500, 1200])
def test_every_row_is_read_whatever_the_bounds_include(
    settings: AmoCrmSettings, count: int, step: int, inclusive: bool
) -> None:
    account = Account(rows(count, step), inclusive=inclusive)
    ids, _, pages = drive(DEALS, settings, DEALS.start(settings, BEGIN), account)
    assert set(ids) == {str(row["id"]) for row in account.rows}
    assert len(ids) <= count + LIMIT + 2 * len(pages)
    assert [page.cursor for page in pages[:-1]] == [None] * (len(pages) - 1)
    assert pages[-1].cursor == {"until": int(NOW.timestamp()) - 5, "history": T}


@pytest.mark.parametrize("filters", [True, False])
def test_reading_goes_on_from_any_position(settings: AmoCrmSettings, filters: bool) -> None:
    account = Account(rows(1200), filters=filters)
    cursor = {"until": T + 20_000, "history": T}
    ids, positions, pages = drive(DEALS, settings, DEALS.start(settings, after(cursor)), account)
    expected = {str(row["id"]) for row in account.rows if row["updated_at"] >= T + 20_000 - 60}
    assert set(ids) == expected
    read: set[str] = set()
    for position, page in zip(positions, pages, strict=True):
        rest, _, _ = drive(DEALS, settings, json.loads(json.dumps(position)), account)
        assert read | set(rest) == expected
        read |= {record.external_id for record in page.records}


@pytest.mark.parametrize("filters", [True, False])
def test_edits_while_reading_lose_nothing(settings: AmoCrmSettings, filters: bool) -> None:
    """After each page the oldest unedited rows are edited: by page numbers, as many rows would be skipped."""
    clock = int(NOW.timestamp()) + 10
    edited: set[int] = set()

    def edit(live: list[Row]) -> None:
        for row in sorted(live, key=lambda each: each["updated_at"])[:40]:
            row["updated_at"] = clock + len(edited)
            edited.add(row["id"])

    account = Account(rows(1500), filters=filters, between=edit)
    first, _, pages = drive(DEALS, settings, DEALS.start(settings, BEGIN), account)
    account.between = None
    second, _, _ = drive(DEALS, settings, DEALS.start(settings, after(pages[-1].cursor)), account)
    assert set(first) | set(second) == {str(number + 1) for number in range(1500)}
    assert {str(number) for number in edited} <= set(second)


def test_an_ignored_filter_is_noticed_and_reading_stops_at_the_first_older_row(settings: AmoCrmSettings) -> None:
    account = Account(rows(5000), filters=False)
    since = account.rows[-300]["updated_at"]
    ids, _, pages = drive(
        DEALS, settings, DEALS.start(settings, after({"until": since + 60, "history": T})), account
    )
    assert set(ids) == {str(row["id"]) for row in account.rows[-300:]}
    assert pages[0].records == []  # the whole base's first page is not what was asked for
    newest = [request for request in account.requests if request.query["order[updated_at]"] == "desc"]
    assert [request.query["page"] for request in newest] == [1, 2]
    assert all("filter[updated_at][from]" not in request.query for request in newest)


def test_with_neither_filter_nor_order_the_whole_base_is_read(settings: AmoCrmSettings) -> None:
    shuffled = sorted(rows(1200), key=lambda row: row["id"] * 7919 % 1201)
    account = Account(shuffled, filters=False, ordered=False)
    since = T + 50_000
    ids, _, _ = drive(DEALS, settings, DEALS.start(settings, after({"until": since + 60, "history": T})), account)
    assert set(ids) == {str(row["id"]) for row in shuffled if row["updated_at"] >= since}


def test_without_order_a_window_is_read_by_page_numbers(settings: AmoCrmSettings) -> None:
    shuffled = sorted(rows(1200), key=lambda row: row["id"] * 7919 % 1201)
    ids, _, _ = drive(DEALS, settings, DEALS.start(settings, BEGIN), Account(shuffled, ordered=False))
    assert sorted(ids, key=int) == [str(number + 1) for number in range(1200)]


def test_cards_are_read_whole_at_first_and_deals_from_the_wanted_day(settings: AmoCrmSettings) -> None:
    old = [*rows(3, first=T - 10_000_000), {"id": 9, "updated_at": T + 5}]
    ids, _, pages = drive(CONTACTS, settings, CONTACTS.start(settings, BEGIN), Account(old, key="contacts"))
    assert set(ids) == {"1", "2", "3", "9"}
    assert pages[-1].cursor == {"until": int(NOW.timestamp()) - 5, "history": None}
    ids, _, _ = drive(DEALS, settings, DEALS.start(settings, BEGIN), Account(old))
    assert ids == ["9"]


def test_a_later_run_looks_again_at_the_last_minute_and_at_deleted_leads(settings: AmoCrmSettings) -> None:
    account = Account(rows(1))
    until = int(NOW.timestamp()) - 5
    drive(DEALS, settings, DEALS.start(settings, after({"until": until, "history": T})), account)
    assert [request.query["with"] for request in account.requests] == [
        "contacts,loss_reason,source_id",
        "only_deleted,contacts,loss_reason,source_id",
    ]
    for request in account.requests:
        assert request.query["filter[updated_at][from]"] == until - 60 - 1
        assert request.query["filter[updated_at][to]"] == int((NOW + timedelta(days=1)).timestamp()) - 5
        assert request.query["limit"] == LIMIT
    first = Account(rows(1))
    drive(DEALS, settings, DEALS.start(settings, BEGIN), first)
    assert len(first.requests) == 1


def test_wanting_more_history_than_before_reads_it(settings: AmoCrmSettings) -> None:
    position = DEALS.start(settings, Start({"until": T + 100, "history": T + 50}, NOW, SINCE, UUID(int=1)))
    assert position is not None
    assert position["since"] == T


def test_progress_rises_where_it_is_known(settings: AmoCrmSettings) -> None:
    _, _, pages = drive(DEALS, settings, DEALS.start(settings, BEGIN), Account(rows(3000, step=9000)))
    told = [page.done for page in pages]
    assert None not in told
    assert told == sorted(told, key=lambda share: share or 0)
    assert told[-1] == 1.0


def test_calls_on_three_kinds_of_cards_are_one_call(settings: AmoCrmSettings) -> None:
    stream = CONNECTOR.stream("calls")
    paths: list[str] = []
    found: dict[str, bytes] = {}
    position = stream.start(settings, BEGIN)
    while position is not None:
        request = stream.request(settings, position)
        assert request.query["filter[note_type][]"] == ["call_in", "call_out"]
        entity = request.path.split("/")[3]
        paths.append(request.path)
        notes = [
            {
                "id": len(paths) * 10 + number,
                "entity_id": len(paths),
                "note_type": "call_in",
                "created_at": T + 100,
                "updated_at": T + 100,
                "params": {"uniq": "one", "duration": 5},
                "_links": {"self": {"href": f"https://firm.amocrm.ru/api/v4/{entity}/1/notes/1"}},
            }
            for number in range(2)
        ]
        body = json.dumps({"_links": {}, "_embedded": {"notes": notes}}).encode()
        page = stream.read(settings, position, VendorResponse(200, httpx.Headers(), body))
        assert len(page.records) == 1
        found |= {record.external_id: record.body for record in page.records}
        position = page.next
    assert paths == ["/api/v4/companies/notes", "/api/v4/contacts/notes", "/api/v4/leads/notes"]
    assert list(found) == ["one"]
    mapped = stream.map(settings, found["one"])
    assert isinstance(mapped, list)
    assert [(record.external_id, record.deal) for record in mapped] == [("one", "3")]


def test_events_are_read_by_spans_and_pages(settings: AmoCrmSettings) -> None:
    stream = CONNECTOR.stream("stage_changes")
    events = [
        {"id": f"e{number}", "type": "lead_status_changed", "created_at": T + number * 100_000}
        for number in range(300)
    ] + [{"id": "other", "type": "lead_added", "created_at": T + 5}]

    def answer(request: VendorRequest) -> VendorResponse:
        query = request.query
        low, high = int(str(query["filter[created_at][from]"])), int(str(query["filter[created_at][to]"]))
        wanted = [event for event in reversed(events) if low <= int(str(event["created_at"])) <= high]
        start = (int(str(query["page"])) - 1) * 10
        page = wanted[start : start + 10]
        if not page:
            return NOTHING
        links = {"next": {"href": "?"}} if len(wanted) > start + 10 else {}
        body = {"_links": links, "_embedded": {"events": page}}
        return VendorResponse(200, httpx.Headers(), json.dumps(body).encode())

    positions: list[Position] = []
    pages: list[Page] = []
    position = stream.start(settings, BEGIN)
    while position is not None:
        positions.append(position)
        pages.append(stream.read(settings, position, answer(stream.request(settings, position))))
        position = pages[-1].next
    assert {record.external_id for page in pages for record in page.records} == {f"e{n}" for n in range(300)}
    assert pages[-1].cursor == {"until": int(NOW.timestamp()) - 5, "history": T}
    shares = [page.done or 0.0 for page in pages]
    assert shares == sorted(shares)
    later = stream.start(settings, after(pages[-1].cursor))
    assert later is not None
    assert later["from"] == int(NOW.timestamp()) - 5 - 60


@pytest.mark.parametrize(
    ("name", "file", "count"), [("pipelines", "pipelines.response", 1), ("stages", "pipelines.response", 5)]
)
def test_pipelines_and_stages_are_records_of_their_own(
    settings: AmoCrmSettings, sample: Callable[[str], Any], name: str, file: str, count: int
) -> None:
    stream = CONNECTOR.stream(name)
    start = stream.start(settings, BEGIN)
    assert start is not None
    page = stream.read(settings, start, VendorResponse(200, httpx.Headers(), json.dumps(sample(file)).encode()))
    assert (len(page.records), page.next) == (count, None)
    for record in page.records:
        mapped = stream.map(settings, record.body)
        assert isinstance(mapped, list)
        assert [each.external_id for each in mapped] == [record.external_id]


def test_the_vendors_own_pages(settings: AmoCrmSettings, sample: Callable[[str], Any]) -> None:
    start = CONTACTS.start(settings, BEGIN)
    assert start is not None
    bodies = [json.dumps(sample(f"contacts_list_page{number}.response")).encode() for number in (1, 2)]
    first, last = (CONTACTS.read(settings, start, VendorResponse(200, httpx.Headers(), body)) for body in bodies)
    assert first.next is not None
    assert last.next is None


def test_employees_are_read_to_the_last_page(settings: AmoCrmSettings) -> None:
    stream = CONNECTOR.stream("users")
    body = {"_links": {"next": {"href": "?"}}, "_embedded": {"users": [{"id": 1}]}}
    page = stream.read(settings, {"page": 1}, VendorResponse(200, httpx.Headers(), json.dumps(body).encode()))
    assert page.next == {"page": 2}
    assert stream.read(settings, {"page": 2}, NOTHING).next is None


def test_the_page_number_in_a_records_link_is_no_change() -> None:
    assert all("_links" in stream.volatile for stream in CONNECTOR.streams)
