"""The steps of an export, before a vendor that does what Metrica may do."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import httpx
import msgspec
import pytest

from connectors.contract import Page, Position, Start, VendorResponse
from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotPermitted,
    NotReady,
    QuotaExhausted,
    RateLimited,
    Transient,
    VendorChanged,
    WriteRejected,
)
from connectors.yandex_metrica import CONNECTOR
from connectors.yandex_metrica import reads as module
from connectors.yandex_metrica.health import error_of
from connectors.yandex_metrica.settings import MetricaSettings
from connectors.yandex_metrica.table import NAMES
from connectors.yandex_metrica.wire import EvaluationAnswer, LogRequestAnswer
from tests.connectors.yandex_metrica.conftest import table

SAMPLES = Path(__file__).parent / "samples"
SETTINGS = MetricaSettings(token="secret-token", counter_id="12345678")
(STREAM,) = CONNECTOR.streams
NOW = datetime(2026, 4, 30, 22, 30, tzinfo=UTC)  # the first of May in Moscow
ROOT = "/management/v1/counter/12345678"


@dataclass
class Metrica:
    """A counter behind a handler: one visit a day, two parts an export."""

    polls: int = 1
    room: int = 1000  # days
    part_size: int = 1000
    empty_parts: int = 0  # how many of the next parts come without a byte
    exports: list[dict[str, Any]] = field(default_factory=list)
    fail_with: list[str] = field(default_factory=list)  # how the next exports end
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix(ROOT)
        self.asked.append(f"{request.method} {path}")
        query = {name: values[0] for name, values in parse_qs(request.url.query.decode()).items()}
        match [request.method, *path.strip("/").split("/")]:
            case ["GET", ""]:
                return _told({"counter": {"id": 12345678, "name": "Shop", "time_zone_name": "Europe/Moscow"}})
            case ["GET", "logrequests"]:
                return _told({"requests": self.exports})
            case ["GET", "logrequests", "evaluate"]:
                days = _days(query["date1"], query["date2"])
                told = {"possible": days <= self.room, "max_possible_day_quantity": self.room}
                return _told({"log_request_evaluation": told})
            case ["POST", "logrequests"]:
                self.exports.append(
                    {"request_id": 100 + len(self.exports), "status": "created", "source": "visits",
                     "date1": query["date1"], "date2": query["date2"], "fields": query["fields"].split(","),
                     "polls": 0}
                )  # fmt: skip
                return _told({"log_request": self.exports[-1]})
            case ["GET", "logrequest", id]:
                return self._polled(int(id))
            case ["GET", "logrequest", id, "part", part, "download"]:
                return self._part(int(id), int(part))
            case ["POST", "logrequest", id, how]:
                self._export(int(id))["status"] = {"clean": "cleaned_by_user", "cancel": "canceled"}[how]
                return _told({"log_request": self._export(int(id))})
        raise AssertionError(request.url)

    def _export(self, id: int) -> dict[str, Any]:
        return next(export for export in self.exports if export["request_id"] == id)

    def _polled(self, id: int) -> httpx.Response:
        export = self._export(id)
        export["polls"] += 1
        if export["status"] in ("created", "awaiting_retry"):
            export["status"] = "awaiting_retry"
            if export["polls"] > self.polls:
                export["status"] = self.fail_with.pop(0) if self.fail_with else "processed"
        parts = [{"part_number": part, "size": self.part_size} for part in (0, 1)]
        return _told({"log_request": export | ({"parts": parts} if export["status"] == "processed" else {})})

    def _part(self, id: int, part: int) -> httpx.Response:
        export = self._export(id)
        if export["status"] != "processed":
            return _told({"errors": [{"error_type": "not_found", "message": "gone"}], "code": 404}, 404)
        if self.empty_parts:
            self.empty_parts -= 1
            return httpx.Response(200)
        first = date.fromisoformat(export["date1"])
        days = [first + timedelta(days=n) for n in range(_days(export["date1"], export["date2"]))]
        lines = [
            {"visitID": f"{day:%Y%m%d}", "date": str(day), "dateTime": f"{day} 10:00:00"} for day in days[part::2]
        ]
        return httpx.Response(200, content=table(*lines))


def _days(first: str, last: str) -> int:
    return (date.fromisoformat(last) - date.fromisoformat(first)).days + 1


def _told(content: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, content=json.dumps(content).encode())


def begin(since: datetime, cursor: dict[str, Any] | None = None, now: datetime = NOW) -> Start:
    return Start(cursor=cursor, now=now, since=since, run_id=UUID(int=1))


def read(metrica: Metrica, position: Position | None) -> tuple[list[str], list[Page], int]:
    """Read to the end: ids of visits, pages, and how often the answer was not ready yet. Positions go through JSON,
    and none may come twice, as in the engine."""
    ids, pages, waits, asked = [], [], 0, set[str]()
    while position is not None:
        text = json.dumps(position, sort_keys=True)
        assert text not in asked
        asked.add(text)
        page, waited = _fetched(metrica, json.loads(text))
        waits += waited
        ids += [record.external_id for record in page.records]
        pages.append(page)
        position = page.next
    return ids, pages, waits


def _fetched(metrica: Metrica, position: Position) -> tuple[Page, int]:
    waits = 0
    while True:
        asked = STREAM.request(SETTINGS, position)
        url = httpx.URL(f"https://api.test{asked.path}", params=dict(asked.query))
        answer = metrica(request := httpx.Request(asked.method, url))
        answer.request = request
        error = None if answer.status_code in asked.accept else error_of(answer)
        if isinstance(error, NotReady):
            waits += 1
            continue
        if error is not None:
            raise error
        response = VendorResponse(answer.status_code, answer.headers, answer.content)
        return STREAM.read(SETTINGS, position, response), waits


def keys(first: date, days: int) -> list[str]:
    dated = [first + timedelta(days=n) for n in range(days)]
    return [f"12345678/2026/{day:%Y%m%d}" for day in dated]


def test_an_export_is_ordered_waited_for_read_and_cleaned() -> None:
    metrica = Metrica()
    ids, pages, waits = read(metrica, STREAM.start(SETTINGS, begin(datetime(2026, 4, 25, tzinfo=UTC))))
    assert sorted(ids) == keys(date(2026, 4, 25), 6)  # yesterday, in Moscow, is the thirtieth
    assert waits == 1
    assert [export["status"] for export in metrica.exports] == ["cleaned_by_user"]
    assert metrica.asked == [
        "GET ",
        "GET /logrequests",
        "GET /logrequests/evaluate",
        "POST /logrequests",
        "GET /logrequest/100",
        "GET /logrequest/100",
        "GET /logrequest/100/part/0/download",
        "GET /logrequest/100/part/1/download",
        "GET /logrequests",
        "POST /logrequest/100/clean",
        "GET /logrequests",
    ]
    cursors = [page.cursor for page in pages if page.cursor is not None]
    assert cursors == [{"read_to": "2026-04-30", "since": "2026-04-25", "read_at": NOW.isoformat()}]


def test_a_long_history_is_read_in_windows_without_gap_or_overlap() -> None:
    metrica = Metrica()
    ids, pages, _ = read(metrica, STREAM.start(SETTINGS, begin(datetime(2026, 1, 1, tzinfo=UTC))))
    assert sorted(ids) == keys(date(2026, 1, 1), 120)
    assert len(metrica.exports) == 2
    assert {export["status"] for export in metrica.exports} == {"cleaned_by_user"}
    shares = [page.done for page in pages if page.done is not None]
    assert shares == sorted(shares)


def test_a_later_run_reads_the_last_days_again_but_not_at_once() -> None:
    cursor = {"read_to": "2026-04-30", "since": "2026-01-01", "read_at": NOW.isoformat()}
    since = datetime(2026, 1, 1, tzinfo=UTC)
    assert STREAM.start(SETTINGS, begin(since, cursor, NOW + timedelta(hours=2))) is None
    ids, _, _ = read(Metrica(), STREAM.start(SETTINGS, begin(since, cursor, NOW + timedelta(hours=4))))
    assert sorted(ids) == keys(date(2026, 4, 27), 4)
    earlier = STREAM.start(SETTINGS, begin(datetime(2025, 12, 1, tzinfo=UTC), cursor, NOW))
    assert earlier is not None  # an earlier beginning is wanted now


def test_what_an_interrupted_run_left_is_removed_and_what_others_made_is_not() -> None:
    days = {"date1": "2026-04-30", "date2": "2026-04-30", "source": "visits", "polls": 0}
    metrica = Metrica(
        exports=[
            {"request_id": 7, "status": "processed", "fields": list(reversed(NAMES)), **days},
            {"request_id": 8, "status": "created", "fields": list(NAMES), **days},
            {"request_id": 9, "status": "processed", "fields": ["ym:s:visitID"], **days},
            {"request_id": 10, "status": "processed", "fields": list(NAMES), **days, "date1": "2026-04-29"},
        ]
    )
    read(metrica, STREAM.start(SETTINGS, begin(datetime(2026, 4, 30, 6, tzinfo=UTC))))
    assert [export["status"] for export in metrica.exports] == [
        "cleaned_by_user",
        "canceled",
        "processed",
        "processed",
        "cleaned_by_user",
    ]


def test_a_window_shrinks_to_the_room_that_is_left() -> None:
    metrica = Metrica(room=4)
    ids, _, _ = read(metrica, STREAM.start(SETTINGS, begin(datetime(2026, 4, 19, tzinfo=UTC))))
    assert sorted(ids) == keys(date(2026, 4, 19), 12)
    assert len(metrica.exports) == 3
    with pytest.raises(QuotaExhausted, match="10 GB"):
        read(Metrica(room=0), STREAM.start(SETTINGS, begin(datetime(2026, 4, 19, tzinfo=UTC))))


def test_a_window_with_too_large_parts_is_cut_in_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_PART", 500)
    metrica = Metrica()
    ids, _, _ = read(metrica, STREAM.start(SETTINGS, begin(datetime(2026, 4, 27, tzinfo=UTC))))
    assert sorted(ids) == keys(date(2026, 4, 27), 4)
    assert {export["status"] for export in metrica.exports} == {"cleaned_by_user"}


def test_an_export_that_fails_or_vanishes_is_ordered_again_three_times_at_most() -> None:
    since = datetime(2026, 4, 30, 6, tzinfo=UTC)
    metrica = Metrica(fail_with=["processing_failed", "cleaned_automatically_as_too_old"])
    ids, _, _ = read(metrica, STREAM.start(SETTINGS, begin(since)))
    assert (len(ids), len(metrica.exports)) == (1, 3)
    with pytest.raises(VendorChanged, match=r"came to nothing 3 times \(canceled\)"):
        read(Metrica(fail_with=["canceled"] * 3), STREAM.start(SETTINGS, begin(since)))


def test_a_part_that_comes_empty_though_bytes_were_told_is_ordered_again() -> None:
    metrica = Metrica(empty_parts=1)
    ids, _, _ = read(metrica, STREAM.start(SETTINGS, begin(datetime(2026, 4, 27, tzinfo=UTC))))
    assert sorted(set(ids)) == keys(date(2026, 4, 27), 4)
    assert len(metrica.exports) == 2
    quiet = Metrica(empty_parts=2, part_size=0)  # parts of no bytes hold no visits
    ids, _, _ = read(quiet, STREAM.start(SETTINGS, begin(datetime(2026, 4, 27, tzinfo=UTC))))
    assert (ids, len(quiet.exports)) == ([], 1)


def test_the_documented_lifecycle_has_the_shapes_that_are_read() -> None:
    for line in (SAMPLES / "synthetic_log_lifecycle.jsonl").read_text().splitlines():
        body = json.dumps(json.loads(line)["body"]).encode()
        if b"evaluation" in body:
            assert msgspec.json.decode(body, type=EvaluationAnswer).log_request_evaluation.possible
        else:
            assert msgspec.json.decode(body, type=LogRequestAnswer).log_request.request_id == 5550001


def test_the_documented_errors_are_told_apart() -> None:
    found = {}
    for line in (SAMPLES / "synthetic_errors.jsonl").read_text().splitlines():
        told = json.loads(line)
        error = error_of(
            httpx.Response(told["http"], json=told["body"], request=httpx.Request("GET", "https://a/b"))
        )
        found[told["body"]["errors"][0]["error_type"]] = type(error)
    assert found == {
        "invalid_token": AuthFailed,
        "access_denied": NotPermitted,
        "quota_requests_by_uid": QuotaExhausted,
        "quota_parallel_requests": RateLimited,
        "invalid_parameter": VendorChanged,
        "query_error": VendorChanged,
        "invalid_uploading": WriteRejected,
        "backend_error": Transient,
    }


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", AuthFailed),
        (404, b"", BadSettings),
        (302, b"", BadSettings),
        (420, b"{}", RateLimited),
        (404, b"<html>", BadSettings),
        (502, b"<html>", Transient),
        (200, b"<html>", Transient),
        (200, b"", Transient),
        (403, b'{"errors":[{"error_type":"quota_requests_by_ip"}]}', RateLimited),
    ],
)
def test_bare_answers_are_errors_too(status: int, body: bytes, kind: type[Exception]) -> None:
    assert isinstance(
        error_of(httpx.Response(status, content=body, request=httpx.Request("GET", "https://a/b"))), kind
    )


def test_the_days_quota_is_free_again_at_midnight_of_the_vendors_clock() -> None:
    answer = httpx.Response(
        429,
        json={"errors": [{"error_type": "quota_requests_by_uid"}]},
        headers={"Date": "Thu, 30 Apr 2026 22:30:00 GMT"},
        request=httpx.Request("GET", "https://a/b"),
    )
    error = error_of(answer)
    assert isinstance(error, QuotaExhausted)
    assert error.until == datetime(2026, 5, 1, tzinfo=UTC)
