"""Reading of Calltouch's journals: days, pages, resuming, and what a vendor may do that can't page."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from connectors.calltouch import CONNECTOR
from connectors.calltouch.settings import CalltouchSettings
from connectors.contract import Page, Position, Start, VendorRequest, VendorResponse
from connectors.errors import VendorChanged

SETTINGS = CalltouchSettings(token="secret-token", site_id="12345")
NOW = datetime(2026, 4, 30, 22, 30, tzinfo=UTC)  # the first of May in Moscow
Journal = Callable[[date, date, int, int], bytes]


def begin(since: datetime, cursor: dict[str, Any] | None = None, now: datetime = NOW) -> Start:
    return Start(cursor=cursor, now=now, since=since, run_id=UUID(int=1))


def answered(content: bytes) -> VendorResponse:
    return VendorResponse(200, httpx.Headers(), content)


class Reader:
    """Drives a stream over a journal, each position through JSON, as a checkpoint would."""

    def __init__(self, stream: str, form: str, journal: Journal) -> None:
        self.stream = CONNECTOR.stream(stream)
        self.form = form
        self.journal = journal
        self.requests: list[VendorRequest] = []

    def page(self, position: Position) -> Page:
        request = self.stream.request(SETTINGS, json.loads(json.dumps(position)))
        self.requests.append(request)
        first, last = (
            datetime.strptime(str(request.query[name]), self.form).date()  # noqa: DTZ007
            for name in ("dateFrom", "dateTo")
        )
        content = self.journal(first, last, int(str(request.query["page"])), int(str(request.query["limit"])))
        return self.stream.read(SETTINGS, position, answered(content))

    def run(self, position: Position | None) -> list[tuple[Position, Page]]:
        pages = []
        while position is not None:
            pages.append((position, self.page(position)))
            position = pages[-1][1].next
            assert len(pages) < 500
        return pages


def ids(pages: list[tuple[Position, Page]]) -> set[str]:
    return {record.external_id for _, page in pages for record in page.records}


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def calls_journal(per_day: int, limit_kept: int = 1000) -> Journal:
    """An honest journal of calls, ``per_day`` of them on each day."""

    def answer(first: date, last: date, page: int, _limit: int) -> bytes:
        found = [{"callId": f"{day:%Y%m%d}{n:05}"} for day in days(first, last) for n in range(per_day)]
        part = found[(page - 1) * limit_kept : page * limit_kept]
        total = -(-len(found) // limit_kept)
        return json.dumps({"page": page, "pageTotal": total, "recordsTotal": len(found), "records": part}).encode()

    return answer


def requests_journal(per_day: dict[date, int], pages: str) -> Journal:
    """A journal of requests that honours paging, or only the limit, or nothing, or repeats its last page."""

    def answer(first: date, last: date, page: int, limit: int) -> bytes:
        found = [
            {"requestId": int(f"{d:%Y%m%d}{n:05}")} for d in days(first, last) for n in range(per_day.get(d, 0))
        ]
        if pages == "nothing":
            return json.dumps(found).encode()
        if pages == "limit":
            return json.dumps(found[:limit]).encode()
        if pages == "clamped":
            page = min(page, max(1, -(-len(found) // limit)))
        return json.dumps(found[(page - 1) * limit : page * limit]).encode()

    return answer


def test_calls_are_asked_by_days_with_the_day_first() -> None:
    stream = CONNECTOR.stream("calls")
    position = stream.start(SETTINGS, begin(datetime(2026, 4, 3, tzinfo=UTC)))
    assert position is not None
    request = stream.request(SETTINGS, position)
    assert request.path == "/calls-service/RestAPI/12345/calls-diary/calls"
    assert request.query["dateFrom"] == "03/04/2026"
    assert request.query["dateTo"] == "01/05/2026"
    assert (request.query["page"], request.query["limit"]) == (1, 1000)
    assert all(
        request.query[switch] == "true"
        for switch in ("withMapVisits", "withCallTags", "withComments", "withYandexDirect", "withGoogleAdwords")
    )
    assert "secret-token" not in repr(request)


def test_requests_are_asked_with_the_month_first() -> None:
    stream = CONNECTOR.stream("requests")
    position = stream.start(SETTINGS, begin(datetime(2026, 4, 3, tzinfo=UTC)))
    assert position is not None
    request = stream.request(SETTINGS, position)
    assert request.path == "/calls-service/RestAPI/requests"
    assert (request.query["dateFrom"], request.query["dateTo"]) == ("04/03/2026", "04/09/2026")
    assert request.query["siteId"] == "12345"


def test_every_call_of_every_day_is_read_once() -> None:
    reader = Reader("calls", "%d/%m/%Y", calls_journal(70))
    stream = CONNECTOR.stream("calls")
    pages = reader.run(stream.start(SETTINGS, begin(datetime(2026, 1, 10, tzinfo=UTC))))
    assert len(ids(pages)) == len(days(date(2026, 1, 10), date(2026, 5, 1))) * 70
    assert sum(len(page.records) for _, page in pages) == len(ids(pages))
    shares = [page.done for _, page in pages]
    assert shares == sorted(shares)  # type: ignore[type-var]
    assert shares[-1] == 1.0


def test_cursor_is_set_only_at_the_end_of_a_window() -> None:
    reader = Reader("calls", "%d/%m/%Y", calls_journal(70))
    pages = reader.run(CONNECTOR.stream("calls").start(SETTINGS, begin(datetime(2026, 1, 10, tzinfo=UTC))))
    for position, page in pages:
        ends_window = page.next is None or page.next["first"] != position["first"]
        expected = {"read_to": position["last"], "since": "2026-01-10"} if ends_window else None
        assert page.cursor == expected


@pytest.mark.parametrize("stream", ["calls", "requests"])
def test_reading_resumes_from_every_position(stream: str) -> None:
    since = datetime(2026, 4, 1, tzinfo=UTC)
    if stream == "calls":
        reader = Reader(stream, "%d/%m/%Y", calls_journal(100))
    else:
        reader = Reader(
            stream,
            "%m/%d/%Y",
            requests_journal(dict.fromkeys(days(date(2026, 4, 1), date(2026, 5, 1)), 400), "honest"),
        )
    whole = reader.run(CONNECTOR.stream(stream).start(SETTINGS, begin(since)))
    assert len(whole) > 3
    for at, (position, _) in enumerate(whole):
        rest = reader.run(json.loads(json.dumps(position)))
        assert ids(whole[:at]) | ids(rest) == ids(whole)
        assert [page for _, page in rest] == [page for _, page in whole[at:]]


def test_next_run_reads_the_last_days_again() -> None:
    stream = CONNECTOR.stream("calls")
    cursor = {"read_to": "2026-04-28", "since": "2026-01-10"}
    position = stream.start(SETTINGS, begin(datetime(2026, 1, 10, tzinfo=UTC), cursor))
    assert position is not None
    assert (position["first"], position["last"]) == ("2026-04-18", "2026-05-01")
    # the default beginning, a year back, moves on with the days and calls for nothing
    later = stream.start(SETTINGS, begin(datetime(2026, 1, 11, tzinfo=UTC), cursor))
    assert later is not None
    assert later["first"] == "2026-04-18"


def test_an_earlier_beginning_reads_the_missing_history() -> None:
    stream = CONNECTOR.stream("calls")
    cursor = {"read_to": "2026-04-28", "since": "2026-01-10"}
    position = stream.start(SETTINGS, begin(datetime(2025, 11, 1, tzinfo=UTC), cursor))
    assert position is not None
    assert position["first"] == "2025-11-01"


def test_nothing_to_read_before_the_beginning() -> None:
    assert CONNECTOR.stream("calls").start(SETTINGS, begin(datetime(2026, 6, 1, tzinfo=UTC))) is None


def test_an_empty_journal_ends() -> None:
    reader = Reader("calls", "%d/%m/%Y", calls_journal(0))
    pages = reader.run(CONNECTOR.stream("calls").start(SETTINGS, begin(datetime(2026, 4, 1, tzinfo=UTC))))
    assert ids(pages) == set()
    assert pages[-1][1].cursor == {"read_to": "2026-05-01", "since": "2026-04-01"}


BUSY = {date(2026, 4, 2): 700, date(2026, 4, 3): 650, date(2026, 4, 12): 1, date(2026, 4, 30): 999}


@pytest.mark.parametrize("pages", ["honest", "nothing", "limit", "clamped"])
def test_requests_are_all_read_however_the_vendor_pages(pages: str) -> None:
    reader = Reader("requests", "%m/%d/%Y", requests_journal(BUSY, pages))
    read = reader.run(CONNECTOR.stream("requests").start(SETTINGS, begin(datetime(2026, 4, 1, tzinfo=UTC))))
    assert len(ids(read)) == sum(BUSY.values())
    assert read[-1][1].cursor == {"read_to": "2026-05-01", "since": "2026-04-01"}


def test_a_day_that_can_not_be_read_whole_is_not_passed_over() -> None:
    reader = Reader("requests", "%m/%d/%Y", requests_journal({date(2026, 4, 2): 1200}, "limit"))
    with pytest.raises(VendorChanged, match="2026-04-02"):
        reader.run(CONNECTOR.stream("requests").start(SETTINGS, begin(datetime(2026, 4, 1, tzinfo=UTC))))


def test_a_record_without_id_goes_on_to_quarantine() -> None:
    stream = CONNECTOR.stream("requests")
    position = stream.start(SETTINGS, begin(datetime(2026, 4, 30, tzinfo=UTC)))
    assert position is not None
    page = stream.read(SETTINGS, position, answered(b'[{"subject":"x"},7,{"requestId":5},{"requestId":"5"}]'))
    assert [record.external_id.split(":")[0] for record in page.records] == ["without-id", "without-id", "5"]


@pytest.mark.parametrize(
    ("stream", "content"),
    [
        ("calls", b"[]"),
        ("calls", b'{"records":[]}'),
        ("calls", b'{"error":"no"}'),
        ("calls", b""),
        ("requests", b'{"error":"no"}'),
        ("requests", b"not json"),
    ],
)
def test_an_unknown_answer_is_not_an_empty_one(stream: str, content: bytes) -> None:
    position = CONNECTOR.stream(stream).start(SETTINGS, begin(datetime(2026, 4, 30, tzinfo=UTC)))
    assert position is not None
    with pytest.raises(VendorChanged):
        CONNECTOR.stream(stream).read(SETTINGS, position, answered(content))
