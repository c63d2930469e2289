"""Bitrix24's lists are read to the end, once, from wherever reading stopped; over answers made by hand.

The portal here is forty lines: it keeps the rows of one list and runs the commands of a batch as the vendor's
documentation says, with the oddities to choose from that it doesn't rule out.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import httpx
import pytest

from connectors.bitrix24 import CONNECTOR
from connectors.bitrix24.reads import MAX_LISTS, PAGE_ROWS
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.contract import Page, Position, Start, Stream, VendorRequest, VendorResponse
from connectors.errors import RateLimited, VendorChanged

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SINCE = datetime(2025, 3, 1, tzinfo=UTC)
BEGIN = Start(None, NOW, SINCE, UUID(int=1))
_REFERENCE = re.compile(r"\$result\[(\w+)\](\[items\])?\[(\d+)\]\[ID\]")


class Portal:
    """Rows of one list by id. ``unresolved``: what a reference to a missing row becomes."""

    def __init__(self, ids: list[int], *, unresolved: str = "", fails_at: str | None = None, inside: bool = False):
        self.ids = ids
        self.unresolved = unresolved
        self.fails_at = fails_at
        self.inside = inside
        self.lists = 0
        self.filters: list[dict[str, str]] = []

    def answer(self, request: VendorRequest) -> VendorResponse:
        assert request.path == "/batch"
        assert len(request.json["cmd"]) <= 50
        results: dict[str, list[dict[str, str]]] = {}
        errors: dict[str, Any] = {}
        for key, command in request.json["cmd"].items():
            if key == self.fails_at:
                errors[key] = {"error": "INTERNAL_SERVER_ERROR", "error_description": "?"}
                break
            results[key] = self._run(dict(parse_qsl(command.partition("?")[2])), results)
        shaped = {key: {"items": rows} if self.inside else rows for key, rows in results.items()}
        body = {"result": {"result": shaped or [], "result_error": errors or []}, "time": {"duration": 0.1}}
        return VendorResponse(200, httpx.Headers(), json.dumps(body).encode())

    def _run(self, query: dict[str, str], results: dict[str, list[dict[str, str]]]) -> list[dict[str, str]]:
        self.lists += 1
        self.filters.append(query)
        if "DESC" in query.values():
            return [{"ID": str(each)} for each in self.ids[: -PAGE_ROWS - 1 : -1]]
        after = next((value for name, value in query.items() if name.endswith("[>ID]")), "")
        found = _REFERENCE.fullmatch(after)
        if found is not None:
            rows = results[found[1]]
            after = rows[int(found[3])]["ID"] if len(rows) > int(found[3]) else self.unresolved
        place = bisect_right(self.ids, int(after)) if after else 0
        return [{"ID": str(each)} for each in self.ids[place : place + PAGE_ROWS]]


def drive(
    stream: Stream[Bitrix24Settings], settings: Bitrix24Settings, position: Position | None, portal: Portal
) -> tuple[list[str], list[Position], list[Page]]:
    """Ids in the order of reading, the positions passed, the pages; each position goes through JSON."""
    ids: list[str] = []
    positions: list[Position] = []
    pages: list[Page] = []
    while position is not None:
        assert len(pages) < 1000, "reading doesn't end"
        positions.append(position)
        position = json.loads(json.dumps(position))
        page = stream.read(settings, position, portal.answer(stream.request(settings, position)))
        ids += [record.external_id for record in page.records]
        pages.append(page)
        position = page.next
    return ids, positions, pages


DEALS = CONNECTOR.stream("deals")
MANY = [number * 3 + 1 for number in range(10_123)]


@pytest.mark.parametrize("unresolved", ["", "0"])
@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 249, 250, 251, 1300, 10_123])
def test_every_row_comes_once_whatever_an_unresolved_reference_becomes(
    settings: Bitrix24Settings, count: int, unresolved: str
) -> None:
    portal = Portal(MANY[:count], unresolved=unresolved)
    ids, _, pages = drive(DEALS, settings, DEALS.start(settings, BEGIN), portal)
    assert ids == [str(each) for each in MANY[:count]]
    assert [page.cursor for page in pages[:-1]] == [None] * (len(pages) - 1)
    assert pages[-1].cursor == {"until": "2026-03-01T12:00:00+00:00", "history": "2025-03-01T00:00:00+00:00"}
    assert pages[-1].done == 1.0


def test_reading_goes_on_from_any_position(settings: Bitrix24Settings) -> None:
    ids, positions, pages = drive(DEALS, settings, DEALS.start(settings, BEGIN), Portal(MANY))
    assert len(positions) > 5
    read = 0
    for position, page in zip(positions, pages, strict=True):
        resumed, _, _ = drive(DEALS, settings, json.loads(json.dumps(position)), Portal(MANY))
        assert resumed == ids[read:]
        read += len(page.records)


def test_a_backfill_takes_a_request_for_many_pages_and_few_lists_for_nothing(settings: Bitrix24Settings) -> None:
    portal = Portal(list(range(1, 100_001)))
    _, _, pages = drive(DEALS, settings, DEALS.start(settings, BEGIN), portal)
    assert len(pages) <= 100_000 / PAGE_ROWS / MAX_LISTS + 6
    assert portal.lists <= 100_000 / PAGE_ROWS + 5


def test_progress_rises(settings: Bitrix24Settings) -> None:
    _, _, pages = drive(DEALS, settings, DEALS.start(settings, BEGIN), Portal(MANY))
    told = [page.done for page in pages if page.done is not None]
    assert len(told) >= len(pages) - 1
    assert told == sorted(told)
    assert all(0 <= share <= 1 for share in told)


def test_a_quiet_run_asks_for_one_list(settings: Bitrix24Settings) -> None:
    portal = Portal(MANY[:20])
    drive(DEALS, settings, DEALS.start(settings, BEGIN), portal)
    assert portal.lists == 1


def test_a_failed_command_ends_the_page_before_it_and_comes_back_as_the_first(settings: Bitrix24Settings) -> None:
    portal = Portal(MANY, fails_at="c2")
    position = {**DEALS.start(settings, BEGIN), "lists": 5}  # type: ignore[dict-item]  # never None for deals
    page = DEALS.read(settings, position, portal.answer(DEALS.request(settings, position)))
    assert [record.external_id for record in page.records] == [str(each) for each in MANY[:100]]
    assert page.next is not None
    assert (page.next["after"], page.next["lists"], page.cursor) == (MANY[99], 1, None)
    portal.fails_at = "c0"
    answer = portal.answer(DEALS.request(settings, page.next))
    assert CONNECTOR.error_of is not None
    error = CONNECTOR.error_of(httpx.Response(200, content=answer.content))
    assert error is not None
    assert error.code == "TRANSIENT"


def test_rows_that_arent_after_the_asked_id_are_no_end_but_an_error(settings: Bitrix24Settings) -> None:
    position = {**DEALS.start(settings, BEGIN), "after": 500}  # type: ignore[dict-item]  # never None for deals
    body = {"result": {"result": {"c0": [{"ID": "3"}]}, "result_error": []}}
    with pytest.raises(VendorChanged, match=r"crm\.deal\.list"):
        DEALS.read(settings, position, VendorResponse(200, httpx.Headers(), json.dumps(body).encode()))


def test_a_slow_batch_is_followed_by_a_smaller_one(settings: Bitrix24Settings) -> None:
    position = {**DEALS.start(settings, BEGIN), "lists": 16}  # type: ignore[dict-item]  # never None for deals
    answer = Portal(MANY).answer(DEALS.request(settings, position))
    slow = answer.content.replace(b'"duration": 0.1', b'"duration": 41.5')
    page = DEALS.read(settings, position, VendorResponse(200, answer.headers, slow))
    assert page.next is not None
    assert page.next["lists"] == 8


def test_the_first_empty_answer_as_a_live_portal_gives_it(
    settings: Bitrix24Settings, sample: Callable[[str], Any]
) -> None:
    body = sample("real_batch_list_empty")
    body["result"]["result"] = {"c0": body["result"]["result"]["order0000000000"]}
    start = DEALS.start(settings, BEGIN)
    assert start is not None
    page = DEALS.read(settings, start, VendorResponse(200, httpx.Headers(), json.dumps(body).encode()))
    assert (page.records, page.next) == ([], None)
    assert page.cursor is not None


@pytest.mark.parametrize(
    ("name", "first", "later"),
    [
        ("companies", {}, {"filter[>=DATE_MODIFY]": "2026-03-01T11:55:00+00:00"}),
        ("contacts", {}, {"filter[>=DATE_MODIFY]": "2026-03-01T11:55:00+00:00"}),
        (
            "leads",
            {"filter[>=DATE_MODIFY]": "2025-03-01T00:00:00+00:00"},
            {"filter[>=DATE_MODIFY]": "2026-03-01T11:55:00+00:00"},
        ),
        (
            "deals",
            {"filter[>=DATE_MODIFY]": "2025-03-01T00:00:00+00:00"},
            {"filter[>=DATE_MODIFY]": "2026-03-01T11:55:00+00:00"},
        ),
        (
            "calls",
            {"FILTER[>=CALL_START_DATE]": "2025-03-01T00:00:00+00:00"},
            {"FILTER[>=CALL_START_DATE]": "2026-02-28T12:00:00+00:00"},
        ),
        (
            "stage_history",
            {"filter[>=CREATED_TIME]": "2025-03-01T00:00:00+00:00"},
            {"filter[>=CREATED_TIME]": "2026-03-01T11:55:00+00:00"},
        ),
    ],
)
def test_the_lower_bound_of_the_first_and_of_later_runs(
    settings: Bitrix24Settings, name: str, first: dict[str, str], later: dict[str, str]
) -> None:
    stream = CONNECTOR.stream(name)
    portal = Portal([1, 2], inside=name == "stage_history")
    _, _, pages = drive(stream, settings, stream.start(settings, BEGIN), portal)
    next_day = NOW + timedelta(days=1)
    drive(stream, settings, stream.start(settings, Start(pages[-1].cursor, next_day, SINCE, UUID(int=2))), portal)
    bounds = [{name: value for name, value in query.items() if ">=" in name} for query in portal.filters]
    assert bounds == [first, later]


def test_wanting_more_history_than_before_reads_it(settings: Bitrix24Settings) -> None:
    portal = Portal([1])
    _, _, pages = drive(DEALS, settings, DEALS.start(settings, BEGIN), portal)
    earlier = SINCE - timedelta(days=365)
    drive(DEALS, settings, DEALS.start(settings, Start(pages[-1].cursor, NOW, earlier, UUID(int=2))), portal)
    assert portal.filters[-1]["filter[>=DATE_MODIFY]"] == "2024-03-01T00:00:00+00:00"


def test_cards_are_asked_for_with_phones_and_custom_fields(settings: Bitrix24Settings) -> None:
    portal = Portal([1])
    contacts = CONNECTOR.stream("contacts")
    drive(contacts, settings, contacts.start(settings, BEGIN), portal)
    selected = {value for name, value in portal.filters[0].items() if name.startswith("select")}
    assert {"*", "UF_*", "PHONE", "EMAIL"} <= selected
    assert portal.filters[0]["start"] == "-1"


def test_an_offset_survives_the_encoding_of_a_command(settings: Bitrix24Settings) -> None:
    position = DEALS.start(settings, BEGIN)
    assert position is not None
    command = DEALS.request(settings, position).json["cmd"]["c0"]
    assert "%2B00%3A00" in command
    assert "+" not in command


@pytest.mark.parametrize("name", ["pipelines", "stages", "users"])
def test_short_lists(settings: Bitrix24Settings, sample: Callable[[str], Any], name: str) -> None:
    files = {
        "pipelines": "crm_category_list.response",
        "stages": "crm_status_list_deal_stage.response",
        "users": "user_get.response",
    }
    stream = CONNECTOR.stream(name)
    start = stream.start(settings, BEGIN)
    assert start is not None
    answer = VendorResponse(200, httpx.Headers(), json.dumps(sample(files[name])).encode())
    page = stream.read(settings, start, answer)
    assert page.next is None
    assert len(page.records) > 1
    for record in page.records:
        mapped = stream.map(settings, record.body)
        assert not hasattr(mapped, "reason")
        assert [each.external_id for each in mapped] == [record.external_id]


def test_a_next_that_leads_nowhere_is_not_followed(settings: Bitrix24Settings) -> None:
    stream = CONNECTOR.stream("users")
    rows = [{"ID": str(number)} for number in range(1, 51)]
    full = VendorResponse(200, httpx.Headers(), json.dumps({"result": rows, "next": 50, "total": 51}).encode())
    page = stream.read(settings, {"start": 0}, full)
    assert page.next == {"start": 50}
    again = VendorResponse(200, httpx.Headers(), json.dumps({"result": rows, "next": 50}).encode())
    assert stream.read(settings, {"start": 50}, again).next is None
    short = VendorResponse(200, httpx.Headers(), json.dumps({"result": rows[:3], "next": 150}).encode())
    assert stream.read(settings, {"start": 100}, short).next is None


def test_the_run_time_limit_inside_a_batch_is_waited_for(settings: Bitrix24Settings) -> None:
    body = {
        "result": {
            "result": [],
            "result_error": {"c0": {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked"}},
            "result_time": [],
        },
        "time": {"operating_reset_at": 1772366460},
    }
    headers = {"Date": "Sun, 01 Mar 2026 12:00:00 GMT"}
    assert CONNECTOR.error_of is not None
    error = CONNECTOR.error_of(httpx.Response(200, headers=headers, json=body))
    assert isinstance(error, RateLimited)
    assert error.wait_seconds == 60.0
