"""The traps of Metrica's interface, asked over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox.vendors.yandex_metrica import VENDOR
from sandbox.vendors.yandex_metrica.store import FIRST_VISIT
from sandbox.world.happenings import Called, FormSent, Traffic, Visited
from sandbox.world.stream import Plan
from tests.sandbox.conftest import Stage

FIELDS = "ym:s:visitID,ym:s:date,ym:s:dateTime,ym:s:dateTimeUTC,ym:s:clientID,ym:s:goalsID,ym:s:startURL"
PLAN = Plan(seed=7, calls=0, start=date(2026, 3, 2), days=5)
MIDNIGHT = datetime(2026, 3, 1, 21, tzinfo=UTC)  # Moscow's, at which the world begins


class Metrica:
    """A client as bare as can be."""

    def __init__(self, stage: Stage, login: str = "token") -> None:
        self.stage = stage
        self.id = stage.credentials["counter_id"]
        self.headers = {"Authorization": f"OAuth {stage.world.secret('yandex_metrica', login, 58)}"}

    def ask(self, method: str, path: str, **query: Any) -> httpx.Response:
        return self.call(method, f"/management/v1/counter/{self.id}{path}", **query)

    def call(self, method: str, path: str, **query: Any) -> httpx.Response:
        address = self.stage.base_url + path
        return self.stage.http.request(method, address, params=query or None, headers=self.headers)

    def create(self, first: str = "2026-03-02", last: str = "2026-03-05", fields: str = FIELDS) -> httpx.Response:
        return self.ask("POST", "/logrequests", date1=first, date2=last, fields=fields, source="visits")

    def state(self, id: int) -> dict[str, Any]:
        told: dict[str, Any] = self.ask("GET", f"/logrequest/{id}").json()["log_request"]
        return told

    def rows(self, **asked: str) -> list[dict[str, str]]:
        """An export from beginning to end, uncleaned."""
        id = self.create(**asked).json()["log_request"]["request_id"]
        while (state := self.state(id))["status"] != "processed":
            assert state["status"] in ("created", "awaiting_retry")
            assert "parts" not in state
        rows = []
        for part in state["parts"]:
            text = self.ask("GET", f"/logrequest/{id}/part/{part['part_number']}/download").text
            header, *lines = [line.split("\t") for line in text.splitlines()]
            rows += [dict(zip(header, line, strict=True)) for line in lines]
        return rows


@pytest.fixture
def serve(stage: Callable[..., Stage]) -> Callable[..., Metrica]:
    def start(limits: float = 0) -> Metrica:
        served = stage(VENDOR, limits=limits, plan=PLAN)
        for _ in served.world.steps(PLAN.ends):
            pass
        return Metrica(served)

    return start


def visited(visit: int, at: datetime, traffic: Traffic, visitor: str = "1775109228651162001") -> Visited:
    return Visited(visit, at, visit, 1, visitor, traffic, "https://chistota.example/?a=it's", "Москва", "mobile")


AD = Traffic(
    "yandex", "cpc", 101234567, 5001, 777, 888, "12345678901234567890",
    {"utm_source": "yandex", "utm_medium": "cpc", "utm_campaign": "brand|101234567"}, "https://yandex.ru/",
)  # fmt: skip
DIRECT = Traffic("(direct)", "(none)")


def _kind(answer: httpx.Response) -> Any:
    return answer.json()["errors"][0]["error_type"]


def test_a_visit_is_told_with_whole_ids_escapes_and_two_clocks(serve: Callable[..., Metrica]) -> None:
    metrica = serve()
    at = MIDNIGHT + timedelta(hours=30)
    metrica.stage.happen(
        visited(65, at, AD),
        Called(66, at, 1, 1, "+79161204578", "+74951234567", tracked=True, visit=65, answered=True, wait_seconds=3,
               talk_seconds=60),
        FormSent(67, at, 1, 1, 65, "А", "1", "", "x"),
    )  # fmt: skip
    (row,) = metrica.rows()
    assert row["ym:s:visitID"] == str(FIRST_VISIT + 65)
    assert int(row["ym:s:visitID"]) != int(float(row["ym:s:visitID"]))
    assert row["ym:s:clientID"] == "1775109228651162001"
    assert (row["ym:s:date"], row["ym:s:dateTime"]) == ("2026-03-03", "2026-03-03 06:00:00")
    assert row["ym:s:dateTimeUTC"] == row["ym:s:dateTime"]  # UTC+3, whatever its name
    assert row["ym:s:goalsID"] == "[20001,20002]"
    assert row["ym:s:startURL"] == r"https://chistota.example/?a=it\'s"
    assert list(row) != FIELDS.split(",")
    assert metrica.stage.person_of("visit", FIRST_VISIT + 65) == 1


def test_the_model_of_attribution_stands_in_the_field(serve: Callable[..., Metrica]) -> None:
    metrica = serve()
    metrica.stage.happen(visited(65, MIDNIGHT + timedelta(hours=5), AD))
    metrica.stage.happen(visited(66, MIDNIGHT + timedelta(hours=9), DIRECT))
    names = ("last", "lastsign", "cross_device_last_significant", "first")
    fields = ",".join(f"ym:s:{name}DirectClickOrder" for name in names)
    ad, direct = metrica.rows(fields=fields)
    assert set(ad.values()) == {"101234567"}
    assert [direct[f"ym:s:{name}DirectClickOrder"] for name in names] == [
        "0",
        "101234567",
        "101234567",
        "101234567",
    ]


def test_days_are_those_of_the_counters_zone(serve: Callable[..., Metrica]) -> None:
    metrica = serve()
    metrica.stage.happen(visited(65, MIDNIGHT + timedelta(hours=23), AD))
    assert [row["ym:s:date"] for row in metrica.rows()] == ["2026-03-02"]
    metrica.stage.switch(time_zone="Asia/Yekaterinburg")
    assert [row["ym:s:dateTime"] for row in metrica.rows()] == ["2026-03-03 01:00:00"]
    assert metrica.ask("GET", "").json()["counter"]["time_zone_name"] == "Asia/Yekaterinburg"


def test_an_export_takes_time_and_comes_in_parts(serve: Callable[..., Metrica]) -> None:
    metrica = serve(limits=10)
    metrica.stage.switch(polls=2)
    for n in range(5):
        metrica.stage.happen(visited(65 + n, MIDNIGHT + timedelta(hours=5 + n), AD))
    id = metrica.create().json()["log_request"]["request_id"]
    assert metrica.ask("GET", f"/logrequest/{id}/part/0/download").status_code == 400
    assert [metrica.state(id)["status"] for _ in range(2)] == ["awaiting_retry", "processed"]
    parts = metrica.state(id)["parts"]
    texts = [metrica.ask("GET", f"/logrequest/{id}/part/{n}/download").text for n in (0, 1)]
    assert [part["size"] for part in parts] == [len(text.encode()) for text in texts]
    assert [len(text.splitlines()) for text in texts] == [4, 3]  # each with its header
    assert metrica.ask("GET", f"/logrequest/{id}/part/2/download").status_code == 400


def test_the_list_is_common_to_all_logins_and_cleaning_is_final(serve: Callable[..., Metrica]) -> None:
    metrica = serve()
    colleague = Metrica(metrica.stage, "colleague")
    id = metrica.create().json()["log_request"]["request_id"]
    assert [each["request_id"] for each in colleague.ask("GET", "/logrequests").json()["requests"]] == [id]
    assert colleague.ask("POST", f"/logrequest/{id}/clean").status_code == 400  # not ready yet
    metrica.state(id)
    assert colleague.ask("POST", f"/logrequest/{id}/clean").json()["log_request"]["status"] == "cleaned_by_user"
    assert metrica.ask("GET", f"/logrequest/{id}/part/0/download").status_code == 400
    other = metrica.create().json()["log_request"]["request_id"]
    assert metrica.ask("POST", f"/logrequest/{other}/cancel").json()["log_request"]["status"] == "canceled"


def test_the_room_for_exports_is_limited_and_told(serve: Callable[..., Metrica]) -> None:
    metrica = serve()
    for n in range(8):
        metrica.stage.happen(visited(65 + n, MIDNIGHT + timedelta(hours=5 + 12 * n), AD))
    asked = {"date1": "2026-03-02", "date2": "2026-03-05", "fields": FIELDS, "source": "visits"}
    evaluate = "/logrequests/evaluate"
    assert metrica.ask("GET", evaluate, **asked).json()["log_request_evaluation"]["possible"] is True
    metrica.stage.switch(quota_bytes=2000)
    told = metrica.ask("GET", evaluate, **asked).json()["log_request_evaluation"]
    assert told == {"possible": False, "max_possible_day_quantity": 2}
    assert _kind(metrica.create()).startswith("quota_")
    assert metrica.create(last="2026-03-02").status_code == 200


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ({"last": "2026-03-07"}, "date2"),  # the present day
        ({"first": "2025-01-01"}, "date1"),
        ({"first": "2026-03-05", "last": "2026-03-02"}, "date1"),
        ({"fields": "ym:s:visitID,ym:s:unknown"}, "fields"),
        ({"fields": ",".join(["ym:s:visitID"] * 300)}, "fields"),
        ({"fields": ""}, "fields"),
    ],
)
def test_what_can_not_be_exported_is_refused(
    serve: Callable[..., Metrica], asked: dict[str, str], location: str
) -> None:
    answer = serve().create(**asked)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["location"] == location


def test_wrong_keys_and_counters(serve: Callable[..., Metrica]) -> None:
    metrica = serve()
    assert _kind(metrica.call("GET", "/management/v1/counter/1")) == "access_denied"
    metrica.headers["Authorization"] = "OAuth wrong"
    answer = metrica.ask("GET", "")
    assert (answer.status_code, _kind(answer)) == (403, "invalid_token")
    metrica.headers.clear()
    answer = metrica.ask("GET", "")
    assert (answer.status_code, _kind(answer)) == (401, "unauthorized")


@pytest.mark.parametrize("status", [420, 429])
def test_too_many_requests_are_told_in_either_way(serve: Callable[..., Metrica], status: int) -> None:
    metrica = serve(limits=1)
    metrica.stage.switch(quota_status=status)
    answers = [metrica.ask("GET", "/logrequests") for _ in range(14)]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert {(answer.status_code, _kind(answer)) for answer in refused} == {(status, "quota_requests_by_ip")}


def test_totals_are_sampled_unless_full_accuracy_is_asked_for(serve: Callable[..., Metrica]) -> None:
    metrica = serve()
    for n in range(4):
        metrica.stage.happen(visited(65 + n, MIDNIGHT + timedelta(hours=5 + 12 * n), AD))
    asked = {
        "ids": metrica.id,
        "metrics": "ym:s:visits,ym:s:users",
        "dimensions": "ym:s:date",
        "date1": "2026-03-02",
        "date2": "2026-03-05",
    }
    told = metrica.call("GET", "/stat/v1/data", **asked).json()
    assert told["sampled"] is True
    told = metrica.call("GET", "/stat/v1/data", **asked, accuracy="full", offset="2").json()
    assert (told["sampled"], told["total_rows"], told["totals"]) == (False, 2, [4.0, 2.0])
    assert [row["dimensions"][0]["name"] for row in told["data"]] == ["2026-03-03"]
